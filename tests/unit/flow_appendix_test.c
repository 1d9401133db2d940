/* The appendix of the source (tests/data/appendix): what of its example is tolerated, and what the
 * rest is answered with (R-5 to R-8). Each message is sent as it is printed; then without the blank
 * lines and indents of the print, which is taken as what was meant; then with one error corrected
 * after the other. */
#include "client_world.h"
#include "flow_phone.h"

#define PRINTED true
#define MEANT	false
/* Of the 142 bytes that the example counts. */
#define ALICE_SDP                                                                                  \
	"v=0\r\no=- 1 1 IN IP4 192.0.2.33\r\ns=-\r\nc=IN IP4 192.0.2.33\r\nt=0 0\r\n"              \
	"m=message 9 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://192.0.2.33:9/ab;tcp\r\n"
#define NOT_SHOWN "(Alice's SDP not shown)\r\n"

enum { TEXT = 16384 };

/* --- the example --- */

static void put_line(char *out, const char *line, size_t n)
{
	size_t at = strlen(out);

	assert_true(at + n + 3 < TEXT);
	memcpy(out + at, line, n);
	memcpy(out + at + n, "\r\n", 3);
}

/* The head ends where it says how long the body is; the last message has none. */
static char *example(const char *name, bool printed)
{
	static char out[TEXT];
	char path[512], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/appendix/%s.txt", TEST_DATA, name);
	f = fopen(path, "r");
	assert_non_null(f);
	out[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		size_t n = strcspn(line, "\n"), indent = strspn(line, " ");

		if (printed) {
			put_line(out, line, n);
		} else if (indent < n) {
			put_line(out, line + indent, n - indent);
			if (strncmp(line + indent, "Content-Length", 14) == 0 &&
			    strcmp(name, "replaces") != 0)
				put_line(out, "", 0);
		}
	}
	assert_int_equal(fclose(f), 0);
	if (!printed && strcmp(name, "replaces") == 0)
		put_line(out, "", 0);
	return out;
}

/* Puts one thing in another's place; it stands there once. */
static void correct(char *text, const char *from, const char *to)
{
	char *at = strstr(text, from), rest[TEXT];

	assert_non_null(at);
	assert_null(strstr(at + 1, from));
	snprintf(rest, sizeof(rest), "%s", at + strlen(from));
	snprintf(at, TEXT - (size_t)(at - text), "%s%s", to, rest);
}

/* Content-Length as it is. */
static void count(char *text)
{
	char *at = strstr(text, "Content-Length: "), line[64];
	size_t n = strlen(strstr(text, "\r\n\r\n") + 4);

	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\r"), at);
	if (atoi(line + 16) == (int)n)
		return;
	correct(text, line, "Content-Length: #");
	snprintf(line, sizeof(line), "Content-Length: %zu", n);
	correct(text, "Content-Length: #", line);
}

/* --- the server, Alice, and those whom she names --- */

struct stage {
	struct flow_world *w;
	struct addr at;
	struct phone *bob, *bill;
	char got[TEXT]; /* the last final answer to Alice */
	unsigned n_got;
};

static void alice_got(void *ctx, struct view bytes, const struct addr *from)
{
	struct stage *s = ctx;

	(void)from;
	if (view_starts(bytes, VIEW("SIP/2.0 1")) || !view_starts(bytes, VIEW("SIP/2.0")))
		return;
	assert_true(view_copy(bytes, s->got, sizeof(s->got)));
	s->n_got++;
}

static void stage_open(struct stage *s, bool assume_im)
{
	static const struct view domains[] = {
		{"example.com", 11}, {"atlanta.com", 11}, {"biloxi.com", 10}, {"example.net", 11}};

	*s = (struct stage){.w = world_new(5), .at = world_addr("192.0.2.33:5060")};
	s->w->server.core_cfg.domains = domains;
	s->w->server.core_cfg.n_domains = 4;
	s->w->server.core_cfg.auth_required = false;
	s->w->server.core_cfg.im_tag = assume_im ? CORE_IM_ASSUME : CORE_IM_REQUIRE;
	s->w->server.cfg.assume_im = assume_im;
	s->w->server.cfg.factory_user = VIEW("conf-fact");
	world_start(s->w);
	net_listen(&s->w->net, "alice", &s->at, NULL, alice_got, s);
	/* Without passwords, who has registered from there is believed. */
	net_send(&s->w->net, &s->at, &s->w->server.sip,
		 VIEW("REGISTER sip:atlanta.com SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKr\r\n"
		      "From: <sip:alice@atlanta.com>;tag=r\r\nTo: <sip:alice@atlanta.com>\r\n"
		      "Call-ID: r\r\nCSeq: 1 REGISTER\r\nContact: <sip:alice@192.0.2.33>\r\n"
		      "Content-Length: 0\r\n\r\n"));
	/* Its answer is not to be taken for one to what follows. */
	world_run(s->w, 100);
	assert_int_equal(s->n_got, 1);
	s->bob = phone_new(s->w, "bob", "bob@biloxi.com");
	s->bill = phone_new(s->w, "bill", "bill");
}

