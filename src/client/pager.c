/* Messages outside of any session: SIP MESSAGE (RFC 3428). */
#include "client/state.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum {
	REQUEST_MAX = 1300, /* §8: larger ones belong into a session */
	LATER_BYTES = 400,  /* Via and the answer to a challenge are put in below */
	PAGES_MAX = 64,
};

struct page {
	struct list link;
	struct client *client;
	struct sip_uac *uac;
	char id[CONFAB_ID_SIZE];
	char *to;
};

/* --- out --- */

static void page_free(struct page *p)
{
	if (p->uac)
		sip_uac_detach(p->uac);
	list_del(&p->link);
	free(p->to);
	free(p);
}

static void paged(struct page *p, int status, const char *text)
{
	struct confab_event ev = {
		.type = CONFAB_PAGED, .peer = p->to, .id = p->id, .status = status, .text = text};
	struct client *c = p->client;

	client_emit(c, &ev);
	page_free(p);
}

static void on_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	char reason[128];

	(void)uac;
	(void)now_ms;
	if (m->status < 200)
		return;
	(void)view_copy(m->reason, reason, sizeof(reason));
	paged(ctx, m->status, reason);
}

static void on_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	const char *text;
	int status = client_failure(error, &text);

	(void)uac;
	(void)now_ms;
	paged(ctx, status, text);
}

static const struct sip_uac_handler handler = {.on_response = on_response, .on_failed = on_failed};

static int write_request(struct client *c, struct buf *b, const struct page *p, struct view text)
{
	char tag[13];
	struct im_profile profile;

	client_profile(c, &profile);
	sip_write_request_line(b, VIEW("MESSAGE"), view_str(p->to));
	sip_write_fieldf(b, "From", "%s;tag=%s", c->from, entropy_token(c->entropy, tag, 12));
	sip_write_fieldf(b, "To", "<%s>", p->to);
	sip_write_field(b, "Call-ID", view_str(p->id));
	sip_write_field(b, "CSeq", VIEW("1 MESSAGE"));
	sip_write_field(b, "Max-Forwards", VIEW("70"));
	im_write_accept_contact(b, &profile);
	im_write_initial(b, &profile);
	sip_write_body(b, VIEW("text/plain;charset=utf-8"), text);
	if (!buf_ok(b))
		return E_NOMEM;
	return b->n + LATER_BYTES > REQUEST_MAX ? E_LIMIT : 0;
}

int client_page(struct client *c, struct view uri, struct view text, char *id_out, uint64_t now_ms)
{
	struct sip_flow flow = client_flow(c);
	struct sip_uri u;
	struct page *p;
	struct buf b;
	size_t n = 0;
	int rc;

	if (sip_uri_parse(uri, &u) || u.scheme == SIP_SCHEME_OTHER || !u.host.n)
		return E_SYNTAX;
	LIST_EACH(l, next, &c->pages)
	n++;
	if (n >= PAGES_MAX || text.n > REQUEST_MAX || c->closing)
		return E_LIMIT;
	p = calloc(1, sizeof(*p));
	if (!p)
		return E_NOMEM;
	p->client = c;
	list_add_tail(&c->pages, &p->link);
	entropy_token(c->entropy, p->id, 26);
	p->to = view_dup(uri);
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	rc = p->to ? write_request(c, &b, p, text) : E_NOMEM;
	if (rc == 0)
		rc = sip_uac_send(c->ua, buf_view(&b), &flow, NULL, &handler, p, now_ms, &p->uac);
	buf_fini(&b);
	if (rc) {
		page_free(p);
		return rc;
	}
	if (id_out)
		memcpy(id_out, p->id, sizeof(p->id));
	return 0;
}

void pager_init(struct client *c)
{
	list_init(&c->pages);
}

void pager_fini(struct client *c)
{
	while (c->pages.next && !list_empty(&c->pages))
		page_free(CONTAINER(c->pages.next, struct page, link));
}

/* --- in --- */

struct arrived {
	struct view from, display, type, data;
};

/* 200, or the status to answer. */
static int read_page(const struct sip_msg *m, bool vouched, struct arrived *in)
{
	struct view type = sip_msg_value(m, SIP_H_CONTENT_TYPE), v;
	struct sip_values it;
	struct sip_addr a;
	struct cpim cpim;

	if (sip_msg_from(m, &a))
		return 400;
	in->from = a.uri;
	in->display = a.display;
	if (in->display.n >= 2 && in->display.p[0] == '"')
		in->display = view_of(in->display.p + 1, in->display.n - 2);
	/* What the server has proven counts more than what the sender says. */
	sip_values_start(&it, m, SIP_H_P_ASSERTED_IDENTITY);
	if (vouched && sip_values_next(&it, &v) && sip_addr_parse(v, &a) == 0)
		in->from = a.uri;
	in->type = type;
	in->data = m->body;
	if (sip_content_is(type, VIEW("message/cpim"))) {
		if (cpim_parse(m->body, &cpim))
			return 400;
		in->type = cpim.content_type.n ? cpim.content_type : VIEW("text/plain");
		in->data = cpim.body;
	}
	return !in->type.n || sip_content_is(in->type, VIEW("text/plain")) ? 200 : 415;
}

void pager_came(struct client *c, struct sip_server_tx *tx, const struct sip_msg *m,
		uint64_t now_ms)
{
	struct confab_event ev = {.type = CONFAB_PAGE};
	char from[256], display[256], type[128], id[CONFAB_ID_SIZE];
	struct arrived in = {0};
	int status = sip_server_tx_is_merged(tx) ? 482 : read_page(m, client_is_server(c, tx), &in);
	char *aor;

	/* §7: no Contact, and no body, in the answer. */
	(void)sip_server_tx_reply(
		tx, status, NULL,
		status == 415 ? VIEW("Accept: text/plain, message/cpim\r\n") : VIEW(""), now_ms);
	if (status != 200)
		return;
	aor = client_aor(in.from);
	(void)view_copy(aor ? view_str(aor) : in.from, from, sizeof(from));
	free(aor);
	(void)view_copy(in.display, display, sizeof(display));
	(void)view_copy(in.type.n ? in.type : VIEW("text/plain"), type, sizeof(type));
	(void)view_copy(sip_msg_value(m, SIP_H_CALL_ID), id, sizeof(id));
	ev.peer = from;
	ev.display = display;
	ev.id = id;
	ev.content_type = type;
	ev.data = in.data.p;
	ev.data_n = in.data.n;
	client_emit(c, &ev);
}
