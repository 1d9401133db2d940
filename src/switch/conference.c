/* Conferences: who sits in them, and the types of what is said. */
#include "switch/shard.h"

#include <stdlib.h>

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* What follows the scheme; schemes that name a user at a domain count as one (RFC 3860 maps im:
 * to sip:, and sips: is the same user), any other one stays part of the key. */
static struct view without_scheme(struct view uri)
{
	static const char *const same[] = {"sip:", "sips:", "im:", "pres:"};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (view_starts_nocase(uri, view_str(same[i])))
			return view_from(uri, strlen(same[i]));
	return uri;
}

char *switch_uri_key(struct view uri, char *dst)
{
	size_t n, at, i;

	uri = without_scheme(view_trim(uri));
	at = view_find(uri, '@', 0);
	at = at == uri.n ? 0 : at;
	/* Parameters and headers are no part of an address of record. */
	n = view_find(uri, '?', at);
	if (view_find(uri, ';', at) < n)
		n = view_find(uri, ';', at);
	if (view_ends(view_first(uri, n), VIEW(":5060")))
		n -= 5;
	if (n >= URI_TEXT_MAX)
		n = URI_TEXT_MAX - 1;
	for (i = 0; i < n; i++)
		dst[i] = i < at ? uri.p[i] : (char)lower(uri.p[i]);
	dst[n] = '\0';
	return dst;
}

struct conference *switch_conference_find(struct switch_shard *s, switch_conference_id id)
{
	uint64_t hash = hash_bytes(&s->conferences, view_of((const char *)&id, sizeof(id)));
	struct hash_node *node = hash_first(&s->conferences, hash);

	for (; node; node = hash_next(node, hash)) {
		struct conference *conf = CONTAINER(node, struct conference, node);

		if (conf->id == id)
			return conf;
	}
	return NULL;
}

void switch_conference_free(struct switch_shard *s, struct conference *conf)
{
	if (!conf)
		return;
	switch_drain_stop(conf, true);
	hash_del(&s->conferences, &conf->node);
	timer_cancel(s->timers, &conf->timer);
	free(conf->seat);
	free(conf->type);
	free(conf->recent);
	free(conf);
}

static struct conference *conference_new(struct switch_shard *s, switch_conference_id id,
					 struct view uri, int *error)
{
	struct conference *conf = calloc(1, sizeof(*conf) + 2 * (uri.n + 1));

	*error = E_NOMEM;
	if (!conf)
		return NULL;
	conf->shard = s;
	conf->id = id;
	list_init(&conf->messages);
	list_init(&conf->due);
	timer_init(&conf->timer, NULL, NULL);
	conf->uri = conf->text;
	(void)view_copy(uri, conf->uri, uri.n + 1);
	conf->key = switch_uri_key(uri, conf->text + uri.n + 1);
	*error = hash_add(&s->conferences, &conf->node,
			  hash_bytes(&s->conferences, view_of((const char *)&id, sizeof(id))));
	if (!*error)
		return conf;
	switch_conference_free(s, conf);
	return NULL;
}

static int conference_add(struct conference *conf, struct seat *seat)
{
	if (conf->n == conf->size) {
		size_t size = conf->size ? 2 * conf->size : 2;
		struct seat **p = realloc(conf->seat, size * sizeof(struct seat *));

		if (!p)
			return E_NOMEM;
		conf->seat = p;
		conf->size = size;
	}
	seat->conference = conf;
	seat->index = conf->n;
	conf->seat[conf->n++] = seat;
	return 0;
}

void switch_conference_remove(struct conference *conf, struct seat *seat)
{
	struct seat *last = conf->seat[--conf->n];

	switch_drain_leave(seat);
	conf->seat[seat->index] = last;
	last->index = seat->index;
	seat->conference = NULL;
}

int switch_conference_type(struct conference *conf, struct view content_type,
			   char dst[TYPE_TEXT_MAX])
{
	struct view type = content_type;
	char(*more)[TYPE_TEXT_MAX];
	size_t n;

	type = view_trim(view_cut(&type, ';'));
	if (view_empty(type))
		type = VIEW("text/plain"); /* RFC 2045 §5.2 */
	n = type.n < TYPE_TEXT_MAX ? type.n : TYPE_TEXT_MAX - 1;
	for (size_t i = 0; i < n; i++)
		dst[i] = (char)lower(type.p[i]);
	dst[n] = '\0';
	for (unsigned i = 0; i < conf->n_types; i++)
		if (strcmp(conf->type[i], dst) == 0)
			return (int)i;
	if (conf->n_types == TYPES_MAX)
		return -1;
	more = realloc(conf->type, (conf->n_types + 1) * sizeof(*more));
	if (!more)
		return -1;
	conf->type = more;
	memcpy(conf->type[conf->n_types], dst, n + 1);
	return (int)conf->n_types++;
}

/* RFC 4975 §8.6: accept-types holds types and wildcards, parted by spaces. */
static bool list_takes(const char *list, struct view type)
{
	struct view rest = view_str(list), major = type;

	major = view_cut(&major, '/');
	while (!view_empty(rest)) {
		struct view entry = view_cut(&rest, ' ');
		struct view name = view_trim(view_cut(&entry, ';')), left = name;

		if (view_eq(name, VIEW("*")) || view_eq_nocase(name, type))
			return true;
		if (view_eq_nocase(view_cut(&left, '/'), major) && view_eq(left, VIEW("*")))
			return true;
	}
	return false;
}

