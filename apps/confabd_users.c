/*
 * The users that were asked for, kept in memory: the store is a file, and asking it costs half a
 * dozen system calls, for both sides of each call. Whether somebody changed the file is looked at
 * ten times a second; if so, all is forgotten.
 */
#include "confabd.h"

#include "base/error.h"
#include "base/hash.h"

#include <stdlib.h>

enum { USERS_MAX = 100000, LOOK_EVERY_MS = 100, KEY_MAX = 600 };

struct cached {
	struct hash_node node;
	struct core_user user;
	size_t n;
	char key[]; /* "name@domain" as asked for */
};

struct confabd_users {
	struct hash table;
	uint64_t looked_ms;
	uint64_t version;
};

static void drop_one(void *ctx, struct hash_node *node)
{
	struct cached *c = CONTAINER(node, struct cached, node);

	hash_del(ctx, node);
	explicit_bzero(&c->user, sizeof(c->user));
	free(c);
}

static void drop_all(struct confabd_users *u)
{
	hash_each(&u->table, drop_one, &u->table);
}

int confabd_users_open(struct confabd *d)
{
	uint64_t key[2] = {entropy_u64(&d->entropy), entropy_u64(&d->entropy)};

	d->users = calloc(1, sizeof(*d->users));
	if (!d->users)
		return E_NOMEM;
	hash_init(&d->users->table, USERS_MAX, key);
	return 0;
}

void confabd_users_close(struct confabd *d)
{
	if (!d->users)
		return;
	drop_all(d->users);
	hash_fini(&d->users->table);
	free(d->users);
	d->users = NULL;
}

static void look(struct confabd *d, uint64_t now_ms)
{
	struct confabd_users *u = d->users;
	uint64_t version = 0;

	if (u->looked_ms && now_ms - u->looked_ms < LOOK_EVERY_MS)
		return;
	u->looked_ms = now_ms ? now_ms : 1;
	/* A store that cannot say is asked each time. */
	if (store_version(d->store, &version) || version != u->version)
		drop_all(u);
	u->version = version;
}

static void keep(struct confabd_users *u, struct view key, uint64_t hash,
		 const struct core_user *user)
{
	struct cached *c;

	if (u->table.n >= USERS_MAX)
		drop_all(u);
	c = malloc(sizeof(*c) + key.n);
	if (!c)
		return;
	c->user = *user;
	c->n = key.n;
	memcpy(c->key, key.p, key.n);
	if (hash_add(&u->table, &c->node, hash))
		free(c);
}

/* Only who is there is kept: names that nobody has could fill any table. */
static int ask_store(struct confabd *d, struct view user, struct view domain, struct core_user *out)
{
	struct store_user u;
	int rc = d->store ? store_user_find(d->store, user, domain, &u) : E_NOTFOUND;

	if (rc)
		return rc;
	memcpy(out->ha1_md5, u.ha1_md5, sizeof(out->ha1_md5));
	memcpy(out->ha1_sha256, u.ha1_sha256, sizeof(out->ha1_sha256));
	out->im_tag = u.im_feature_tag == STORE_IM_REQUIRE  ? CORE_IM_REQUIRE
		      : u.im_feature_tag == STORE_IM_ASSUME ? CORE_IM_ASSUME
							    : CORE_IM_DEFAULT;
	out->mode = u.mode == STORE_MODE_PROXY	 ? CORE_MODE_PROXY
		    : u.mode == STORE_MODE_B2BUA ? CORE_MODE_B2BUA
						 : CORE_MODE_DEFAULT;
	return 0;
}

int confabd_user_find(void *ctx, struct view user, struct view domain, struct core_user *out)
{
	struct confabd *d = ctx;
	struct confabd_users *u = d->users;
	char text[KEY_MAX];
	struct view key = view_of(text, user.n + 1 + domain.n);
	uint64_t hash;
	int rc;

	if (!d->store || key.n > sizeof(text))
		return ask_store(d, user, domain, out);
	if (user.n)
		memcpy(text, user.p, user.n);
	text[user.n] = '@';
	if (domain.n)
		memcpy(text + user.n + 1, domain.p, domain.n);
	look(d, io_now_ms(&d->loop));
	hash = hash_bytes(&u->table, key);
	for (struct hash_node *n = hash_first(&u->table, hash); n; n = hash_next(n, hash)) {
		struct cached *c = CONTAINER(n, struct cached, node);

		if (view_eq(view_of(c->key, c->n), key)) {
			*out = c->user;
			return 0;
		}
	}
	rc = ask_store(d, user, domain, out);
	if (rc == 0)
		keep(u, key, hash, out);
	return rc;
}
