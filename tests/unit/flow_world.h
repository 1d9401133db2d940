/*
 * The whole system in memory: clients, the server and a switch shard on a network of its own
 * (flow_net.h) and a virtual clock, wired as src/embed and apps/ wire them. One seed makes one run.
 *
 * FLOW_TRACE=1 in the environment prints what arrives, what people see, and the log.
 */
#ifndef CONFAB_TEST_FLOW_WORLD_H
#define CONFAB_TEST_FLOW_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/list.h"
#include "client/client.h"
#include "flow_net.h"
#include "server/controlling/controlling.h"
#include "server/core/core.h"
#include "switch/switch.h"

enum { WORLD_PEOPLE = 8, WORLD_BEGAN = 5000000, WORLD_CONVERSATIONS = 32, WORLD_SAID = 4096 };

struct flow_world;

/* An event as its person saw it. */
struct happened {
	enum confab_event_type type;
	uint64_t at;
	uint32_t conversation, other;
	bool conference, to_all;
	enum confab_sent sent;
	int status;
	size_t n_participants;
	char peer[96], uri[128], id[CONFAB_ID_SIZE], text[96];
	char *data; /* of a message */
};

struct person {
	struct flow_world *w;
	const char *name; /* of this phone: "ann", "bo2" */
	char uri[64];	  /* "sip:bo@example.com" */
	struct addr sip, msrp;
	struct client_config cfg; /* may be changed before person_start */
	struct client *client;
	struct timers timers;
	struct entropy entropy;
	struct log log;
	uint64_t random;
	struct happened *event;
	size_t n_events, size_events;
	uint32_t chat; /* the newest conversation */
	bool known[WORLD_CONVERSATIONS];
	bool everybody[WORLD_CONVERSATIONS]; /* what is written now is for everybody */
	unsigned written;
	/* Answers an INVITE with Replaces in the phone's place: a status, -1: stays silent. */
	int to_replaces;
	unsigned replaces_seen;
	void (*on_event)(struct person *p, const struct happened *h);
	bool meddling; /* it asks for something */
};

/* What somebody wrote, and what he was told of it. */
struct said {
	struct person *by;
	uint64_t at;
	unsigned number;
	uint32_t conversation;
	bool to_all;
	char id[CONFAB_ID_SIZE];
	bool accepted, delivered, failed, unconfirmed;
	unsigned seen[WORLD_PEOPLE];
};

struct flow_server {
	struct flow_world *w;
	struct addr sip, msrp;
	struct timers timers, switch_timers;
	struct entropy entropy;
	struct log log;
	uint64_t random;
	struct core_config core_cfg;
	struct controlling_config cfg; /* these three may be changed before world_start */
	struct switch_config switch_cfg;
	struct sip_stack *stack;
	struct core *core;
	struct controlling *controlling;
	struct switch_shard *shard;
	struct list woken, links;
	uint64_t mail_at[2];
	unsigned opened, answered, closed, ended; /* what was asked of the switch */
	bool switch_mute;			  /* it does not answer */
	void (*on_sip)(void *ctx, bool out,
		       struct view bytes); /* every SIP message of the server */
	void *on_sip_ctx;
};

struct flow_world {
	struct net net;
	uint64_t seed;
	bool trace;
	struct flow_server server;
	struct person *person[WORLD_PEOPLE];
	size_t n_people;
	struct list wires;
	struct said *said;
	size_t n_said;
	/* Other things with a clock of their own. */
	struct timers *timers[2 * WORLD_PEOPLE];
	size_t n_timers;
};

/* Configuration may be changed before world_start. */
struct flow_world *world_new(uint64_t seed);
void world_start(struct flow_world *w);
/* Everybody leaves; nothing may be left anywhere: sessions, seats, transactions. */
void world_close(struct flow_world *w);
/* The same, then frees all. */
void world_end(struct flow_world *w);
/* Frees all, in the middle of whatever goes on. */
void world_free(struct flow_world *w);
uint64_t world_random(struct flow_world *w, uint64_t below);
void world_run(struct flow_world *w, uint64_t ms);
/* Runs until the condition holds; false: it did not within ms. */
bool world_until(struct flow_world *w, bool (*condition)(void *ctx), void *ctx, uint64_t ms);
struct addr world_addr(const char *text);
void world_fill(void *seed, void *dst, size_t n);

/* user: "bo"; name: of the phone. Not started. */
struct person *person_new(struct flow_world *w, const char *name, const char *user);
/* Opens its sockets and registers. */
void person_start(struct person *p);
/* The usual: new, auto_accept, started, registered. */
struct person *person_there(struct flow_world *w, const char *name, const char *user);
void person_call(struct person *p, const char *const *uris, size_t n);
/* The same where it may be refused at once. */
void person_try_call(struct person *p, const char *const *uris, size_t n);
int person_add(struct person *p, const char *uri);
/* Writes the next message into p->chat: "ann 17 …", with about `extra` bytes more. */
void person_write(struct person *p, size_t extra);
/* Number of events of a type from index `from` on. */
size_t person_count(const struct person *p, enum confab_event_type type);
const struct happened *person_last(const struct person *p, enum confab_event_type type);
/* Runs until n events of the type have come. */
bool person_wait(struct person *p, enum confab_event_type type, size_t n, uint64_t ms);
/* Ann calls Bo, both are open. */
void chat_open(struct person *a, struct person *b);

/* --- flow_wires.c and flow_server.c, for flow_world.c --- */
void server_init(struct flow_server *s, struct flow_world *w);
void server_start(struct flow_server *s);
void server_fini(struct flow_server *s);
void server_after_batch(struct flow_server *s);
void wires_of_person(struct person *p, struct client_world *world);
void wires_of_server(struct flow_server *s, struct sip_stack_ops *ops);
void wires_free(struct flow_world *w);

enum judging {
	NOBODY_TOLD, /* all due to see it saw it, and nobody was told that something failed */
	ALL_SEEN, /* all due to see it saw it; that it failed may have been told because of somebody
		     else */
	SEEN_OR_TOLD /* all due to see it saw it, or its writer was told */
};
/* None doubled, none to its writer, each sender's order, a last word for everything; and who saw
 * it. due: whether r has to see it; NULL: nobody has to. */
void world_judge(struct flow_world *w, bool (*due)(const struct said *s, const struct person *r),
		 enum judging how);

#endif
