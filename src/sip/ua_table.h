/* Inside the user agent core: what dialog.c, uac.c and ua.c share. */
#ifndef CONFAB_SIP_UA_TABLE_H
#define CONFAB_SIP_UA_TABLE_H

#include "base/list.h"
#include "sip/ua.h"

struct sip_ua {
	struct sip_stack *stack;
	struct sip_ua_config cfg;
	char *user, *password, *every;
	struct hash dialogs;
	struct list uacs;
};

/* The dialog whose counter this is ends; requests under way no longer move it. */
void sip_uac_forget_seq(struct sip_ua *ua, const uint32_t *seq);

#endif
