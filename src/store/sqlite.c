#include "store/sqlite.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 4 };

/* Each step brings the tables from the version of its index to the next. */
static const char *const schema_steps[SCHEMA_VERSION] = {
	"CREATE TABLE user ("
	"  name TEXT NOT NULL,"
	"  domain TEXT NOT NULL,"
	"  realm TEXT NOT NULL,"
	"  ha1_md5 TEXT NOT NULL,"
	"  ha1_sha256 TEXT NOT NULL,"
	"  im_feature_tag INTEGER NOT NULL DEFAULT 0,"
	"  PRIMARY KEY (domain, name)"
	") STRICT, WITHOUT ROWID;"
	"PRAGMA user_version = 1;",
	"ALTER TABLE user ADD COLUMN mode INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 2;",
	"CREATE TABLE binding ("
	"  id INTEGER PRIMARY KEY,"
	"  aor TEXT NOT NULL,"
	"  contact TEXT NOT NULL,"
	"  params TEXT NOT NULL,"
	"  path TEXT NOT NULL,"
	"  call_id TEXT NOT NULL,"
	"  remote TEXT NOT NULL,"
	"  transport INTEGER NOT NULL,"
	"  cseq INTEGER NOT NULL,"
	"  q INTEGER NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  UNIQUE (aor, contact)"
	") STRICT;"
	"PRAGMA user_version = 3;",
	"CREATE TABLE served ("
	"  aor TEXT NOT NULL PRIMARY KEY,"
	"  expires INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE conference ("
	"  id INTEGER PRIMARY KEY,"
	"  user TEXT NOT NULL UNIQUE,"
	"  record BLOB NOT NULL,"
	"  saved INTEGER NOT NULL,"
	"  ended INTEGER NOT NULL"
	") STRICT;"
	"PRAGMA user_version = 4;",
};

#define USER_COLUMNS	"name, domain, realm, ha1_md5, ha1_sha256, im_feature_tag, mode"
#define BINDING_COLUMNS "aor, contact, params, path, call_id, remote, transport, cseq, q, expires"
enum {
	COLUMN_NAME,
	COLUMN_DOMAIN,
	COLUMN_REALM,
	COLUMN_MD5,
	COLUMN_SHA256,
	COLUMN_IM,
	COLUMN_MODE
};

static const char *const statement_text[] = {
	[STATEMENT_ADD] = "INSERT INTO user (" USER_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
	[STATEMENT_DEL] = "DELETE FROM user WHERE name = ?1 AND domain = ?2",
	[STATEMENT_SET_IM] = "UPDATE user SET im_feature_tag = ?3 WHERE name = ?1 AND domain = ?2",
	[STATEMENT_DROP_MD5] = "UPDATE user SET ha1_md5 = '' WHERE name = ?1 AND domain = ?2",
	[STATEMENT_SET_MODE] = "UPDATE user SET mode = ?3 WHERE name = ?1 AND domain = ?2",
	[STATEMENT_FIND] = "SELECT " USER_COLUMNS " FROM user WHERE name = ?1 AND domain = ?2",
	[STATEMENT_LIST] = "SELECT " USER_COLUMNS " FROM user ORDER BY domain, name",
	[STATEMENT_VERSION] = "PRAGMA data_version",
	[STATEMENT_BINDING_PUT] =
		"INSERT INTO binding (" BINDING_COLUMNS ")"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
		" ON CONFLICT (aor, contact) DO UPDATE SET params = ?3, path = ?4, call_id = ?5,"
		" remote = ?6, transport = ?7, cseq = ?8, q = ?9, expires = ?10",
	[STATEMENT_BINDING_DEL] = "DELETE FROM binding WHERE aor = ?1 AND contact = ?2",
	[STATEMENT_BINDING_PURGE] = "DELETE FROM binding WHERE expires <= ?1",
	[STATEMENT_BINDING_LIST] = "SELECT " BINDING_COLUMNS " FROM binding ORDER BY id",
	[STATEMENT_SERVED_PUT] = "INSERT INTO served (aor, expires) VALUES (?1, ?2)"
				 " ON CONFLICT (aor) DO UPDATE SET expires = ?2",
	[STATEMENT_SERVED_DEL] = "DELETE FROM served WHERE aor = ?1",
	[STATEMENT_SERVED_PURGE] = "DELETE FROM served WHERE expires <= ?1",
	[STATEMENT_SERVED_LIST] = "SELECT aor, expires FROM served",
	[STATEMENT_CONFERENCE_PUT] =
		"INSERT INTO conference (user, record, saved, ended) VALUES (?1, ?2, ?3, ?4)"
		" ON CONFLICT (user) DO UPDATE SET record = ?2, saved = ?3, ended = ?4",
	[STATEMENT_CONFERENCE_DEL] = "DELETE FROM conference WHERE user = ?1",
	[STATEMENT_CONFERENCE_CLEAR] = "DELETE FROM conference",
	[STATEMENT_CONFERENCE_LIST] =
		"SELECT user, record, saved, ended FROM conference ORDER BY id",
	[STATEMENT_BINDING_MOVE] = "UPDATE binding SET expires = expires + ?1",
	[STATEMENT_SERVED_MOVE] = "UPDATE served SET expires = expires + ?1",
	[STATEMENT_CONFERENCE_MOVE] = "UPDATE conference SET saved = saved + ?1",
};

