#include "body/sdp.h"

#include "base/error.h"
#include "body/mime.h"

/* Which lines were seen in the current section: the first of a kind wins, but a media line wins
 * over the session's. */
enum {
	SEEN_CONNECTION = 1,
	SEEN_PATH = 2,
	SEEN_TYPES = 4,
	SEEN_WRAPPED = 8,
	SEEN_SIZE = 16,
	SEEN_SETUP = 32,
	SEEN_DIRECTION = 64,
	SEEN_FINGERPRINT = 128,
	SEEN_CHATROOM = 256,
};

struct sdp_reader {
	struct sdp s;
	struct sdp_msrp session; /* what the media inherit */
	struct sdp_msrp *now;	 /* the section that lines belong to */
	unsigned seen;
	bool has_origin;
};

static bool first_of(struct sdp_reader *r, unsigned kind)
{
	bool first = !(r->seen & kind);

	r->seen |= kind;
	return first;
}

/* The next token of a line of tokens parted by SP. */
static struct view token_next(struct view *rest)
{
	while (rest->n && rest->p[0] == ' ')
		*rest = view_from(*rest, 1);
	return view_cut(rest, ' ');
}

static int read_origin(struct sdp_reader *r, struct view value)
{
	struct view nettype, addrtype;

	if (r->has_origin || r->now != &r->session)
		return E_SYNTAX;
	r->s.username = token_next(&value);
	r->s.sess_id = token_next(&value);
	r->s.sess_version = token_next(&value);
	nettype = token_next(&value);
	addrtype = token_next(&value);
	r->s.addr = token_next(&value);
	if (view_empty(r->s.addr) || view_empty(nettype) || view_empty(addrtype))
		return E_SYNTAX;
	r->has_origin = true;
	return 0;
}

static int read_connection(struct sdp_reader *r, struct view value)
{
	struct view nettype = token_next(&value);
	struct view addrtype = token_next(&value);
	struct view host = token_next(&value);

	if (view_empty(host))
		return E_SYNTAX;
	if (!first_of(r, SEEN_CONNECTION))
		return 0;
	r->now->host = (struct view){0};
	r->now->family = 0;
	if (!view_eq_nocase(nettype, VIEW("IN")))
		return 0;
	if (view_eq_nocase(addrtype, VIEW("IP4")))
		r->now->family = 4;
	else if (view_eq_nocase(addrtype, VIEW("IP6")))
		r->now->family = 6;
	else
		return 0;
	r->now->host = view_cut(&host, '/');
	return 0;
}

static int read_media(struct sdp_reader *r, struct view value)
{
	struct sdp_media m = {.index = r->s.n_media};
	struct view port, number;
	uint32_t n;
	int rc;

	if (r->s.n_media == SDP_MEDIA_MAX)
		return E_LIMIT;
	/* An answer repeats the line: what cannot be written is refused here. */
	if (mime_has_control(value))
		return E_SYNTAX;
	m.type = token_next(&value);
	port = token_next(&value);
	number = view_cut(&port, '/');
	m.proto = token_next(&value);
	m.fmt = view_trim(value);
	rc = view_to_u32(number, &n);
	if (rc)
		return rc;
	if (n > 65535)
		return E_RANGE;
	if (view_empty(m.proto) || view_empty(m.fmt))
		return E_SYNTAX;
	m.port = (uint16_t)n;
	m.msrp = r->session;
	m.msrp.port = m.port;
	m.msrp.tls = view_eq_nocase(m.proto, VIEW("TCP/TLS/MSRP"));
	r->s.media[r->s.n_media] = m;
	r->now = &r->s.media[r->s.n_media].msrp;
	r->s.n_media++;
	r->seen = 0;
	return 0;
}

static int read_max_size(struct sdp_reader *r, struct view value)
{
	uint64_t size;
	int rc = view_to_u64(value, &size);

	if (rc == E_SYNTAX)
		return rc;
	/* It is a hint (RFC 4975 §8.6): a number beyond 64 bits is a very large one. */
	if (first_of(r, SEEN_SIZE))
		r->now->max_size = rc ? UINT64_MAX : size;
	return 0;
}

