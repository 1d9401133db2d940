#include "server/core/target.h"

enum {
	TERMS_MAX = 64,	     /* features of one predicate; further ones are not looked at */
	PREDICATES_MAX = 32, /* values of Accept-Contact or Reject-Contact */
};

/* RFC 3841 §7.2.1: the base tags of RFC 3840, and whatever begins with a plus. */
static bool is_feature(struct view name)
{
	static const char *const base[] = {
		"audio",    "automata",	  "class",	 "duplex",	"data",
		"control",  "mobility",	  "description", "events",	"priority",
		"methods",  "extensions", "schemes",	 "application", "video",
		"language", "type",	  "isfocus",	 "actor",	"text",
	};

	if (name.n && name.p[0] == '+')
		return true;
	for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i++)
		if (view_eq_nocase(name, view_str(base[i])))
			return true;
	return false;
}

static bool is_im_tag(struct view name)
{
	return view_eq_nocase(name, VIEW("+g.oma.sip-im")) ||
	       view_eq_nocase(name, VIEW("+g.oma.im.simple")) ||
	       view_eq_nocase(name, VIEW("+g.oma.sip.simple"));
}

static bool same_feature(struct view a, struct view b)
{
	return view_eq_nocase(a, b) || (is_im_tag(a) && is_im_tag(b));
}

static struct view unquoted(struct view v)
{
	if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
		v = view_of(v.p + 1, v.n - 2);
	v = view_trim(v);
	return v.n ? v : VIEW("TRUE"); /* a feature without a value is a boolean */
}

/* Decimal text as thousandths. */
static bool read_number(struct view v, int64_t *out)
{
	bool minus = v.n && v.p[0] == '-';
	int64_t x = 0, scale = 1000;
	bool dot = false;

	v = view_from(v, minus || (v.n && v.p[0] == '+') ? 1 : 0);
	if (v.n == 0 || v.n > 15)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '.' && !dot) {
			dot = true;
		} else if (v.p[i] < '0' || v.p[i] > '9') {
			return false;
		} else if (!dot) {
			x = x * 10 + (int64_t)(v.p[i] - '0') * 1000;
		} else {
			scale /= 10;
			x += (v.p[i] - '0') * scale;
		}
	}
	*out = minus ? -x : x;
	return true;
}

/* "#=4", "#>=4", "#<=4", "#1:5" as a range. */
static bool read_range(struct view v, int64_t *low, int64_t *high)
{
	size_t colon;

	*low = INT64_MIN;
	*high = INT64_MAX;
	v = view_from(v, 1);
	if (view_starts(v, VIEW(">=")))
		return read_number(view_from(v, 2), low);
	if (view_starts(v, VIEW("<=")))
		return read_number(view_from(v, 2), high);
	if (view_starts(v, VIEW("="))) {
		if (!read_number(view_from(v, 1), low))
			return false;
		*high = *low;
		return true;
	}
	colon = view_find(v, ':', 0);
	return read_number(view_first(v, colon), low) && read_number(view_from(v, colon + 1), high);
}

static bool plain_eq(struct view a, struct view b)
{
	int64_t a_low, a_high, b_low, b_high;

	if (a.n && b.n && a.p[0] == '#' && b.p[0] == '#')
		return read_range(a, &a_low, &a_high) && read_range(b, &b_low, &b_high) &&
		       a_low <= b_high && b_low <= a_high;
	/* Between angle brackets the case counts (§7.2.4). */
	if (a.n && a.p[0] == '<')
		return view_eq(a, b);
	return view_eq_nocase(a, b);
}

/* Two single values, either of which may be negated: true when something satisfies both. */
static bool value_eq(struct view a, struct view b)
{
	bool not_a = a.n && a.p[0] == '!', not_b = b.n && b.p[0] == '!';

	if (not_a && not_b)
		return true;
	return plain_eq(view_from(a, not_a), view_from(b, not_b)) != (not_a || not_b);
}

/* Lists of alternatives. A string is a single value, whatever stands in it. */
static bool values_meet(struct view a, struct view b)
{
	a = unquoted(a);
	b = unquoted(b);
	if (a.p[0] == '<' || b.p[0] == '<')
		return plain_eq(a, b);
	for (struct view ra = a; ra.n;) {
		struct view one = view_trim(view_cut(&ra, ','));

		for (struct view rb = b; rb.n;)
			if (value_eq(one, view_trim(view_cut(&rb, ','))))
				return true;
	}
	return false;
}