_Static_assert(sizeof(statement_text) / sizeof(*statement_text) == STORE_STATEMENTS,
	       "each statement has its text");

int store_code(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return E_NOMEM;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return E_SYNTAX;
	case SQLITE_CONSTRAINT:
		return E_EXISTS;
	default:
		return E_IO;
	}
}

const char *store_error(const struct store *store)
{
	return sqlite3_errmsg(store->db);
}

static int schema_version(struct store *store, int *version)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	return store_code(rc);
}

static int run(struct store *store, const char *text)
{
	return store_code(sqlite3_exec(store->db, text, NULL, NULL, NULL));
}

/* Under a write lock, so that two that open a new file at once do not both make its tables. */
static int schema_upgrade(struct store *store)
{
	int version = 0, rc = run(store, "BEGIN IMMEDIATE");

	if (rc)
		return rc;
	rc = schema_version(store, &version);
	while (rc == 0 && version < SCHEMA_VERSION)
		rc = run(store, schema_steps[version++]);
	if (rc == 0)
		rc = run(store, "COMMIT");
	if (rc)
		(void)run(store, "ROLLBACK");
	return rc;
}

static int prepare(struct store *store)
{
	int version = 0, rc;

	(void)sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
	rc = schema_version(store, &version);
	if (rc == 0 && version > SCHEMA_VERSION)
		return E_UNSUPPORTED;
	if (rc == 0)
		rc = run(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
	if (rc == 0 && version < SCHEMA_VERSION)
		rc = schema_upgrade(store);
	for (size_t i = 0; rc == 0 && i < STORE_STATEMENTS; i++)
		rc = store_code(sqlite3_prepare_v3(store->db, statement_text[i], -1,
						   SQLITE_PREPARE_PERSISTENT, &store->statement[i],
						   NULL));
	return rc;
}

/* Makes the file before SQLite does, which would make it readable for all. */
static int make_file(const char *path, unsigned flags)
{
	int fd;

	if (strcmp(path, ":memory:") == 0)
		return 0;
	if (flags & STORE_CREATE) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0)
			(void)close(fd);
		else if (errno != EEXIST)
			return E_IO;
	}
	return access(path, F_OK) == 0 ? 0 : E_NOTFOUND;
}

static void explain(char *why, size_t size, const char *path, const char *what)
{
	if (why && size)
		(void)snprintf(why, size, "%s: %s", path, what);
}

static void explain_newer(struct store *store, char *why, size_t size, const char *path)
{
	char text[96];
	int version = 0;

	(void)schema_version(store, &version);
	(void)snprintf(text, sizeof(text),
		       "was written by a newer version: its tables are of version %d, and this "
		       "program knows %d",
		       version, SCHEMA_VERSION);
	explain(why, size, path, text);
}

