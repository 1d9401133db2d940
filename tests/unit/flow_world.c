#include "flow_world.h"

#include "io/digest.h"
#include "test_seed.h"

uint64_t world_random(struct flow_world *w, uint64_t below)
{
	return net_random(&w->net, below);
}

void world_fill(void *seed, void *dst, size_t n)
{
	uint64_t *s = seed;

	for (size_t i = 0; i < n; i++) {
		*s = *s * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(*s >> 56);
	}
}

struct addr world_addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_hostport(view_str(text), 5060, &a), 0);
	return a;
}

/* --- the clock --- */

static uint64_t earliest(struct flow_world *w)
{
	uint64_t at = net_next(&w->net);

	for (size_t i = 0; i < w->n_timers; i++) {
		uint64_t t = timers_next(w->timers[i]);

		at = t < at ? t : at;
	}
	return at;
}

static void step(struct flow_world *w, uint64_t at)
{
	if (at > w->net.now)
		w->net.now = at;
	if (net_next(&w->net) <= w->net.now)
		net_step(&w->net);
	for (size_t i = 0; i < w->n_timers; i++)
		if (timers_next(w->timers[i]) <= w->net.now)
			timers_run(w->timers[i], w->net.now);
	server_after_batch(&w->server);
}

bool world_until(struct flow_world *w, bool (*condition)(void *ctx), void *ctx, uint64_t ms)
{
	uint64_t until = w->net.now + ms, at;

	server_after_batch(&w->server);
	while (!condition || !condition(ctx)) {
		at = earliest(w);
		if (at > until) {
			w->net.now = until;
			return false;
		}
		step(w, at);
	}
	return true;
}

void world_run(struct flow_world *w, uint64_t ms)
{
	(void)world_until(w, NULL, NULL, ms);
}

/* --- life --- */

struct flow_world *world_new(uint64_t seed)
{
	struct flow_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->seed = seed + test_seed();
	w->trace = getenv("FLOW_TRACE") != NULL;
	w->said = calloc(WORLD_SAID, sizeof(*w->said));
	assert_non_null(w->said);
	list_init(&w->wires);
	net_init(&w->net, w->seed, WORLD_BEGAN);
	w->net.trace = w->trace;
	server_init(&w->server, w);
	return w;
}

void world_start(struct flow_world *w)
{
	server_start(&w->server);
}

static void person_free(struct person *p)
{
	client_free(p->client);
	assert_int_equal(p->client ? p->timers.n : 0, 0);
	for (size_t i = 0; i < p->n_events; i++)
		free(p->event[i].data);
	free(p->event);
	free(p);
}

void world_free(struct flow_world *w)
{
	for (size_t i = 0; i < w->n_people; i++)
		person_free(w->person[i]);
	server_fini(&w->server);
	net_fini(&w->net);
	wires_free(w);
	free(w->said);
	free(w);
}

void world_close(struct flow_world *w)
{
	struct flow_server *s = &w->server;
	struct switch_counts counts;

	for (size_t i = 0; i < w->n_people; i++)
		client_shutdown(w->person[i]->client, w->net.now);
	world_run(w, 60000);
	for (size_t i = 0; i < w->n_people; i++)
		assert_true(client_idle(w->person[i]->client));
	/* All timers of RFC 3261 that keep something have run out by now. */
	world_run(w, 200000);
	switch_shard_counts(s->shard, &counts);
	assert_int_equal(controlling_conference_count(s->controlling), 0);
	assert_int_equal(counts.conferences, 0);
	assert_int_equal(counts.seats, 0);
	assert_int_equal(sip_stack_tx_count(s->stack), 0);
	for (size_t i = 0; i < w->n_people; i++)
		assert_int_equal(sip_stack_tx_count(client_stack(w->person[i]->client)), 0);
}

void world_end(struct flow_world *w)
{
	world_close(w);
	world_free(w);
}

/* --- what was said --- */

static struct said *said_find(struct flow_world *w, const char *name, unsigned number)
{
	for (size_t i = 0; i < w->n_said; i++)
		if (w->said[i].number == number && !strcmp(w->said[i].by->name, name))
			return &w->said[i];
	return NULL;
}

