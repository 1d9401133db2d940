#include "procedure/uri_list.h"

#include "base/error.h"
#include "sip/value.h"

#include <stdlib.h>

enum { INVITEE_BYTES_MAX = 8192, DISPLAY_BYTES_MAX = 256, DOUBLES_MAX = 16 };

void invitee_fini(struct invitee *i)
{
	buf_fini(&i->text);
}

/* Where the headers begin, and whether they are in the unescaped form of the source's example. */
static struct view cut_headers(struct view *text, bool *loose)
{
	/* The user part may have a '?' of its own. */
	size_t at = view_find(*text, '@', 0), q = view_find(*text, '?', at < text->n ? at : 0);
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

static bool has_control(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < ' ' || v.p[i] == 0x7f)
			return true;
	return false;
}

/* What goes into a header field of ours as it stands: nothing that could begin another value. */
static bool is_word(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] <= ' ' || v.p[i] == 0x7f || v.p[i] == ',')
			return false;
	return true;
}

/* An escaped Replaces as it is sent on: Call-ID and tags, and nothing else that stood there. */
static int put_replaces(struct buf *b, struct view escaped, struct span *out)
{
	struct sip_replaces r;
	struct buf plain;
	size_t from = b->n;
	int rc;

	buf_init(&plain, INVITEE_BYTES_MAX);
	rc = sip_unescape(&plain, escaped, true);
	if (rc == 0 && !buf_ok(&plain))
		rc = E_LIMIT;
	if (rc == 0)
		rc = sip_replaces_parse(view_trim(buf_view(&plain)), &r);
	if (rc == 0 && (!is_word(r.call_id) || !is_word(r.to_tag) || !is_word(r.from_tag)))
		rc = E_SYNTAX;
	if (rc == 0) {
		buf_putf(b, "%.*s;to-tag=%.*s;from-tag=%.*s%s", VIEW_ARG(r.call_id),
			 VIEW_ARG(r.to_tag), VIEW_ARG(r.from_tag),
			 r.early_only ? ";early-only" : "");
		*out = (struct span){from, b->n - from};
	}
	buf_fini(&plain);
	return rc;
}

static int read_headers(struct buf *b, struct spans *s, struct view headers, bool loose)
{
	bool replaces = false;
	struct view name, value;
	int rc = 0;

	if (has_control(headers))
		return E_SYNTAX;
	if (loose) {
		(void)view_cut(&headers, ':');
		return put_replaces(b, headers, &s->replaces);
	}
	while (rc == 0 && sip_uri_header_next(&headers, &name, &value)) {
		if (view_eq_nocase(name, VIEW("Replaces"))) {
			rc = replaces ? E_SYNTAX : put_replaces(b, value, &s->replaces);
			replaces = true;
		} else if (view_eq_nocase(name, VIEW("Session-Replaces"))) {
			rc = s->session_replaces.n ? E_SYNTAX
						   : put_unescaped(b, value, &s->session_replaces);
		}
	}
	return rc;
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

static struct invitee *known(const struct invitee_list *l, struct view aor)
{
	for (size_t i = 0; i < l->n; i++)
		if (view_eq(l->entry[i].aor, aor))
			return &l->entry[i];
	return NULL;
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

	if (display.n > DISPLAY_BYTES_MAX) {
		display.n = DISPLAY_BYTES_MAX;
		while (display.n && ((unsigned char)display.p[display.n] & 0xc0) == 0x80)
			display.n--; /* no half characters */
	}
	if (i->text.size - i->text.n < display.n)
		return;
	buf_put(&i->text, display);
	i->display = view_of(i->text.p + from, i->text.n - from);
}

/* The same person again: invited once, for the highest copyControl that was said (RFC 5364 §4), and
 * with the Replaces wherever it stood. Takes e. */
static void merge_take(struct invitee *into, struct invitee *e)
{
	if (e->copy > into->copy)
		into->copy = e->copy;
	else
		e->copy = into->copy;
	e->anonymize = into->anonymize = e->anonymize || into->anonymize;
	if (e->replaces.n && !into->replaces.n) {
		struct invitee old = *into;

		if (!e->display.n)
			copy_display(e, old.display);
		*into = *e;
		*e = old;
	}
	invitee_fini(e);
}

static int add_entry(struct invitee_list *l, const struct resource_entry *entry, struct view self,
		     size_t max, bool refer)
{
	struct invitee e, *same;
	int rc = refer ? invitee_parse_refer(entry->uri, &e) : invitee_parse(entry->uri, &e);

	if (rc)
		return rc;
	if (view_eq(e.aor, self)) {
		invitee_fini(&e);
		return 0;
	}
	e.anonymize = entry->anonymize;
	e.copy = entry->copy;
	copy_display(&e, entry->display);
	same = known(l, e.aor);
	if (same) {
		merge_take(same, &e);
	} else if (l->n == max) {
		invitee_fini(&e);
		return E_LIMIT;
	} else {
		l->entry[l->n++] = e;
	}
	return 0;
}

static int list_parse(struct view xml, struct view self, const struct invitee_limits *max,
		      bool refer, struct invitee_list *out, int *status_out,
		      const char **reason_out)
{
	/* Room for the inviter himself and for doubles, which do not count. */
	struct resource_limits limits = {.max_entries = 2 * max->entries + DOUBLES_MAX,
					 .max_bytes = max->bytes,
					 .max_depth = max->depth};
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
	for (size_t i = 0; rc == 0 && i < list.n; i++)
		rc = add_entry(&l, &list.entries[i], self, max->entries, refer);
	resource_list_free(&list);
	if (rc == 0) {
		*out = l;
		return 0;
	}
	invitee_list_free(&l);
	if (rc == E_NOMEM)
		return refuse(500, NULL, status_out, reason_out, rc);
	if (rc == E_LIMIT)
		return refuse(413, "Recipient List Too Large", status_out, reason_out, rc);
	return refuse(400, "Recipient Cannot Be Invited", status_out, reason_out, rc);
}

int invitee_list_parse(struct view xml, struct view self, const struct invitee_limits *max,
		       struct invitee_list *out, int *status_out, const char **reason_out)
{
	return list_parse(xml, self, max, false, out, status_out, reason_out);
}

int invitee_list_parse_refer(struct view xml, const struct invitee_limits *max,
			     struct invitee_list *out, int *status_out, const char **reason_out)
{
	return list_parse(xml, VIEW(""), max, true, out, status_out, reason_out);
}

void invitee_write_replaces(struct buf *b, struct view uri, struct view replaces)
{
	buf_put(b, uri);
	buf_puts(b, ";method=INVITE?Replaces=");
	sip_escape(b, replaces);
}
