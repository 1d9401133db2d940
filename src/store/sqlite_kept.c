/* What is kept over a restart besides bindings: whom another core has told to be registered, and
 * conferences. */
#include "store/sqlite.h"

static int bind_time(sqlite3_stmt *statement, int index, uint64_t unix_ms)
{
	int64_t t = unix_ms > INT64_MAX ? INT64_MAX : (int64_t)unix_ms;

	return store_code(sqlite3_bind_int64(statement, index, t));
}

static uint64_t column_time(sqlite3_stmt *row, int column)
{
	int64_t t = sqlite3_column_int64(row, column);

	return t > 0 ? (uint64_t)t : 0;
}

int store_served_put(struct store *store, struct view aor, uint64_t expires_unix_ms)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_SERVED_PUT);
	int rc = store_bind_text(statement, 1, aor);

	if (rc == 0)
		rc = bind_time(statement, 2, expires_unix_ms);
	return store_change(store, statement, rc);
}

int store_served_del(struct store *store, struct view aor)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_SERVED_DEL);

	return store_change(store, statement, store_bind_text(statement, 1, aor));
}

int store_served_purge(struct store *store, uint64_t unix_ms)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_SERVED_PURGE);

	return store_change(store, statement, bind_time(statement, 1, unix_ms));
}

int store_served_list(struct store *store,
		      int (*each)(void *ctx, struct view aor, uint64_t expires_unix_ms), void *ctx)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_SERVED_LIST);
	int rc = 0, step;

	while (store_row(statement, rc, &step)) {
		rc = each(ctx, store_column_view(statement, 0), column_time(statement, 1));
	}
	return store_rows_end(statement, rc, step);
}

int store_conference_put(struct store *store, const struct store_conference *c)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_CONFERENCE_PUT);
	int rc = store_bind_text(statement, 1, c->user);

	if (rc == 0)
		rc = store_code(sqlite3_bind_blob64(statement, 2, c->record.n ? c->record.p : "",
						    c->record.n, SQLITE_TRANSIENT));
	if (rc == 0)
		rc = bind_time(statement, 3, c->saved_unix_ms);
	if (rc == 0)
		rc = store_code(sqlite3_bind_int(statement, 4, c->ended));
	return store_change(store, statement, rc);
}

int store_conference_del(struct store *store, struct view user)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_CONFERENCE_DEL);

	return store_change(store, statement, store_bind_text(statement, 1, user));
}

int store_conference_clear(struct store *store)
{
	return store_change(store, store_statement(store, STATEMENT_CONFERENCE_CLEAR), 0);
}

static struct view blob_view(sqlite3_stmt *row, int column)
{
	const char *bytes = sqlite3_column_blob(row, column);
	int n = sqlite3_column_bytes(row, column);

	return view_of(bytes, bytes && n > 0 ? (size_t)n : 0);
}

int store_conference_list(struct store *store,
			  int (*each)(void *ctx, const struct store_conference *c), void *ctx)
{
	sqlite3_stmt *statement = store_statement(store, STATEMENT_CONFERENCE_LIST);
	int rc = 0, step;

	while (store_row(statement, rc, &step)) {
		struct store_conference c = {.user = store_column_view(statement, 0),
					     .record = blob_view(statement, 1),
					     .saved_unix_ms = column_time(statement, 2),
					     .ended = sqlite3_column_int(statement, 3) != 0};

		rc = each(ctx, &c);
	}
	return store_rows_end(statement, rc, step);
}

static int move(struct store *store, enum statement which, int64_t by_ms)
{
	sqlite3_stmt *statement = store_statement(store, which);

	return store_change(store, statement, store_code(sqlite3_bind_int64(statement, 1, by_ms)));
}

int store_clock_moved(struct store *store, int64_t by_ms)
{
	int rc = store_begin(store);

	if (rc)
		return rc;
	rc = move(store, STATEMENT_BINDING_MOVE, by_ms);
	if (rc == 0)
		rc = move(store, STATEMENT_SERVED_MOVE, by_ms);
	if (rc == 0)
		rc = move(store, STATEMENT_CONFERENCE_MOVE, by_ms);
	if (rc == 0)
		return store_commit(store);
	store_rollback(store);
	return rc;
}
