/* Inside the user agent core: what dialog.c, uac.c and ua.c share. */
#ifndef CONFAB_SIP_UA_TABLE_H
#define CONFAB_SIP_UA_TABLE_H

#include "base/list.h"
#include "sip/ua.h"

/* What a user who is gone still owes to a peer. Ends by itself, or with the UA. */
struct sip_leftover {
	struct list link;
	void (*end)(struct sip_leftover *l);
};

enum { SIP_REALMS_MAX = 4 };

struct sip_ua {
	struct sip_stack *stack;
	struct timers *timers; /* the stack may be gone before the UA is */
	struct sip_ua_config cfg;
	char *user, *password, *every, *realm;
	char *proven[SIP_REALMS_MAX]; /* other realms that have shown to be our registrar's */
	size_t n_proven;
	bool past_md5; /* our registrar has accepted SHA-256 */
	struct hash dialogs;
	struct list uacs;
	struct list leftovers; /* struct sip_leftover */
};

/* The dialog whose counter this is ends; requests under way no longer move it. */
void sip_uac_forget_seq(struct sip_ua *ua, const uint32_t *seq);

#endif
