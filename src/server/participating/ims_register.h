/*
 * Third-party REGISTER (TS 24.229's initial filter criteria on registration): the S-CSCF tells the
 * application server who is registered and until when. Kept as a table of served users; no bindings
 * are made of it.
 */
#ifndef CONFAB_SERVER_PARTICIPATING_IMS_REGISTER_H
#define CONFAB_SERVER_PARTICIPATING_IMS_REGISTER_H

#include "server/core/state.h"

struct ims_served;

/* max: users at a time. on_expired: what was said of a user has run out. NULL: no memory. */
struct ims_served *ims_served_new(struct timers *timers, size_t max, const uint64_t key[2],
				  void (*on_expired)(void *ctx, struct view aor, uint64_t now_ms),
				  void *ctx);
void ims_served_free(struct ims_served *s); /* accepts NULL */

/* Answers the REGISTER: 200 from a trusted peer, 403 from others, 400 where it cannot be read, 503
 * where the table is full (the S-CSCF's default handling then says what becomes of the user). */
void ims_register(struct inbound *r);

/* True when the core has said that the user is registered. aor: "sip:ann@example.com". */
bool ims_served_has(const struct ims_served *s, struct view aor);
/* Over a restart: core_restore_served and core_each_served (server/core/core.h). s may be NULL. */
int ims_served_restore(struct ims_served *s, struct view aor, uint64_t expires_at_ms,
		       uint64_t now_ms);
void ims_served_each(struct ims_served *s,
		     void (*fn)(void *ctx, struct view aor, uint64_t expires_at_ms), void *ctx);
size_t ims_served_count(const struct ims_served *s);

#endif
