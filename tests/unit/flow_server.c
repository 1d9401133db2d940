/* The server, wired as apps/confabd.c, confabd_seats.c and confabd_switch.c wire it: the focus and
 * the switch speak by mail that takes a moment. */
#include "flow_world.h"

#include "io/digest.h"
#include "procedure/general.h"
#include "sip/digest.h"

enum { WRITE_PIECES = 64 };

/* The switch's side of a connection. */
struct link {
	struct flow_server *s;
	struct net_end *end;
	struct switch_conn *conn; /* NULL: the switch has let it go */
	struct list wake, all;
	bool finish, blocked;
};

enum command_type { COMMAND_OPEN, COMMAND_ANSWER, COMMAND_CLOSE, COMMAND_DRAIN, COMMAND_END };

struct command {
	enum command_type type;
	uint64_t request, conference, seat;
	bool drain;
	struct switch_seat_answer answer;
	struct switch_seat_config seats[64];
	size_t n_seats;
	struct view uri;
	char *text[256];
	size_t n_text;
};

struct event_mail {
	struct switch_event event;
	struct switch_seat_ready ready[64];
	char nickname[1024];
};

/* --- mail both ways --- */

static void post(struct flow_server *s, int way, void (*run)(void *, void *), void *mail,
		 void (*drop)(void *))
{
	uint64_t at = s->w->net.now + world_random(s->w, 3);

	if (at < s->mail_at[way])
		at = s->mail_at[way];
	s->mail_at[way] = at;
	net_later(&s->w->net, at - s->w->net.now, run, s, mail, drop);
}

static void command_free(void *mail)
{
	struct command *c = mail;

	for (size_t i = 0; i < c->n_text; i++)
		free(c->text[i]);
	free(c);
}

static struct view keep(struct command *c, struct view v)
{
	assert_true(c->n_text < 256);
	c->text[c->n_text] = strndup(v.n ? v.p : "", v.n);
	assert_non_null(c->text[c->n_text]);
	return view_str(c->text[c->n_text++]);
}

static void run_command(void *ctx, void *mail)
{
	struct flow_server *s = ctx;
	struct command *c = mail;
	uint64_t now = s->w->net.now;

	switch (c->type) {
	case COMMAND_OPEN:
		switch_seats_open(s->shard, c->request, c->conference, c->uri, c->seats, c->n_seats,
				  now);
		break;
	case COMMAND_ANSWER:
		switch_seat_answer(s->shard, c->seat, &c->answer, now);
		break;
	case COMMAND_CLOSE:
		switch_seat_close(s->shard, c->seat, c->drain, now);
		break;
	case COMMAND_DRAIN:
		switch_conference_drain(s->shard, c->conference, true, now);
		break;
	case COMMAND_END:
		switch_conference_close(s->shard, c->conference, now);
		break;
	}
	command_free(c);
}

static struct command *command_new(enum command_type type)
{
	struct command *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->type = type;
	return c;
}

static int seats_open(void *ctx, uint64_t request, uint64_t conference, struct view uri,
		      const struct seat_offer *seat, size_t n)
{
	struct flow_server *s = ctx;
	struct command *c;

	s->opened++;
	if (n > 64)
		return E_LIMIT;
	c = command_new(COMMAND_OPEN);
	c->request = request;
	c->conference = conference;
	c->uri = keep(c, uri);
	for (size_t i = 0; i < n; i++)
		c->seats[c->n_seats++] =
			(struct switch_seat_config){.seat = seat[i].seat,
						    .uri = keep(c, seat[i].uri),
						    .display = keep(c, seat[i].display),
						    .held = seat[i].held};
	post(s, 0, run_command, c, command_free);
	return 0;
}

static void seat_answer(void *ctx, uint64_t conference, uint64_t seat, const struct seat_answer *a)
{
	struct flow_server *s = ctx;
	struct command *c = command_new(COMMAND_ANSWER);

	s->answered++;
	c->conference = conference;
	c->seat = seat;
	c->answer = (struct switch_seat_answer){.remote_path = keep(c, a->remote_path),
						.accept_types = keep(c, a->accept_types),
						.accept_wrapped_types =
							keep(c, a->accept_wrapped_types),
						.max_size = a->max_size,
						.connect = a->connect,
						.takes_private = a->takes_private};
	post(s, 0, run_command, c, command_free);
}

static void seat_close(void *ctx, uint64_t conference, uint64_t seat, bool drain)
{
	struct flow_server *s = ctx;
	struct command *c = command_new(COMMAND_CLOSE);

	s->closed++;
	c->conference = conference;
	c->seat = seat;
	c->drain = drain;
	post(s, 0, run_command, c, command_free);
}

