/* 9.3 "Creating an IM Conference": an INVITE to the Conference-factory-URI (CF-9.3-1, -2, -5,
 * CF-X-1). */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "body/resource_lists.h"
#include "procedure/create_conference.h"

#include <stdlib.h>

static void refuse(struct sip_server_tx *tx, int status, const char *reason, uint64_t now_ms)
{
	(void)sip_server_tx_reply(tx, status, reason, VIEW(""), now_ms);
}

static int keep(struct view v, char **out)
{
	if (!v.n)
		return 0;
	*out = view_dup(v);
	return *out ? 0 : E_NOMEM;
}

/* RFC 5366 §5.2: who is invited sees who else is, where the list says so (RFC 5364: without
 * copyControl an entry is bcc). */
static int write_history(struct conference *conf, const struct create_conference *req)
{
	struct resource_entry *entry = calloc(req->invitees.n + 1, sizeof(*entry));
	struct buf xml;
	size_t n = 0, size;
	int rc = 0;

	if (!entry)
		return E_NOMEM;
	for (size_t i = 0; i < req->invitees.n; i++) {
		const struct invitee *e = &req->invitees.entry[i];

		if (e->copy != RESOURCE_COPY_BCC)
			entry[n++] = (struct resource_entry){.uri = e->aor,
							     .display = e->display,
							     .copy = e->copy,
							     .has_copy = true,
							     .anonymize = e->anonymize,
							     .count = 1};
	}
	buf_init(&xml, SIP_HEAD_BYTES_MAX);
	if (n) {
		resource_lists_write_history(&xml, entry, n);
		buf_putc(&xml, '\0');
		conf->history = buf_take(&xml, &size);
		rc = conf->history ? 0 : E_NOMEM;
	}
	buf_fini(&xml);
	free(entry);
	return rc;
}

static int describe(struct conference *conf, const struct sip_msg *m,
		    const struct create_conference *req)
{
	int rc = keep(sip_msg_value(m, SIP_H_SUBJECT), &conf->subject);

	if (rc == 0)
		rc = keep(sip_msg_value(m, SIP_H_CONTRIBUTION_ID), &conf->contribution);
	return rc ? rc : write_history(conf, req);
}

static int add_invitees(struct conference *conf, const struct member *creator,
			const struct create_conference *req)
{
	for (size_t i = 0; i < req->invitees.n; i++)
		if (!member_add(conf, &req->invitees.entry[i], creator, creator->anonymous))
			return E_NOMEM;
	return 0;
}

static void create(struct controlling *c, struct sip_server_tx *tx, const struct sip_msg *m,
		   const struct core_identity *who, const struct create_conference *req, bool tls,
		   uint64_t now_ms)
{
	struct conference *conf = conference_new(c);
	struct member *creator;

	if (!conf) {
		(void)sip_server_tx_reply(tx, 503, "No Conference Resources",
					  VIEW("Retry-After: 10\r\n"), now_ms);
		return;
	}
	conference_hold(conf);
	conf->tls = tls;
	creator = member_new(conf, who->uri, who->display);
	if (creator) {
		creator->creator = true;
		creator->request = conf->id;
		creator->anonymous = who->privacy_id;
		creator->anonymous_id = who->privacy_id ? ++conf->next_anonymous : 0;
		creator->offer = view_dup(req->sdp);
		creator->offer_n = req->sdp.n;
	}
	if (!creator || !creator->offer || describe(conf, m, req) ||
	    add_invitees(conf, creator, req)) {
		conf->dead = true;
		refuse(tx, 500, NULL, now_ms);
	} else if (member_incoming(creator, tx, m, now_ms)) {
		conf->dead = true;
		refuse(tx, 400, "Missing Contact", now_ms);
	} else if (conference_ask_seats(conf, conf->id, now_ms)) {
		controlling_seats_failed(c, conf->id, conf->id, E_LIMIT, now_ms);
	} else {
		log_line(sip_stack_log(c->stack), LOG_INFO, "focus", "%s: made by %s, %zu invited",
			 conf->uri, creator->uri, req->invitees.n);
	}
	conference_release(conf);
}

static bool names_conference(const struct controlling *c, const struct create_conference *req)
{
	for (size_t i = 0; i < req->invitees.n; i++)
		if (controlling_names_conference(c, req->invitees.entry[i].uri))
			return true;
	return false;
}

void factory_invite(struct controlling *c, struct sip_server_tx *tx, const struct sip_msg *m,
		    const struct core_identity *who, uint64_t now_ms)
{
	struct create_conference req;
	const struct sdp_media *media;
	struct sdp desc;
	char *self;

	if (sip_server_tx_is_merged(tx)) {
		refuse(tx, 482, NULL, now_ms);
		return;
	}
	if (!who->asserted) {
		refuse(tx, 403, "Originator Not Authenticated", now_ms);
		return;
	}
	if (!c->cfg.assume_im && !sip_msg_accepts_im(m)) { /* PF-9.1.2-1 */
		refuse(tx, 403, "No IM Feature Tag In Accept-Contact", now_ms);
		return;
	}
	self = aor_of(who->uri);
	if (!self) {
		refuse(tx, 500, NULL, now_ms);
		return;
	}
	create_conference_read(&req, m, view_str(self), c->cfg.max_members - 1);
	if (req.status) {
		(void)sip_server_tx_reply(tx, req.status, req.reason, buf_view(&req.lines), now_ms);
	} else if (names_conference(c, &req)) {
		refuse(tx, 403, "A Conference Cannot Be Invited", now_ms);
	} else {
		switch (negotiate_read_kind(req.sdp, controlling_kinds(c), &desc, &media)) {
		case 0:
			create(c, tx, m, who, &req, media->msrp.tls, now_ms);
			break;
		case E_SYNTAX:
			refuse(tx, 400, "Malformed Session Description", now_ms);
			break;
		default:
			refuse(tx, 488, NULL, now_ms);
			break;
		}
	}
	create_conference_fini(&req);
	free(self);
}