static const char *const setup_text[] = {
	[SDP_SETUP_NONE] = "",
	[SDP_SETUP_ACTIVE] = "active",
	[SDP_SETUP_PASSIVE] = "passive",
	[SDP_SETUP_ACTPASS] = "actpass",
	[SDP_SETUP_HOLDCONN] = "holdconn",
};

static enum sdp_setup read_setup(struct view value)
{
	for (int i = SDP_SETUP_ACTIVE; i <= SDP_SETUP_HOLDCONN; i++)
		if (view_eq_nocase(value, view_str(setup_text[i])))
			return (enum sdp_setup)i;
	return SDP_SETUP_NONE;
}

static const char *const direction_text[] = {
	[SDP_SENDRECV] = "sendrecv",
	[SDP_SENDONLY] = "sendonly",
	[SDP_RECVONLY] = "recvonly",
	[SDP_INACTIVE] = "inactive",
};

static void read_direction(struct sdp_reader *r, struct view name)
{
	for (int i = SDP_SENDRECV; i <= SDP_INACTIVE; i++)
		if (view_eq(name, view_str(direction_text[i])) && first_of(r, SEEN_DIRECTION))
			r->now->direction = (enum sdp_direction)i;
}

static void read_text(struct sdp_reader *r, unsigned kind, struct view *to, struct view value)
{
	if (first_of(r, kind))
		*to = value;
}

/* RFC 8122 §5: there may be several, by different hashes; SHA-256 is the one that all know. */
static void read_fingerprint(struct sdp_reader *r, struct sdp_msrp *m, struct view value)
{
	if (view_starts_nocase(value, VIEW("SHA-256 ")) &&
	    !view_starts_nocase(m->fingerprint, VIEW("SHA-256 ")))
		r->seen &= ~(unsigned)SEEN_FINGERPRINT;
	read_text(r, SEEN_FINGERPRINT, &m->fingerprint, value);
}

static int read_attribute(struct sdp_reader *r, struct view value)
{
	struct view name = view_cut(&value, ':');
	struct sdp_msrp *m = r->now;

	value = view_trim(value);
	if (view_eq(name, VIEW("max-size")))
		return read_max_size(r, value);
	if (view_eq(name, VIEW("path"))) {
		read_text(r, SEEN_PATH, &m->path, value);
	} else if (view_eq(name, VIEW("accept-types"))) {
		read_text(r, SEEN_TYPES, &m->accept_types, value);
	} else if (view_eq(name, VIEW("accept-wrapped-types"))) {
		read_text(r, SEEN_WRAPPED, &m->accept_wrapped_types, value);
	} else if (view_eq(name, VIEW("fingerprint"))) {
		read_fingerprint(r, m, value);
	} else if (view_eq(name, VIEW("setup"))) {
		if (first_of(r, SEEN_SETUP))
			m->setup = read_setup(value);
	} else if (view_eq(name, VIEW("chatroom"))) {
		m->has_chatroom = true;
		read_text(r, SEEN_CHATROOM, &m->chatroom, value);
	} else if (view_eq(name, VIEW("msrp-cema"))) {
		m->msrp_cema = true;
	} else {
		read_direction(r, name);
	}
	return 0;
}

/* Only these hold for the whole session; a path there belongs to no media. */
static void keep_inherited(struct sdp_msrp *m)
{
	m->path = m->accept_types = m->accept_wrapped_types = m->chatroom = (struct view){0};
	m->has_chatroom = m->msrp_cema = false;
	m->max_size = 0;
}