static void conference_drain(void *ctx, uint64_t conference)
{
	struct flow_server *s = ctx;
	struct command *c = command_new(COMMAND_DRAIN);

	c->conference = conference;
	post(s, 0, run_command, c, command_free);
}

static void conference_over(void *ctx, uint64_t conference)
{
	struct flow_server *s = ctx;
	struct command *c = command_new(COMMAND_END);

	s->ended++;
	c->conference = conference;
	post(s, 0, run_command, c, command_free);
}

static void seats_ready(struct flow_server *s, const struct switch_event *ev)
{
	uint64_t seat[64];
	struct view path[64];

	for (size_t i = 0; i < ev->n_seats; i++) {
		seat[i] = ev->seat_ready[i].seat;
		path[i] = view_str(ev->seat_ready[i].path);
	}
	controlling_seats_ready(s->controlling, ev->request, ev->conference, seat, path,
				ev->n_seats, s->w->net.now);
}

static void run_event(void *ctx, void *mail)
{
	struct flow_server *s = ctx;
	struct event_mail *m = mail;
	const struct switch_event *ev = &m->event;
	uint64_t now = s->w->net.now;

	if (ev->type == SWITCH_EV_SEATS_READY)
		seats_ready(s, ev);
	else if (ev->type == SWITCH_EV_SEATS_FAILED)
		controlling_seats_failed(s->controlling, ev->request, ev->conference, ev->error,
					 now);
	else if (ev->type == SWITCH_EV_SEAT_LOST)
		controlling_seat_lost(s->controlling, ev->conference, ev->seat, now);
	else if (ev->type == SWITCH_EV_DRAINED)
		controlling_drained(s->controlling, ev->conference, now);
	else if (ev->type == SWITCH_EV_SEAT_NAMED)
		controlling_seat_named(s->controlling, ev->conference, ev->seat, ev->nickname, now);
	free(m);
}

static void op_event(void *ctx, const struct switch_event *ev)
{
	struct flow_server *s = ctx;
	struct event_mail *m;

	if (s->switch_mute)
		return;
	m = calloc(1, sizeof(*m));
	assert_non_null(m);
	m->event = *ev;
	m->event.seat_ready = m->ready;
	assert_true(view_copy(ev->nickname, m->nickname, sizeof(m->nickname)));
	m->event.nickname = view_str(m->nickname);
	if (ev->n_seats)
		memcpy(m->ready, ev->seat_ready, ev->n_seats * sizeof(m->ready[0]));
	post(s, 1, run_event, m, free);
}

/* --- the switch's connections --- */

static void op_wake(void *ctx, void *handle)
{
	struct flow_server *s = ctx;
	struct link *l = handle;

	if (list_empty(&l->wake))
		list_add_tail(&s->woken, &l->wake);
}

static void link_flush(struct link *l)
{
	struct view piece[WRITE_PIECES];

	while (l->conn && l->end->up) {
		size_t n = switch_conn_output(l->conn, piece, WRITE_PIECES), taken = 0, room;

		if (!n)
			break;
		for (size_t i = 0; i < n; i++) {
			room = net_room(l->end);
			l->blocked = room == 0;
			piece[i] = view_first(piece[i], room);
			net_write(l->end, piece[i]);
			taken += piece[i].n;
			if (l->blocked)
				break;
		}
		if (taken)
			switch_conn_consumed(l->conn, taken, l->s->w->net.now);
		if (l->blocked)
			return;
	}
	if (l->finish && l->end->up) {
		l->finish = false;
		net_finish(l->end);
	}
}

void server_after_batch(struct flow_server *s)
{
	while (!list_empty(&s->woken)) {
		struct link *l = CONTAINER(s->woken.next, struct link, wake);

		list_del(&l->wake);
		if (!l->blocked)
			link_flush(l);
	}
}

static void op_read(void *ctx, void *handle, bool on)
{
	(void)ctx;
	net_pause(((struct link *)handle)->end, !on);
}

static void op_finish(void *ctx, void *handle)
{
	((struct link *)handle)->finish = true;
	op_wake(ctx, handle);
}

static void op_close(void *ctx, void *handle)
{
	struct link *l = handle;

	(void)ctx;
	l->conn = NULL;
	list_del(&l->wake);
	net_close(l->end);
}

static void on_connected(void *ctx, struct net_end *e)
{
	struct link *l = ctx;

	(void)e;
	if (l->conn)
		switch_conn_up(l->conn, l->s->w->net.now);
	op_wake(l->s, l);
}

static void on_data(void *ctx, struct net_end *e, struct view bytes)
{
	struct link *l = ctx;

	(void)e;
	if (l->conn)
		switch_conn_recv(l->conn, bytes, l->s->w->net.now);
}

