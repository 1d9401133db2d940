/*
 * The participating function on the way of a request through the core (clauses 9.1.2 and 9.2): the
 * check, and the choice between proxy and B2BUA. As a proxy it changes nothing in the request
 * and keeps nothing per session: the core's proxy record-routes it.
 */
#ifndef CONFAB_SERVER_PARTICIPATING_PARTICIPATE_PROXY_H
#define CONFAB_SERVER_PARTICIPATING_PARTICIPATE_PROXY_H

#include "server/core/state.h"

enum participation {
	PARTICIPATION_REFUSED, /* it was answered */
	PARTICIPATION_PROXY,
	PARTICIPATION_B2BUA, /* the media path is asked for, and can be had */
};

/* Whether phones without the IM feature tag are served: the user's setting, else the deployment's.
 */
bool participate_assumes(const struct core *c, const struct core_user *user);
/* The check of PF-9.1.2-1 for either side, and the choice by what the store says of the served
 * user. checked: it was made already. */
enum participation participate_check(struct inbound *r, const struct core_user *user, bool checked);
/* The originating side, for a sender who is a user here. to_function: the request is for a local
 * user agent (PF-9.1.1-8: a REFER to one is the controlling function's alone), whose switch is in
 * the media path anyway. */
enum participation participate_originating(struct inbound *r, bool to_function);
/* The terminating side, for a Request-URI that is a user here. A sender who is served here as well
 * had his check, and what was assumed for him is not asked for again. */
enum participation participate_terminating(struct inbound *r, const struct core_user *callee);

#endif
