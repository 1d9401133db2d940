/* Inside store: the SQLite file and its statements; shared by the files of this room alone. */
#ifndef CONFAB_STORE_SQLITE_H
#define CONFAB_STORE_SQLITE_H

#include "store/store.h"

#include <sqlite3.h>

enum statement {
	STATEMENT_ADD,
	STATEMENT_DEL,
	STATEMENT_SET_IM,
	STATEMENT_DROP_MD5,
	STATEMENT_SET_MODE,
	STATEMENT_FIND,
	STATEMENT_LIST,
	STATEMENT_VERSION,
	STATEMENT_BINDING_PUT,
	STATEMENT_BINDING_DEL,
	STATEMENT_BINDING_PURGE,
	STATEMENT_BINDING_LIST,
	STATEMENT_SERVED_PUT,
	STATEMENT_SERVED_DEL,
	STATEMENT_SERVED_PURGE,
	STATEMENT_SERVED_LIST,
	STATEMENT_CONFERENCE_PUT,
	STATEMENT_CONFERENCE_DEL,
	STATEMENT_CONFERENCE_CLEAR,
	STATEMENT_CONFERENCE_LIST,
	STATEMENT_BINDING_MOVE,
	STATEMENT_SERVED_MOVE,
	STATEMENT_CONFERENCE_MOVE,
	STORE_STATEMENTS
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statement[STORE_STATEMENTS];
	const struct digest *digest;
};

/* A code of SQLite's as one of ours. */
int store_code(int rc);
/* The statement, ready to be bound anew. */
sqlite3_stmt *store_statement(struct store *store, enum statement which);
int store_bind_text(sqlite3_stmt *statement, int index, struct view text);
/* Runs a statement that changes rows, unless rc says that it could not be bound. None is fine. */
int store_change(struct store *store, sqlite3_stmt *statement, int rc);
/* On to the next row, unless rc says that whoever looks at them has enough. */
bool store_row(sqlite3_stmt *statement, int rc, int *step);
/* The end of that: rc, or what went wrong. */
int store_rows_end(sqlite3_stmt *statement, int rc, int step);
/* Lives as long as the row does. */
struct view store_column_view(sqlite3_stmt *row, int column);

#endif
