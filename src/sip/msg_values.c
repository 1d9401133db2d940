/* Walking the single values of repeated and comma-joined fields (RFC 3261 §7.3.1). */
#include "sip/grammar.h"
#include "sip/msg.h"

void sip_values_start(struct sip_values *it, const struct sip_msg *m, enum sip_header_id id)
{
	it->msg = m;
	it->id = id;
	it->field = m->first[id];
	it->rest = it->field < 0 ? VIEW("") : sip_field_value(m, it->field);
}

/* Length of the value v begins with: up to a comma outside of quotes and angle brackets. A quote or
 * bracket that does not end takes the rest with it; the value's own parser refuses that. */
static size_t value_span(struct view v)
{
	size_t i = 0, n;

	/* Most fields hold one value. */
	if (view_find(v, ',', 0) == v.n)
		return v.n;
	while (i < v.n) {
		switch (v.p[i]) {
		case ',':
			return i;
		case '"':
			n = sip_quoted_span(view_from(v, i));
			i = n ? i + n : v.n;
			break;
		case '<':
			i = view_find(v, '>', i);
			break;
		default:
			i++;
		}
	}
	return v.n;
}

bool sip_values_next(struct sip_values *it, struct view *value)
{
	while (it->field >= 0) {
		while (it->rest.n) {
			size_t n = value_span(it->rest);
			struct view v = view_trim(view_first(it->rest, n));

			it->rest = view_from(it->rest, n + 1);
			if (v.n) {
				*value = v;
				return true;
			}
		}
		it->field = sip_msg_field(it->msg, it->id, it->field);
		it->rest = it->field < 0 ? VIEW("") : sip_field_value(it->msg, it->field);
	}
	return false;
}

bool sip_msg_lists(const struct sip_msg *m, enum sip_header_id id, struct view token)
{
	struct sip_values it;
	struct view v;

	sip_values_start(&it, m, id);
	while (sip_values_next(&it, &v))
		if (view_eq_nocase(view_trim(view_cut(&v, ';')), token))
			return true;
	return false;
}
