#include "msrp/agent.h"

#include "base/error.h"

#include <stdlib.h>

enum { OUT_MAX = 4 << 20, OUT_FLUSH = 65536, OUT_KEEP = 131072 };

static size_t table_cap(size_t a, size_t b)
{
	return b && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

static void agent_tables(struct msrp_agent *a)
{
	/* A session remembers twice its queue at most, and each message its chunks: those of a long
	 * one that is interrupted again and again are what the 64 are for. */
	size_t messages = table_cap(a->cfg.max_sessions, table_cap(a->cfg.max_queue, 2));
	struct hash *tables[] = {&a->sessions, &a->messages, &a->transactions};
	size_t caps[] = {a->cfg.max_sessions, messages, table_cap(messages, 64)};

	for (size_t i = 0; i < 3; i++) {
		uint64_t key[2] = {entropy_u64(&a->entropy), entropy_u64(&a->entropy)};

		hash_init(tables[i], caps[i], key);
	}
}

struct msrp_agent *msrp_agent_new(const struct msrp_agent_config *cfg,
				  const struct msrp_agent_ops *ops, struct timers *timers,
				  const struct entropy *entropy, const struct log *log)
{
	struct msrp_agent *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->cfg = *cfg;
	if (!a->cfg.max_sessions)
		a->cfg.max_sessions = 1;
	if (!a->cfg.max_queue)
		a->cfg.max_queue = 1;
	if (!a->cfg.write_ahead)
		a->cfg.write_ahead = PIECE_BYTES;
	/* Half the range: positions in a message are summed up. */
	if (a->cfg.max_message > SIZE_MAX / 4)
		a->cfg.max_message = SIZE_MAX / 4;
	a->ops = *ops;
	a->timers = timers;
	a->entropy = *entropy;
	a->log = log;
	a->now_ms = timers->now_ms;
	list_init(&a->all_sessions);
	list_init(&a->conns);
	list_init(&a->ending);
	list_init(&a->dead_sessions);
	list_init(&a->dead_conns);
	list_init(&a->told);
	timer_init(&a->tell, msrp_agent_tell, a);
	buf_init(&a->out, OUT_MAX);
	agent_tables(a);
	return a;
}

void msrp_agent_free(struct msrp_agent *a)
{
	if (!a || a->dying)
		return;
	msrp_agent_enter(a, a->now_ms);
	a->dying = true;
	LIST_EACH(l, tmp, &a->all_sessions)
	msrp_session_kill(CONTAINER(l, struct msrp_session, link));
	LIST_EACH(l, tmp, &a->conns)
	msrp_conn_end(CONTAINER(l, struct msrp_conn, link), CONN_CLOSE);
	msrp_agent_leave(a);
}

static void agent_release(struct msrp_agent *a)
{
	timer_cancel(a->timers, &a->tell);
	hash_fini(&a->sessions);
	hash_fini(&a->transactions);
	hash_fini(&a->messages);
	buf_fini(&a->out);
	free(a);
}

void msrp_agent_enter(struct msrp_agent *a, uint64_t now_ms)
{
	a->depth++;
	if (now_ms > a->now_ms)
		a->now_ms = now_ms;
}

static void end_conns(struct msrp_agent *a)
{
	while (!list_empty(&a->ending)) {
		struct msrp_conn *c = CONTAINER(a->ending.next, struct msrp_conn, end_link);
		void *handle = c->handle;

		list_del(&c->end_link);
		if (c->end == CONN_FINISH) {
			c->mute = true;
			a->ops.finish(a->ops.ctx, handle);
			continue;
		}
		c->mute = c->broken = true;
		msrp_conn_lost(c, E_CLOSED);
		msrp_conn_kill(c);
		a->ops.close(a->ops.ctx, handle);
	}
}

static void reap(struct msrp_agent *a)
{
	LIST_EACH(l, tmp, &a->dead_sessions)
	{
		list_del(l);
		msrp_session_release(CONTAINER(l, struct msrp_session, link));
	}
	LIST_EACH(l, tmp, &a->dead_conns)
	{
		list_del(l);
		free(CONTAINER(l, struct msrp_conn, link));
	}
}

void msrp_agent_leave(struct msrp_agent *a)
{
	if (a->depth > 1) {
		a->depth--;
		return;
	}
	/* Still inside: the world may call back while it finishes or closes one. */
	do {
		msrp_agent_flush(a);
		end_conns(a);
	} while (a->out.n || !list_empty(&a->ending));
	if (a->out.size > OUT_KEEP)
		buf_fini(&a->out);
	a->depth = 0;
	reap(a);
	if (a->dying)
		agent_release(a);
}

void msrp_agent_flush(struct msrp_agent *a)
{
	struct msrp_conn *c = a->out_conn;
	struct buf b = a->out;

	a->out_conn = NULL;
	if (!c || c->dead || c->mute) {
		buf_reset(&a->out);
		return;
	}
	if (!buf_ok(&b)) {
		/* Half a frame cannot be sent: out of memory costs the connection. */
		buf_reset(&a->out);
		c->mute = true;
		msrp_conn_end(c, CONN_CLOSE);
		return;
	}
	if (b.n == 0)
		return;
	/* The world may call back from write: the bytes are out of its reach meanwhile. */
	buf_init(&a->out, OUT_MAX);
	a->ops.write(a->ops.ctx, c->handle, buf_view(&b));
	if (a->out.p) {
		buf_fini(&b);
		return;
	}
	buf_reset(&b);
	a->out = b;
}

struct buf *msrp_agent_out(struct msrp_agent *a, struct msrp_conn *c)
{
	if (a->out_conn != c || a->out.n >= OUT_FLUSH)
		msrp_agent_flush(a);
	a->out_conn = c;
	return &a->out;
}

struct view msrp_agent_tid(struct msrp_agent *a, char *dst)
{
	static const char digit[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t count = ++a->tid_count;
	uint64_t secret =
		hash_bytes(&a->transactions, view_of((const char *)&count, sizeof(count)));
	size_t n = 0;

	/* 64 bits that only the key's owner can tell, and the count, so that no two are the same
	 * (RFC 4975 §7.1). No body can hold what its sender could not know. */
	for (int i = 0; i < 13; i++, secret >>= 5)
		dst[n++] = digit[secret & 31];
	for (; count; count >>= 5)
		dst[n++] = digit[count & 31];
	dst[n] = '\0';
	return view_of(dst, n);
}

struct msrp_session *msrp_agent_session_by_id(struct msrp_agent *a, struct view id)
{
	uint64_t value = hash_bytes(&a->sessions, id);

	for (struct hash_node *n = hash_first(&a->sessions, value); n; n = hash_next(n, value)) {
		struct msrp_session *s = CONTAINER(n, struct msrp_session, by_id);

		if (view_eq(s->local_id, id))
			return s;
	}
	return NULL;
}
