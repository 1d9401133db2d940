/* RFC 7701 on the client's side: a word to one participant alone (§6.2), and nicknames (§7). */
#include "client/state.h"

#include "base/error.h"
#include "sip/uri.h"

#include <stdlib.h>

enum { NICKNAME_MAX = 1023 };

/* Before the conference has answered nobody knows what it offers; then a message that cannot go
 * fails later. */
static int check(const struct conversation *v, bool offered)
{
	if (!v->current->conference)
		return E_STATE;
	return v->current->state == LEG_OPEN && !offered ? E_UNSUPPORTED : 0;
}

int client_send_to(struct client *c, uint32_t conversation, struct view uri, struct view text,
		   char *id_out, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);
	struct sip_uri u;
	int rc;

	if (!v || !v->current)
		return E_NOTFOUND;
	if (sip_uri_parse(uri, &u))
		return E_SYNTAX;
	rc = check(v, v->current->private_messages);
	return rc ? rc : conversation_say(v, uri, text, id_out, now_ms);
}

static int write_nickname(struct buf *b, struct view nickname)
{
	buf_puts(b, "Use-Nickname: \"");
	for (size_t i = 0; i < nickname.n; i++) {
		if ((unsigned char)nickname.p[i] < ' ' || nickname.p[i] == 0x7f)
			return E_SYNTAX;
		if (nickname.p[i] == '"' || nickname.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, nickname.p[i]);
	}
	buf_puts(b, "\"\r\n");
	return buf_ok(b) ? 0 : E_LIMIT;
}

int client_nick(struct client *c, uint32_t conversation, struct view nickname, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);
	char *asked;
	struct buf b;
	int rc;

	if (!v || !v->current)
		return E_NOTFOUND;
	rc = check(v, v->current->nicknames);
	if (rc)
		return rc;
	if (v->current->state != LEG_OPEN || v->nickname_asked)
		return E_STATE;
	buf_init(&b, NICKNAME_MAX + 32);
	rc = nickname.n > NICKNAME_MAX ? E_LIMIT : write_nickname(&b, nickname);
	asked = rc ? NULL : view_dup(nickname);
	if (!rc)
		rc = asked ? msrp_session_request(v->current->msrp, VIEW("NICKNAME"), buf_view(&b),
						  v->nickname_tid, now_ms)
			   : E_NOMEM;
	if (rc)
		free(asked);
	else
		v->nickname_asked = asked;
	buf_fini(&b);
	return rc;
}

void nickname_response(struct leg *leg, struct view tid, int status, struct view comment)
{
	struct conversation *v = leg->conversation;
	struct confab_event ev;
	char text[NICKNAME_MAX + 1];

	if (!v->nickname_asked || !view_eq(view_str(v->nickname_tid), tid))
		return;
	ev = event_of(v, CONFAB_NICKNAME);
	ev.status = status;
	ev.text = text;
	if (status == 200) {
		(void)view_copy(view_str(v->nickname_asked), text, sizeof(text));
		free(v->nickname);
		v->nickname = text[0] ? v->nickname_asked : NULL;
	} else {
		(void)view_copy(comment, text, sizeof(text));
	}
	if (v->nickname != v->nickname_asked)
		free(v->nickname_asked);
	v->nickname_asked = NULL;
	client_emit(v->client, &ev);
}
