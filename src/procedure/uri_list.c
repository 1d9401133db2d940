#include "procedure/uri_list.h"

#include "base/error.h"

#include <stdlib.h>

enum { INVITEE_BYTES_MAX = 8192, DISPLAY_BYTES_MAX = 256 };

void invitee_fini(struct invitee *i)
{
	buf_fini(&i->text);
}

/* Where the headers begin, and whether they are in the unescaped form of the source's example. */
static struct view cut_headers(struct view *text, bool *loose)
{
	size_t q = view_find(*text, '?', 0);
	struct view headers = view_from(*text, q + 1);

	*text = view_first(*text, q);
	*loose = view_starts_nocase(headers, VIEW("Replaces:"));
	return headers;
}

/* Offsets into the text, which may still move while it grows. */
struct span {
	size_t at, n;
};

struct spans {
	struct span uri, aor, replaces, session_replaces;
};

static int put_unescaped(struct buf *b, struct view v, struct span *out)
{
	size_t from = b->n;
	int rc = sip_unescape(b, v, true);

	*out = (struct span){from, b->n - from};
	return rc;
}

static int read_headers(struct buf *b, struct spans *s, struct view headers, bool loose)
{
	struct view name, value;
	int rc;

	if (loose) {
		(void)view_cut(&headers, ':');
		return put_unescaped(b, view_trim(headers), &s->replaces);
	}
	while (sip_uri_header_next(&headers, &name, &value)) {
		struct span *into = NULL;

		if (view_eq_nocase(name, VIEW("Replaces")))
			into = &s->replaces;
		else if (view_eq_nocase(name, VIEW("Session-Replaces")))
			into = &s->session_replaces;
		if (!into)
			continue;
		if (into->n)
			return E_SYNTAX;
		rc = put_unescaped(b, value, into);
		if (rc)
			return rc;
	}
	return 0;
}

/* The URI without its method parameter, and the method judged. */
static int read_uri(struct buf *b, struct spans *s, struct view text, bool *bye)
{
	struct sip_uri u;
	struct view rest, name, value;
	int rc = sip_uri_parse(text, &u);

	if (rc)
		return rc;
	if (u.scheme != SIP_SCHEME_SIP && u.scheme != SIP_SCHEME_SIPS)
		return E_UNSUPPORTED;
	*bye = false;
	if (sip_param(u.params, VIEW("method"), &value) && !view_eq_nocase(value, VIEW("INVITE"))) {
		*bye = view_eq_nocase(value, VIEW("BYE"));
		if (!*bye)
			return E_UNSUPPORTED;
	}
	s->uri.at = b->n;
	buf_put(b, view_first(text, text.n - u.params.n));
	rest = u.params;
	while (sip_param_next(&rest, &name, &value)) {
		if (view_eq_nocase(name, VIEW("method")))
			continue;
		buf_putc(b, ';');
		buf_put(b, name);
		if (value.n) {
			buf_putc(b, '=');
			buf_put(b, value);
		}
	}
	s->uri.n = b->n - s->uri.at;
	s->aor.at = b->n;
	sip_uri_aor(b, &u);
	s->aor.n = b->n - s->aor.at;
	return 0;
}

static struct view spanned(const struct buf *b, struct span s)
{
	return view_of(b->p + s.at, s.n);
}

int invitee_parse_refer(struct view text, struct invitee *out)
{
	struct invitee i = {0};
	struct spans s = {0};
	struct view uri = view_trim(text), headers;
	struct buf full;
	bool loose;
	int rc;

	/* All the room at once: the views into it stay good when a display name follows. */
	buf_init(&i.text, INVITEE_BYTES_MAX);
	buf_init(&full, INVITEE_BYTES_MAX);
	headers = cut_headers(&uri, &loose);
	/* "bob@biloxi.com": no scheme, but a host behind an '@'. */
	if (view_find(uri, '@', 0) < uri.n && view_find(uri, ':', 0) > view_find(uri, '@', 0))
		buf_puts(&full, "sip:");
	buf_put(&full, uri);
	rc = buf_ok(&full) ? buf_reserve(&i.text, 2 * text.n + DISPLAY_BYTES_MAX + 16) : E_LIMIT;
	if (rc == 0)
		rc = read_uri(&i.text, &s, buf_view(&full), &i.remove);
	if (rc == 0)
		rc = read_headers(&i.text, &s, headers, loose);
	if (rc == 0 && !buf_ok(&i.text))
		rc = E_LIMIT;
	buf_fini(&full);
	if (rc) {
		buf_fini(&i.text);
		return rc;
	}
	i.uri = spanned(&i.text, s.uri);
	i.aor = spanned(&i.text, s.aor);
	i.replaces = spanned(&i.text, s.replaces);
	i.session_replaces = spanned(&i.text, s.session_replaces);
	*out = i;
	return 0;
}

