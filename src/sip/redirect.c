#include "sip/redirect.h"

#include "base/error.h"

#include <stdlib.h>

bool sip_is_redirection(int status)
{
	/* §8.1.3.2: one that is not known is read as 300. */
	return status >= 300 && status < 400 && status != 305 && status != 380;
}

/* q of a Contact, in thousandths; 1 where it has none, or none that can be read (§20.10). */
static uint32_t read_q(struct view params)
{
	uint32_t whole, part = 0, unit = 100;
	struct view v, rest;

	if (!sip_param(params, VIEW("q"), &v))
		return 1000;
	rest = v;
	if (view_to_u32(view_cut(&rest, '.'), &whole) || whole > 1 || rest.n > 3)
		return 1000;
	for (size_t i = 0; i < rest.n; i++, unit /= 10) {
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return 1000;
		part += (uint32_t)(rest.p[i] - '0') * unit;
	}
	return whole ? 1000 : part;
}

static bool known(const struct sip_targets *t, const struct sip_uri *uri)
{
	for (size_t i = 0; i < t->n; i++) {
		struct sip_uri other;

		if (sip_uri_parse(view_str(t->target[i].uri), &other) == 0 &&
		    sip_uri_eq(uri, &other))
			return true;
	}
	return false;
}

static int add(struct sip_targets *t, struct view text, uint32_t q, bool tried)
{
	char *uri = view_dup(text);

	if (!uri)
		return E_NOMEM;
	t->target[t->n++] = (struct sip_target){.uri = uri, .q = q, .tried = tried};
	return 0;
}

int sip_targets_init(struct sip_targets *t, struct view request_uri)
{
	struct sip_uri uri;

	*t = (struct sip_targets){0};
	t->sips = sip_uri_parse(request_uri, &uri) == 0 && uri.scheme == SIP_SCHEME_SIPS;
	return add(t, request_uri, 0, true);
}

void sip_targets_fini(struct sip_targets *t)
{
	while (t->n)
		free(t->target[--t->n].uri);
}

static bool usable(const struct sip_targets *t, const struct sip_uri *uri)
{
	if (uri->scheme != SIP_SCHEME_SIPS && (uri->scheme != SIP_SCHEME_SIP || t->sips))
		return false;
	/* §19.1.1: a method does not belong into a Request-URI. */
	return uri->host.n && !sip_param(uri->params, VIEW("method"), NULL) &&
	       uri->text.n <= SIP_TARGET_BYTES_MAX;
}

/* Nor do headers (§19.1.5). */
static struct view bare(const struct sip_uri *uri)
{
	size_t n = uri->text.n;

	if (uri->headers.n)
		n = (size_t)(uri->headers.p - uri->text.p) - 1;
	return view_first(uri->text, n);
}

void sip_targets_add(struct sip_targets *t, const struct sip_msg *response)
{
	struct sip_values it;
	struct view value;

	sip_values_start(&it, response, SIP_H_CONTACT);
	while (t->n < SIP_TARGETS_MAX && sip_values_next(&it, &value)) {
		struct sip_uri uri;
		struct sip_addr a;

		if (sip_addr_parse(value, &a) || a.star || sip_uri_parse(a.uri, &uri) ||
		    !usable(t, &uri))
			continue;
		if (sip_uri_parse(bare(&uri), &uri) || known(t, &uri))
			continue;
		if (add(t, uri.text, read_q(a.params), false))
			return;
	}
}

struct view sip_targets_next(struct sip_targets *t)
{
	struct sip_target *best = NULL;
	struct sip_uri uri;

	if (t->taken >= SIP_REDIRECTS_MAX)
		return VIEW("");
	for (size_t i = 0; i < t->n; i++) {
		struct sip_target *at = &t->target[i];

		/* Some may have come before one that is sips. */
		if (at->tried || (t->sips && !view_starts_nocase(view_str(at->uri), VIEW("sips:"))))
			continue;
		if (!best || at->q > best->q)
			best = at;
	}
	if (!best)
		return VIEW("");
	best->tried = true;
	t->taken++;
	t->sips = t->sips ||
		  (sip_uri_parse(view_str(best->uri), &uri) == 0 && uri.scheme == SIP_SCHEME_SIPS);
	return view_str(best->uri);
}
