#include "msrp/head.h"

#include "base/error.h"

/* ident-char of RFC 4975 §9, a bit per character: each answer's tid is looked through. */
static const uint64_t ident_bits[4] = {
	0x23ff682000000000u, /* % + - . 0-9 = */
	0x07fffffe07fffffeu, /* A-Z a-z */
};

static inline bool is_ident(char c)
{
	unsigned char u = (unsigned char)c;

	return ident_bits[u >> 6] >> (u & 63) & 1;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 3DIGIT at the front of v, alone or followed by SP. */
static bool three_digits(struct view v, uint16_t *out)
{
	if (v.n < 3 || !is_digit(v.p[0]) || !is_digit(v.p[1]) || !is_digit(v.p[2]))
		return false;
	if (v.n > 3 && v.p[3] != ' ')
		return false;
	*out = (uint16_t)((v.p[0] - '0') * 100 + (v.p[1] - '0') * 10 + (v.p[2] - '0'));
	return true;
}

enum msrp_method msrp_method_of(struct view name)
{
	if (view_eq(name, VIEW("SEND")))
		return MSRP_SEND;
	if (view_eq(name, VIEW("REPORT")))
		return MSRP_REPORT;
	if (view_eq(name, VIEW("AUTH")))
		return MSRP_AUTH;
	if (view_eq(name, VIEW("NICKNAME")))
		return MSRP_NICKNAME;
	return MSRP_METHOD_OTHER;
}

static int parse_start_line(struct view line, struct msrp_head *h)
{
	struct view tid;
	size_t n = 0;

	if (!view_starts(line, VIEW("MSRP ")))
		return E_SYNTAX;
	line = view_from(line, 5);
	while (n < line.n && n < MSRP_TID_MAX && is_ident(line.p[n]))
		n++;
	if (n == 0 || n + 1 >= line.n || line.p[n] != ' ')
		return E_SYNTAX;
	tid = view_first(line, n);
	line = view_from(line, n + 1);
	if (three_digits(line, &h->status)) {
		h->comment = view_trim(view_from(line, 3));
	} else {
		for (size_t i = 0; i < line.n; i++)
			if (line.p[i] < 'A' || line.p[i] > 'Z')
				return E_SYNTAX;
		h->is_request = true;
		h->method = msrp_method_of(line);
		h->method_name = line;
	}
	h->tid = tid;
	return 0;
}

/* A number of a Byte-Range; '*' where star is allowed. */
static int range_number(struct view v, bool star, uint64_t *out)
{
	uint64_t x;

	if (star && v.n == 1 && v.p[0] == '*') {
		*out = MSRP_UNKNOWN;
		return 0;
	}
	/* Half of the range, so that sums of two do not overflow. */
	if (view_to_u64(v, &x) || x > UINT64_MAX / 2)
		return E_SYNTAX;
	*out = x;
	return 0;
}

static int parse_range(struct view v, struct msrp_head *h)
{
	struct view start = view_cut(&v, '-');
	struct view end = view_cut(&v, '/');

	if (range_number(start, false, &h->start) || range_number(end, true, &h->end) ||
	    range_number(v, true, &h->total))
		return E_SYNTAX;
	h->has_range = true;
	return 0;
}

static int parse_status(struct view v, struct msrp_head *h)
{
	if (!three_digits(v, &h->status_ns))
		return E_SYNTAX;
	v = view_trim(view_from(v, 3));
	if (!three_digits(v, &h->status_code))
		return E_SYNTAX;
	h->status_comment = view_trim(view_from(v, 3));
	h->has_status = true;
	return 0;
}

static int parse_ident(struct view v, struct view *out)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~')
			return E_SYNTAX;
	*out = v;
	return 0;
}

static enum msrp_failure_report failure_report_of(struct view v)
{
	if (view_eq_nocase(v, VIEW("no")))
		return MSRP_FAILURE_NO;
	return view_eq_nocase(v, VIEW("partial")) ? MSRP_FAILURE_PARTIAL : MSRP_FAILURE_YES;
}

