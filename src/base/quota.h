/* How many of something each has (a user sessions, an address connections), and a cap on that.
 * Memory is taken for those alone who have any. */
#ifndef CONFAB_BASE_QUOTA_H
#define CONFAB_BASE_QUOTA_H

#include "base/hash.h"

struct quota_share;

struct quota {
	struct hash table;
	size_t max_each; /* 0: no cap, and nothing is counted */
};

/* key: 128 bits of entropy. */
void quota_init(struct quota *q, size_t max_each, const uint64_t key[2]);
/* Whatever was taken has been given back. */
void quota_fini(struct quota *q);
/* One more for that one, known by these bytes. *out is for quota_release; NULL where nothing is
 * counted. 0, E_LIMIT, E_NOMEM. */
int quota_take(struct quota *q, struct view who, struct quota_share **out);
/* NULL is accepted. */
void quota_release(struct quota *q, struct quota_share *share);

#endif
