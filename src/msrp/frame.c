#include "msrp/frame.h"

#include "base/error.h"
#include "msrp/head.h"

enum state {
	ST_HEAD,
	ST_BODY_START, /* right after the empty line: an end-line may stand here without its CRLF */
	ST_BODY,
	ST_END, /* the end-line was taken together with the head */
	ST_BROKEN,
};

/* "\r\n-------" tid flag "\r\n" */
enum { END_BEFORE_TID = 9, END_AFTER_TID = 3 };

void msrp_reader_init(struct msrp_reader *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->carry, MSRP_HEAD_BYTES_MAX);
	r->expect = MSRP_UNKNOWN;
}

void msrp_reader_fini(struct msrp_reader *r)
{
	buf_fini(&r->carry);
}

bool msrp_reader_in_frame(const struct msrp_reader *r)
{
	return r->state == ST_BODY_START || r->state == ST_BODY || r->state == ST_END;
}

static void take(struct view *in, size_t n)
{
	in->p += n;
	in->n -= n;
}

static int broken(struct msrp_reader *r, int error)
{
	r->state = ST_BROKEN;
	return error;
}

/* The same where nothing is known of the head: what stands there is of an event before, and its
 * bytes may be gone. */
static int broken_headless(struct msrp_reader *r, struct msrp_event *ev, int error)
{
	memset(&ev->head, 0, sizeof(ev->head));
	return broken(r, error);
}

static int carry_put(struct msrp_reader *r, struct view v)
{
	int rc = buf_reserve(&r->carry, v.n);

	if (rc)
		return rc;
	buf_put(&r->carry, v);
	return 0;
}

static int head_done(struct msrp_reader *r, const struct msrp_head *h, char flag)
{
	memcpy(r->tid, h->tid.p, h->tid.n);
	r->tid[h->tid.n] = '\0';
	r->tid_n = (uint8_t)h->tid.n;
	r->flag = flag;
	r->state = h->has_body ? ST_BODY_START : ST_END;
	r->expect = MSRP_UNKNOWN;
	if (h->has_range && h->end != MSRP_UNKNOWN && h->end + 1 >= h->start)
		r->expect = h->end + 1 - h->start;
	return MSRP_EV_HEAD;
}

static int head_from_input(struct msrp_reader *r, struct view *in, struct msrp_event *ev)
{
	struct view text = view_first(*in, MSRP_HEAD_BYTES_MAX);
	struct msrp_head_end end;
	int rc = msrp_head_parse(text, &ev->head, &end);

	if (rc < 0)
		return broken(r, rc);
	if (rc == MSRP_HEAD_DONE) {
		take(in, end.n);
		return head_done(r, &ev->head, end.flag);
	}
	if (text.n == MSRP_HEAD_BYTES_MAX)
		return broken(r, E_LIMIT);
	rc = carry_put(r, *in);
	if (rc)
		return broken(r, rc);
	take(in, in->n);
	return MSRP_EV_NEED_MORE;
}

/* May the last line in the carry, which is complete, end a head, or is it the start line? */
static bool carry_worth_a_look(const struct buf *c)
{
	const char *before = c->n > 1 ? memrchr(c->p, '\n', c->n - 1) : NULL;
	struct view line;

	if (!before)
		return true;
	line = view_of(before + 1, (size_t)(c->p + c->n - before) - 1);
	return line.n <= 2 || view_starts(line, VIEW("-------"));
}

/* The carry grows line by line, so that it never takes bytes of what comes after the head, and
 * is read again only when a line came that may end it. */
static int head_from_carry(struct msrp_reader *r, struct view *in, struct msrp_event *ev)
{
	while (in->n) {
		size_t lf = view_find(*in, '\n', 0), room = MSRP_HEAD_BYTES_MAX - r->carry.n;
		bool whole = lf < in->n && lf < room;
		size_t n = whole ? lf + 1 : in->n < room ? in->n : room;
		struct msrp_head_end end;
		int rc = carry_put(r, view_first(*in, n));

		if (rc)
			return broken_headless(r, ev, rc);
		take(in, n);
		rc = MSRP_HEAD_MORE;
		if (r->carry.n == MSRP_HEAD_BYTES_MAX || r->carry.n - n < 5 ||
		    (whole && carry_worth_a_look(&r->carry)))
			rc = msrp_head_parse(buf_view(&r->carry), &ev->head, &end);
		if (rc < 0)
			return broken(r, rc);
		if (rc == MSRP_HEAD_DONE) {
			r->carry_used = r->carry.n;
			return head_done(r, &ev->head, end.flag);
		}
		if (r->carry.n == MSRP_HEAD_BYTES_MAX)
			return broken(r, E_LIMIT);
	}
	return MSRP_EV_NEED_MORE;
}

static size_t end_length(const struct msrp_reader *r)
{
	return (size_t)END_BEFORE_TID + r->tid_n + END_AFTER_TID;
}

/* How many bytes at the front of v go on with an end-line of which `have` bytes stand before
 * v. Less than v.n and have + that less than end_length: no end-line. */
