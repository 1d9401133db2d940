/* Requests that go in circles: Max-Forwards, and loop detection (RFC 3261 §16.3 steps 3 and 4, RFC
 * 5393 §4.2). */
#include "server/core/state.h"

/* A spiral passes, but not without end. */
enum { OWN_VIAS_MAX = 8 };

bool core_check_hops(struct inbound *r)
{
	uint32_t hops;

	if (!sip_msg_has(r->m, SIP_H_MAX_FORWARDS) ||
	    view_to_u32(sip_msg_value(r->m, SIP_H_MAX_FORWARDS), &hops) || hops > 0)
		return true;
	core_reply(r, 483, NULL, VIEW(""));
	return false;
}

static uint64_t add_field(const struct core *c, uint64_t h, const struct sip_msg *m,
			  enum sip_header_id id)
{
	for (int i = sip_msg_field(m, id, -1); i >= 0; i = sip_msg_field(m, id, i))
		h = hash_more(&c->keyed, h + 1, sip_field_value(m, i));
	return h;
}

/* All that decides where a request goes: with the same once more, it would go the same way once
 * more (RFC 5393 §4.2.1). Keyed, so that nobody can make a request look like a loop. */
struct view core_loop_mark(const struct inbound *r, char *text)
{
	static const enum sip_header_id ids[] = {
		SIP_H_TO,
		SIP_H_FROM,
		SIP_H_CALL_ID,
		SIP_H_CSEQ,
		SIP_H_ROUTE,
		SIP_H_PROXY_REQUIRE,
		SIP_H_PROXY_AUTHORIZATION,
		SIP_H_P_SERVED_USER,
	};
	static const char digits[] = "0123456789abcdef";
	const struct core *c = r->c;
	uint64_t h = hash_bytes(&c->keyed, r->m->uri);

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		h = add_field(c, h + ids[i], r->m, ids[i]);
	for (int i = SIP_MARK_CHARS - 1; i >= 0; i--, h >>= 4)
		text[i] = digits[h & 15];
	return view_of(text, SIP_MARK_CHARS);
}

static bool has_mark(struct view branch, struct view mark)
{
	return branch.n > mark.n && branch.p[branch.n - mark.n - 1] == '.' &&
	       view_eq(view_from(branch, branch.n - mark.n), mark);
}

bool core_check_loop(struct inbound *r)
{
	char text[SIP_MARK_CHARS];
	struct view value, mark = core_loop_mark(r, text);
	unsigned hops = 0, own = 0;
	struct sip_values it;
	struct sip_via via;
	bool loop = false;

	sip_values_start(&it, r->m, SIP_H_VIA);
	while (sip_values_next(&it, &value)) {
		if (++hops <= 1)
			continue; /* the sender's own */
		if (sip_via_parse(value, &via) ||
		    !sip_stack_is_own(r->c->stack, via.host, via.port))
			continue;
		own++;
		loop = loop || has_mark(via.branch, mark);
	}
	if (!loop && own <= OWN_VIAS_MAX)
		return true;
	core_reply(r, 482, NULL, VIEW(""));
	return false;
}
