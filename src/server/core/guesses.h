/*
 * Wrong passwords, counted per source and user: who guesses is shut out, and nobody else is. The
 * same user at another address goes on, and so does another user at the same address. Only an
 * answer to a challenge that was made for that address counts (sip_challenge_verify), so that a
 * forged source address shuts nobody out either.
 *
 * Many people share an address (NAT), where they differ by their ports. So that a phone with an old
 * password shuts out no other phone of its user there, it is by address and port first; then,
 * since whoever guesses can have many ports, by the address alone, with GUESSES_PORTS times the
 * limit.
 */
#ifndef CONFAB_SERVER_CORE_GUESSES_H
#define CONFAB_SERVER_CORE_GUESSES_H

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"

enum { GUESSES_PORTS = 10 };

struct guesses {
	struct hash table;   /* struct guess */
	struct list by_age;  /* the latest wrong password last */
	size_t max;	     /* counts remembered; the oldest makes room */
	uint32_t limit;	     /* wrong passwords before the door is shut; 0: it never is */
	uint64_t lockout_ms; /* how long it is, and how long they are remembered */
};

/* key: 128 bits of entropy. Takes no memory yet. */
void guesses_init(struct guesses *g, size_t max, uint32_t limit, uint64_t lockout_ms,
		  const uint64_t key[2]);
void guesses_fini(struct guesses *g);

/* True while this user's password is not looked at when it comes from there. */
bool guesses_shut(struct guesses *g, const struct addr *from, struct view aor, uint64_t now_ms);
/* A wrong password; answer is what it made of the challenge. True when it was the one that shuts
 * the door. The same answer at once again is the same guess: nothing is kept of a request that is
 * not let in, so that its retransmission is looked at like the first. Memory short: it is not
 * counted.
 */
bool guesses_wrong(struct guesses *g, const struct addr *from, struct view aor, struct view answer,
		   uint64_t now_ms);
/* The right one: what came before it from this port were slips. */
void guesses_right(struct guesses *g, const struct addr *from, struct view aor);

#endif
