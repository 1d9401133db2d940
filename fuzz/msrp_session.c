/* An endpoint against whatever bytes a peer may send, on a connection that it made and on one that
 * it accepted. The input is a list of steps: a byte that says what happens, and bytes for it. */
#include "msrp/session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct timers timers;
	uint64_t now;
	struct msrp_agent *agent;
	struct msrp_conn *conn[2];
	struct msrp_session *session[2];
	bool muted[2];
	size_t pending;
	uint64_t random;
	unsigned calls;
	unsigned char mood; /* what handlers do */
};

static void *op_connect(void *ctx, struct msrp_conn *c, const struct addr *to, bool tls)
{
	struct world *w = ctx;

	(void)to;
	(void)tls;
	if (w->conn[0])
		return NULL;
	w->conn[0] = c;
	w->muted[0] = false;
	return &w->conn[0];
}

static void op_write(void *ctx, void *handle, struct view bytes)
{
	struct world *w = ctx;
	struct msrp_conn **c = handle;

	if (!*c || w->muted[c - w->conn] || bytes.n == 0)
		abort();
	w->pending += bytes.n;
	for (size_t i = 0; i < bytes.n; i++)
		w->random += (unsigned char)bytes.p[i];
}

static size_t op_pending(void *ctx, void *handle)
{
	(void)handle;
	return ((struct world *)ctx)->pending;
}

static void op_finish(void *ctx, void *handle)
{
	struct world *w = ctx;

	w->muted[(struct msrp_conn **)handle - w->conn] = true;
}

static void op_close(void *ctx, void *handle)
{
	(void)ctx;
	*(struct msrp_conn **)handle = NULL;
}

static void fill(void *ctx, void *dst, size_t n)
{
	struct world *w = ctx;

	for (size_t i = 0; i < n; i++) {
		w->random = w->random * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(w->random >> 56);
	}
}

static void forget(struct world *w, struct msrp_session *s)
{
	for (int i = 0; i < 2; i++)
		if (w->session[i] == s)
			w->session[i] = NULL;
	msrp_session_free(s);
}

static void say(struct world *w, struct msrp_session *s, size_t n)
{
	static char text[9000];
	struct msrp_outgoing m = {
		.message_id = n & 1 ? VIEW("mmmm") : (struct view){0},
		.content_type = VIEW("text/plain"),
		.content = {text, n},
		.success_report = n & 2,
		.failure_report = (enum msrp_failure_report)(n % 3),
	};

	(void)msrp_session_send(s, &m, NULL, w->now);
}

static void handler_does(struct world *w, struct msrp_session *s)
{
	switch (w->mood++ % 16) {
	case 9:
		say(w, s, 5);
		break;
	case 12:
		msrp_session_finish(s, false, w->now);
		break;
	case 15:
		forget(w, s);
		break;
	default:
		break;
	}
}

static void on_open(void *ctx, struct msrp_session *s, uint64_t now_ms)
{
	(void)now_ms;
	handler_does(ctx, s);
}

static int on_message(void *ctx, struct msrp_session *s, const struct msrp_incoming *m,
		      uint64_t now)
{
	struct world *w = ctx;

	(void)now;
	handler_does(w, s);
	for (size_t i = 0; i < m->content.n; i++)
		w->random ^= (unsigned char)m->content.p[i];
	return m->content.n & 1 ? 200 : 415;
}

static void on_state(void *ctx, struct msrp_session *s, struct view id, enum msrp_message_state st,
		     int status, struct view comment, uint64_t now_ms)
{
	struct world *w = ctx;

	(void)st;
	(void)status;
	(void)now_ms;
	handler_does(w, s);
	for (size_t i = 0; i < id.n; i++)
		w->random ^= (unsigned char)id.p[i];
	for (size_t i = 0; i < comment.n; i++)
		w->random ^= (unsigned char)comment.p[i];
}

static int on_request(void *ctx, struct msrp_session *s, const struct msrp_head *h, uint64_t now_ms)
{
	(void)now_ms;
	(void)h;
	handler_does(ctx, s);
	return 200;
}