int store_open(const char *path, const struct digest *digest, unsigned flags, struct store **out,
	       char *why, size_t why_size)
{
	struct store *store;
	int rc = make_file(path, flags);

	if (rc) {
		explain(why, why_size, path, strerror(errno));
		return rc;
	}
	store = calloc(1, sizeof(*store));
	if (!store) {
		explain(why, why_size, path, error_text(E_NOMEM));
		return E_NOMEM;
	}
	store->digest = digest;
	rc = store_code(sqlite3_open_v2(path, &store->db,
					SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
	if (rc == 0)
		rc = prepare(store);
	if (rc == 0) {
		*out = store;
		return 0;
	}
	if (rc == E_UNSUPPORTED)
		explain_newer(store, why, why_size, path);
	else
		explain(why, why_size, path, store_error(store));
	store_close(store);
	return rc;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < STORE_STATEMENTS; i++)
		(void)sqlite3_finalize(store->statement[i]);
	(void)sqlite3_close(store->db);
	free(store);
}

/* The statement, ready to be bound anew. */
sqlite3_stmt *store_statement(struct store *store, enum statement which)
{
	(void)sqlite3_reset(store->statement[which]);
	(void)sqlite3_clear_bindings(store->statement[which]);
	return store->statement[which];
}

int store_bind_text(sqlite3_stmt *statement, int index, struct view text)
{
	return store_code(sqlite3_bind_text64(statement, index, text.p ? text.p : "", text.n,
					      SQLITE_TRANSIENT, SQLITE_UTF8));
}

static void lower_copy(struct view text, char *dst, size_t size)
{
	(void)view_copy(text, dst, size);
	for (; *dst; dst++)
		if (*dst >= 'A' && *dst <= 'Z')
			*dst = (char)(*dst | 0x20);
}

/* Parameters 1 and 2 are name and domain in every statement that has them. */
static int bind_user(sqlite3_stmt *statement, struct view name, struct view domain)
{
	char lower[STORE_NAME_MAX];
	int rc;

	if (domain.n >= sizeof(lower))
		return E_NOTFOUND;
	lower_copy(domain, lower, sizeof(lower));
	rc = store_bind_text(statement, 1, name);
	return rc ? rc : store_bind_text(statement, 2, view_of(lower, domain.n));
}

/* Runs a statement that changes one row. */
static int change(struct store *store, sqlite3_stmt *statement)
{
	int rc = store_code(sqlite3_step(statement));

	(void)sqlite3_reset(statement);
	if (rc == 0 && sqlite3_changes(store->db) == 0)
		return E_NOTFOUND;
	return rc;
}

static int check_name(struct view text, const char *refused)
{
	if (text.n == 0)
		return E_SYNTAX;
	if (text.n >= STORE_NAME_MAX)
		return E_LIMIT;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c <= 0x20 || c == 0x7f || strchr(refused, c))
			return E_SYNTAX;
	}
	return 0;
}

/* A realm is a quoted string on the wire (RFC 3261 §25.1): blanks and most else may stand in it. */
static int check_realm(struct view text)
{
	if (text.n >= STORE_NAME_MAX)
		return E_LIMIT;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			return E_SYNTAX;
	}
	return 0;
}

static int check_password(struct view text)
{
	if (text.n == 0)
		return E_SYNTAX;
	if (text.n > STORE_PASSWORD_MAX)
		return E_LIMIT;
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return E_SYNTAX;
	return 0;
}

/* H(name ":" realm ":" password), RFC 7616 §3.4.2. */
static void hash(const struct digest *digest, struct view name, struct view realm,
		 struct view password, char *md5, char *sha256)
{
	const struct view parts[] = {name, VIEW(":"), realm, VIEW(":"), password};
	uint8_t bytes[DIGEST_SHA256_LEN];

	digest->md5(parts, sizeof(parts) / sizeof(*parts), bytes);
	digest_hex(bytes, DIGEST_MD5_LEN, md5);
	digest->sha256(parts, sizeof(parts) / sizeof(*parts), bytes);
	digest_hex(bytes, DIGEST_SHA256_LEN, sha256);
}

