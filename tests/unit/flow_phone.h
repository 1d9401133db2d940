/* A foreign phone for the flow tests: SIP alone, over UDP, and everything in the test's hand: which
 * requests it sends and how it answers. */
#ifndef CONFAB_TEST_FLOW_PHONE_H
#define CONFAB_TEST_FLOW_PHONE_H

#include "flow_world.h"
#include "sip/session.h"

enum { PHONE_TEXT = 65536 };

struct phone {
	struct flow_world *w;
	const char *name;
	char uri[64], contact[160], from[96];
	struct addr addr;
	struct timers timers;
	struct entropy entropy;
	uint64_t random;
	struct sip_stack *stack;
	struct sip_ua *ua;
	unsigned serial;
	bool no_wait; /* phone_invite comes back at once */
	/* How it answers an INVITE: 0: 200 with an answer; a status; -1: rings for ever. */
	int to_invite;
	struct sip_session *session; /* the last one, of either direction */
	/* What it saw last. */
	int status; /* final answer, 0: none yet */
	char response[PHONE_TEXT], invite[PHONE_TEXT], notify[PHONE_TEXT], bye[PHONE_TEXT];
	unsigned n_invites, n_notifies, n_byes;
	bool ended;
};

/* Registers as user ("eve", "bob@biloxi.com"), with the IM feature tag. */
struct phone *phone_new(struct flow_world *w, const char *name, const char *user);
void phone_free(struct phone *p);
/* A request outside any dialog with these further lines ("A: b\n…") and body; runs until it has its
 * final answer, which is returned (0: none within 40 s). */
int phone_request(struct phone *p, const char *method, const char *uri, const char *lines,
		  const char *type, const char *body);
/* An INVITE that makes a session. */
int phone_invite(struct phone *p, const char *uri, const char *lines, const char *type,
		 const char *body);
void phone_bye(struct phone *p, const char *lines);
/* The value of a header in a message text; "" when it has none. Static memory, four at a time. */
const char *field_of(const char *message, const char *name);
/* Its session descriptions: it says that it would connect, and never does. */
const char *sdp_offer(void);
const char *sdp_answer(void);

#endif