static void on_writable(void *ctx, struct net_end *e)
{
	struct link *l = ctx;

	(void)e;
	l->blocked = false;
	link_flush(l);
}

static void on_closed(void *ctx, struct net_end *e)
{
	struct link *l = ctx;
	struct switch_conn *conn = l->conn;

	(void)e;
	l->conn = NULL;
	list_del(&l->wake);
	if (conn)
		switch_conn_down(conn, l->s->w->net.now);
	list_del(&l->all);
	free(l);
}

static const struct net_end_events link_events = {
	.connected = on_connected, .data = on_data, .writable = on_writable, .closed = on_closed};

static struct link *link_new(struct flow_server *s)
{
	struct link *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->s = s;
	list_init(&l->wake);
	list_add_tail(&s->links, &l->all);
	return l;
}

static void *op_connect(void *ctx, struct switch_conn *conn, const struct addr *to, bool tls)
{
	struct flow_server *s = ctx;
	struct link *l;

	if (tls)
		return NULL;
	l = link_new(s);
	l->conn = conn;
	l->end = net_connect(&s->w->net, "switch", &s->msrp, to, &link_events, l);
	return l;
}

static void accept_seat(void *ctx, struct net_end *e, const struct addr *remote)
{
	struct flow_server *s = ctx;
	struct link *l = link_new(s);

	(void)remote;
	l->end = e;
	l->conn = switch_conn_accept(s->shard, l, s->w->net.now);
	if (l->conn) {
		net_attach(e, &link_events, l);
		return;
	}
	list_del(&l->all);
	free(l);
}

static void op_mail(void *ctx, unsigned to, struct switch_mail *mail)
{
	(void)ctx;
	(void)to;
	switch_mail_free(mail);
}

/* --- what core and controlling are told --- */

static int user_find(void *ctx, struct view user, struct view domain, struct core_user *out)
{
	if (!core_is_served_domain(((struct flow_server *)ctx)->core, domain, 0) ||
	    view_starts(user, VIEW("nobody")))
		return E_NOTFOUND;
	*out = (struct core_user){.im_tag = CORE_IM_DEFAULT};
	sip_digest_ha1(io_digest(), SIP_DIGEST_MD5, user, VIEW("example.com"), VIEW("secret"),
		       out->ha1_md5);
	sip_digest_ha1(io_digest(), SIP_DIGEST_SHA256, user, VIEW("example.com"), VIEW("secret"),
		       out->ha1_sha256);
	return 0;
}

static bool is_local(void *ctx, const struct sip_uri *uri)
{
	return controlling_is_local(((struct flow_server *)ctx)->controlling, uri);
}

static void local_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			  const struct core_identity *who, uint64_t now_ms)
{
	controlling_request(((struct flow_server *)ctx)->controlling, tx, m, who, now_ms);
}

static void local_ack(void *ctx, const struct sip_msg *m, uint64_t now_ms)
{
	controlling_ack(((struct flow_server *)ctx)->controlling, m, now_ms);
}

static bool served(void *ctx, struct view host, uint16_t port)
{
	return core_is_served_domain(((struct flow_server *)ctx)->core, host, port);
}

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	core_request(((struct flow_server *)ctx)->core, tx, m, now_ms);
}

static void on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms)
{
	core_ack(((struct flow_server *)ctx)->core, m, from, now_ms);
}

static void on_conn_down(void *ctx, uint64_t conn, uint64_t now_ms)
{
	core_conn_down(((struct flow_server *)ctx)->core, conn, now_ms);
}

static void write_log(void *ctx, enum log_level level, const char *room, const char *text)
{
	struct flow_server *s = ctx;

	(void)level;
	printf("%8lu %-8s %s: %s\n", (unsigned long)(s->w->net.now - WORLD_BEGAN), "server", room,
	       text);
}

static void sip_trace(void *ctx, bool out, const struct sip_flow *flow, struct view bytes)
{
	struct flow_server *s = ctx;

	if (s->w->trace)
		printf("%8lu %-8s %c%c %.*s\n", (unsigned long)(s->w->net.now - WORLD_BEGAN),
		       "server", out ? '>' : '<', flow->transport == SIP_LOCAL ? '~' : ' ',
		       (int)view_find(bytes, '\r', 0), bytes.p);
	if (s->on_sip)
		s->on_sip(s->on_sip_ctx, out, bytes);
}

/* --- life --- */

static const struct view domains[] = {{"example.com", 11}};

