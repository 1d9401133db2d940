/* Ann chats with Bo and adds Charles, while both write: one run of "The move", for the tests of it.
 */
#ifndef CONFAB_TEST_FLOW_MOVE_H
#define CONFAB_TEST_FLOW_MOVE_H

#include "flow_world.h"

struct move_run {
	struct flow_world *w;
	struct person *ann, *bo, *charles, *dora;
	/* Before move_open: 0 and NULL are the usual. */
	size_t max_seats;
	uint32_t invite_timeout_ms;
	enum conference_end_policy end_policy;
	bool no_fallback, ask_bo;
	const char *add;    /* whom Ann adds, if not Charles */
	bool bo_adds_dora;  /* too, */
	uint64_t bo_adds_later_ms; /* after Ann's /add */
	unsigned each;	    /* messages a side */
	uint64_t spread_ms; /* over so much time */
	bool bo_calls;	    /* Ann is the callee of the first session */
	unsigned left[2], to_write;
	size_t large; /* one in so many is large; 0: none */
	/* The cut: of what arrives as number `at` from the start of the writing on. */
	unsigned long began, cut_at;
	const char *cut_label; /* NULL: the connection that it arrives on */
	bool was_cut, before;  /* before: what arrives is lost with the connection */
};

/* Everybody is there, the chat is open. */
void move_open(struct move_run *r, uint64_t seed);
/* Both write at random times; Ann adds Charles at a random one (not when add is false). */
void move_write(struct move_run *r, bool add);
/* Lets all of it come to its end. */
void move_settle(struct move_run *r);
/* What was for Bo alone is his; what is for everybody, whoever is in. */
bool move_due(const struct said *s, const struct person *r);
/* Ann and Bo see one conversation, and all arrived as it has to. */
void move_judge(struct move_run *r, enum judging how);

#endif