static size_t index_of(const struct flow_world *w, const struct person *p)
{
	size_t i = 0;

	while (w->person[i] != p)
		i++;
	return i;
}

static void note_seen(struct person *p, const struct happened *h)
{
	char name[16];
	unsigned number;
	struct said *s;

	assert_int_equal(sscanf(h->data, "%15s %u", name, &number), 2);
	s = said_find(p->w, name, number);
	assert_non_null(s);
	s->seen[index_of(p->w, p)]++;
}

static void note_sent(struct person *p, const struct happened *h)
{
	for (size_t i = 0; i < p->w->n_said; i++) {
		struct said *s = &p->w->said[i];

		if (s->by != p || strcmp(s->id, h->id) != 0)
			continue;
		s->accepted |= h->sent == CONFAB_SENT_ACCEPTED;
		s->delivered |= h->sent == CONFAB_SENT_DELIVERED;
		s->failed |= h->sent == CONFAB_SENT_FAILED;
		s->unconfirmed |= h->sent == CONFAB_SENT_UNCONFIRMED;
	}
}

static void judge_order(struct flow_world *w, const struct person *r)
{
	/* Of each sender and each conversation of his. */
	unsigned last[WORLD_PEOPLE][WORLD_CONVERSATIONS] = {0};

	for (size_t i = 0; i < r->n_events; i++) {
		const struct said *s;
		unsigned number, *seen;
		char name[16];

		if (r->event[i].type != CONFAB_MESSAGE)
			continue;
		assert_int_equal(sscanf(r->event[i].data, "%15s %u", name, &number), 2);
		s = said_find(w, name, number);
		seen = &last[index_of(w, s->by)][s->conversation];
		if (number <= *seen)
			fail_msg("seed %lu: %s saw %s %u after %s %u", (unsigned long)w->seed,
				 r->name, name, number, name, *seen);
		*seen = number;
	}
}

void world_judge(struct flow_world *w, bool (*due)(const struct said *s, const struct person *r),
		 enum judging how)
{
	for (size_t i = 0; i < w->n_said; i++) {
		const struct said *s = &w->said[i];
		const char *whom = s->to_all ? "all" : "one";
		bool told = s->failed || s->unconfirmed;
		unsigned readers = 0;

		if (how == NOBODY_TOLD && told)
			fail_msg("seed %lu: %s %u (to %s) %s", (unsigned long)w->seed, s->by->name,
				 s->number, whom, s->failed ? "failed" : "is unconfirmed");
		if (!told && !s->accepted && !s->delivered)
			fail_msg("seed %lu: %s %u (to %s) has no last word", (unsigned long)w->seed,
				 s->by->name, s->number, whom);
		for (size_t k = 0; k < w->n_people; k++) {
			const struct person *r = w->person[k];

			readers += s->seen[k] > 0;
			if (s->seen[k] > 1)
				fail_msg("seed %lu: %s saw %s %u twice", (unsigned long)w->seed,
					 r->name, s->by->name, s->number);
			if (s->seen[k] && r == s->by)
				fail_msg("seed %lu: %s heard himself", (unsigned long)w->seed,
					 r->name);
			if (r == s->by || !due)
				continue;
			if (due(s, r) && !s->seen[k] && !(told && how == SEEN_OR_TOLD))
				fail_msg("seed %lu: %s lacks %s %u (to %s)", (unsigned long)w->seed,
					 r->name, s->by->name, s->number, whom);
		}
		if (!s->to_all && readers > 1)
			fail_msg("seed %lu: %s %u was for one alone", (unsigned long)w->seed,
				 s->by->name, s->number);
	}
	for (size_t k = 0; k < w->n_people; k++)
		judge_order(w, w->person[k]);
}

/* --- people --- */

