/*
 * What the targets that are driven by a script have in common: a virtual clock, random numbers, the
 * newest that the program under test has sent, and texts that refer to it. A script is records that
 * end with 0xff; in their texts {b} is a new branch, and of what was sent last {t} {f} are the tags
 * of To and From, {i} Call-ID, {c} the URI of Contact, {v} the Via lines of the last request.
 */
#ifndef CONFAB_FUZZ_SESSION_DRIVER_H
#define CONFAB_FUZZ_SESSION_DRIVER_H

#include "base/entropy.h"
#include "base/timers.h"
#include "sip/value.h"
#include "sip/write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DRIVER_TEXT = 16384, DRIVER_SAID = 65536, DRIVER_SEPARATOR = 0xff };

struct driver {
	struct timers timers;
	uint64_t now, random;
	struct entropy entropy;
	unsigned branch;
	/* the newest of each kind that was sent */
	char message[DRIVER_TEXT], request[DRIVER_TEXT];
	/* Further letters in braces; false: it is none. May be NULL. */
	bool (*put)(struct buf *b, char what, int who, struct view text);
};

static inline void check(bool ok)
{
	if (!ok)
		abort();
}

static inline void driver_fill(void *ctx, void *dst, size_t n)
{
	struct driver *d = ctx;

	for (size_t i = 0; i < n; i++) {
		d->random = d->random * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(d->random >> 56);
	}
}

static inline void driver_init(struct driver *d)
{
	d->now = 1000000;
	d->entropy = (struct entropy){driver_fill, d};
	timers_init(&d->timers, d->now);
}

static inline void driver_keep(char *dst, struct view bytes)
{
	if (bytes.n >= DRIVER_TEXT)
		return;
	memcpy(dst, bytes.p, bytes.n);
	dst[bytes.n] = '\0';
}

/* Bytes that were sent: false: no SIP message, but a keep-alive. */
static inline bool driver_sent(struct driver *d, struct view bytes, struct sip_msg *m)
{
	if (bytes.n <= 4 || (unsigned char)bytes.p[0] < 4)
		return false;
	check(sip_msg_parse(bytes, m) == 0);
	driver_keep(d->message, bytes);
	if (m->is_request && m->method != SIP_ACK && m->method != SIP_CANCEL)
		driver_keep(d->request, bytes);
	return true;
}

/* --- texts --- */

static inline void driver_put_value(const struct driver *d, struct buf *b, enum sip_header_id h,
				    bool tag)
{
	struct sip_addr a;
	struct sip_msg m;
	struct view v;

	if (sip_msg_parse(view_str(d->message), &m))
		return;
	v = sip_msg_value(&m, h);
	if (h == SIP_H_CALL_ID)
		buf_put(b, v);
	else if (sip_addr_parse(v, &a) == 0)
		buf_put(b, tag ? sip_addr_tag(&a) : a.uri);
}

static inline void driver_put_vias(const struct driver *d, struct buf *b)
{
	struct sip_msg m;

	if (sip_msg_parse(view_str(d->request), &m))
		return;
	for (int i = 0; i < m.n_fields; i++)
		if (sip_header_of(sip_field_name(&m, i)) == SIP_H_VIA)
			sip_write_field(b, "Via", sip_field_value(&m, i));
}

static inline bool driver_put(struct driver *d, struct buf *b, char what, int who, struct view text)
{
	switch (what) {
	case 'b':
		buf_putf(b, "z9hG4bKs%u", ++d->branch);
		return true;
	case 't':
		driver_put_value(d, b, SIP_H_TO, true);
		return true;
	case 'f':
		driver_put_value(d, b, SIP_H_FROM, true);
		return true;
	case 'i':
		driver_put_value(d, b, SIP_H_CALL_ID, false);
		return true;
	case 'c':
		driver_put_value(d, b, SIP_H_CONTACT, false);
		return true;
	case 'v':
		driver_put_vias(d, b);
		return true;
	default:
		return d->put && d->put(b, what, who, text);
	}
}

static inline void driver_expand(struct driver *d, struct buf *b, int who, struct view text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.n - i >= 3 && text.p[i] == '{' && text.p[i + 2] == '}' &&
		    driver_put(d, b, text.p[i + 1], who, text))
			i += 2;
		else
			buf_putc(b, text.p[i]);
	}
}

/* The text as it is said, of its own length, so that a byte too far is seen. Heap. */
static inline struct view driver_said(struct driver *d, int who, struct view text)
{
	struct buf b;
	size_t n;
	char *bytes;

	buf_init(&b, DRIVER_SAID);
	driver_expand(d, &b, who, text);
	n = b.n;
	bytes = malloc(n ? n : 1);
	if (n)
		memcpy(bytes, b.p, n);
	buf_fini(&b);
	return view_of(bytes, n);
}

/* An answer to the newest request: three digits, and then what it says; with nothing behind them a
 * good one, with these lines and for an INVITE this SDP. False: none. */
static inline bool driver_answer(struct driver *d, struct buf *b, struct view text,
				 const char *lines, const char *sdp)
{
	uint32_t status = 0;
	struct sip_msg m;

	if (view_to_u32(view_first(text, text.n < 3 ? text.n : 3), &status) || status < 100 ||
	    sip_msg_parse(view_str(d->request), &m))
		return false;
	text = view_from(text, 3);
	sip_write_response_head(b, &m, (int)status, NULL, status > 100 ? VIEW("srv") : VIEW(""));
	if (text.n) {
		driver_expand(d, b, 0, text);
		return true;
	}
	buf_puts(b, lines);
	sip_write_body(b, m.method == SIP_INVITE ? VIEW("application/sdp") : VIEW(""),
		       m.method == SIP_INVITE ? view_str(sdp) : VIEW(""));
	return true;
}

/* --- life --- */

static inline void driver_pass_time(struct driver *d, uint64_t ms)
{
	uint64_t until = d->now + ms;

	while (timers_next(&d->timers) <= until) {
		uint64_t next = timers_next(&d->timers);

		d->now = next > d->now ? next : d->now;
		timers_run(&d->timers, d->now);
	}
	d->now = until;
}

static inline void driver_run(const uint8_t *script, size_t n, void (*step)(struct view record))
{
	struct view rest = view_of((const char *)script, n);

	while (rest.n)
		step(view_cut(&rest, (char)DRIVER_SEPARATOR));
}

#endif
