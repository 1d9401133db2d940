/* What the threads of the switch are told by the SIP thread and by one another. */
#include "confabd_switch_private.h"

#include "base/error.h"

#include <stdlib.h>

enum command_type {
	COMMAND_OPEN,
	COMMAND_RELAY_OPEN,
	COMMAND_RELAY_CLOSE,
	COMMAND_ANSWER,
	COMMAND_CLOSE,
	COMMAND_DRAIN,
	COMMAND_END,
	COMMAND_MAIL,
	COMMAND_STOP
};

/* What a thread is told; its texts follow it in one allocation. */
struct command {
	struct io_mail mail;
	enum command_type type;
	uint64_t request;
	switch_conference_id conference;
	switch_seat_id seat;
	bool drain, refuse;
	struct switch_mail *switch_mail;
	struct view uri;
	struct switch_seat_answer answer;
	size_t n_seats;
	struct switch_seat_config *seats;
};

static struct command *command_new(struct switch_threads *ts, enum command_type type, size_t extra)
{
	struct command *c = calloc(1, sizeof(*c) + extra);

	if (c)
		c->type = type;
	else
		log_line(ts->log, LOG_ERROR, "switch", "a command was lost: no memory");
	return c;
}

static void command_post(struct switch_threads *ts, unsigned shard, struct command *c)
{
	if (!c)
		return;
	if (shard < ts->n)
		io_mailbox_post(ts->thread[shard].mailbox, &c->mail);
	else
		free(c);
}

void switch_command_mail(void *ctx, unsigned to, struct switch_mail *mail)
{
	struct switch_thread *t = ctx;
	struct command *c;

	if (t->all->stopping || to >= t->all->n || !(c = command_new(t->all, COMMAND_MAIL, 0))) {
		switch_mail_free(mail);
		return;
	}
	c->switch_mail = mail;
	command_post(t->all, to, c);
}

void switch_command_receive(void *ctx, struct io_mail *mail)
{
	struct switch_thread *t = ctx;
	struct command *c = CONTAINER(mail, struct command, mail);
	uint64_t now = io_now_ms(&t->loop);

	switch (c->type) {
	case COMMAND_OPEN:
		switch_seats_open(t->shard, c->request, c->conference, c->uri, c->seats, c->n_seats,
				  now);
		break;
	case COMMAND_RELAY_OPEN:
		switch_relay_open(t->shard, c->request, c->conference, c->seats, now);
		break;
	case COMMAND_RELAY_CLOSE:
		switch_relay_close(t->shard, c->conference, now);
		break;
	case COMMAND_ANSWER:
		switch_seat_answer(t->shard, c->seat, &c->answer, now);
		break;
	case COMMAND_CLOSE:
		switch_seat_close(t->shard, c->seat, c->drain, now);
		break;
	case COMMAND_DRAIN:
		switch_conference_drain(t->shard, c->conference, c->refuse, now);
		break;
	case COMMAND_END:
		switch_conference_close(t->shard, c->conference, now);
		break;
	case COMMAND_MAIL:
		switch_mail_deliver(t->shard, c->switch_mail, now);
		break;
	case COMMAND_STOP:
		io_stop(&t->loop);
		break;
	}
	free(c);
}

void switch_command_discard(void *ctx, struct io_mail *mail)
{
	struct command *c = CONTAINER(mail, struct command, mail);

	(void)ctx;
	switch_mail_free(c->switch_mail);
	free(c);
}

void switch_command_stop(struct switch_threads *ts, unsigned shard)
{
	struct command *c;

	/* Without it the thread would never end: there is nothing else that could be done. */
	do
		c = command_new(ts, COMMAND_STOP, 0);
	while (!c);
	command_post(ts, shard, c);
}

/* Copies v behind *at and moves it on. */
static struct view keep(char **at, struct view v)
{
	struct view copy = view_of(*at, v.n);

	if (v.n)
		memcpy(*at, v.p, v.n);
	*at += v.n;
	return copy;
}

/* c: the command, NULL without memory, that cannot be given. */
static void seats_failed(struct switch_threads *ts, unsigned shard, uint64_t request,
			 switch_conference_id conference, struct command *c)
{
	struct switch_event ev = {.type = SWITCH_EV_SEATS_FAILED,
				  .request = request,
				  .conference = conference,
				  .error = c ? E_NOTFOUND : E_NOMEM};

	free(c);
	ts->cfg.event(ts->cfg.ctx, shard, &ev);
}

