/* Any bytes as a request with credentials, against a challenger whose nonces are known; and as a
 * response with challenges, answered. "{n}" is a nonce that was given out. */
#include "sip/digest.h"

#include "io/digest.h"
#include "sip/value.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(void *ctx, void *dst, size_t n)
{
	(void)ctx;
	memset(dst, 7, n);
}

/* The nonce of the challenge. */
static struct view nonce_of(struct view challenge)
{
	size_t at = view_find_view(challenge, VIEW("nonce=\""), 0) + 7;

	challenge = view_from(challenge, at < challenge.n ? at : challenge.n);
	return view_cut(&challenge, '"');
}

static void verify(struct sip_challenger *c, const struct sip_msg *m, const char *ha1)
{
	struct sip_auth auth;

	for (int proxy = 0; proxy < 2; proxy++) {
		if (sip_credentials_find(m, proxy, VIEW("example.com"), &auth))
			continue;
		/* Nobody knows this password. */
		if (sip_challenge_verify(c, &auth, m->method_name, m->uri, ha1, NULL, 2000) ==
		    SIP_AUTH_OK)
			abort();
		(void)sip_challenge_verify(c, &auth, m->method_name, m->uri, NULL, ha1, 900000);
	}
}

static void answer(const struct sip_msg *m, const struct entropy *entropy)
{
	struct sip_auth auth;
	struct buf b;
	bool proxy;

	buf_init(&b, 1 << 16);
	if (sip_challenge_pick(m, &auth, &proxy) == 0)
		(void)sip_credentials_write(&b, io_digest(), entropy, proxy, &auth, VIEW("ann"),
					    VIEW("secret"), VIEW("INVITE"), VIEW("sip:b@c"), 1);
	(void)sip_challenge_pick_any(m, &auth, &proxy);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct entropy entropy = {fill, NULL};
	struct sip_challenger c;
	struct buf challenge, text;
	struct sip_msg m;
	/* 128 bits that no input can hit. */
	static const char ha1[] = "8c1f4e0a6b3d92f7d05e3a7b91c24f68";

	sip_challenger_init(&c, io_digest(), &entropy, VIEW("example.com"), 300000);
	buf_init(&challenge, 1 << 16);
	buf_init(&text, 1 << 20);
	sip_challenge_write(&challenge, &c, false, false, 1000);
	for (size_t i = 0; i < size; i++) {
		if (size - i >= 3 && memcmp(data + i, "{n}", 3) == 0) {
			buf_put(&text, nonce_of(buf_view(&challenge)));
			i += 2;
		} else {
			buf_putc(&text, (char)data[i]);
		}
	}
	if (buf_ok(&text) && text.n && sip_msg_parse(buf_view(&text), &m) == 0) {
		if (m.is_request)
			verify(&c, &m, ha1);
		else
			answer(&m, &entropy);
	}
	buf_fini(&text);
	buf_fini(&challenge);
	sip_challenger_fini(&c);
	return 0;
}
