#include "io/privileges.h"

#include "base/error.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { PASSWD_BYTES = 16384 };

bool io_is_root(void)
{
	return geteuid() == 0;
}

static int find(const char *user, uid_t *uid, gid_t *gid)
{
	struct passwd entry, *found = NULL;
	char *text = malloc(PASSWD_BYTES);
	int error = text ? getpwnam_r(user, &entry, text, PASSWD_BYTES, &found) : ENOMEM;

	if (found) {
		*uid = entry.pw_uid;
		*gid = entry.pw_gid;
	}
	free(text);
	if (error)
		return error == ENOMEM ? E_NOMEM : E_IO;
	return found ? 0 : E_NOTFOUND;
}

/* Groups first: a user who is not root may not change them. */
static int change(const char *user, uid_t uid, gid_t gid)
{
	if (initgroups(user, gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return E_IO;
	/* There must be no way back. */
	if (uid != 0 && (setuid(0) == 0 || geteuid() != uid || getegid() != gid))
		return E_IO;
	return 0;
}

int io_become(const char *user, char *why, size_t size)
{
	uid_t uid;
	gid_t gid;
	int rc = find(user, &uid, &gid);

	if (rc) {
		(void)snprintf(why, size, "there is no user %s", user);
		return rc;
	}
	if (geteuid() != uid && !io_is_root()) {
		(void)snprintf(why, size, "only root can become %s", user);
		return E_DENIED;
	}
	if (geteuid() != uid && change(user, uid, gid)) {
		(void)snprintf(why, size, "cannot become %s: %s", user, strerror(errno));
		return E_IO;
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? E_IO : 0;
}