static void on_response(void *ctx, struct msrp_session *s, struct view tid, int status,
			struct view comment, uint64_t now_ms)
{
	(void)tid;
	(void)status;
	(void)comment;
	(void)now_ms;
	handler_does(ctx, s);
}

static void on_down(void *ctx, struct msrp_session *s, int error, uint64_t now_ms)
{
	struct world *w = ctx;

	(void)error;
	if (w->mood & 1)
		(void)msrp_session_reconnect(s, w->mood & 2, now_ms);
	else
		forget(w, s);
}

static const struct msrp_session_handler handler = {
	.on_open = on_open,
	.on_message = on_message,
	.on_state = on_state,
	.on_request = on_request,
	.on_response = on_response,
	.on_down = on_down,
};

static void begin(struct world *w)
{
	static const struct msrp_agent_config cfg = {
		.max_message = 4000,
		.response_timeout_ms = 30000,
		.bind_timeout_ms = 30000,
		.max_sessions = 3,
		.max_queue = 5,
		.write_ahead = 4096,
	};
	const struct msrp_agent_ops ops = {
		op_connect, op_write, op_pending, op_finish, op_close, NULL, w,
	};
	const struct entropy entropy = {fill, w};

	timers_init(&w->timers, w->now);
	w->agent = msrp_agent_new(&cfg, &ops, &w->timers, &entropy, NULL);
	for (int i = 0; i < 2; i++) {
		const struct msrp_session_config sc = {
			.local_uri = i ? VIEW("msrp://h:2/b;tcp") : VIEW("msrp://h:2/a;tcp"),
			.remote_path = VIEW("msrp://192.0.2.1:1/p;tcp"),
			.active = i == 0,
		};

		(void)msrp_session_new(w->agent, &sc, &handler, w, w->now, &w->session[i]);
	}
	w->conn[1] = msrp_conn_accept(w->agent, &w->conn[1], w->now);
	if (w->conn[0])
		msrp_conn_up(w->conn[0], w->now);
}

static void other_step(struct world *w, unsigned what, size_t n)
{
	struct msrp_session *s = w->session[what & 1];
	struct msrp_conn *c = w->conn[what & 1];

	switch (what >> 1) {
	case 0:
		w->now += (uint64_t)n << 6;
		timers_run(&w->timers, w->now);
		break;
	case 1:
		w->pending = 0;
		if (c)
			msrp_conn_drained(c, w->now);
		break;
	case 2:
		if (s)
			say(w, s, n * 30);
		break;
	case 3:
		w->conn[what & 1] = NULL;
		if (c)
			msrp_conn_down(c, w->now);
		break;
	case 4:
		if (s)
			msrp_session_finish(s, n & 1, w->now);
		break;
	case 5:
		w->mood = (unsigned char)n;
		break;
	case 6:
		if (w->conn[0])
			msrp_conn_up(w->conn[0], w->now);
		if (!w->conn[1]) {
			w->muted[1] = false;
			w->conn[1] = msrp_conn_accept(w->agent, &w->conn[1], w->now);
		}
		break;
	default:
		if (s)
			(void)msrp_session_request(s, VIEW("NICKNAME"), VIEW(""), NULL, w->now);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.now = 1000};
	size_t at = 0;

	begin(&w);
	while (at + 2 <= size) {
		unsigned what = data[at];
		size_t n = data[at + 1];

		at += 2;
		if (what < 224) {
			/* So that plain text makes one long step: most bytes mean "some of what
			 * follows". */
			struct msrp_conn *c = w.conn[what & 1];
			char *piece;

			n = n * 8 + 1;
			if (n > size - at)
				n = size - at;
			piece = malloc(n ? n : 1);
			memcpy(piece, data + at, n);
			if (c)
				msrp_conn_recv(c, view_of(piece, n), w.now);
			free(piece);
			at += n;
		} else {
			other_step(&w, (what - 224) & 15, n);
		}
	}
	msrp_agent_free(w.agent);
	return 0;
}