static void stage_end(struct stage *s)
{
	world_run(s->w, 300000);
	assert_int_equal(controlling_conference_count(s->w->server.controlling), 0);
	assert_int_equal(sip_stack_tx_count(s->w->server.stack), 0);
	phone_free(s->bob);
	phone_free(s->bill);
	world_free(s->w);
}

/* Alice sends it; "" or the start line of what she got. Each message is a request of its own: the
 * example gives two of them the same branch and CSeq. */
static const char *send_it(struct stage *s, const char *text)
{
	static char line[128];
	char own[TEXT], *branch;
	static unsigned n;

	snprintf(own, sizeof(own), "%s", text);
	branch = strstr(own, "776asdhds");
	if (branch) {
		char number[10];

		snprintf(number, sizeof(number), "%09u", ++n);
		memcpy(branch, number, 9);
	}
	s->n_got = 0;
	net_send(&s->w->net, &s->at, &s->w->server.sip, view_str(own));
	world_run(s->w, 300);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(s->got, "\r"), s->got);
	return s->n_got ? line : "";
}

/* --- as it is printed --- */

static void test_R_5__as_printed_there_is_nobody_to_answer(void **state)
{
	static const char *const name[] = {"chat", "answer", "factory", "replaces"};
	struct stage s;

	(void)state;
	stage_open(&s, true);
	/* A blank line behind the first one ends the head: no Via says where an answer would go. */
	for (int i = 0; i < 4; i++)
		assert_string_equal(send_it(&s, example(name[i], PRINTED)), "");
	assert_int_equal(s.bob->n_invites, 0);
	assert_int_equal(s.w->server.opened, 0);
	/* It goes on all the same. */
	assert_int_equal(phone_request(s.bob, "OPTIONS", "sip:conf-fact@example.com", "", "", ""),
			 200);
	stage_end(&s);
}

/* --- the chat --- */

static void test_PF_9_1_2_1__the_chat_of_the_example_has_no_feature_tag(void **state)
{
	char *text = example("chat", MEANT);
	struct stage s;

	(void)state;
	stage_open(&s, false);
	/* "(Alice's SDP not shown)" is shorter than it says. */
	assert_string_equal(send_it(&s, text), "SIP/2.0 400 Body Shorter Than Content-Length");
	correct(text, NOT_SHOWN, ALICE_SDP);
	assert_string_equal(send_it(&s, text), "SIP/2.0 403 Service Not Authorised");
	assert_int_equal(s.bob->n_invites, 0);
	stage_end(&s);
}

static void test_R_12__with_assume_the_chat_of_the_example_reaches_bob(void **state)
{
	char *text = example("chat", MEANT);
	struct stage s;

	(void)state;
	stage_open(&s, true);
	correct(text, NOT_SHOWN, ALICE_SDP);
	assert_string_equal(send_it(&s, text), "SIP/2.0 200 OK");
	assert_int_equal(s.bob->n_invites, 1);
	assert_string_equal(field_of(s.bob->invite, "Call-ID"), "a84b4c76e66710");
	assert_non_null(strstr(s.bob->invite, ALICE_SDP));
	stage_end(&s);
}

/* --- the conference --- */

static void test_R_5__what_is_wrong_with_the_factory_call_is_said(void **state)
{
	char *text = example("factory", MEANT);
	struct stage s;

	(void)state;
	stage_open(&s, true);
	assert_string_equal(send_it(&s, text), "SIP/2.0 400 Multiple Content-Type");
	correct(text, "Content-Type: application/sdp\r\n", "");
	assert_string_equal(send_it(&s, text), "SIP/2.0 400 Bad Request-URI");
	correct(text, "INVITE conf-fact", "INVITE sip:conf-fact");
	/* What is no part of the list stands before it, and the length is another. */
	count(text);
	assert_string_equal(send_it(&s, text), "SIP/2.0 400 Malformed Recipient List");
	correct(text, NOT_SHOWN, "");
	count(text);
	assert_string_equal(send_it(&s, text), "SIP/2.0 400 Malformed Recipient List");
	assert_int_equal(s.w->server.opened, 0);
	assert_int_equal(s.bob->n_invites + s.bill->n_invites, 0);
	stage_end(&s);
}