/* The contact's value of a feature: 1 there, 0 not there. */
static bool contact_value(struct view params, struct view feature, bool assume_im,
			  struct view *value)
{
	struct view name;

	while (sip_param_next(&params, &name, value))
		if (is_feature(name) && same_feature(name, feature))
			return true;
	*value = VIEW("");
	return assume_im && is_im_tag(feature);
}

struct verdict {
	unsigned terms, present;
	bool match;
};

/* One predicate (the parameters of an Accept-Contact or Reject-Contact value) against a contact. */
static struct verdict compare(struct view predicate, struct view contact, bool assume_im)
{
	struct verdict v = {.match = true};
	struct view name, wanted, has;

	while (v.terms < TERMS_MAX && sip_param_next(&predicate, &name, &wanted)) {
		if (!is_feature(name))
			continue;
		v.terms++;
		if (!contact_value(contact, name, assume_im, &has))
			continue;
		v.present++;
		if (!values_meet(wanted, has))
			v.match = false;
	}
	return v;
}

static bool is_immune(struct view params)
{
	struct view name, value;

	while (sip_param_next(&params, &name, &value))
		if (is_feature(name))
			return false;
	return true;
}

static struct view predicate_of(struct view value)
{
	struct sip_addr a;

	return sip_addr_parse(value, &a) == 0 ? a.params : VIEW("");
}

static bool is_rejected(const struct sip_msg *m, struct view contact, bool assume_im)
{
	struct sip_values it;
	struct view value;

	sip_values_start(&it, m, SIP_H_REJECT_CONTACT);
	for (int i = 0; i < PREDICATES_MAX && sip_values_next(&it, &value); i++) {
		struct verdict v = compare(predicate_of(value), contact, assume_im);

		if (v.terms && v.present == v.terms && v.match)
			return true;
	}
	return false;
}

/* Figure 1 of RFC 3841. */
static bool is_accepted(const struct sip_msg *m, struct view contact, bool assume_im,
			unsigned *score)
{
	struct sip_values it;
	struct view value;
	unsigned sum = 0, n = 0;

	sip_values_start(&it, m, SIP_H_ACCEPT_CONTACT);
	for (int i = 0; i < PREDICATES_MAX && sip_values_next(&it, &value); i++) {
		struct view params = predicate_of(value);
		struct verdict v = compare(params, contact, assume_im);
		bool require = sip_param(params, VIEW("require"), NULL);
		bool complete = v.present == v.terms;

		if (v.terms == 0)
			continue;
		if (!v.match && require)
			return false;
		if (!v.match)
			continue;
		n++;
		if (complete || !sip_param(params, VIEW("explicit"), NULL))
			sum += v.present * 1000 / v.terms;
		else if (require)
			return false;
	}
	*score = n ? sum / n : 1000;
	return true;
}

/* §7.2.2: the method, and the event package of a subscription. */
static bool is_implied(const struct sip_msg *m, struct view contact)
{
	struct sip_token_params event;
	struct view value;

	if (contact_value(contact, VIEW("methods"), false, &value) &&
	    !values_meet(m->method_name, value))
		return false;
	return m->method != SIP_SUBSCRIBE ||
	       sip_token_params_parse(sip_msg_value(m, SIP_H_EVENT), &event) ||
	       !contact_value(contact, VIEW("events"), false, &value) ||
	       values_meet(event.token, value);
}

bool target_is_implicit(const struct sip_msg *request)
{
	return !sip_msg_has(request, SIP_H_ACCEPT_CONTACT) &&
	       !sip_msg_has(request, SIP_H_REJECT_CONTACT);
}

bool target_matches(const struct sip_msg *request, struct view contact_params, bool assume_im,
		    unsigned *score_out)
{
	unsigned score = 1000;
	bool stays = true;

	if (!is_immune(contact_params)) {
		if (target_is_implicit(request))
			stays = is_implied(request, contact_params);
		else
			stays = !is_rejected(request, contact_params, assume_im) &&
				is_accepted(request, contact_params, assume_im, &score);
	}
	if (score_out && stays)
		*score_out = score;
	return stays;
}