static int read_line(struct sdp_reader *r, struct view line)
{
	struct view value;

	if (line.n < 2 || line.p[1] != '=' || line.p[0] < 'a' || line.p[0] > 'z')
		return E_SYNTAX;
	/* RFC 8866 §9, byte-string: no NUL, CR or LF. */
	if (view_find(line, '\0', 0) < line.n || view_find(line, '\r', 0) < line.n)
		return E_SYNTAX;
	value = view_from(line, 2);
	switch (line.p[0]) {
	case 'o':
		return read_origin(r, value);
	case 'c':
		return read_connection(r, value);
	case 't':
		if (mime_has_control(value))
			return E_SYNTAX;
		if (view_empty(r->s.timing))
			r->s.timing = view_trim(value);
		return 0;
	case 'm':
		keep_inherited(&r->session);
		return read_media(r, value);
	case 'a':
		return read_attribute(r, value);
	default:
		return 0;
	}
}

static struct view line_next(struct view *rest)
{
	struct view line = view_cut(rest, '\n');

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

int sdp_parse(struct view bytes, struct sdp *out)
{
	struct sdp_reader r = {0};

	r.now = &r.session;
	if (!view_eq(view_trim(line_next(&bytes)), VIEW("v=0")))
		return E_SYNTAX;
	while (bytes.n) {
		struct view line = line_next(&bytes);
		int rc;

		/* Empty lines at the end are a common slip. */
		if (view_empty(line) && view_empty(view_trim(bytes)))
			break;
		rc = read_line(&r, line);
		if (rc)
			return rc;
	}
	if (!r.has_origin)
		return E_MISSING;
	*out = r.s;
	return 0;
}

static const struct sdp_media *msrp_from(const struct sdp *s, size_t i)
{
	for (; i < s->n_media; i++) {
		const struct sdp_media *m = &s->media[i];

		if (m->port && view_eq_nocase(m->type, VIEW("message")) &&
		    (m->msrp.tls || view_eq_nocase(m->proto, VIEW("TCP/MSRP"))) &&
		    !view_empty(m->msrp.path) && !view_empty(m->msrp.accept_types))
			return m;
	}
	return NULL;
}

const struct sdp_media *sdp_find_msrp(const struct sdp *s)
{
	return msrp_from(s, 0);
}

const struct sdp_media *sdp_next_msrp(const struct sdp *s, const struct sdp_media *media)
{
	return msrp_from(s, (size_t)media->index + 1);
}

static bool entry_covers(struct view entry, struct view type)
{
	struct view any = VIEW("/*");

	entry = view_cut(&entry, ';');
	if (view_eq(entry, VIEW("*")) || view_eq(entry, VIEW("*/*")))
		return true;
	if (view_ends(entry, any) && entry.n > any.n)
		return type.n >= entry.n &&
		       view_starts_nocase(type, view_first(entry, entry.n - 1));
	return view_eq_nocase(entry, type);
}

bool sdp_accepts(struct view accept_list, struct view type)
{
	type = view_trim(view_cut(&type, ';'));
	if (view_empty(type))
		return false;
	while (accept_list.n)
		if (entry_covers(token_next(&accept_list), type))
			return true;
	return false;
}

enum sdp_setup sdp_setup_answer(enum sdp_setup offered, enum sdp_setup wanted)
{
	switch (offered) {
	case SDP_SETUP_ACTPASS:
		return wanted == SDP_SETUP_ACTIVE ? SDP_SETUP_ACTIVE : SDP_SETUP_PASSIVE;
	case SDP_SETUP_PASSIVE:
		return SDP_SETUP_ACTIVE;
	case SDP_SETUP_HOLDCONN:
		return SDP_SETUP_HOLDCONN;
	default:
		return SDP_SETUP_PASSIVE;
	}
}

enum sdp_direction sdp_direction_answer(enum sdp_direction offered, enum sdp_direction wanted)
{
	bool send = offered != SDP_SENDONLY && offered != SDP_INACTIVE && wanted != SDP_RECVONLY &&
		    wanted != SDP_INACTIVE;
	bool receive = offered != SDP_RECVONLY && offered != SDP_INACTIVE &&
		       wanted != SDP_SENDONLY && wanted != SDP_INACTIVE;

