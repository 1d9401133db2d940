/*
 * Session descriptions through the B2BUA (PF-9.1.2-2, PF-9.1.2-4): line by line, with our address,
 * port and path in place of the phone's, and everything else of the MSRP stream as the phone said
 * it. Other streams have no relay here and are refused by port 0 (RFC 3264 §6).
 */
#include "server/participating/b2bua_state.h"

#include "base/error.h"
#include "body/multipart.h"
#include "msrp/uri.h"

#include <stdlib.h>

static struct view sdp_of(const struct sip_msg *m)
{
	struct multipart parts;
	const struct multipart_part *part;
	struct view type = sip_msg_value(m, SIP_H_CONTENT_TYPE);

	if (sip_content_is(type, VIEW("application/sdp")))
		return m->body;
	if (!view_starts_nocase(type, VIEW("multipart/")) || multipart_parse(type, m->body, &parts))
		return VIEW("");
	part = multipart_find_type(&parts, VIEW("application/sdp"));
	return part ? part->body : VIEW("");
}

enum negotiate_tls media_kind(const struct b2bua_call *call, enum b2bua_side side)
{
	return call->tls[side] ? NEGOTIATE_TLS : NEGOTIATE_NO_TLS;
}

int media_read(const struct sip_msg *m, enum negotiate_tls kind, struct b2bua_media *out)
{
	*out = (struct b2bua_media){.sdp = sdp_of(m)};
	switch (negotiate_read_kind(out->sdp, kind, &out->desc, &out->msrp)) {
	case 0:
		return 0;
	case E_MISSING:
		out->sdp = VIEW("");
		return 0;
	case E_UNSUPPORTED:
		/* Streams by port 0, or no MSRP at all: that passes as it is. */
		out->msrp = NULL;
		return sdp_find_msrp(&out->desc) ? E_UNSUPPORTED : 0;
	default:
		return E_SYNTAX;
	}
}

struct rewriting {
	struct buf *out;
	const char *path;
	char fingerprint[RELAY_FINGERPRINT_MAX]; /* empty: plain MSRP */
	struct addr addr;
	bool tls;
	enum sdp_setup setup;
	int media; /* index of the m= line we are behind, -1: none yet */
	int chosen;
	bool due; /* our own attributes are still to be written */
};

static void put_line(struct buf *b, struct view line)
{
	buf_put(b, line);
	buf_puts(b, "\r\n");
}

static void put_address(struct rewriting *w)
{
	char text[ADDR_TEXT_MAX];
	struct view host = view_str(addr_host(&w->addr, text));

	if (w->addr.family == 6)
		host = view_of(host.p + 1, host.n - 2);
	buf_putf(w->out, "IN IP%d %.*s\r\n", w->addr.family == 6 ? 6 : 4, VIEW_ARG(host));
}

static void put_due(struct rewriting *w)
{
	static const char *const text[] = {[SDP_SETUP_ACTIVE] = "active",
					   [SDP_SETUP_PASSIVE] = "passive",
					   [SDP_SETUP_ACTPASS] = "actpass",
					   [SDP_SETUP_HOLDCONN] = "holdconn"};

	if (!w->due)
		return;
	w->due = false;
	buf_putf(w->out, "a=path:%s\r\n", w->path);
	if (w->setup != SDP_SETUP_NONE)
		buf_putf(w->out, "a=setup:%s\r\n", text[w->setup]);
	if (w->fingerprint[0])
		buf_putf(w->out, "a=fingerprint:%s\r\n", w->fingerprint);
}

/* o=username sess-id sess-version IN IP4 address: the numbers stay, they grow with each change. */
static void put_origin(struct rewriting *w, struct view line)
{
	for (int i = 0; i < 3; i++) {
		buf_put(w->out, view_cut(&line, ' '));
		buf_putc(w->out, ' ');
	}
	put_address(w);
}

/* m=type port proto fmt */
static void put_media(struct rewriting *w, struct view line)
{
	put_due(w);
	w->media++;
	w->due = w->media == w->chosen;
	buf_put(w->out, view_cut(&line, ' '));
	(void)view_cut(&line, ' ');
	if (!w->due) {
		buf_putf(w->out, " 0 %.*s\r\n", VIEW_ARG(line));
		return;
	}
	(void)view_cut(&line, ' ');
	buf_putf(w->out, " %u %s %.*s\r\n", w->addr.port, w->tls ? "TCP/TLS/MSRP" : "TCP/MSRP",
		 VIEW_ARG(line));
}

/* Attributes that speak of the phone's own connection. */
static bool is_connection(struct view line)
{
	static const char *const name[] = {"a=path:", "a=setup:", "a=msrp-cema", "a=fingerprint:"};

	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (view_starts_nocase(line, view_str(name[i])))
			return true;
	return false;
}

static void rewrite_line(struct rewriting *w, struct view line)
{
	switch (line.p[0]) {
	case 'o':
		put_origin(w, line);
		return;
	case 'm':
		put_media(w, line);
		return;
	case 'c':
		if (w->media < 0 || w->media == w->chosen) {
			buf_puts(w->out, "c=");
			put_address(w);
		}
		return;
	case 'a':
		if (w->media == w->chosen)
			put_due(w);
		if (is_connection(line))
			return;
		break;
	default:
		break;
	}
	/* Of a stream that is refused the m= line alone is left. */
	if (w->media < 0 || w->media == w->chosen)
		put_line(w->out, line);
}

void media_write(struct b2bua_call *call, enum b2bua_side to, const struct b2bua_media *m,
		 enum sdp_setup setup)
{
	struct buf *b = &call->b->body;
	struct rewriting w = {.out = b,
			      .path = call->path[to],
			      .setup = setup,
			      .media = -1,
			      .chosen = m->msrp ? m->msrp->index : -2};
	struct view rest = m->sdp;
	struct msrp_uri own;

	buf_reset(b);
	if (msrp_uri_parse(view_str(call->path[to]), &own) ||
	    addr_parse(own.host, own.port, &w.addr)) {
		b->failed = true;
		return;
	}
	w.tls = own.tls;
	if (own.tls && call->b->broker.fingerprint)
		call->b->broker.fingerprint(call->b->broker.ctx, w.fingerprint);
	while (rest.n) {
		struct view line = view_cut(&rest, '\n');

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n)
			rewrite_line(&w, line);
	}
	put_due(&w);
	free(call->sdp[to]);
	call->sdp[to] = buf_ok(b) ? view_dup(buf_view(b)) : NULL;
}
