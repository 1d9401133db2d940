/* 7.1.3-2 "Adding user(s)" to a conference: one REFER to the IM Session Identity, inside the
 * dialog, for one user (IC-7.1.3-2c) or for a list of them (IC-7.1.3-2d). */
#include "client/state.h"

#include "base/error.h"

int leg_add_users(struct leg *leg, const struct view *uri, size_t n, uint64_t now_ms)
{
	return leg_refer(leg, uri, n, false, now_ms);
}
