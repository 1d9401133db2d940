/*
 * Fuzz target: an INVITE as the factory reads it (create_conference_read) and as a phone does
 * (terminate_read): SDP, multipart, URI lists, Replaces, Require. The input is the whole message.
 */
#include "body/sdp.h"
#include "procedure/create_conference.h"
#include "procedure/terminate.h"
#include "sip/write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMBERS_MAX = 8 };

static void check(bool truth)
{
	if (!truth)
		abort();
}

static bool within(struct view v, struct view whole)
{
	return v.n == 0 || (v.p >= whole.p && v.p + v.n <= whole.p + whole.n);
}

/* Whole header lines or nothing: they are put into an answer as they stand. */
static void check_lines(const struct buf *lines, int status)
{
	check(buf_ok(lines));
	check(lines->n == 0 || (status && view_ends(buf_view(lines), VIEW("\r\n"))));
	check(view_find_view(buf_view(lines), VIEW("\r\n\r\n"), 0) == lines->n);
}

/* What is sent on names one dialog, in one line. */
static void check_replaces(struct view v)
{
	struct sip_replaces r;

	check(sip_replaces_parse(v, &r) == 0);
	for (size_t i = 0; i < v.n; i++)
		check((unsigned char)v.p[i] > ' ' && v.p[i] != ',');
}

static void check_invitee(const struct invitee_list *l, size_t i)
{
	const struct invitee *e = &l->entry[i];
	struct view whole = buf_view(&e->text);
	struct sip_uri u;

	check(within(e->uri, whole) && within(e->aor, whole) && within(e->replaces, whole) &&
	      within(e->session_replaces, whole) && within(e->display, whole));
	check(sip_uri_parse(e->uri, &u) == 0 && u.headers.n == 0);
	check(u.scheme == SIP_SCHEME_SIP || u.scheme == SIP_SCHEME_SIPS);
	check(!sip_param(u.params, VIEW("method"), NULL));
	check(!view_eq(e->aor, VIEW("sip:ann@example.com")));
	if (e->replaces.n)
		check_replaces(e->replaces);
	for (size_t k = 0; k < i; k++)
		check(!view_eq(l->entry[k].aor, e->aor));
}

static void as_factory(const struct sip_msg *m)
{
	struct create_conference c;

	create_conference_read(&c, m, VIEW("sip:ann@example.com"),
			       &(struct invitee_limits){.entries = MEMBERS_MAX});
	check(within(c.sdp, m->raw));
	check(c.status == 0 || (c.status >= 400 && c.status <= 600));
	check(c.invitees.n <= MEMBERS_MAX && (c.status == 0 || c.invitees.n == 0));
	for (size_t i = 0; i < c.invitees.n; i++)
		check_invitee(&c.invitees, i);
	check_lines(&c.lines, c.status);
	create_conference_fini(&c);
}

static void as_phone(const struct sip_msg *m)
{
	struct terminate t;

	terminate_read(&t, m, true);
	check(within(t.session_identity, m->raw) && within(t.inviter, m->raw) &&
	      within(t.display, m->raw) && within(t.sdp, m->raw));
	if (t.status == 0) {
		check(t.sdp.n ? t.media && t.media->port : !t.media);
		check(t.session_identity.n);
		check(!t.replaces.present || t.replaces.named.to_tag.n);
	}
	check_lines(&t.lines, t.status);
	terminate_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view bytes = view_of(size ? (const char *)data : "", size);
	const char *reason = NULL;
	struct sip_msg m;

	/* As a transaction user gets it. */
	if (sip_msg_parse(bytes, &m) || !m.is_request || sip_msg_check(&m, &reason))
		return 0;
	as_factory(&m);
	as_phone(&m);
	return 0;
}