	if (send)
		return receive ? SDP_SENDRECV : SDP_SENDONLY;
	return receive ? SDP_RECVONLY : SDP_INACTIVE;
}

static void put_value(struct buf *b, struct view v)
{
	if (mime_has_control(v))
		b->failed = true;
	else
		buf_put(b, v);
}

static void put_line(struct buf *b, const char *lead, struct view v)
{
	if (view_empty(v))
		return;
	buf_puts(b, lead);
	put_value(b, v);
	buf_puts(b, "\r\n");
}

/* "IN IP6 2001:db8::1" */
static void put_addr(struct buf *b, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct view host = view_str(addr_host(a, text));

	if (a->family != 4 && a->family != 6)
		b->failed = true;
	if (a->family == 6)
		host = view_of(host.p + 1, host.n - 2);
	buf_puts(b, a->family == 6 ? "IN IP6 " : "IN IP4 ");
	buf_put(b, host);
	buf_puts(b, "\r\n");
}

static void put_session(struct buf *b, const struct sdp_local *l, struct view timing)
{
	if (view_find(l->username, ' ', 0) < l->username.n)
		b->failed = true;
	buf_puts(b, "v=0\r\no=");
	put_value(b, view_empty(l->username) ? VIEW("-") : l->username);
	buf_putc(b, ' ');
	buf_put_u64(b, l->sess_id);
	buf_putc(b, ' ');
	buf_put_u64(b, l->sess_version);
	buf_putc(b, ' ');
	put_addr(b, &l->addr);
	buf_puts(b, "s=-\r\nc=");
	put_addr(b, &l->addr);
	put_line(b, "t=", view_empty(timing) ? VIEW("0 0") : timing);
}

static void put_media(struct buf *b, struct view proto, const struct sdp_local *l)
{
	buf_puts(b, "m=message ");
	buf_put_u64(b, l->addr.port);
	buf_putc(b, ' ');
	put_value(b, proto);
	buf_puts(b, " *\r\n");
	put_line(b, "a=path:", l->path);
	put_line(b, "a=accept-types:", l->accept_types);
	put_line(b, "a=accept-wrapped-types:", l->accept_wrapped_types);
	if (l->setup != SDP_SETUP_NONE)
		put_line(b, "a=setup:", view_str(setup_text[l->setup]));
	if (l->max_size) {
		buf_puts(b, "a=max-size:");
		buf_put_u64(b, l->max_size);
		buf_puts(b, "\r\n");
	}
	if (l->direction != SDP_SENDRECV)
		put_line(b, "a=", view_str(direction_text[l->direction]));
	put_line(b, "a=fingerprint:", l->fingerprint);
	if (l->has_chatroom && view_empty(l->chatroom))
		buf_puts(b, "a=chatroom\r\n");
	else if (l->has_chatroom)
		put_line(b, "a=chatroom:", l->chatroom);
	if (l->msrp_cema)
		buf_puts(b, "a=msrp-cema\r\n");
}

void sdp_write_msrp(struct buf *b, const struct sdp_local *l)
{
	put_session(b, l, (struct view){0});
	put_media(b, l->tls ? VIEW("TCP/TLS/MSRP") : VIEW("TCP/MSRP"), l);
}

void sdp_write_answer(struct buf *b, const struct sdp *offer, const struct sdp_media *chosen,
		      const struct sdp_local *l)
{
	/* RFC 3264 §6: the t= line of an answer equals that of the offer. */
	put_session(b, l, offer->timing);
	for (size_t i = 0; i < offer->n_media; i++) {
		const struct sdp_media *m = &offer->media[i];

		if (m == chosen) {
			put_media(b, m->proto, l);
			continue;
		}
		buf_puts(b, "m=");
		put_value(b, m->type);
		buf_puts(b, " 0 ");
		put_value(b, m->proto);
		buf_putc(b, ' ');
		put_value(b, m->fmt);
		buf_puts(b, "\r\n");
	}
}
