/*
 * What typing states and dispositions have in common: they are sent beside the text, are never kept
 * or repeated, nobody is told what became of them, and a peer that answers 415 to one is not sent
 * its kind again in that session.
 */
#include "client/state.h"

#include "base/error.h"

enum { UNANSWERED_MAX = 256 };

/* Ids tell notices from text: text's hold no '.'. */
static const char *const prefix[] = {[NOTICE_TYPING] = "t.", [NOTICE_DISPOSITION] = "d."};
static const char *const type_text[] = {[NOTICE_TYPING] = "application/im-iscomposing+xml",
					[NOTICE_DISPOSITION] = "message/imdn+xml"};

void notice_learn(struct leg *leg, const struct sdp_msrp *peer)
{
	struct view wrapped = peer->accept_wrapped_types, rest = peer->chatroom;
	struct view type[] = {view_str(type_text[NOTICE_TYPING]),
			      view_str(type_text[NOTICE_DISPOSITION])};

	leg->cpim = sdp_accepts(peer->accept_types, VIEW("message/cpim"));
	/* Who names no wrapped types takes all of them (RFC 4975 §8.6); dispositions need CPIM (RFC
	 * 5438 §7). */
	leg->imdn = leg->cpim && (!wrapped.n || sdp_accepts(wrapped, type[NOTICE_DISPOSITION]) ||
				  sdp_accepts(peer->accept_types, type[NOTICE_DISPOSITION]));
	leg->typing = sdp_accepts(peer->accept_types, type[NOTICE_TYPING]) ||
		      (leg->cpim && (!wrapped.n || sdp_accepts(wrapped, type[NOTICE_TYPING])));
	leg->private_messages = leg->nicknames = false;
	while (rest.n) {
		struct view token = view_trim(view_cut(&rest, ' '));

		leg->private_messages |= view_eq_nocase(token, VIEW("private-messages"));
		leg->nicknames |= view_eq_nocase(token, VIEW("nickname"));
	}
}

static bool takes(const struct leg *leg, enum notice_kind kind, struct view to)
{
	/* Who does not take what he has asked for is not sent more of it. */
	if (leg->state != LEG_OPEN || !leg->msrp ||
	    msrp_session_outstanding(leg->msrp) >= UNANSWERED_MAX)
		return false;
	if (to.n && leg->conference && !leg->private_messages)
		return false;
	return kind == NOTICE_TYPING ? leg->typing : leg->imdn;
}

static int compose(const struct leg *leg, enum notice_kind kind, struct view to,
		   struct view headers, struct view content, uint64_t now_ms, struct buf *body)
{
	const struct conversation *v = leg->conversation;
	const struct client *c = v->client;
	char when[CPIM_DATETIME_MAX];
	struct cpim_text text = {
		.from_uri = view_str(c->aor),
		.from_display = view_str(leg->conference && v->nickname ? v->nickname : c->display),
		.to_uri = to.n ? to : view_str(leg->peer),
		.date_time = view_str(cpim_datetime(when, c->cfg.unix_ms_at_zero + now_ms)),
		.headers = headers,
		.content_type = view_str(type_text[kind]),
		.content_disposition = kind == NOTICE_DISPOSITION ? VIEW("notification") : VIEW(""),
		.body = content,
	};

	if (leg->cpim)
		return cpim_write(body, &text);
	buf_put(body, content);
	return 0;
}

void notice_send(struct leg *leg, enum notice_kind kind, struct view to, struct view headers,
		 struct view content, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	char id[2 + 24 + 1];
	struct msrp_outgoing m = {0};
	struct buf body;

	if (!takes(leg, kind, to))
		return;
	memcpy(id, prefix[kind], 2);
	entropy_token(c->entropy, id + 2, 24);
	m.message_id = view_str(id);
	buf_init(&body, content.n + 8192);
	if (compose(leg, kind, to, headers, content, now_ms, &body) == 0 && buf_ok(&body)) {
		m.content_type = leg->cpim ? VIEW("message/cpim") : view_str(type_text[kind]);
		m.content = buf_view(&body);
		if (msrp_session_send(leg->msrp, &m, NULL, now_ms))
			log_line(c->log, LOG_DEBUG, "client", "a notice was not sent");
	}
	buf_fini(&body);
}

static bool was_accepted(const struct leg *leg, uint64_t hash)
{
	for (unsigned i = 0; i < NOTICES_MAX; i++)
		if (leg->notices[i] == hash)
			return true;
	return false;
}

bool notice_state(struct leg *leg, struct view id, enum msrp_message_state state, int status)
{
	bool typing = view_starts(id, view_str(prefix[NOTICE_TYPING]));
	uint64_t hash;

	if (!typing && !view_starts(id, view_str(prefix[NOTICE_DISPOSITION])))
		return false;
	hash = hash_bytes(&leg->conversation->client->ids, id);
	if (state == MSRP_MSG_ACCEPTED)
		leg->notices[leg->n_notices++ % NOTICES_MAX] = hash;
	/* A report that comes after the switch's 200 is about one receiver of several. */
	if (state != MSRP_MSG_FAILED || status != 415 ||
	    (leg->conference && was_accepted(leg, hash)))
		return true;
	log_line(leg->conversation->client->log, LOG_INFO, "client",
		 "conversation %u: the peer takes no %s", leg->conversation->id,
		 typing ? type_text[NOTICE_TYPING] : type_text[NOTICE_DISPOSITION]);
	if (typing)
		leg->typing = false;
	else
		leg->imdn = false;
	return true;
}