enum field {
	F_OTHER,
	F_TO_PATH,
	F_FROM_PATH,
	F_MESSAGE_ID,
	F_BYTE_RANGE,
	F_SUCCESS_REPORT,
	F_FAILURE_REPORT,
	F_STATUS,
	F_CONTENT_TYPE,
	F_USE_NICKNAME,
	F_WWW_AUTHENTICATE,
	F_AUTHORIZATION,
	F_AUTHENTICATION_INFO,
	F_EXPIRES,
	F_MIN_EXPIRES,
	F_MAX_EXPIRES,
	F_USE_PATH,
};

/* By length and first letter, so that a name is compared once at most; as everybody writes it
 * first. */
#define KEY(n, c) ((unsigned)(n) << 8 | (unsigned char)(c))

static enum field same(struct view name, const char *known, enum field f)
{
	if (memcmp(name.p, known, name.n) == 0 || view_eq_nocase(name, view_of(known, name.n)))
		return f;
	return F_OTHER;
}

static enum field field_of(struct view name)
{
	if (name.n == 0 || name.n > 19)
		return F_OTHER;
	switch (KEY(name.n, name.p[0] | 0x20)) {
	case KEY(7, 't'):
		return same(name, "To-Path", F_TO_PATH);
	case KEY(9, 'f'):
		return same(name, "From-Path", F_FROM_PATH);
	case KEY(10, 'm'):
		return same(name, "Message-ID", F_MESSAGE_ID);
	case KEY(10, 'b'):
		return same(name, "Byte-Range", F_BYTE_RANGE);
	case KEY(12, 'c'):
		return same(name, "Content-Type", F_CONTENT_TYPE);
	case KEY(14, 's'):
		return same(name, "Success-Report", F_SUCCESS_REPORT);
	case KEY(14, 'f'):
		return same(name, "Failure-Report", F_FAILURE_REPORT);
	case KEY(6, 's'):
		return same(name, "Status", F_STATUS);
	case KEY(12, 'u'):
		return same(name, "Use-Nickname", F_USE_NICKNAME);
	case KEY(16, 'w'):
		return same(name, "WWW-Authenticate", F_WWW_AUTHENTICATE);
	case KEY(13, 'a'):
		return same(name, "Authorization", F_AUTHORIZATION);
	case KEY(19, 'a'):
		return same(name, "Authentication-Info", F_AUTHENTICATION_INFO);
	case KEY(7, 'e'):
		return same(name, "Expires", F_EXPIRES);
	case KEY(11, 'm'):
		if (same(name, "Min-Expires", F_MIN_EXPIRES) != F_OTHER)
			return F_MIN_EXPIRES;
		return same(name, "Max-Expires", F_MAX_EXPIRES);
	case KEY(8, 'u'):
		return same(name, "Use-Path", F_USE_PATH);
	default:
		return F_OTHER;
	}
}

static int set_field(struct msrp_head *h, enum field f, struct view value)
{
	switch (f) {
	case F_TO_PATH:
		h->to_path = value;
		return 0;
	case F_FROM_PATH:
		h->from_path = value;
		return 0;
	case F_MESSAGE_ID:
		return parse_ident(value, &h->message_id);
	case F_BYTE_RANGE:
		return parse_range(value, h);
	case F_SUCCESS_REPORT:
		h->success_report = view_eq_nocase(value, VIEW("yes"));
		return 0;
	case F_FAILURE_REPORT:
		h->failure_report = failure_report_of(value);
		return 0;
	case F_STATUS:
		return parse_status(value, h);
	case F_CONTENT_TYPE:
		h->content_type = value;
		return 0;
	case F_USE_NICKNAME:
		/* RFC 7701 §7.1: a nickname is always quoted. */
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			h->use_nickname = view_of(value.p + 1, value.n - 2);
		return 0;
	case F_WWW_AUTHENTICATE:
		h->www_authenticate = value;
		return 0;
	case F_AUTHORIZATION:
		h->authorization = value;
		return 0;
	case F_AUTHENTICATION_INFO:
		h->authentication_info = value;
		return 0;
	case F_EXPIRES:
		h->expires = value;
		return 0;
	case F_MIN_EXPIRES:
		h->min_expires = value;
		return 0;
	case F_MAX_EXPIRES:
		h->max_expires = value;
		return 0;
	case F_USE_PATH:
		h->use_path = value;
		return 0;
	case F_OTHER:
		return 0;
	}
	return 0;
}