/* What is left of its errors is tolerated: the option tag of another RFC, an entry without a
 * scheme, its header unescaped, blanks in it. */
static void accepted(char *text)
{
	struct stage s;

	stage_open(&s, true);
	assert_non_null(strstr(text, "Require: recipient-list-subscribe\r\n"));
	assert_non_null(strstr(text, "Supported: eventlist\r\n"));
	assert_non_null(strstr(text, "\"bob@biloxi.com;method=INVITE?Replaces: "));
	assert_string_equal(send_it(&s, text), "SIP/2.0 200 OK");
	assert_non_null(strstr(field_of(s.got, "Contact"), ";isfocus"));
	world_run(s.w, 2000);
	/* R-6: what goes out is the published form. */
	assert_int_equal(s.bob->n_invites, 1);
	assert_string_equal(field_of(s.bob->invite, "To"), "<sip:bob@biloxi.com>");
	assert_string_equal(field_of(s.bob->invite, "Replaces"),
			    "a84b4c76e66710;to-tag=1928301774;from-tag=a6c85cf");
	assert_string_equal(field_of(s.bob->invite, "Require"), "replaces");
	assert_string_equal(field_of(s.bob->invite, "Referred-By"), "<sip:alice@atlanta.com>");
	/* R-8 */
	assert_non_null(strstr(field_of(s.bob->invite, "Contact"), ";isfocus"));
	assert_string_equal(field_of(s.bob->invite, "Feature-Tag"), "");
	assert_int_equal(s.bill->n_invites, 1);
	assert_string_equal(field_of(s.bill->invite, "Replaces"), "");
	stage_end(&s);
}

static void test_R_5_and_R_6__the_factory_call_without_its_broken_xml_is_taken(void **state)
{
	char *text = example("factory", MEANT);

	(void)state;
	correct(text, "INVITE conf-fact", "INVITE sip:conf-fact");
	correct(text, "Content-Type: application/sdp\r\n", "");
	correct(text, NOT_SHOWN, "");
	correct(text, " \" /\" />", "\" />");
	count(text);
	accepted(text);
}

static void test_R_5_and_R_6__and_with_the_sdp_beside_the_list(void **state)
{
	char *text = example("factory", MEANT);

	(void)state;
	correct(text, "INVITE conf-fact", "INVITE sip:conf-fact");
	correct(text, "Content-Type: application/sdp\r\n", "");
	correct(text,
		"Content-Type: application/resource-lists+xml\r\nContent-Disposition: "
		"recipient-list\r\n",
		"Content-Type: multipart/mixed;boundary=b\r\n");
	correct(text, NOT_SHOWN,
		"--b\r\nContent-Type: application/sdp\r\n\r\n" ALICE_SDP
		"\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n"
		"Content-Disposition: recipient-list\r\n\r\n");
	correct(text, " \" /\" />", "\" />");
	correct(text, "</resource-lists>\r\n", "</resource-lists>\r\n--b--\r\n");
	count(text);
	accepted(text);
}

/* --- at a client --- */

static const char *delivered(struct desk *d, const char *text)
{
	static char line[128];
	const char *answer;

	desk_deliver(d, view_str(text));
	while ((answer = desk_next(d, "SIP/2.0 ")))
		if (strncmp(answer, "SIP/2.0 1", 9) != 0) {
			snprintf(line, sizeof(line), "%.*s", (int)strcspn(answer, "\r"), answer);
			return line;
		}
	return "";
}

static void test_R_7__the_answer_of_the_example_answers_nothing(void **state)
{
	struct client_call_options o = {0};
	struct view bob = VIEW("sip:bob@biloxi.com");
	struct desk *d = desk_new();
	const char *invite;
	uint32_t id = 0;

	(void)state;
	assert_int_equal(client_call_with(d->client, &bob, 1, &o, &id, d->now), 0);
	desk_run(d, 0);
	invite = desk_next(d, "INVITE sip:bob@biloxi.com");
	assert_string_equal(delivered(d, example("answer", PRINTED)), "");
	assert_string_equal(delivered(d, example("answer", MEANT)), "");
	assert_null(desk_next(d, "ACK "));
	assert_null(desk_next(d, "BYE "));
	/* The one that is hers still comes. */
	desk_answer(d, invite, 200, "Contact: <sip:bob@192.0.2.1>\r\n", "application/sdp",
		    DESK_SDP);
	assert_non_null(desk_next(d, "ACK "));
	desk_free(d);
}

