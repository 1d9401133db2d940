/*
 * NICKNAME (RFC 7701 §7): a name that one user alone has in a conference, as long as his session
 * lasts.
 *
 * Nicknames are compared as RFC 7700 has it, as far as that goes without tables of all scripts:
 * spaces count once, and ASCII letters count the same in both cases.
 */
#include "switch/shard.h"

#include <stdlib.h>

enum { NICKNAME_MAX = 1023, NAMING_MS = 1000 };

const char *switch_seat_name(const struct seat *seat)
{
	return seat->nickname ? seat->nickname : seat->display;
}

/* The length of the UTF-8 character at the front of v (RFC 3629), or 0: none. */
static size_t utf8_length(struct view v)
{
	uint8_t c = (uint8_t)v.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;

	if (c < 0x80)
		return c < 0x20 || c == 0x7f ? 0 : 1;
	if (c < 0xc2 || c > 0xf4 || v.n < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (((uint8_t)v.p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, what is beyond Unicode, and the C1 controls. */
	if ((c == 0xc2 && (uint8_t)v.p[1] < 0xa0) || (c == 0xe0 && (uint8_t)v.p[1] < 0xa0) ||
	    (c == 0xed && (uint8_t)v.p[1] > 0x9f) || (c == 0xf0 && (uint8_t)v.p[1] < 0x90) ||
	    (c == 0xf4 && (uint8_t)v.p[1] > 0x8f))
		return 0;
	return n;
}

/* The content of a quoted-string (RFC 4975 §9) into name, and its compared form into key. False:
 * malformed. */
static bool prepare(struct view quoted, char name[NICKNAME_MAX + 1], char key[NICKNAME_MAX + 1])
{
	size_t n = 0, k = 0;

	if (!quoted.p || quoted.n > NICKNAME_MAX)
		return false;
	while (quoted.n) {
		size_t length;

		if (quoted.p[0] == '"')
			return false;
		if (quoted.p[0] == '\\')
			quoted = view_from(quoted, 1);
		length = quoted.n ? utf8_length(quoted) : 0;
		if (!length)
			return false;
		memcpy(name + n, quoted.p, length);
		n += length;
		quoted = view_from(quoted, length);
	}
	name[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (c == ' ' && (k == 0 || key[k - 1] == ' '))
			continue;
		key[k++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	while (k && key[k - 1] == ' ')
		k--;
	key[k] = '\0';
	return n == 0 || k > 0;
}

static bool in_use(const struct seat *by, const char *key)
{
	const struct conference *conf = by->conference;

	for (size_t i = 0; i < conf->n; i++) {
		const struct seat *seat = conf->seat[i];

		/* §7.1: the same user may have it at several phones. */
		if (seat->nickname_key && strcmp(seat->nickname_key, key) == 0 &&
		    strcmp(seat->key, by->key) != 0)
			return true;
	}
	return false;
}

/* §7.4: the focus tells the others. However often somebody changes his name, he sends them no more
 * than one notice in a while: his last one. */
static void tell(struct seat *seat, uint64_t now_ms)
{
	if (timer_armed(&seat->naming))
		return;
	if (seat->named && now_ms - seat->named_ms < NAMING_MS) {
		timer_arm(seat->shard->timers, &seat->naming, seat->named_ms + NAMING_MS);
		return;
	}
	seat->named = true;
	seat->named_ms = now_ms;
	switch_seat_event(seat, SWITCH_EV_SEAT_NAMED, 0);
}

void switch_nickname_due(void *ctx, uint64_t now_ms)
{
	tell(ctx, now_ms);
}

/* 200, or what the request is refused with; the old nickname then stays (§7.2). */
static int take(struct seat *seat, struct view quoted, uint64_t now_ms)
{
	char name[NICKNAME_MAX + 1], key[NICKNAME_MAX + 1];
	char *kept = NULL, *kept_key = NULL;
	bool changes;

	if (!seat->shard->cfg.nicknames)
		return 403;
	if (!prepare(quoted, name, key))
		return 424;
	if (*name) {
		if (in_use(seat, key))
			return 425;
		kept = view_dup(view_str(name));
		kept_key = view_dup(view_str(key));
		if (!kept || !kept_key) {
			free(kept);
			free(kept_key);
			return 413;
		}
	}
	changes = !view_eq(view_str(kept), view_str(seat->nickname));
	free(seat->nickname);
	free(seat->nickname_key);
	seat->nickname = kept;
	seat->nickname_key = kept_key;
	if (changes)
		tell(seat, now_ms);
	return 200;
}

void switch_nickname(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
		     uint64_t now_ms)
{
	if (!seat || !seat->conference || !seat->conn)
		switch_conn_answer(c, h, 481);
	else if (seat->conn != c)
		switch_conn_answer(c, h, 506);
	else
		switch_conn_answer(c, h, take(seat, h->use_nickname, now_ms));
	switch_inbound_new(c, INBOUND_SKIP);
}