/* What may stand as a message may also be wrapped (§8.6); who names no wrapped types takes them
 * all. */
static bool takes_text(const struct seat *seat, const char *text)
{
	if (!seat->takes_cpim)
		return false;
	return !*seat->wrapped_types || list_takes(seat->wrapped_types, view_str(text)) ||
	       list_takes(seat->types, view_str(text));
}

bool switch_seat_takes(struct seat *seat, int type, const char *text)
{
	uint32_t bit;

	/* Before its owner's answer nobody knows; it is asked again when the seat is bound. */
	if (!seat->answered)
		return true;
	if (type < 0)
		return text ? takes_text(seat, text) : true;
	bit = (uint32_t)1 << type;
	if (!(seat->type_known & bit) && seat->conference) {
		seat->type_known |= bit;
		if (takes_text(seat, seat->conference->type[type]))
			seat->type_taken |= bit;
	}
	return (seat->type_taken & bit) || !(seat->type_known & bit);
}

static int check_room(const struct switch_shard *s, const struct conference *conf,
		      const struct switch_seat_config *seat, size_t n)
{
	if (!conf && s->conferences.n >= s->cfg.max_conferences)
		return E_LIMIT;
	if (conf && conf->refuses)
		return E_STATE;
	if (n > s->cfg.max_seats || s->n_seats > s->cfg.max_seats - n)
		return E_LIMIT;
	if ((conf ? conf->n : 0) + n > s->cfg.max_members)
		return E_LIMIT;
	for (size_t i = 0; i < n; i++)
		if (seat[i].uri.n >= URI_TEXT_MAX || seat[i].display.n >= URI_TEXT_MAX)
			return E_LIMIT;
	return 0;
}

/* The seats, all or none; their texts go to ready. */
static int open_seats(struct switch_shard *s, struct conference *conf,
		      const struct switch_seat_config *sc, size_t n,
		      struct switch_seat_ready *ready)
{
	size_t before = conf->n, i;
	int error = 0;

	for (i = 0; i < n && !error; i++) {
		struct seat *seat = switch_seat_find(s, sc[i].seat)
					    ? NULL
					    : switch_seat_new(s, &sc[i], conf->id);

		if (!seat) {
			error = switch_seat_find(s, sc[i].seat) ? E_EXISTS : E_NOMEM;
			break;
		}
		error = conference_add(conf, seat);
		if (error) {
			switch_seat_free(seat);
			break;
		}
		ready[i].seat = seat->id;
		memcpy(ready[i].path, seat->local, seat->n_local + 1);
	}
	if (!error)
		return 0;
	while (conf->n > before) {
		struct seat *seat = conf->seat[conf->n - 1];

		switch_conference_remove(conf, seat);
		switch_seat_free(seat);
	}
	return error;
}

static void seats_open(struct switch_shard *s, uint64_t request, switch_conference_id conference,
		       struct view conference_uri, const struct switch_seat_config *seat,
		       size_t n_seats, bool relay)
{
	struct switch_event ev = {.request = request, .conference = conference};
	struct conference *conf = switch_conference_find(s, conference);
	bool is_new = !conf;
	struct switch_seat_ready *ready = NULL;

	ev.error = relay && conf ? E_EXISTS : check_room(s, conf, seat, n_seats);
	if (!ev.error && !(ready = calloc(n_seats ? n_seats : 1, sizeof(*ready))))
		ev.error = E_NOMEM;
	if (!ev.error && is_new)
		conf = conference_new(s, conference, conference_uri, &ev.error);
	if (!ev.error)
		ev.error = open_seats(s, conf, seat, n_seats, ready);
	if (ev.error && is_new)
		switch_conference_free(s, conf);
	else if (!ev.error && relay)
		switch_relay_link(conf);
	ev.type = ev.error ? SWITCH_EV_SEATS_FAILED : SWITCH_EV_SEATS_READY;
	if (!ev.error) {
		ev.n_seats = n_seats;
		ev.seat_ready = ready;
	}
	s->ops.event(s->ops.ctx, &ev);
	free(ready);
}

void switch_seats_open(struct switch_shard *s, uint64_t request, switch_conference_id conference,
		       struct view conference_uri, const struct switch_seat_config *seat,
		       size_t n_seats, uint64_t now_ms)
{
	(void)now_ms;
	seats_open(s, request, conference, conference_uri, seat, n_seats, false);
}

void switch_relay_open(struct switch_shard *s, uint64_t request, switch_conference_id relay,
		       const struct switch_seat_config seat[2], uint64_t now_ms)
{
	(void)now_ms;
	seats_open(s, request, relay, view_of("", 0), seat, 2, true);
}

void switch_conference_close(struct switch_shard *s, switch_conference_id conference,
			     uint64_t now_ms)
{
	struct conference *conf = switch_conference_find(s, conference);

	if (!conf)
		return;
	/* Backwards, so that nobody moves into a place that was passed; the last seat frees it. */
	for (size_t i = conf->n; i-- > 0;) {
		bool last = i == 0;

		switch_seat_end(conf->seat[i], true, now_ms);
		if (last)
			conf = NULL;
	}
	if (conf)
		switch_conference_free(s, conf);
	switch_handover_output(s);
}
