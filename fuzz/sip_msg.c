/* Fuzz target: a message, its check, all of its values by every value parser, an answer to it, and
 * what a glance takes of it. */
#include "sip/glance.h"
#include "sip/msg.h"
#include "sip/value.h"
#include "sip/write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A view handed out must lie within the input. */
static void within(struct view v, struct view whole)
{
	if (v.n && (v.p < whole.p || v.p + v.n > whole.p + whole.n))
		abort();
}

static void walk_uri(struct view text)
{
	struct sip_uri u;
	struct view rest, name, value;
	struct buf b;

	if (sip_uri_parse(text, &u))
		return;
	rest = u.headers;
	buf_init(&b, 1 << 16);
	while (sip_uri_header_next(&rest, &name, &value)) {
		within(value, text);
		(void)sip_unescape(&b, value, true);
	}
	sip_uri_aor(&b, &u);
	if (!sip_uri_eq(&u, &u))
		abort();
	buf_fini(&b);
}

static void walk_params(struct view params, struct view whole)
{
	struct view name, value;

	while (sip_param_next(&params, &name, &value)) {
		within(name, whole);
		within(value, whole);
	}
}

static void parse_value(struct view v)
{
	struct sip_addr addr;
	struct sip_via via;
	struct sip_cseq cseq;
	struct sip_replaces replaces;
	struct sip_token_params token;
	struct sip_auth auth;
	struct sip_session_expires expires;

	if (sip_addr_parse(v, &addr) == 0) {
		within(addr.display, v);
		within(addr.uri, v);
		within(sip_addr_tag(&addr), v);
		walk_params(addr.params, v);
		walk_uri(addr.uri);
	}
	if (sip_via_parse(v, &via) == 0) {
		within(via.host, v);
		within(via.branch, v);
		within(via.received, v);
		walk_params(via.params, v);
	}
	if (sip_cseq_parse(v, &cseq) == 0)
		within(cseq.method, v);
	if (sip_replaces_parse(v, &replaces) == 0)
		within(replaces.call_id, v);
	if (sip_token_params_parse(v, &token) == 0)
		within(token.token, v);
	if (sip_auth_parse(v, &auth) == 0)
		within(auth.nonce, v);
	(void)sip_session_expires_parse(v, &expires);
	(void)sip_content_is(v, VIEW("application/sdp"));
	(void)sip_params_have_im_tag(v);
}

static void walk_values(const struct sip_msg *m)
{
	for (int id = 0; id < SIP_HEADER_IDS; id++) {
		struct sip_values it;
		struct view v;

		sip_values_start(&it, m, (enum sip_header_id)id);
		while (sip_values_next(&it, &v)) {
			if (v.n == 0)
				abort();
			within(v, m->raw);
			parse_value(v);
		}
	}
}

/* What was taken and found in order can be answered, and the answer can be read. */
static void answer(const struct sip_msg *m, bool in_order)
{
	struct sip_msg back;
	const char *reason = NULL;
	struct buf b;

	buf_init(&b, 1 << 18);
	sip_write_response_head(&b, m, 400, NULL, VIEW("tag"));
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (!buf_ok(&b))
		abort();
	if (in_order && (sip_msg_parse(buf_view(&b), &back) || sip_msg_check(&back, &reason)))
		abort();
	buf_fini(&b);
}

/* What is read without the parser is what it reads, or nothing. */
static void glance(struct view bytes, const struct sip_msg *m, bool parsed)
{
	struct sip_glance g;

	if (!sip_glance(bytes, &g))
		return;
	within(g.from, bytes);
	within(g.to, bytes);
	within(g.call_id, bytes);
	within(g.cseq, bytes);
	within(g.credentials, bytes);
	for (unsigned i = 0; i < g.n_vias; i++)
		within(g.via[i], bytes);
	if (parsed && (!m->is_request || m->method != g.method ||
		       !view_eq(g.from, sip_msg_value(m, SIP_H_FROM)) ||
		       !view_eq(g.to, sip_msg_value(m, SIP_H_TO)) ||
		       !view_eq(g.call_id, sip_msg_value(m, SIP_H_CALL_ID)) ||
		       !view_eq(g.cseq, sip_msg_value(m, SIP_H_CSEQ)) ||
		       !view_eq(g.via[0], sip_msg_value(m, SIP_H_VIA))))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view bytes = view_of(size ? (const char *)data : "", size);
	const char *reason = NULL;
	struct sip_msg m;
	int rc = sip_msg_parse(bytes, &m), status;

	within(m.raw, bytes);
	for (int i = 0; i < m.n_fields; i++) {
		within(sip_field_name(&m, i), m.raw);
		within(sip_field_value(&m, i), m.raw);
		parse_value(sip_field_value(&m, i));
	}
	walk_values(&m);
	walk_uri(m.uri);
	(void)sip_msg_value_named(&m, VIEW("X-Unknown"));
	(void)sip_msg_lists(&m, SIP_H_SUPPORTED, VIEW("replaces"));
	(void)sip_msg_accepts_im(&m);
	status = sip_msg_check(&m, &reason);
	if (status && !reason)
		abort();
	if (m.is_request)
		answer(&m, rc == 0 && status == 0);
	glance(bytes, &m, rc == 0);
	return 0;
}