static size_t end_match(const struct msrp_reader *r, size_t have, struct view v, char *flag)
{
	static const char before[] = "\r\n-------";
	size_t all = end_length(r), i = 0;

	/* Mostly all of it is there, or nothing like it. */
	if (have == 0 && v.n >= all && memcmp(v.p, before, END_BEFORE_TID) == 0 &&
	    memcmp(v.p + END_BEFORE_TID, r->tid, r->tid_n) == 0)
		i = (size_t)END_BEFORE_TID + r->tid_n;
	for (; i < v.n && have + i < all; i++) {
		size_t at = have + i;
		char c = v.p[i];
		bool same;

		if (at < END_BEFORE_TID)
			same = c == before[at];
		else if (at < (size_t)END_BEFORE_TID + r->tid_n)
			same = c == r->tid[at - END_BEFORE_TID];
		else if (at == all - END_AFTER_TID)
			same = c == '$' || c == '+' || c == '#';
		else
			same = c == (at == all - 1 ? '\n' : '\r');
		if (!same)
			break;
		if (at == all - END_AFTER_TID)
			*flag = c;
	}
	return i;
}

static int end_event(struct msrp_reader *r, struct msrp_event *ev, char flag)
{
	ev->flag = flag;
	r->state = ST_HEAD;
	r->expect = MSRP_UNKNOWN;
	return MSRP_EV_END;
}

static int body_event(struct msrp_reader *r, struct msrp_event *ev, struct view body)
{
	ev->body = body;
	if (r->expect != MSRP_UNKNOWN)
		r->expect = body.n <= r->expect ? r->expect - body.n : MSRP_UNKNOWN;
	r->state = ST_BODY;
	return MSRP_EV_BODY;
}

/* The carry holds what may be the beginning of an end-line. */
static int body_from_carry(struct msrp_reader *r, struct view *in, struct msrp_event *ev)
{
	size_t base = r->state == ST_BODY_START ? 2 : 0;
	size_t have = base + r->carry.n, n;
	char flag = r->flag;
	int rc;

	n = end_match(r, have, *in, &flag);
	r->flag = flag;
	if (have + n == end_length(r)) {
		take(in, n);
		r->carry_used = r->carry.n;
		return end_event(r, ev, flag);
	}
	if (n == in->n) {
		rc = carry_put(r, *in);
		if (rc)
			return broken_headless(r, ev, rc);
		take(in, n);
		return MSRP_EV_NEED_MORE;
	}
	/* It was body, all of it: another end-line could begin only at the CR before the last LF,
	 * and that LF is what did not come. */
	r->carry_used = r->carry.n;
	return body_event(r, ev, buf_view(&r->carry));
}

/* Where the first possible end-line at or behind `from` begins; in.n: nowhere. */
static size_t end_search(const struct msrp_reader *r, struct view in, size_t from)
{
	for (;;) {
		size_t at = view_find(in, '\r', from), n;
		char flag;

		if (at == in.n)
			return in.n;
		n = end_match(r, 0, view_from(in, at), &flag);
		if (n == end_length(r) || at + n == in.n)
			return at;
		from = at + 1;
	}
}

static int body_from_input(struct msrp_reader *r, struct view *in, struct msrp_event *ev)
{
	size_t base = r->state == ST_BODY_START ? 2 : 0, all = end_length(r), n;
	char flag = '\0';

	n = end_match(r, base, *in, &flag);
	if (n == 0 && base) {
		base = 0;
		r->state = ST_BODY;
		n = end_match(r, 0, *in, &flag);
	}
	if (base + n == all) {
		take(in, n);
		return end_event(r, ev, flag);
	}
	if (n == in->n) {
		int rc = carry_put(r, *in);

		if (rc)
			return broken_headless(r, ev, rc);
		r->flag = flag;
		take(in, n);
		return MSRP_EV_NEED_MORE;
	}
	/* The promised end first (RFC 4975 §7.3.1 lets it come earlier, so it is only a hint). */
	if (r->expect && r->expect <= in->n &&
	    end_match(r, 0, view_from(*in, (size_t)r->expect), &flag) == all)
		n = (size_t)r->expect;
	else
		n = end_search(r, *in, n ? n : 1);
	body_event(r, ev, view_first(*in, n));
	take(in, n);
	return MSRP_EV_BODY;
}

int msrp_reader_next(struct msrp_reader *r, struct view *in, struct msrp_event *ev)
{
	if (r->carry_used) {
		buf_drop(&r->carry, r->carry_used);
		r->carry_used = 0;
		if (r->carry.n == 0)
			buf_fini(&r->carry);
	}
	if (r->state == ST_BROKEN)
		return broken_headless(r, ev, E_SYNTAX);
	if (r->state == ST_END)
		return end_event(r, ev, r->flag);
	if (view_empty(*in))
		return MSRP_EV_NEED_MORE;
	if (r->state == ST_HEAD)
		return r->carry.n ? head_from_carry(r, in, ev) : head_from_input(r, in, ev);
	return r->carry.n ? body_from_carry(r, in, ev) : body_from_input(r, in, ev);
}

const char *msrp_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} known[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{408, "Request Timeout"},
		{413, "Message Too Large"},
		{415, "Unsupported Media Type"},
		{423, "Interval Out of Bounds"},
		{424, "Malformed Nickname"},
		{425, "Nickname Reserved or Already in Use"},
		{426, "Forbidden"},
		{428, "Private Messages Not Supported"},
		{481, "Session Does Not Exist"},
		{501, "Method Not Understood"},
		{506, "Session Already in Use"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			return known[i].text;
	return "";
}