void server_init(struct flow_server *s, struct flow_world *w)
{
	s->w = w;
	s->sip = world_addr("192.0.2.1:5060");
	s->msrp = world_addr("192.0.2.1:2855");
	s->random = w->seed * 31 + 7;
	s->entropy = (struct entropy){world_fill, &s->random};
	s->log = (struct log){
		.level = w->trace ? LOG_DEBUG : LOG_ERROR, .write = write_log, .ctx = s};
	list_init(&s->woken);
	list_init(&s->links);
	s->core_cfg = (struct core_config){.domains = domains,
					   .n_domains = 1,
					   .auth_required = true,
					   .nonce_lifetime_ms = 300000,
					   .offer_md5 = true,
					   .offer_sha256 = true,
					   .min_expires = 60,
					   .max_expires = 7200,
					   .default_expires = 3600,
					   .max_contacts = 10,
					   .max_bindings = 1000,
					   .im_tag = CORE_IM_REQUIRE,
					   .server = VIEW(IM_SERVER_RELEASE),
					   .timer_c_ms = 200000};
	s->cfg = (struct controlling_config){.factory_user = VIEW("conference-factory"),
					     .feature_tag = VIEW(IM_FEATURE_TAG),
					     .release = VIEW(IM_SERVER_RELEASE),
					     .max_members = 50,
					     .max_conferences = 100,
					     .invite_timeout_ms = 20000,
					     .seat_timeout_ms = 5000,
					     .drain_ms = 3000,
					     .session_expires_s = 1800,
					     .min_se_s = 90,
					     .end_policy = CONFERENCE_END_LAST,
					     .replaces_fallback = true,
					     .private_messages = true,
					     .max_message = 10 << 20};
	s->switch_cfg = (struct switch_config){.n_shards = 1,
					       .advertise = s->msrp,
					       .seat_backlog = 1 << 20,
					       .chunk_whole_max = 65536,
					       .max_message = 10 << 20,
					       .response_timeout_ms = 30000,
					       .rebind_grace_ms = 10000,
					       .bind_timeout_ms = 30000,
					       .drain_ms = 2000,
					       .max_conns = 1000,
					       .max_conferences = 100,
					       .max_seats = 1000,
					       .max_members = 50,
					       .private_messages = true,
					       .unix_ms_at_zero = 1700000000000u};
}

static void start_switch(struct flow_server *s)
{
	struct switch_ops ops = {.wake = op_wake,
				 .read = op_read,
				 .connect = op_connect,
				 .finish = op_finish,
				 .close = op_close,
				 .event = op_event,
				 .mail = op_mail,
				 .ctx = s};

	timers_init(&s->switch_timers, s->w->net.now);
	s->shard = switch_shard_new(&s->switch_cfg, &ops, &s->switch_timers, &s->entropy, &s->log);
	assert_non_null(s->shard);
	net_listen(&s->w->net, "switch", &s->msrp, accept_seat, NULL, s);
	s->w->timers[s->w->n_timers++] = &s->switch_timers;
}

static void start_sip(struct flow_server *s)
{
	struct sip_stack_ops ops = {.on_request = on_request,
				    .on_ack = on_ack,
				    .on_conn_down = on_conn_down,
				    .trace = sip_trace,
				    .ctx = s};
	struct core_ops core = {.user_find = user_find,
				.is_local = is_local,
				.local_request = local_request,
				.local_ack = local_ack,
				.ctx = s};
	struct sip_stack_config cfg;

	timers_init(&s->timers, s->w->net.now);
	s->w->timers[s->w->n_timers++] = &s->timers;
	sip_stack_config_defaults(&cfg);
	cfg.server = VIEW(IM_SERVER_RELEASE);
	cfg.sent_by[SIP_UDP][0] = s->sip;
	cfg.sent_by[SIP_TCP][0] = s->sip;
	wires_of_server(s, &ops);
	s->stack = sip_stack_new(&cfg, &ops, &s->timers, &s->entropy, &s->log);
	assert_non_null(s->stack);
	s->core = core_new(&s->core_cfg, &core, s->stack, io_digest());
	assert_non_null(s->core);
}

void server_start(struct flow_server *s)
{
	struct seat_broker broker = {.open = seats_open,
				     .answer = seat_answer,
				     .close = seat_close,
				     .drain = conference_drain,
				     .end = conference_over,
				     .ctx = s};

	start_sip(s);
	start_switch(s);
	s->controlling = controlling_new(&s->cfg, s->stack, io_digest(), &broker);
	assert_non_null(s->controlling);
	controlling_set_domain_check(s->controlling, served, s);
}

void server_fini(struct flow_server *s)
{
	switch_shard_free(s->shard);
	controlling_free(s->controlling);
	core_free(s->core);
	sip_stack_free(s->stack);
	while (!list_empty(&s->links)) {
		struct link *l = CONTAINER(s->links.next, struct link, all);

		list_del(&l->all);
		free(l);
	}
}
