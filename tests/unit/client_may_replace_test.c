/* Who may have a running chat replaced (IC-8.3.1-2, RFC 3891 §5). */
#include "client_world.h"

/* An INVITE to ann; branch, From, tag, Call-ID, Contact, lines. */
static void invite(struct desk *d, const char *id, const char *from, const char *contact,
		   const char *lines)
{
	desk_deliver(d, view_str(desk_textf(
				d,
				"INVITE sip:ann@192.0.2.7:5060 SIP/2.0\r\n"
				"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%s\r\n"
				"Max-Forwards: 70\r\nFrom: <%s>;tag=t-%s\r\n"
				"To: <sip:ann@example.com>\r\nCall-ID: call-%s\r\n"
				"CSeq: 1 INVITE\r\nContact: %s\r\n%s"
				"Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
				id, from, id, id, contact, lines, strlen(DESK_SDP), DESK_SDP)));
}

#define BO_CONTACT  "<sip:bo@192.0.2.1:5060>"
#define EVE_CONTACT "<sip:eve@192.0.2.1:5060>"
#define FOCUS	    "<sip:conf-1@192.0.2.1:5060>;isfocus"
#define FROM_BO	    "sip:bo@example.com"
#define FROM_EVE    "sip:eve@example.com"
#define FROM_FOCUS  "sip:conf-1@192.0.2.1:5060"
#define ASSERTED(x) "P-Asserted-Identity: <" x ">\r\n"
#define REFERRED(x) "Referred-By: <" x ">\r\n"

/* A chat with bo; the Replaces line that names it, with its Require. */
static const char *chat(struct desk *d, uint32_t *id)
{
	const char *ok;

	invite(d, "one", FROM_BO, BO_CONTACT, ASSERTED(FROM_BO) "Contribution-ID: chat-7\r\n");
	*id = desk_event(d, CONFAB_INVITED)->conversation;
	ok = desk_next(d, "SIP/2.0 200");
	assert_non_null(ok);
	desk_seat_opens(d);
	return desk_textf(d, "Replaces: call-one;to-tag=%s;from-tag=t-one\r\nRequire: replaces\r\n",
			  strstr(desk_field(d, ok, "To"), ";tag=") + 5);
}

static const struct {
	const char *from, *contact, *lines;
	bool allowed;
} senders[] = {
	/* Another user; one who says he is a focus; one who speaks for himself, or names nobody. */
	{FROM_EVE, EVE_CONTACT, ASSERTED(FROM_EVE), false},
	{FROM_EVE, FOCUS, ASSERTED(FROM_EVE), false},
	{FROM_EVE, FOCUS, ASSERTED(FROM_EVE) REFERRED(FROM_EVE), false},
	{FROM_BO, BO_CONTACT, "", false},
	/* A focus for somebody who is not in the chat. */
	{FROM_FOCUS, FOCUS, ASSERTED(FROM_FOCUS) REFERRED(FROM_EVE), false},
	/* The other party; the focus that he asked, by name or without. */
	{FROM_BO, BO_CONTACT, ASSERTED(FROM_BO), true},
	{FROM_FOCUS, FOCUS, ASSERTED(FROM_FOCUS) REFERRED(FROM_BO), true},
	{FROM_FOCUS, FOCUS, ASSERTED(FROM_FOCUS) REFERRED("sip:anonymous@anonymous.invalid"), true},
};

static void test_RFC_3891_5__a_chat_is_replaced_for_its_other_party_or_his_focus_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(senders) / sizeof(*senders); i++) {
		struct desk *d = desk_new();
		uint32_t id;
		const char *replaces = chat(d, &id);

		invite(d, "two", senders[i].from, senders[i].contact,
		       desk_textf(d, "%s%s", replaces, senders[i].lines));
		if (senders[i].allowed) {
			assert_non_null(desk_next(d, "SIP/2.0 200"));
		} else {
			assert_non_null(desk_next(d, "SIP/2.0 403"));
			/* The chat is what it was. */
			assert_null(desk_next(d, "BYE "));
			assert_null(desk_event(d, CONFAB_MOVING));
			assert_null(desk_event(d, CONFAB_ENDED));
		}
		desk_free(d);
	}
}

/* The other spelling of it, which RCS phones have: an invitation as any other. */
static void test_PEERS__session_replaces_of_a_stranger_moves_nothing(void **state)
{
	struct desk *d = desk_new();
	uint32_t id;

	(void)state;
	(void)chat(d, &id);
	invite(d, "two", FROM_FOCUS, FOCUS,
	       ASSERTED(FROM_FOCUS) REFERRED(FROM_EVE) "Session-Replaces: chat-7\r\n");
	assert_int_not_equal(desk_event(d, CONFAB_INVITED)->conversation, id);
	assert_null(desk_event(d, CONFAB_MOVING));
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_RFC_3891_5__a_chat_is_replaced_for_its_other_party_or_his_focus_alone),
		cmocka_unit_test(test_PEERS__session_replaces_of_a_stranger_moves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
