#include "sip/stun.h"

#include "base/error.h"

enum {
	HEAD_BYTES = 20,
	COOKIE_AT = 4,
	ID_AT = 8,
	FINGERPRINT_BYTES = 8,
	ATTR_MAPPED_ADDRESS = 0x0001,
	ATTR_USERNAME = 0x0006,
	ATTR_MESSAGE_INTEGRITY = 0x0008,
	ATTR_ERROR_CODE = 0x0009,
	ATTR_UNKNOWN_ATTRIBUTES = 0x000a,
	ATTR_XOR_MAPPED_ADDRESS = 0x0020,
	ATTR_FINGERPRINT = 0x8028,
	UNKNOWN_ATTRIBUTE = 420,
};

static const uint32_t cookie = 0x2112a442, fingerprint_xor = 0x5354554e;

static unsigned byte_at(struct view v, size_t i)
{
	return (unsigned char)v.p[i];
}

static uint16_t u16_at(struct view v, size_t i)
{
	return (uint16_t)(byte_at(v, i) << 8 | byte_at(v, i + 1));
}

static uint32_t u32_at(struct view v, size_t i)
{
	return (uint32_t)u16_at(v, i) << 16 | u16_at(v, i + 2);
}

/* ITU V.42, as §15.5 has it. */
static uint32_t crc32_of(struct view v)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < v.n; i++) {
		crc ^= byte_at(v, i);
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

bool stun_is(struct view d)
{
	return d.n >= HEAD_BYTES && byte_at(d, 0) < 0x40 && u32_at(d, COOKIE_AT) == cookie;
}

/* §15.1, §15.2: the address is mixed with the cookie, and for IPv6 with the id behind it. */
static void read_address(struct view value, struct view mix, bool mixed, struct addr *out)
{
	struct addr a = {0};
	size_t n;

	if (value.n < 8)
		return;
	a.family = byte_at(value, 1) == 1 ? 4 : byte_at(value, 1) == 2 ? 6 : 0;
	n = a.family == 4 ? 4 : 16;
	if (!a.family || value.n != 4 + n)
		return;
	a.port = u16_at(value, 2);
	if (mixed)
		a.port ^= u16_at(mix, 0);
	for (size_t i = 0; i < n; i++)
		a.ip[i] = (uint8_t)(byte_at(value, 4 + i) ^ (mixed ? byte_at(mix, i) : 0));
	*out = a;
}

static void note_unknown(struct stun *s, uint16_t type)
{
	if (s->n_unknown < STUN_UNKNOWN_MAX)
		s->unknown[s->n_unknown++] = type;
}

struct attribute_place {
	struct view message;
	size_t at;
	bool seen_xor;
};

static int read_attribute(struct stun *s, struct attribute_place *p, uint16_t type,
			  struct view value)
{
	struct view mix = view_from(p->message, COOKIE_AT);

	switch (type) {
	case ATTR_MAPPED_ADDRESS:
		if (!p->seen_xor)
			read_address(value, mix, false, &s->mapped);
		break;
	case ATTR_XOR_MAPPED_ADDRESS:
		read_address(value, mix, true, &s->mapped);
		p->seen_xor = true;
		break;
	case ATTR_ERROR_CODE:
		if (value.n >= 4)
			s->error = (uint16_t)((byte_at(value, 2) & 7) * 100 + byte_at(value, 3));
		break;
	case ATTR_FINGERPRINT:
		if (value.n != 4 || p->at + FINGERPRINT_BYTES != p->message.n ||
		    u32_at(value, 0) != (crc32_of(view_first(p->message, p->at)) ^ fingerprint_xor))
			return E_SYNTAX;
		break;
	case ATTR_USERNAME:
	case ATTR_MESSAGE_INTEGRITY:
	case ATTR_UNKNOWN_ATTRIBUTES:
		break; /* known, and of no use to a keep-alive */
	default:
		if (type < 0x8000)
			note_unknown(s, type);
	}
	return 0;
}

int stun_parse(struct view d, struct stun *out)
{
	struct attribute_place p = {.message = d, .at = HEAD_BYTES};
	struct stun s = {0};
	unsigned type;

	if (!stun_is(d))
		return E_SYNTAX;
	if (d.n > STUN_BYTES_MAX)
		return E_LIMIT;
	if (d.n % 4 || u16_at(d, 2) + (size_t)HEAD_BYTES != d.n)
		return E_SYNTAX;
	type = u16_at(d, 0);
	s.class = (enum stun_class)((type >> 4 & 1) | (type >> 7 & 2));
	s.method = (uint16_t)((type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80));
	memcpy(s.id, d.p + ID_AT, STUN_ID_BYTES);
	while (p.at < d.n) {
		size_t n, padded;
		int rc;

		if (d.n - p.at < 4)
			return E_SYNTAX;
		n = u16_at(d, p.at + 2);
		padded = (n + 3) & ~(size_t)3;
		if (padded > d.n - p.at - 4)
			return E_SYNTAX;
		rc = read_attribute(&s, &p, u16_at(d, p.at), view_of(d.p + p.at + 4, n));
		if (rc)
			return rc;
		p.at += 4 + padded;
	}
	*out = s;
	return 0;
}

static void put_u16(struct buf *b, unsigned x)
{
	buf_putc(b, (char)(x >> 8));
	buf_putc(b, (char)x);
}

static void put_u32(struct buf *b, uint32_t x)
{
	put_u16(b, x >> 16);
	put_u16(b, x & 0xffff);
}

static size_t put_head(struct buf *b, enum stun_class class, const uint8_t id[STUN_ID_BYTES])
{
	size_t at = b->n;

	put_u16(b, STUN_BINDING | ((unsigned)class & 1) << 4 | ((unsigned)class & 2) << 7);
	put_u16(b, 0);
	put_u32(b, cookie);
	buf_put(b, view_of((const char *)id, STUN_ID_BYTES));
	return at;
}

/* FINGERPRINT stands last, and counts in the length that it covers (§15.5). */
static void put_end(struct buf *b, size_t at)
{
	size_t n = b->n - at - HEAD_BYTES + FINGERPRINT_BYTES;
	uint32_t crc;

	if (!buf_ok(b))
		return;
	b->p[at + 2] = (char)(n >> 8);
	b->p[at + 3] = (char)n;
	crc = crc32_of(view_of(b->p + at, b->n - at)) ^ fingerprint_xor;
	put_u16(b, ATTR_FINGERPRINT);
	put_u16(b, 4);
	put_u32(b, crc);
}

void stun_write_request(struct buf *b, const uint8_t id[STUN_ID_BYTES])
{
	put_end(b, put_head(b, STUN_REQUEST, id));
}

static void put_mapped(struct buf *b, const struct stun *request, const struct addr *from)
{
	size_t n = from->family == 4 ? 4 : 16;
	uint8_t mix[16] = {0x21, 0x12, 0xa4, 0x42}; /* the cookie */

	memcpy(mix + 4, request->id, STUN_ID_BYTES);
	put_u16(b, ATTR_XOR_MAPPED_ADDRESS);
	put_u16(b, (unsigned)(4 + n));
	put_u16(b, from->family == 4 ? 1 : 2);
	put_u16(b, from->port ^ (cookie >> 16));
	for (size_t i = 0; i < n; i++)
		buf_putc(b, (char)(from->ip[i] ^ mix[i]));
}

static void put_unknown(struct buf *b, const struct stun *request)
{
	struct view reason = VIEW("Unknown Attribute"); /* 17 bytes, three of padding */

	put_u16(b, ATTR_ERROR_CODE);
	put_u16(b, (unsigned)(4 + reason.n));
	put_u16(b, 0);
	put_u16(b, UNKNOWN_ATTRIBUTE / 100 << 8 | UNKNOWN_ATTRIBUTE % 100);
	buf_put(b, reason);
	for (size_t i = reason.n; i % 4; i++)
		buf_putc(b, '\0');
	put_u16(b, ATTR_UNKNOWN_ATTRIBUTES);
	put_u16(b, (unsigned)(2 * request->n_unknown));
	for (size_t i = 0; i < request->n_unknown; i++)
		put_u16(b, request->unknown[i]);
	if (request->n_unknown % 2)
		put_u16(b, 0);
}

void stun_write_answer(struct buf *b, const struct stun *request, const struct addr *from)
{
	size_t at = put_head(b, request->n_unknown ? STUN_ERROR : STUN_SUCCESS, request->id);

	if (request->n_unknown)
		put_unknown(b, request);
	else
		put_mapped(b, request, from);
	put_end(b, at);
}