/* hname = ALPHA *token (RFC 4975 §9). */
static bool is_name(struct view v)
{
	char first = v.n ? (char)(v.p[0] | 0x20) : '\0';

	if (first < 'a' || first > 'z')
		return false;
	for (size_t i = 1; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~')
			return false;
	return true;
}

/* seen: a bit per known field. */
static int parse_field(struct view line, struct msrp_head *h, uint32_t *seen)
{
	size_t colon = view_find(line, ':', 0);
	struct view name = view_first(line, colon);
	enum field f;

	if (colon == line.n)
		return E_SYNTAX;
	f = field_of(name);
	if (f == F_OTHER ? !is_name(name) : (*seen >> f & 1))
		return E_SYNTAX;
	*seen |= (uint32_t)1 << f;
	return set_field(h, f, view_trim(view_from(line, colon + 1)));
}

/* "-------" tid flag, without its CRLF. Gives the flag, or 0. */
static char end_line_flag(struct view line, struct view tid)
{
	char flag;

	if (line.n != 7 + tid.n + 1 || memcmp(line.p + 7, tid.p, tid.n) != 0)
		return '\0';
	flag = line.p[line.n - 1];
	return flag == '$' || flag == '+' || flag == '#' ? flag : '\0';
}

static void head_init(struct msrp_head *h)
{
	memset(h, 0, sizeof(*h));
	h->start = 1;
	h->end = h->total = MSRP_UNKNOWN;
	h->failure_report = MSRP_FAILURE_YES;
}

/* Is what there is of the first line still "MSRP "? A stranger's protocol is told at once. */
static bool may_start(struct view text)
{
	struct view magic = VIEW("MSRP ");

	return text.n == 0 || memcmp(text.p, magic.p, text.n < magic.n ? text.n : magic.n) == 0;
}

static int head_check(const struct msrp_head *h, struct msrp_head_end *end, int rc,
		      struct view line)
{
	if (line.n) {
		end->flag = end_line_flag(line, h->tid);
		if (!end->flag)
			return E_SYNTAX;
	}
	if (rc)
		return rc;
	if (h->is_request && (view_empty(h->to_path) || view_empty(h->from_path)))
		return E_SYNTAX;
	return MSRP_HEAD_DONE;
}

int msrp_head_parse(struct view text, struct msrp_head *out, struct msrp_head_end *end)
{
	size_t at = 0, fields = 0;
	uint32_t seen = 0;
	int rc = 0;

	head_init(out);
	*end = (struct msrp_head_end){0};
	if (!may_start(text))
		return E_SYNTAX;
	for (;;) {
		size_t lf = view_find(text, '\n', at), from = at;
		struct view line = view_of(text.p + from, lf - from);
		int bad;

		if (lf == text.n)
			return MSRP_HEAD_MORE;
		at = lf + 1;
		/* Every line ends with CRLF, and no CR stands elsewhere: it could forge a line. */
		if (!line.n || view_find(line, '\r', 0) != line.n - 1) {
			bad = E_SYNTAX;
		} else {
			line.n--;
			if (from && (line.n == 0 || view_starts(line, VIEW("-------")))) {
				out->raw = view_first(text, from);
				out->has_body = line.n == 0;
				end->n = at;
				return head_check(out, end, rc, line);
			}
			if (from && ++fields > MSRP_FIELDS_MAX)
				bad = E_LIMIT;
			else
				bad = from ? parse_field(line, out, &seen)
					   : parse_start_line(line, out);
		}
		if (!from && bad)
			return bad;
		if (!rc)
			rc = bad;
	}
}
