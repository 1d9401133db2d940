/*
 * Wire traces: one line of JSON per message, to a file that many threads write to.
 *
 *	{"t":1772366400.123456,"who":"ann","dir":">","proto":"sip","transport":"tcp",
 *	 "local":"127.0.0.1:40000","remote":"127.0.0.1:5060","bytes":"REGISTER sip:…"}
 *
 * t: Unix time in seconds. dir: ">" sent, "<" received. bytes: each character is one byte, U+0000
 *to U+00FF (in Python: line["bytes"].encode("latin-1")). Of MSRP these are the pieces as written or
 *read; a reader joins those of the same local, remote and dir in the order of the lines. A message
 *whose line would be longer than TRACE_LINE_MAX is cut: "cut":true and "size" (of all of it) stand
 *before bytes then.
 */
#ifndef CONFAB_ADMIN_TRACE_H
#define CONFAB_ADMIN_TRACE_H

#include "base/view.h"

struct trace;

enum { TRACE_LINE_MAX = 256 * 1024 };

/* Opens (appending; made with mode 0640 where missing) the file. who is copied. E_MISSING (an empty
 * path), E_NOMEM, E_DENIED, E_NOTFOUND (the folder), E_IO. */
int trace_open(const char *path, const char *who, struct trace **out);
/* Writes one line, by one write(2), so that lines of several threads and processes do not mix. A
 * line that cannot be written is lost without a word. Any thread. t may be NULL. dir: '>' or '<'.
 * proto: "sip" or "msrp". */
void trace_write(struct trace *t, char dir, const char *proto, const char *transport,
		 const char *local, const char *remote, struct view bytes);
/* No other thread may be using it any more. NULL is accepted. */
void trace_close(struct trace *t);

#endif