static const char *const event_name[] = {
	[CONFAB_REGISTERED] = "registered",
	[CONFAB_REGISTER_FAILED] = "register-failed",
	[CONFAB_INVITED] = "invited",
	[CONFAB_RINGING] = "ringing",
	[CONFAB_OPEN] = "open",
	[CONFAB_MOVING] = "moving",
	[CONFAB_MOVED] = "moved",
	[CONFAB_MOVE_FAILED] = "move-failed",
	[CONFAB_SPLIT] = "split",
	[CONFAB_MESSAGE] = "message",
	[CONFAB_SENT] = "sent",
	[CONFAB_ROSTER] = "roster",
	[CONFAB_JOINED] = "joined",
	[CONFAB_LEFT] = "left",
	[CONFAB_ENDED] = "ended",
	[CONFAB_CONNECTION] = "connection",
};

static void on_event(void *ctx, const struct confab_event *ev)
{
	struct person *p = ctx;
	struct happened *h;

	if (p->n_events == p->size_events) {
		p->size_events = p->size_events ? 2 * p->size_events : 64;
		p->event = realloc(p->event, p->size_events * sizeof(*p->event));
		assert_non_null(p->event);
	}
	h = &p->event[p->n_events++];
	*h = (struct happened){.type = ev->type,
			       .at = p->w->net.now,
			       .conversation = ev->conversation,
			       .other = ev->other,
			       .conference = ev->conference,
			       .to_all = ev->to_all,
			       .sent = ev->sent,
			       .status = ev->status,
			       .n_participants = ev->n_participants};
	(void)view_copy(view_str(ev->peer), h->peer, sizeof(h->peer));
	(void)view_copy(view_str(ev->uri), h->uri, sizeof(h->uri));
	(void)view_copy(view_str(ev->id), h->id, sizeof(h->id));
	(void)view_copy(view_str(ev->text), h->text, sizeof(h->text));
	if (ev->type == CONFAB_MESSAGE) {
		h->data = strndup(ev->data, ev->data_n);
		note_seen(p, h);
	} else if (ev->type == CONFAB_SENT) {
		note_sent(p, h);
	}
	if (p->w->trace)
		printf("%8lu %-8s chat %u: %s %s %s %d %.*s\n",
		       (unsigned long)(p->w->net.now - WORLD_BEGAN), p->name, h->conversation,
		       event_name[h->type], h->peer, h->text,
		       h->type == CONFAB_SENT ? (int)h->sent : h->status, h->data ? 40 : 0,
		       h->data ? h->data : "");
	if (h->conversation < WORLD_CONVERSATIONS) {
		bool *all = &p->everybody[h->conversation], *known = &p->known[h->conversation];

		/* Who is asked whether he wants to move is not there yet. */
		if (h->type == CONFAB_MOVING ||
		    (h->type == CONFAB_INVITED && h->conference && !*known))
			*all = true;
		else if (h->type == CONFAB_MOVE_FAILED)
			*all = false;
		*known = true;
	}
	if (h->type == CONFAB_INVITED)
		p->chat = h->conversation;
	if (p->on_event)
		p->on_event(p, h);
}

static void write_log(void *ctx, enum log_level level, const char *room, const char *text)
{
	struct person *p = ctx;

	(void)level;
	printf("%8lu %-8s %s: %s\n", (unsigned long)(p->w->net.now - WORLD_BEGAN), p->name, room,
	       text);
}

struct person *person_new(struct flow_world *w, const char *name, const char *user)
{
	struct person *p = calloc(1, sizeof(*p));
	char at[32];

	assert_non_null(p);
	assert_true(w->n_people < WORLD_PEOPLE);
	p->w = w;
	p->name = name;
	snprintf(p->uri, sizeof(p->uri), "sip:%s@example.com", user);
	snprintf(at, sizeof(at), "192.0.2.%zu:5060", 10 + w->n_people);
	p->sip = world_addr(at);
	p->msrp = p->sip;
	p->msrp.port = 7654;
	p->random = w->seed * 77 + w->n_people + 1;
	p->entropy = (struct entropy){world_fill, &p->random};
	p->log = (struct log){
		.level = w->trace ? LOG_DEBUG : LOG_ERROR, .write = write_log, .ctx = p};
	p->cfg = (struct client_config){
		.user = view_str(p->uri),
		.display = view_str(name),
		.password = VIEW("secret"),
		.server = {.transport = SIP_TCP, .remote = w->server.sip},
		.sip_local = {p->sip, p->sip},
		.msrp_local = p->msrp,
		.max_conversations = 8,
		.register_expires = 600,
		.max_message = 10 << 20,
		.unix_ms_at_zero = 1700000000000u,
		.drain_ms = 5000,
	};
	w->person[w->n_people++] = p;
	return p;
}

