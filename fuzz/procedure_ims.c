/* Any bytes as a request on the ISC interface: whom it is served for, and what is written of its
 * charging vector, which must be a field that can be read. */
#include "procedure/ims.h"
#include "sip/uri.h"
#include "sip/write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* The lines in a message of their own, which no line of theirs may break. */
static void judge(struct buf *lines)
{
	struct sip_msg m;
	struct buf b;

	check(buf_ok(lines));
	buf_init(&b, 1 << 18);
	buf_puts(&b, "INFO sip:a@b SIP/2.0\r\n");
	buf_put(&b, buf_view(lines));
	buf_puts(&b, "Content-Length: 0\r\n\r\n");
	check(buf_ok(&b) && sip_msg_parse(buf_view(&b), &m) == 0 && m.n_fields <= 2);
	buf_fini(&b);
	buf_reset(lines);
}

static void look_at_routes(const struct sip_msg *m)
{
	struct sip_values it;
	struct view value;

	sip_values_start(&it, m, SIP_H_ROUTE);
	while (sip_values_next(&it, &value)) {
		struct sip_addr a;
		struct sip_uri u;

		if (sip_addr_parse(value, &a) == 0 && sip_uri_parse(a.uri, &u) == 0)
			(void)ims_side_of_route(&u, VIEW("orig"), VIEW("term"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ims_served_user served;
	struct sip_msg m;
	struct buf b;

	if (sip_msg_parse(view_of((const char *)data, size), &m))
		return 0;
	if (ims_served_user_read(&m, &served) == 0)
		check(served.uri.n && served.uri.p >= (const char *)data &&
		      served.uri.p + served.uri.n <= (const char *)data + size);
	look_at_routes(&m);
	for (int i = 0; i < m.n_fields; i++)
		(void)ims_is_trust_field(&m, i);
	buf_init(&b, 1 << 17);
	ims_write_charging_answer(&b, &m, VIEW("term.example"));
	judge(&b);
	ims_write_charging_inside(&b, &m, VIEW("orig.example"));
	judge(&b);
	buf_fini(&b);
	return 0;
}
