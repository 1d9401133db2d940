/*
 * One table of errors for the whole project. Functions return 0 or one of these
 * negative codes. Status codes of SIP and MSRP appear only at the edge, where an
 * answer is written.
 */
#ifndef CONFAB_BASE_ERROR_H
#define CONFAB_BASE_ERROR_H

#define ERROR_TABLE(X)                                                                             \
	X(E_NOMEM, -1, "out of memory")                                                            \
	X(E_SYNTAX, -2, "does not follow the grammar")                                             \
	X(E_RANGE, -3, "number out of range")                                                      \
	X(E_LIMIT, -4, "a configured limit was reached")                                           \
	X(E_NOTFOUND, -5, "no such thing")                                                         \
	X(E_EXISTS, -6, "exists already")                                                          \
	X(E_STATE, -7, "not possible in this state")                                               \
	X(E_UNSUPPORTED, -8, "not supported")                                                      \
	X(E_DENIED, -9, "not allowed")                                                             \
	X(E_TIMEOUT, -10, "timed out")                                                             \
	X(E_IO, -11, "input/output failed")                                                        \
	X(E_CLOSED, -12, "connection closed")                                                      \
	X(E_MISSING, -13, "a required part is missing")                                            \
	X(E_ADDRESS, -14, "address not usable")                                                    \
	X(E_INTERNAL, -15, "internal error")

enum error {
#define X(name, code, text) name = code,
	ERROR_TABLE(X)
#undef X
};

/* "E_NOMEM" and the like; "E_?" for a code that is not in the table. */
const char *error_name(int code);
/* A sentence part for people; never NULL. */
const char *error_text(int code);

#endif