/* Of a conference or relay there is no more to say than that it ends. */
static void end(struct switch_threads *ts, unsigned shard, enum command_type type,
		switch_conference_id which)
{
	struct command *c = command_new(ts, type, 0);

	if (!c)
		return;
	c->conference = which;
	command_post(ts, shard, c);
}

void switch_threads_seats_open(struct switch_threads *ts, unsigned shard, uint64_t request,
			       switch_conference_id conference, struct view conference_uri,
			       const struct switch_seat_config *seat, size_t n_seats)
{
	size_t extra = n_seats * sizeof(*seat) + conference_uri.n;
	struct command *c;
	char *at;

	for (size_t i = 0; i < n_seats; i++)
		extra += seat[i].uri.n + seat[i].display.n;
	c = command_new(ts, COMMAND_OPEN, extra);
	if (!c || shard >= ts->n) {
		seats_failed(ts, shard, request, conference, c);
		return;
	}
	c->request = request;
	c->conference = conference;
	c->n_seats = n_seats;
	c->seats = (struct switch_seat_config *)(void *)(c + 1);
	at = (char *)(c->seats + n_seats);
	c->uri = keep(&at, conference_uri);
	for (size_t i = 0; i < n_seats; i++) {
		c->seats[i] = seat[i];
		c->seats[i].uri = keep(&at, seat[i].uri);
		c->seats[i].display = keep(&at, seat[i].display);
	}
	command_post(ts, shard, c);
}

void switch_threads_relay_open(struct switch_threads *ts, unsigned shard,
			       switch_conference_id relay, const struct switch_seat_config seat[2])
{
	struct command *c = command_new(ts, COMMAND_RELAY_OPEN, 2 * sizeof(*c->seats));

	if (!c || shard >= ts->n) {
		seats_failed(ts, shard, 0, relay, c);
		return;
	}
	c->conference = relay;
	c->seats = (struct switch_seat_config *)(void *)(c + 1);
	c->n_seats = 2;
	for (int i = 0; i < 2; i++)
		c->seats[i] = (struct switch_seat_config){.seat = seat[i].seat,
							  .uri = VIEW(""),
							  .display = VIEW(""),
							  .tls = seat[i].tls};
	command_post(ts, shard, c);
}

void switch_threads_relay_close(struct switch_threads *ts, unsigned shard,
				switch_conference_id relay)
{
	end(ts, shard, COMMAND_RELAY_CLOSE, relay);
}

void switch_threads_seat_answer(struct switch_threads *ts, unsigned shard, switch_seat_id seat,
				const struct switch_seat_answer *a)
{
	struct command *c = command_new(ts, COMMAND_ANSWER,
					a->remote_path.n + a->accept_types.n +
						a->accept_wrapped_types.n + a->fingerprint.n);
	char *at;

	if (!c)
		return;
	at = (char *)(c + 1);
	c->seat = seat;
	c->answer = *a;
	c->answer.remote_path = keep(&at, a->remote_path);
	c->answer.accept_types = keep(&at, a->accept_types);
	c->answer.accept_wrapped_types = keep(&at, a->accept_wrapped_types);
	c->answer.fingerprint = keep(&at, a->fingerprint);
	command_post(ts, shard, c);
}

void switch_threads_seat_close(struct switch_threads *ts, unsigned shard, switch_seat_id seat,
			       bool drain)
{
	struct command *c = command_new(ts, COMMAND_CLOSE, 0);

	if (!c)
		return;
	c->seat = seat;
	c->drain = drain;
	command_post(ts, shard, c);
}

void switch_threads_conference_drain(struct switch_threads *ts, unsigned shard,
				     switch_conference_id conference, bool refuse)
{
	struct command *c = command_new(ts, COMMAND_DRAIN, 0);
	struct switch_event ev = {.type = SWITCH_EV_DRAINED, .conference = conference};

	if (!c) {
		ts->cfg.event(ts->cfg.ctx, shard, &ev);
		return;
	}
	c->conference = conference;
	c->refuse = refuse;
	command_post(ts, shard, c);
}

void switch_threads_conference_close(struct switch_threads *ts, unsigned shard,
				     switch_conference_id conference)
{
	end(ts, shard, COMMAND_END, conference);
}
