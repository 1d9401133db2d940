/*
 * The end of a conference or a relay, as far as messages go: every one that was acknowledged comes
 * to its receivers, or its sender is told that it did not (RFC 4975 §7.1.4), before anybody's
 * session ends. Two things are waited for: records of messages whose senders want to know
 * (conference->due), and deliveries that have only to be written (n_unwritten): REPORTs, and
 * messages of which nobody wants to know. Both are books, not searches: the last one off them is
 * the end.
 *
 *   running ─► reporting ─► over      A receiver who takes nothing costs drain_ms, and a sender who
 *      └────────────────────► ▲       does not read his REPORTs SWITCH_DRAIN_FLUSH_MS more.
 */
#include "switch/shard.h"

enum { REFUSED = 403, NOT_IN_TIME = 408 };

static void over(struct conference *conf)
{
	struct switch_shard *s = conf->shard;
	struct switch_event ev = {.type = SWITCH_EV_DRAINED, .conference = conf->id};

	conf->drain = DRAIN_OVER;
	timer_cancel(s->timers, &conf->timer);
	s->ops.event(s->ops.ctx, &ev);
}

static bool is_running(const struct conference *conf)
{
	return conf->drain == DRAIN_RUNNING || conf->drain == DRAIN_REPORTING;
}

static void progress(struct conference *conf)
{
	if (is_running(conf) && conf->turned && list_empty(&conf->due) && !conf->n_unwritten)
		over(conf);
}

/* ---- the books ---- */

static void await_message(struct conference *conf, struct message *m)
{
	if (m->due || m->receiving)
		return;
	m->due = conf;
	list_add_tail(&conf->due, &m->due_link);
}

void switch_drain_message_done(struct message *m)
{
	struct conference *conf = m->due;

	if (!conf)
		return;
	m->due = NULL;
	list_del(&m->due_link);
	progress(conf);
}

static void await_writing(struct conference *conf, struct delivery *d)
{
	const struct switch_conn *c = d->seat->conn;

	/* A chunk whose sender still writes it was not acknowledged. */
	if (d->due || d->state == DELIVERY_WRITTEN || (c && c->open == d))
		return;
	d->due = true;
	conf->n_unwritten++;
}

void switch_drain_written(struct delivery *d)
{
	struct conference *conf;

	if (!d->due)
		return;
	conf = d->seat->conference;
	d->due = false;
	conf->n_unwritten--;
	progress(conf);
}

void switch_drain_report(struct delivery *d)
{
	struct conference *conf = d->seat->conference;

	if (conf && is_running(conf))
		await_writing(conf, d);
}

void switch_drain_leave(struct seat *seat)
{
	if (!is_running(seat->conference))
		return;
	LIST_EACH(l, tmp, &seat->queue)
	switch_drain_written(CONTAINER(l, struct delivery, link));
}

static void strike_off(struct seat *seat)
{
	LIST_EACH(l, tmp, &seat->queue)
	CONTAINER(l, struct delivery, link)->due = false;
}

void switch_drain_stop(struct conference *conf, bool tell)
{
	bool running = is_running(conf);

	conf->drain = conf->drain == DRAIN_NONE ? DRAIN_NONE : DRAIN_OVER;
	while (!list_empty(&conf->due))
		switch_drain_message_done(CONTAINER(conf->due.next, struct message, due_link));
	for (size_t i = 0; running && i < conf->n; i++)
		strike_off(conf->seat[i]);
	conf->n_unwritten = 0;
	if (running && tell)
		over(conf);
	else if (running)
		timer_cancel(conf->shard->timers, &conf->timer);
}

/* ---- what happens when ---- */

/* Nothing more is taken: what is half read or half sent is given up, and who has not come yet will
 * not come. */
static void stop_taking(struct conference *conf, uint64_t now_ms)
{
	for (size_t i = 0; i < conf->n; i++)
		switch_inbound_refuse(conf->seat[i], REFUSED, now_ms);
	LIST_EACH(l, tmp, &conf->messages)
	switch_message_cut_short(CONTAINER(l, struct message, conference_link), NOT_IN_TIME,
				 now_ms);
	for (size_t i = 0; i < conf->n; i++)
		if (conf->seat[i]->state == SEAT_RESERVED)
			switch_delivery_fail_messages(conf->seat[i], NOT_IN_TIME, now_ms);
}

static void collect(struct conference *conf, struct seat *seat)
{
	LIST_EACH(l, tmp, &seat->sent)
	{
		struct message *m = CONTAINER(l, struct message, sender_link);

		/* Also what waits for one who has just left, and is in no list of ours. */
		if (m->failure_report == MSRP_FAILURE_YES)
			await_message(conf, m);
	}
	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);

		if (d->message && d->message->failure_report == MSRP_FAILURE_YES)
			await_message(conf, d->message);
		else if (d->message || d->kind == DELIVERY_REPORT)
			await_writing(conf, d);
	}
}

static void flush_late(void *ctx, uint64_t now_ms)
{
	struct conference *conf = ctx;

	(void)now_ms;
	switch_drain_stop(conf, true);
}

/* What is left failed. */
static void drain_late(void *ctx, uint64_t now_ms)
{
	struct conference *conf = ctx;
	struct switch_shard *s = conf->shard;

	conf->drain = DRAIN_REPORTING;
	timer_init(&conf->timer, flush_late, conf);
	timer_arm(s->timers, &conf->timer, now_ms + SWITCH_DRAIN_FLUSH_MS);
	for (size_t i = 0; i < conf->n; i++)
		switch_delivery_fail_messages(conf->seat[i], NOT_IN_TIME, now_ms);
	LIST_EACH(l, tmp, &conf->due)
	switch_message_give_up(CONTAINER(l, struct message, due_link), NOT_IN_TIME, now_ms);
	switch_handover_output(s);
}

static void begin(struct conference *conf, uint64_t now_ms)
{
	struct switch_shard *s = conf->shard;

	conf->turned = true;
	timer_init(&conf->timer, drain_late, conf);
	timer_arm(s->timers, &conf->timer, now_ms + s->cfg.drain_ms);
	progress(conf);
}

static void turned(void *ctx, uint64_t now_ms)
{
	begin(ctx, now_ms);
}

void switch_conference_drain(struct switch_shard *s, switch_conference_id id, bool refuse,
			     uint64_t now_ms)
{
	struct conference *conf = switch_conference_find(s, id);
	struct switch_event ev = {.type = SWITCH_EV_DRAINED, .conference = id};

	if (!conf) {
		s->ops.event(s->ops.ctx, &ev);
		return;
	}
	if ((refuse || !conf->relay) && !conf->refuses) {
		conf->refuses = true;
		stop_taking(conf, now_ms);
	}
	if (!is_running(conf) && !conf->closing) {
		for (size_t i = 0; i < conf->n; i++)
			collect(conf, conf->seat[i]);
		conf->drain = DRAIN_RUNNING;
		/* Where another relay stands behind it, in this process even, the REPORTs that it
		 * has written before it said BYE are to be read before the last word is said here.
		 */
		conf->turned = false;
		timer_init(&conf->timer, turned, conf);
		if (conf->relay)
			timer_arm(s->timers, &conf->timer, now_ms + RELAY_TURN_MS);
		else
			begin(conf, now_ms);
	}
	switch_handover_output(s);
}