/* Bob's phone is in the chat of the example; its tag there. */
static const char *chatting(struct desk *d)
{
	static char tag[64];
	char *text = example("chat", MEANT);
	struct sip_msg m;
	struct sip_addr to;
	const char *ok;

	/* Its connection is made by him. */
	correct(text, NOT_SHOWN, ALICE_SDP "a=setup:passive\r\n");
	count(text);
	desk_deliver(d, view_str(text));
	ok = desk_next(d, "SIP/2.0 200");
	m = desk_parsed(ok);
	assert_int_equal(sip_msg_to(&m, &to), 0);
	assert_true(view_copy(sip_addr_tag(&to), tag, sizeof(tag)));
	desk_deliver(
		d, view_str(desk_textf(d,
				       "ACK sip:ann@192.0.2.7:5060 SIP/2.0\r\nVia: SIP/2.0/UDP "
				       "pc33.atlanta.com;branch=z9hG4bKack\r\nMax-Forwards: 70\r\n"
				       "From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
				       "To: Bob <sip:bob@biloxi.com>;tag=%s\r\n"
				       "Call-ID: a84b4c76e66710\r\nCSeq: 314159 ACK\r\n"
				       "Content-Length: 0\r\n\r\n",
				       tag)));
	desk_seat_opens(d);
	assert_non_null(desk_event(d, CONFAB_OPEN));
	return tag;
}

static void test_R_7_and_R_8__the_invitation_of_the_example(void **state)
{
	char *text, replaces[128];
	struct desk *d = desk_new();
	const char *tag = chatting(d);

	(void)state;
	assert_string_equal(delivered(d, example("replaces", PRINTED)), "");
	text = example("replaces", MEANT);
	assert_string_equal(delivered(d, text), "SIP/2.0 400 Body Shorter Than Content-Length");
	correct(text, "Content-Length: 142", "Content-Length: 0");
	assert_string_equal(delivered(d, text), "SIP/2.0 400 Missing From");
	correct(text, "Referred-By:", "From: <sip:conf-123@example.com>;tag=focus\r\nReferred-By:");
	assert_string_equal(delivered(d, text), "SIP/2.0 400 Bad To");
	correct(text, "To: Bob < bob@biloxi.com>", "To: Bob <sip:bob@biloxi.com>");
	assert_string_equal(delivered(d, text), "SIP/2.0 400 Bad Request-URI");
	correct(text, "INVITE bob@", "INVITE sip:bob@");
	/* A To tag says that there is a dialog already. */
	correct(text, "776asdhds", "1");
	assert_string_equal(delivered(d, text), "SIP/2.0 481 Call/Transaction Does Not Exist");
	correct(text, ";tag=2837302775", "");
	/* R-7: to-tag is Bob's own tag. The example has it the other way round, and so names
	 * nobody's dialog. */
	correct(text, "from-tag= a6c85cf", "from-tag=Bobs");
	correct(text, "Bobs", tag);
	correct(text, "branch=z9hG4bK1", "branch=z9hG4bK2");
	assert_string_equal(delivered(d, text), "SIP/2.0 481 Call/Transaction Does Not Exist");
	assert_null(desk_event(d, CONFAB_LEFT));
	assert_null(desk_event(d, CONFAB_ENDED));
	snprintf(replaces, sizeof(replaces), "to-tag=1928301774;from-tag=%s", tag);
	correct(text, replaces, "to-tag=Bobs;from-tag=1928301774");
	correct(text, "Bobs", tag);
	correct(text, "branch=z9hG4bK2", "branch=z9hG4bK3");
	correct(text, "CSeq: 314159", "CSeq: 314160");
	snprintf(text + strlen(text), TEXT - strlen(text), "%s", DESK_SDP);
	count(text);
	assert_string_equal(delivered(d, text), "SIP/2.0 200 OK");
	assert_non_null(desk_event(d, CONFAB_MOVING));
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_R_5__as_printed_there_is_nobody_to_answer),
		cmocka_unit_test(test_PF_9_1_2_1__the_chat_of_the_example_has_no_feature_tag),
		cmocka_unit_test(test_R_12__with_assume_the_chat_of_the_example_reaches_bob),
		cmocka_unit_test(test_R_5__what_is_wrong_with_the_factory_call_is_said),
		cmocka_unit_test(
			test_R_5_and_R_6__the_factory_call_without_its_broken_xml_is_taken),
		cmocka_unit_test(test_R_5_and_R_6__and_with_the_sdp_beside_the_list),
		cmocka_unit_test(test_R_7__the_answer_of_the_example_answers_nothing),
		cmocka_unit_test(test_R_7_and_R_8__the_invitation_of_the_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
