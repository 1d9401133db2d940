/* IC-8.3.1-3: what the peer's Allow lists, and that it is sent nothing else. */
#include "client/state.h"

#include <stdlib.h>

void leg_learn_allow(struct leg *leg, const struct sip_msg *m)
{
	struct sip_values it;
	struct view v;
	struct buf b;
	size_t n;

	/* Nothing said is nothing new (RFC 3261 §20.5). */
	if (!sip_msg_has(m, SIP_H_ALLOW))
		return;
	buf_init(&b, ALLOW_BYTES_MAX);
	sip_values_start(&it, m, SIP_H_ALLOW);
	while (sip_values_next(&it, &v))
		buf_putf(&b, "%s%.*s", b.n ? "," : "", VIEW_ARG(v));
	buf_putc(&b, '\0');
	/* More than anybody has methods: as if he had said nothing. */
	free(leg->allow);
	leg->allow = buf_take(&b, &n);
	buf_fini(&b);
}

enum leg_allowed leg_allowed(const struct leg *leg, struct view method)
{
	struct view list = view_str(leg->allow);

	if (!leg->allow)
		return ALLOWED_UNKNOWN;
	/* Methods are case-sensitive (RFC 3261 §7.1). */
	while (list.n)
		if (view_eq(view_trim(view_cut(&list, ',')), method))
			return ALLOWED_LISTED;
	return ALLOWED_NOT;
}
