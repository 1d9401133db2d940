/*
 * A shard under three connections that say anything, and a script of control calls. Input: records
 * of one byte (what to do) and, for bytes to a connection, a length byte and that many bytes.
 * "{0}" … "{5}" in them stand for the seats' paths, so that an input can be well behaved.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "switch/switch.h"

enum { CONNS = 3, SEATS = 6 };

struct shard_world {
	struct switch_shard *s[2];
	struct timers timers[2];
	struct switch_conn *conn[CONNS];
	bool finish[CONNS];
	char path[SEATS][SWITCH_PATH_TEXT_MAX];
	struct switch_mail *mail[4096];
	unsigned mail_to[4096];
	size_t n_mail;
	size_t n_paths;
	uint64_t now, seed;
};

static struct shard_world w;

static void fill(void *ctx, void *dst, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		w.seed = w.seed * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(w.seed >> 56);
	}
}

static size_t conn_at(const void *handle)
{
	return (size_t)((struct switch_conn *const *)handle - w.conn);
}

static void on_wake(void *ctx, void *handle)
{
	(void)ctx;
	(void)handle;
}

static void on_read(void *ctx, void *handle, bool on)
{
	(void)ctx;
	(void)handle;
	(void)on;
}

static void *on_connect(void *ctx, struct switch_conn *conn, const struct addr *to, bool tls)
{
	(void)ctx;
	(void)tls;
	for (size_t i = 0; i < CONNS; i++) {
		if (w.conn[i] || !(to->port & 1))
			continue;
		w.conn[i] = conn;
		return &w.conn[i];
	}
	return NULL;
}

static void on_finish(void *ctx, void *handle)
{
	(void)ctx;
	w.finish[conn_at(handle)] = true;
}

static void on_close(void *ctx, void *handle)
{
	(void)ctx;
	w.conn[conn_at(handle)] = NULL;
	w.finish[conn_at(handle)] = false;
}

static void on_event(void *ctx, const struct switch_event *ev)
{
	(void)ctx;
	for (size_t i = 0; i < ev->n_seats && w.n_paths < SEATS; i++)
		memcpy(w.path[w.n_paths++], ev->seat_ready[i].path, SWITCH_PATH_TEXT_MAX);
}

static void on_mail(void *ctx, unsigned to, struct switch_mail *mail)
{
	(void)ctx;
	if (w.n_mail == sizeof(w.mail) / sizeof(w.mail[0])) {
		switch_mail_free(mail);
		return;
	}
	w.mail[w.n_mail] = mail;
	w.mail_to[w.n_mail++] = to;
}

static void post(void)
{
	for (size_t i = 0; i < w.n_mail; i++)
		switch_mail_deliver(w.s[w.mail_to[i]], w.mail[i], w.now);
	w.n_mail = 0;
}

static void begin(void)
{
	struct switch_config cfg = {
		.n_shards = 2,
		.seat_backlog = 4096,
		.chunk_whole_max = 512,
		.max_message = 1 << 20,
		.response_timeout_ms = 3000,
		.rebind_grace_ms = 2000,
		.bind_timeout_ms = 3000,
		.drain_ms = 1000,
		.max_conns = 8,
		.max_conferences = 4,
		.max_seats = 8,
		.max_members = 8,
		.wrap_plain = true,
		.private_messages = true,
		.nicknames = true,
	};
	struct entropy entropy = {fill, NULL};

	memset(&w, 0, sizeof(w));
	addr_parse(VIEW("192.0.2.1"), 2855, &cfg.advertise);
	for (unsigned i = 0; i < 2; i++) {
		struct switch_ops ops = {on_wake,  on_read, on_connect, on_finish, on_close,
					 on_event, on_mail, NULL,	NULL};

		cfg.shard = i;
		timers_init(&w.timers[i], 0);
		w.s[i] = switch_shard_new(&cfg, &ops, &w.timers[i], &entropy, NULL);
	}
	for (switch_seat_id id = 0; id < SEATS; id++) {
		char uri[32], peer[64];
		struct switch_seat_config sc = {.seat = id, .display = VIEW("X"), .held = id & 1};
		struct switch_seat_answer a = {.accept_types = VIEW("message/cpim text/*"),
					       .max_size = id == 2 ? 2000 : 0};

		(void)snprintf(uri, sizeof(uri), "sip:u%u@example.com", (unsigned)id);
		(void)snprintf(peer, sizeof(peer), "msrp://192.0.2.2:7/p%u;tcp", (unsigned)id);
		sc.uri = view_str(uri);
		a.remote_path = view_str(peer);
		switch_seats_open(w.s[id / 4], id, 1 + id / 4, VIEW("sip:conf@example.com"), &sc, 1,
				  0);
		if (id != 5)
			switch_seat_answer(w.s[id / 4], id, &a, 0);
	}
	for (size_t i = 0; i < CONNS; i++)
		w.conn[i] = switch_conn_accept(w.s[0], &w.conn[i], 0);
}

/* Paths for their names. */
static void expand(struct buf *b, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (n - i >= 3 && p[i] == '{' && p[i + 1] >= '0' && p[i + 1] < '0' + SEATS &&
		    p[i + 2] == '}') {
			buf_puts(b, w.path[p[i + 1] - '0']);
			i += 2;
		} else {
			buf_putc(b, (char)p[i]);
		}
	}
}