void person_start(struct person *p)
{
	struct client_world world = {.event = on_event, .ctx = p};

	timers_init(&p->timers, p->w->net.now);
	p->w->timers[p->w->n_timers++] = &p->timers;
	wires_of_person(p, &world);
	p->client = client_new(&p->cfg, &world, io_digest(), &p->timers, &p->entropy, &p->log);
	assert_non_null(p->client);
	/* An event has a conversation number only where it is about one. */
	client_register(p->client, p->w->net.now);
}

struct person *person_there(struct flow_world *w, const char *name, const char *user)
{
	struct person *p = person_new(w, name, user);

	p->cfg.auto_accept = true;
	person_start(p);
	assert_true(person_wait(p, CONFAB_REGISTERED, 1, 20000));
	return p;
}

void person_call(struct person *p, const char *const *uris, size_t n)
{
	uint32_t before = p->chat;

	person_try_call(p, uris, n);
	assert_true(p->chat != before);
}

void person_try_call(struct person *p, const char *const *uris, size_t n)
{
	struct view v[8];

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++)
		v[i] = view_str(uris[i]);
	if (client_call(p->client, v, n, &p->chat, p->w->net.now))
		return;
	assert_true(p->chat < WORLD_CONVERSATIONS);
	p->everybody[p->chat] = n > 1;
	p->known[p->chat] = true;
}

int person_add(struct person *p, const char *uri)
{
	struct view v = view_str(uri);

	return client_add(p->client, p->chat, &v, 1, p->w->net.now);
}

void person_write(struct person *p, size_t extra)
{
	struct flow_world *w = p->w;
	char *text = malloc(extra + 64);
	struct said *s;
	int n, rc;

	assert_non_null(text);
	assert_true(w->n_said < WORLD_SAID);
	s = &w->said[w->n_said++];
	assert_true(p->chat < WORLD_CONVERSATIONS);
	*s = (struct said){.by = p,
			   .at = w->net.now,
			   .number = ++p->written,
			   .conversation = p->chat,
			   .to_all = p->everybody[p->chat]};
	n = snprintf(text, 64, "%s %u ", p->name, s->number);
	memset(text + n, 'x', extra);
	rc = client_send(p->client, p->chat, view_of(text, (size_t)n + extra), s->id, w->net.now);
	if (rc) {
		/* Refused at once is told at once. */
		assert_true(rc == E_STATE || rc == E_NOTFOUND || rc == E_NOMEM);
		s->failed = true;
	}
	free(text);
}

size_t person_count(const struct person *p, enum confab_event_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_events; i++)
		n += p->event[i].type == type;
	return n;
}

const struct happened *person_last(const struct person *p, enum confab_event_type type)
{
	for (size_t i = p->n_events; i > 0; i--)
		if (p->event[i - 1].type == type)
			return &p->event[i - 1];
	return NULL;
}

struct awaited {
	struct person *p;
	enum confab_event_type type;
	size_t n;
};

static bool has_come(void *ctx)
{
	struct awaited *a = ctx;

	return person_count(a->p, a->type) >= a->n;
}

bool person_wait(struct person *p, enum confab_event_type type, size_t n, uint64_t ms)
{
	struct awaited a = {p, type, n};

	return world_until(p->w, has_come, &a, ms);
}

void chat_open(struct person *a, struct person *b)
{
	const char *uri = b->uri;
	size_t n = person_count(b, CONFAB_OPEN);

	person_call(a, &uri, 1);
	/* An INVITE that is challenged is two, each with 64*T1 where datagrams are lost. */
	assert_true(person_wait(a, CONFAB_OPEN, person_count(a, CONFAB_OPEN) + 1, 70000));
	assert_true(person_wait(b, CONFAB_OPEN, n + 1, 70000));
}