int store_user_add(struct store *store, struct view name, struct view domain, struct view realm,
		   struct view password)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_ADD);
	char md5[STORE_HA1_MD5_SIZE], sha256[STORE_HA1_SHA256_SIZE], lower[STORE_NAME_MAX];
	int rc = check_name(name, "\"\\@<>;?:");

	if (rc == 0)
		rc = check_name(domain, "\"\\@<>;?"); /* [2001:db8::1] is one */
	if (rc == 0)
		rc = check_realm(realm);
	if (rc == 0)
		rc = check_password(password);
	if (rc)
		return rc;
	lower_copy(domain, lower, sizeof(lower));
	if (realm.n == 0)
		realm = view_str(lower);
	hash(store->digest, name, realm, password, md5, sha256);
	rc = bind_user(statement, name, domain);
	if (rc == 0)
		rc = store_bind_text(statement, 3, realm);
	if (rc == 0)
		rc = store_bind_text(statement, 4, view_str(md5));
	if (rc == 0)
		rc = store_bind_text(statement, 5, view_str(sha256));
	if (rc == 0)
		rc = store_code(sqlite3_bind_int(statement, 6, STORE_IM_DEFAULT));
	return rc ? rc : change(store, statement);
}

/* Runs a statement that has a user's name and domain for its first two values. */
static int change_user(struct store *store, enum statement which, struct view name,
		       struct view domain)
{
	sqlite3_stmt *statement = store_statement(store, which);
	int rc = bind_user(statement, name, domain);

	return rc ? rc : change(store, statement);
}

/* The same with a number as the third. */
static int set_number(struct store *store, enum statement which, struct view name,
		      struct view domain, int number)
{
	sqlite3_stmt *statement = store_statement(store, which);
	int rc = bind_user(statement, name, domain);

	if (rc == 0)
		rc = store_code(sqlite3_bind_int(statement, 3, number));
	return rc ? rc : change(store, statement);
}

int store_user_del(struct store *store, struct view name, struct view domain)
{
	return change_user(store, STATEMENT_DEL, name, domain);
}

int store_user_drop_md5(struct store *store, struct view name, struct view domain)
{
	return change_user(store, STATEMENT_DROP_MD5, name, domain);
}

int store_user_set_im(struct store *store, struct view name, struct view domain,
		      enum store_im_feature_tag im_feature_tag)
{
	return set_number(store, STATEMENT_SET_IM, name, domain, (int)im_feature_tag);
}

int store_user_set_mode(struct store *store, struct view name, struct view domain,
			enum store_mode mode)
{
	return set_number(store, STATEMENT_SET_MODE, name, domain, (int)mode);
}

static void column_copy(sqlite3_stmt *row, int column, char *dst, size_t size)
{
	/* The text first: it may convert, and the length is that of the converted text. */
	const char *text = (const char *)sqlite3_column_text(row, column);
	int n = sqlite3_column_bytes(row, column);

	(void)view_copy(view_of(text, text && n > 0 ? (size_t)n : 0), dst, size);
}

static void read_row(sqlite3_stmt *row, struct store_user *user)
{
	int im = sqlite3_column_int(row, COLUMN_IM), mode = sqlite3_column_int(row, COLUMN_MODE);

	column_copy(row, COLUMN_NAME, user->name, sizeof(user->name));
	column_copy(row, COLUMN_DOMAIN, user->domain, sizeof(user->domain));
	column_copy(row, COLUMN_REALM, user->realm, sizeof(user->realm));
	column_copy(row, COLUMN_MD5, user->ha1_md5, sizeof(user->ha1_md5));
	column_copy(row, COLUMN_SHA256, user->ha1_sha256, sizeof(user->ha1_sha256));
	user->im_feature_tag = im == STORE_IM_REQUIRE || im == STORE_IM_ASSUME
				       ? (enum store_im_feature_tag)im
				       : STORE_IM_DEFAULT;
	user->mode = mode == STORE_MODE_PROXY || mode == STORE_MODE_B2BUA ? (enum store_mode)mode
									  : STORE_MODE_DEFAULT;
}

int store_user_find(struct store *store, struct view name, struct view domain,
		    struct store_user *out)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_FIND);
	int rc = bind_user(statement, name, domain), step;

	if (rc)
		return rc;
	step = sqlite3_step(statement);
	rc = store_code(step);
	if (step == SQLITE_ROW)
		read_row(statement, out);
	else if (rc == 0)
		rc = E_NOTFOUND;
	(void)sqlite3_reset(statement);
	return rc;
}