static void drain(size_t at, size_t most)
{
	while (w.conn[at] && most) {
		struct view piece[4];
		size_t n = switch_conn_output(w.conn[at], piece, 4), bytes = 0;

		for (size_t i = 0; i < n; i++)
			bytes += piece[i].n;
		if (!bytes)
			break;
		bytes = bytes < most ? bytes : most;
		most -= bytes;
		switch_conn_consumed(w.conn[at], bytes, w.now);
	}
}

static void down(size_t at)
{
	struct switch_conn *c = w.conn[at];

	w.conn[at] = NULL;
	w.finish[at] = false;
	if (c)
		switch_conn_down(c, w.now);
}

static void control(uint8_t what)
{
	switch_seat_id id = what % SEATS;
	struct switch_seat_answer a = {.remote_path = VIEW("msrp://192.0.2.2:7/other;tcp"),
				       .accept_types = VIEW("*"),
				       .connect = what & 64};

	switch (what >> 3 & 3) {
	case 0:
		switch_seat_close(w.s[id / 4], id, what & 64, w.now);
		break;
	case 1:
		switch_seat_answer(w.s[id / 4], id, &a, w.now);
		break;
	case 2:
		if (what == (2 << 3 | 7))
			switch_conference_close(w.s[0], 1, w.now);
		else if (what == (2 << 3 | 6))
			switch_conference_drain(w.s[0], 1, true, w.now);
		else if (what == (2 << 3 | 5))
			switch_conference_drain(w.s[1], 2, true, w.now);
		break;
	default:
		if (w.conn[id % CONNS])
			switch_conn_up(w.conn[id % CONNS], w.now);
	}
}

static void step(uint8_t what, const uint8_t *p, size_t n)
{
	size_t at = what % CONNS;
	struct buf b;

	switch (what >> 5) {
	case 0:
	case 1:
	case 2:
		buf_init(&b, 1 << 17);
		expand(&b, p, n);
		if (w.conn[at] && b.n)
			switch_conn_recv(w.conn[at], view_of(b.p, b.n), w.now);
		buf_fini(&b);
		break;
	case 3:
		drain(at, what & 16 ? SIZE_MAX : 100);
		if (w.finish[at])
			down(at);
		break;
	case 4:
		w.now += (uint64_t)(what & 31) * 200;
		timers_run(&w.timers[0], w.now);
		timers_run(&w.timers[1], w.now);
		break;
	case 5:
		down(at);
		if (!w.conn[at])
			w.conn[at] = switch_conn_accept(w.s[0], &w.conn[at], w.now);
		break;
	case 6:
		post();
		break;
	default:
		if (n)
			control(p[0]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin();
	while (size) {
		uint8_t what = *data++;
		size_t n = 0;

		size--;
		if (what >> 5 < 3 || what >> 5 == 7) {
			if (!size)
				break;
			n = *data++;
			size--;
			/* Long ones carry two bytes of length. */
			if (n == 255 && size) {
				n = 255u * *data++;
				size--;
			}
			n = n < size ? n : size;
		}
		step(what, data, n);
		data += n;
		size -= n;
	}
	post();
	for (size_t i = 0; i < CONNS; i++)
		down(i);
	post();
	switch_shard_free(w.s[0]);
	switch_shard_free(w.s[1]);
	for (size_t i = 0; i < w.n_mail; i++)
		switch_mail_free(w.mail[i]);
	return 0;
}
