/* Where a URI leads, with DNS answers made of bytes. Input: what is asked for (host, line end),
 * then records: type, four numbers, and a text that ends with a line end, 0xff between answers. */
#include "sip/resolve_order.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIXED = 5, ROUNDS = 4 * SIP_QUESTIONS_MAX };

static void fill(void *ctx, void *dst, size_t n)
{
	(void)ctx;
	memset(dst, 0x5a, n);
}

static void record_read(struct dns_record *r, struct view *rest)
{
	const unsigned char *p = (const unsigned char *)rest->p;
	struct view text;

	*r = (struct dns_record){.type = (enum dns_type)(p[0] % 3),
				 .order = p[1],
				 .preference = p[2],
				 .priority = p[1],
				 .weight = p[2],
				 .port = (uint16_t)(p[3] << 8 | p[4])};
	*rest = view_from(*rest, FIXED);
	text = view_cut(rest, '\n');
	if (r->type == DNS_NAPTR) {
		struct view service = view_cut(&text, ' ');

		r->flags[0] = (char)(p[3] ? p[3] : 's');
		(void)view_copy(service, r->service, sizeof(r->service));
	}
	(void)view_copy(text, r->name, sizeof(r->name));
	if (r->type == DNS_ADDRESS && addr_parse(text, 0, &r->addr))
		(void)addr_parse(VIEW("192.0.2.1"), 0, &r->addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_record record[DNS_RECORDS_MAX];
	static struct sip_lookup lookup;
	const struct entropy entropy = {fill, NULL};
	struct sip_lookup_order order = {.allowed = 7};
	struct view rest;
	enum dns_type type;
	size_t rounds = 0;

	if (size < 2)
		return 0;
	order.sips = data[0] & 1;
	order.has_transport = data[0] & 2;
	order.transport = (enum sip_transport)((data[0] >> 2 & 3) % 3);
	order.fallback = data[0] & 16 ? SIP_TCP : SIP_UDP;
	order.port = data[0] & 32 ? 5062 : 0;
	/* Callers can do without DNS's choice. */
	order.allowed = (data[1] & 7) | SIP_MAY(order.fallback);
	rest = view_of((const char *)data + 2, size - 2);
	order.host = view_cut(&rest, '\n');
	if (sip_lookup_begin(&lookup, &order, &entropy))
		return 0;
	while (sip_lookup_question(&lookup, &type)) {
		size_t n = 0;

		while (n < DNS_RECORDS_MAX && rest.n >= FIXED && rest.p[0] != (char)0xff)
			record_read(&record[n++], &rest);
		if (rest.n)
			rest = view_from(rest, 1);
		sip_lookup_answer(&lookup, record, n);
		/* It comes to an end, whatever the answers. */
		if (++rounds > ROUNDS)
			abort();
	}
	if (lookup.n_targets > SIP_TARGETS_MAX)
		abort();
	for (size_t i = 0; i < lookup.n_targets; i++)
		if (!lookup.target[i].addr.family ||
		    !(order.allowed & SIP_MAY(lookup.target[i].transport)))
			abort();
	return 0;
}