int invitee_parse(struct view text, struct invitee *out)
{
	struct invitee i;
	int rc = invitee_parse_refer(text, &i);

	if (rc)
		return rc;
	if (i.remove) {
		invitee_fini(&i);
		return E_UNSUPPORTED;
	}
	*out = i;
	return 0;
}

void invitee_list_free(struct invitee_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		invitee_fini(&l->entry[i]);
	free(l->entry);
	*l = (struct invitee_list){0};
}

static bool known(const struct invitee_list *l, struct view aor)
{
	for (size_t i = 0; i < l->n; i++)
		if (view_eq(l->entry[i].aor, aor))
			return true;
	return false;
}

static int refuse(int status, const char *reason, int *status_out, const char **reason_out, int rc)
{
	*status_out = status;
	*reason_out = reason;
	return rc;
}

/* Fits into what invitee_parse reserved, so nothing moves. */
static void copy_display(struct invitee *i, struct view display)
{
	size_t from = i->text.n;

	display = view_first(display, DISPLAY_BYTES_MAX);
	if (i->text.size - i->text.n < display.n)
		return;
	buf_put(&i->text, display);
	i->display = view_of(i->text.p + from, i->text.n - from);
}

static int list_parse(struct view xml, struct view self, size_t max, bool refer,
		      struct invitee_list *out, int *status_out, const char **reason_out)
{
	struct resource_limits limits = {.max_entries = max + 1};
	struct resource_list list;
	struct invitee_list l = {0};
	int rc = resource_lists_parse(xml, &limits, &list);

	if (rc == E_NOMEM)
		return refuse(500, NULL, status_out, reason_out, rc);
	if (rc == E_LIMIT || rc == E_RANGE)
		return refuse(413, "Recipient List Too Large", status_out, reason_out, rc);
	if (rc)
		return refuse(400, "Malformed Recipient List", status_out, reason_out, rc);
	l.entry = calloc(list.n ? list.n : 1, sizeof(*l.entry));
	rc = l.entry ? 0 : E_NOMEM;
	for (size_t i = 0; rc == 0 && i < list.n; i++) {
		struct invitee *e = &l.entry[l.n];

		rc = refer ? invitee_parse_refer(list.entries[i].uri, e)
			   : invitee_parse(list.entries[i].uri, e);
		if (rc)
			break;
		if (known(&l, e->aor) || view_eq(e->aor, self)) {
			invitee_fini(e);
			continue;
		}
		e->anonymize = list.entries[i].anonymize;
		e->copy = list.entries[i].copy;
		l.n++;
		copy_display(e, list.entries[i].display);
	}
	resource_list_free(&list);
	if (rc == 0 && l.n > max)
		rc = E_LIMIT;
	if (rc) {
		invitee_list_free(&l);
		if (rc == E_NOMEM)
			return refuse(500, NULL, status_out, reason_out, rc);
		if (rc == E_LIMIT)
			return refuse(413, "Recipient List Too Large", status_out, reason_out, rc);
		return refuse(400, "Recipient Cannot Be Invited", status_out, reason_out, rc);
	}
	*out = l;
	return 0;
}

int invitee_list_parse(struct view xml, struct view self, size_t max, struct invitee_list *out,
		       int *status_out, const char **reason_out)
{
	return list_parse(xml, self, max, false, out, status_out, reason_out);
}

int invitee_list_parse_refer(struct view xml, size_t max, struct invitee_list *out, int *status_out,
			     const char **reason_out)
{
	return list_parse(xml, VIEW(""), max, true, out, status_out, reason_out);
}

void invitee_write_replaces(struct buf *b, struct view uri, struct view replaces)
{
	buf_put(b, uri);
	buf_puts(b, ";method=INVITE?Replaces=");
	sip_escape(b, replaces);
}
