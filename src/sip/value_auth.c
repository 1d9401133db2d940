/* Challenges and credentials: WWW-Authenticate, Authorization and their Proxy twins (RFC 3261
 * §25.1, RFC 7616 §3). Commas part the parameters there. */
#include "base/error.h"
#include "sip/grammar.h"
#include "sip/value.h"

/* Where a parameter's value goes; NULL for one that nobody asks for. */
static struct view *auth_slot(struct sip_auth *a, struct view name, struct view *stale)
{
	const struct {
		struct view name;
		struct view *slot;
	} slots[] = {
		{VIEW("realm"), &a->realm},   {VIEW("nonce"), &a->nonce},
		{VIEW("opaque"), &a->opaque}, {VIEW("algorithm"), &a->algorithm},
		{VIEW("qop"), &a->qop},	      {VIEW("username"), &a->username},
		{VIEW("uri"), &a->uri},	      {VIEW("response"), &a->response},
		{VIEW("cnonce"), &a->cnonce}, {VIEW("nc"), &a->nc},
		{VIEW("domain"), &a->domain}, {VIEW("stale"), stale},
	};

	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
		if (view_eq_nocase(name, slots[i].name))
			return slots[i].slot;
	return NULL;
}

/* Takes "text" (without its quotes) or text up to a comma or white space. */
static int take_value(struct view *v, struct view *out)
{
	size_t n = 0;

	if (v->n && v->p[0] == '"') {
		n = sip_quoted_span(*v);
		if (n == 0)
			return E_SYNTAX;
		*out = view_of(v->p + 1, n - 2);
	} else {
		while (n < v->n && v->p[n] != ',' && !sip_char_is(v->p[n], SIP_CHAR_LWS))
			n++;
		*out = view_first(*v, n);
	}
	*v = view_from(*v, n);
	return 0;
}

static int parse_params(struct view v, struct sip_auth *a)
{
	struct view stale = {NULL, 0}, name, value, *slot;

	for (;;) {
		while (sip_take_char(&v, ','))
			;
		sip_skip_lws(&v);
		if (v.n == 0)
			break;
		name = sip_take_token(&v);
		if (name.n == 0 || !sip_take_char(&v, '=') || take_value(&v, &value))
			return E_SYNTAX;
		sip_skip_lws(&v);
		if (v.n && v.p[0] != ',')
			return E_SYNTAX;
		slot = auth_slot(a, name, &stale);
		/* A parameter stands once (RFC 7616 §3.3): which of two counts would be a guess. */
		if (slot && slot->p)
			return E_SYNTAX;
		if (slot)
			*slot = value;
	}
	a->stale = view_eq_nocase(stale, VIEW("true"));
	return 0;
}

int sip_auth_parse(struct view value, struct sip_auth *out)
{
	struct view v = view_trim(value);
	struct sip_auth a = {0};
	int rc = 0;

	a.scheme = sip_take_token(&v);
	if (a.scheme.n == 0 || (v.n && !sip_char_is(v.p[0], SIP_CHAR_LWS)))
		return E_SYNTAX;
	/* Other schemes may have another grammar; who does not know them passes them by. */
	if (view_eq_nocase(a.scheme, VIEW("Digest")))
		rc = parse_params(v, &a);
	if (rc == 0)
		*out = a;
	return rc;
}
