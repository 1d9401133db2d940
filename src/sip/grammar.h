/*
 * The basic rules of RFC 3261 §25.1 that several parsers of this room share: classes of
 * characters, white space with folds, tokens, quoted strings. Private to sip.
 */
#ifndef CONFAB_SIP_GRAMMAR_H
#define CONFAB_SIP_GRAMMAR_H

#include "base/view.h"

enum sip_char_class {
	SIP_CHAR_TOKEN = 0x01,
	SIP_CHAR_LWS = 0x02, /* SP, HTAB and the CR and LF of a fold */
	SIP_CHAR_DIGIT = 0x04,
	SIP_CHAR_HOST = 0x08, /* letters, digits, '-', '.', and '_', which real names have */
	SIP_CHAR_UNRESERVED = 0x10,
	SIP_CHAR_RESERVED = 0x20,
	SIP_CHAR_HEX = 0x40,
	SIP_CHAR_DISPLAY = 0x80, /* what a display name without quotes may hold, see there */
};

extern const uint8_t sip_char_classes[256];

static inline bool sip_char_is(char c, unsigned classes)
{
	return (sip_char_classes[(unsigned char)c] & classes) != 0;
}

/* Index of the first byte at or after from that is in none of the classes; v.n at the end. */
static inline size_t sip_span(struct view v, unsigned classes, size_t from)
{
	while (from < v.n && sip_char_is(v.p[from], classes))
		from++;
	return from;
}

static inline void sip_skip_lws(struct view *v)
{
	*v = view_from(*v, sip_span(*v, SIP_CHAR_LWS, 0));
}

/* Cuts the token off the front; empty where there is none. */
static inline struct view sip_take_token(struct view *v)
{
	size_t n = sip_span(*v, SIP_CHAR_TOKEN, 0);
	struct view token = view_first(*v, n);

	*v = view_from(*v, n);
	return token;
}

static inline bool sip_is_token(struct view v)
{
	return v.n && sip_span(v, SIP_CHAR_TOKEN, 0) == v.n;
}

/* Cuts LWS c LWS off the front; false and nothing taken when c is not there. */
bool sip_take_char(struct view *v, char c);
/* Length of the quoted string v begins with, both quotes included; 0 when it does not end. */
size_t sip_quoted_span(struct view v);
/* Cuts "host[:port]" off the front, white space around the colon allowed. *port_out is 0 where none
 * is given. E_SYNTAX: no host, a bad IPv6 reference, a port that is not 1..65535. */
int sip_take_hostport(struct view *v, struct view *host_out, uint16_t *port_out);

/* A message head as logical lines: folds belong to the line they continue. */
enum sip_head_result {
	SIP_HEAD_END,  /* the empty line; *at is the start of the body */
	SIP_HEAD_LINE, /* *line without its end */
	SIP_HEAD_BAD,  /* the same, but there is a CR in it that ends no line */
	SIP_HEAD_CUT,  /* bytes end before the line does */
};
enum sip_head_result sip_head_next(struct view bytes, size_t *at, struct view *line);
/* "Name : value" cut in two and trimmed. E_SYNTAX: no colon, or a name that is no token. */
int sip_head_field(struct view line, struct view *name_out, struct view *value_out);

#endif
