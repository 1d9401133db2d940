/*
 * store: the users, where their phones are registered, and conferences over a restart, in one SQLite file. Passwords are not kept; what is kept is their hash with
 * name and realm (HA1 of RFC 7616 §3.4.2), once for MD5 and once for SHA-256, which is as good as
 * the password within that realm: the file is made readable for its owner alone. The room may
 * include base alone. A store belongs to one thread.
 *
 * What a call has written outlives the process (kill -9); the last moments before a power cut may be
 * lost (SQLite's WAL without a sync for each change), but never half a change.
 */
#ifndef CONFAB_STORE_STORE_H
#define CONFAB_STORE_STORE_H

#include "base/addr.h"
#include "base/digest.h"

enum {
	STORE_NAME_MAX = 128,	  /* bytes of a name, domain or realm, the NUL included */
	STORE_PASSWORD_MAX = 256, /* bytes of a password */
	STORE_HA1_MD5_SIZE = 2 * DIGEST_MD5_LEN + 1,
	STORE_HA1_SHA256_SIZE = 2 * DIGEST_SHA256_LEN + 1,
	STORE_BUSY_MS = 2000, /* how long a call waits while another process writes */
};

struct store;

/* What the user gets for a request without the IM feature tag. */
enum store_im_feature_tag { STORE_IM_DEFAULT, STORE_IM_REQUIRE, STORE_IM_ASSUME };

/* How the user's sessions are served (PF-9.1.2-2, -3). */
enum store_mode { STORE_MODE_DEFAULT, STORE_MODE_PROXY, STORE_MODE_B2BUA };

struct store_user {
	char name[STORE_NAME_MAX];
	char domain[STORE_NAME_MAX]; /* lower case */
	char realm[STORE_NAME_MAX];
	char ha1_md5[STORE_HA1_MD5_SIZE];
	char ha1_sha256[STORE_HA1_SHA256_SIZE];
	enum store_im_feature_tag im_feature_tag;
	enum store_mode mode;
};

enum { STORE_CREATE = 1 }; /* make the file where there is none */

/* Opens the store in that file and brings its tables up to date. digest is borrowed for the store's
 * life. E_NOTFOUND: no such file and no STORE_CREATE; E_UNSUPPORTED: written by a newer version;
 * E_SYNTAX: not a store; E_IO, E_NOMEM. *out is untouched on failure. why (may be NULL) gets a
 * sentence of at most why_size bytes on failure. */
int store_open(const char *path, const struct digest *digest, unsigned flags, struct store **out,
	       char *why, size_t why_size);
/* NULL is let pass. */
void store_close(struct store *store);
/* What SQLite said about the last E_IO; valid until the next call. */
const char *store_error(const struct store *store);

/* Adds a user; an empty realm means the domain in lower case. Names hold no control bytes, blanks,
 * quotes, backslashes, nor any of @<>;? (and a name no colon). E_EXISTS, E_SYNTAX (a name or the
 * password), E_LIMIT (too long), E_IO.
 */
int store_user_add(struct store *store, struct view name, struct view domain, struct view realm,
		   struct view password);
/* E_NOTFOUND, E_IO. */
int store_user_del(struct store *store, struct view name, struct view domain);
/* Sets what the user gets without the feature tag. E_NOTFOUND, E_IO. */
int store_user_set_im(struct store *store, struct view name, struct view domain,
		      enum store_im_feature_tag im_feature_tag);
/* Forgets the MD5 hash: from then on SHA-256 alone is good for this user (RFC 8760). E_NOTFOUND,
 * E_IO. */
int store_user_drop_md5(struct store *store, struct view name, struct view domain);
/* Sets whether the user's sessions run through the media path. E_NOTFOUND, E_IO. */
int store_user_set_mode(struct store *store, struct view name, struct view domain,
			enum store_mode mode);
/* The user's row. The name is compared byte by byte, the domain without regard to case (RFC 3261
 * §19.1.4). E_NOTFOUND, E_IO; *out is untouched on failure. */
int store_user_find(struct store *store, struct view name, struct view domain,
		    struct store_user *out);
/* A number that is another one after somebody else has changed the file; cheap. E_IO. */
int store_version(struct store *store, uint64_t *version_out);
/* Calls each with every user, ordered by domain and name, until it returns other than 0; that is
 * returned then. The row is valid during the call; each must not call the store. E_IO. */
int store_user_list(struct store *store, int (*each)(void *ctx, const struct store_user *user),
		    void *ctx);

/* Where a phone of a user is registered (RFC 3261 §10). Texts are as the registrar has them. */
struct store_binding {
	struct view aor, contact, params, path, call_id;
	struct addr remote; /* where the REGISTER came from */
	uint32_t transport; /* a number of the caller's */
	uint32_t cseq, q;
	uint64_t expires_unix_ms;
};

/* Writes one in, over that of the same aor and contact. E_IO. */
int store_binding_put(struct store *store, const struct store_binding *b);
/* Takes it out; one that is not there is no error. E_IO. */
int store_binding_del(struct store *store, struct view aor, struct view contact);
/* Takes all out that had run out at that time; UINT64_MAX: all. E_IO. */
int store_binding_purge(struct store *store, uint64_t unix_ms);
/* Calls each with every binding in the order they were first written, until it returns other than
 * 0; that is returned then. Views live during the call; each must not call the store. E_IO. */
int store_binding_list(struct store *store, int (*each)(void *ctx, const struct store_binding *b),
		       void *ctx);

/* Whom another core has told to be registered, and until when (IMS mode). As for bindings. */
int store_served_put(struct store *store, struct view aor, uint64_t expires_unix_ms);
int store_served_del(struct store *store, struct view aor);
int store_served_purge(struct store *store, uint64_t unix_ms);
int store_served_list(struct store *store,
		      int (*each)(void *ctx, struct view aor, uint64_t expires_unix_ms), void *ctx);

/* A conference; the record is the controlling function's business. */
struct store_conference {
	struct view user, record;
	uint64_t saved_unix_ms;
	bool ended; /* what there is is that it was */
};

/* Writes one in, over that of the same user. E_IO. */
int store_conference_put(struct store *store, const struct store_conference *c);
/* Takes it out; one that is not there is no error. E_IO. */
int store_conference_del(struct store *store, struct view user);
/* Takes all out. E_IO. */
int store_conference_clear(struct store *store);
/* As store_binding_list. */
int store_conference_list(struct store *store,
			  int (*each)(void *ctx, const struct store_conference *c), void *ctx);

/* The wall clock was set by so much: all times in the store are moved with it, in one go. E_IO. */
int store_clock_moved(struct store *store, int64_t by_ms);

/* Between these the changes are one: all or nothing. E_IO of either: nothing is changed, and
 * there is no transaction. */
int store_begin(struct store *store);
int store_commit(struct store *store);
/* Takes back what was changed since store_begin. */
void store_rollback(struct store *store);

#endif