int store_version(struct store *store, uint64_t *version_out)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_VERSION);
	int step = sqlite3_step(statement), rc = store_code(step);

	if (step == SQLITE_ROW)
		*version_out = (uint64_t)sqlite3_column_int64(statement, 0);
	(void)sqlite3_reset(statement);
	return rc;
}

bool store_row(sqlite3_stmt *statement, int rc, int *step)
{
	if (rc)
		return false;
	*step = sqlite3_step(statement);
	return *step == SQLITE_ROW;
}

int store_rows_end(sqlite3_stmt *statement, int rc, int step)
{
	if (rc == 0)
		rc = store_code(step);
	(void)sqlite3_reset(statement);
	return rc;
}

int store_user_list(struct store *store, int (*each)(void *ctx, const struct store_user *user),
		    void *ctx)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_LIST);
	struct store_user user;
	int rc = 0, step;

	while (store_row(statement, rc, &step)) {
		read_row(statement, &user);
		rc = each(ctx, &user);
	}
	return store_rows_end(statement, rc, step);
}

int store_change(struct store *store, sqlite3_stmt *statement, int rc)
{
	if (rc == 0)
		rc = change(store, statement);
	return rc == E_NOTFOUND ? 0 : rc;
}

int store_binding_put(struct store *store, const struct store_binding *b)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_BINDING_PUT);
	char remote[ADDR_TEXT_MAX];
	const struct view text[] = {b->aor,  b->contact, b->params,
				    b->path, b->call_id, view_str(addr_text(&b->remote, remote))};
	const int64_t number[] = {b->transport, b->cseq, b->q, (int64_t)b->expires_unix_ms};
	int rc = 0, at = 1;

	for (size_t i = 0; rc == 0 && i < sizeof(text) / sizeof(*text); i++)
		rc = store_bind_text(statement, at++, text[i]);
	for (size_t i = 0; rc == 0 && i < sizeof(number) / sizeof(*number); i++)
		rc = store_code(sqlite3_bind_int64(statement, at++, number[i]));
	return store_change(store, statement, rc);
}

int store_binding_del(struct store *store, struct view aor, struct view contact)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_BINDING_DEL);
	int rc = store_bind_text(statement, 1, aor);

	if (rc == 0)
		rc = store_bind_text(statement, 2, contact);
	return store_change(store, statement, rc);
}

int store_binding_purge(struct store *store, uint64_t unix_ms)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_BINDING_PURGE);
	int64_t until = unix_ms > INT64_MAX ? INT64_MAX : (int64_t)unix_ms;

	return store_change(store, statement, store_code(sqlite3_bind_int64(statement, 1, until)));
}

struct view store_column_view(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	int n = sqlite3_column_bytes(row, column);

	return view_of(text, text && n > 0 ? (size_t)n : 0);
}

static void read_binding(sqlite3_stmt *row, struct store_binding *b)
{
	struct view *const text[] = {&b->aor, &b->contact, &b->params, &b->path, &b->call_id};
	int at = 0;

	*b = (struct store_binding){0};
	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		*text[i] = store_column_view(row, at++);
	(void)addr_parse_hostport(store_column_view(row, at++), 0, &b->remote);
	b->transport = (uint32_t)sqlite3_column_int64(row, at++);
	b->cseq = (uint32_t)sqlite3_column_int64(row, at++);
	b->q = (uint32_t)sqlite3_column_int64(row, at++);
	b->expires_unix_ms = (uint64_t)sqlite3_column_int64(row, at);
}

int store_binding_list(struct store *store, int (*each)(void *ctx, const struct store_binding *b),
		       void *ctx)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_BINDING_LIST);
	struct store_binding b;
	int rc = 0, step;

	while (store_row(statement, rc, &step)) {
		read_binding(statement, &b);
		rc = each(ctx, &b);
	}
	return store_rows_end(statement, rc, step);
}

int store_begin(struct store *store)
{
	return run(store, "BEGIN IMMEDIATE");
}

int store_commit(struct store *store)
{
	int rc = run(store, "COMMIT");

	if (rc)
		store_rollback(store);
	return rc;
}

void store_rollback(struct store *store)
{
	(void)run(store, "ROLLBACK");
}
