/*
 * msrp: MSRP frames, chunks, paths, reports and endpoint sessions (RFC 4975, 6135),
 * pure: bytes, time and entropy in; bytes, events and deadlines out. It refuses
 * sockets, clocks, files and threads, and includes only base.
 *
 * This header: MSRP URIs (RFC 4975 §6), read in place.
 */
#ifndef CONFAB_MSRP_URI_H
#define CONFAB_MSRP_URI_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/view.h"

enum { MSRP_PATH_MAX = 8 }; /* URIs in one To-Path or From-Path */

struct msrp_uri {
	struct view text;
	bool tls; /* msrps */
	struct view userinfo;
	struct view host;	/* IPv6 with brackets */
	uint16_t port;		/* 0: none given */
	struct view session_id; /* may be empty for a relay's URI */
	struct view transport;	/* "tcp" */
	struct view params;	/* after the transport, ";…" */
};

/* One URI. E_SYNTAX (also for a missing transport). */
int msrp_uri_parse(struct view text, struct msrp_uri *out);
/* RFC 4975 §6.1: scheme, host (case folded), port, session id (case sensitive), transport; userinfo
 * and parameters do not count. */
bool msrp_uri_eq(const struct msrp_uri *a, const struct msrp_uri *b);
/* Splits a path (URIs separated by SP); *n_out is at most max. E_SYNTAX, E_LIMIT. */
int msrp_path_parse(struct view path, struct msrp_uri *uris, size_t max, size_t *n_out);
/* The first URI text of a path; cheap, not validated. */
struct view msrp_path_first(struct view path);
/* "msrp://HOST:PORT/ID;tcp" */
void msrp_uri_write(struct buf *b, bool tls, const struct addr *at, struct view session_id);

#endif
