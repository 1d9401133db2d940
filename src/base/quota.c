#include "base/quota.h"

#include "base/error.h"
#include "base/list.h"

#include <stdlib.h>
#include <string.h>

struct quota_share {
	struct hash_node node;
	size_t taken;
	size_t who_n;
	char who[];
};

void quota_init(struct quota *q, size_t max_each, const uint64_t key[2])
{
	q->max_each = max_each;
	/* No larger than what is counted, which has a cap of its own. */
	hash_init(&q->table, SIZE_MAX, key);
}

void quota_fini(struct quota *q)
{
	hash_fini(&q->table);
}

static struct quota_share *find(const struct quota *q, struct view who, uint64_t h)
{
	for (struct hash_node *n = hash_first(&q->table, h); n; n = hash_next(n, h)) {
		struct quota_share *share = CONTAINER(n, struct quota_share, node);

		if (view_eq(view_of(share->who, share->who_n), who))
			return share;
	}
	return NULL;
}

static struct quota_share *add(struct quota *q, struct view who, uint64_t h)
{
	struct quota_share *share = calloc(1, sizeof(*share) + who.n);

	if (!share)
		return NULL;
	share->who_n = who.n;
	if (who.n)
		memcpy(share->who, who.p, who.n);
	if (hash_add(&q->table, &share->node, h)) {
		free(share);
		return NULL;
	}
	return share;
}

int quota_take(struct quota *q, struct view who, struct quota_share **out)
{
	struct quota_share *share;
	uint64_t h;

	*out = NULL;
	if (!q->max_each)
		return 0;
	h = hash_bytes(&q->table, who);
	share = find(q, who, h);
	if (share && share->taken >= q->max_each)
		return E_LIMIT;
	if (!share)
		share = add(q, who, h);
	if (!share)
		return E_NOMEM;
	share->taken++;
	*out = share;
	return 0;
}

void quota_release(struct quota *q, struct quota_share *share)
{
	if (!share || --share->taken)
		return;
	hash_del(&q->table, &share->node);
	free(share);
}
