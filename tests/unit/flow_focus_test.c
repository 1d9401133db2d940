/* The controlling function on its own terms (9.3, CF-X-*), against foreign phones; the switch is
 * the real one. FLOW_CONFERENCES: how many are made and ended in the loop that looks for growth. */
#include "flow_phone.h"

#include <malloc.h>

#define FACTORY "sip:conference-factory@example.com"
#define IM_LINES                                                                                   \
	"Require: recipient-list-invite\nAccept-Contact: *;+g.oma.sip-im;require;explicit\n"       \
	"User-Agent: Foreign\nAllow: INVITE, ACK, BYE, CANCEL, NOTIFY\n"
#define MIXED "multipart/mixed;boundary=\"b\""

struct stage {
	struct flow_world *w;
	struct phone *eve, *fay, *gus;
};

/* Configuration may be changed between the two. */
static void stage_new(struct stage *s)
{
	*s = (struct stage){.w = world_new(7)};
}

static void stage_start(struct stage *s)
{
	world_start(s->w);
	s->eve = phone_new(s->w, "eve", "eve");
	s->fay = phone_new(s->w, "fay", "fay");
	s->gus = phone_new(s->w, "gus", "gus");
}

static void stage_open(struct stage *s)
{
	stage_new(s);
	stage_start(s);
}

static uint64_t seats(const struct stage *s)
{
	struct switch_counts c;

	switch_shard_counts(s->w->server.shard, &c);
	return c.seats;
}

/* Nothing is left, whatever the phones do. */
static void stage_end(struct stage *s)
{
	struct flow_server *v = &s->w->server;

	for (int i = 0; i < 3; i++) {
		struct phone *p = i == 0 ? s->eve : i == 1 ? s->fay : s->gus;

		if (p->session && !p->ended)
			phone_bye(p, "");
	}
	world_run(s->w, 300000);
	assert_int_equal(controlling_conference_count(v->controlling), 0);
	assert_int_equal(seats(s), 0);
	assert_int_equal(sip_stack_tx_count(v->stack), 0);
	/* Each opening had its end. */
	assert_int_equal(v->opened, v->ended);
	phone_free(s->eve);
	phone_free(s->fay);
	phone_free(s->gus);
	world_free(s->w);
}

static const char *list_of(const char *entries)
{
	static char body[8192];

	snprintf(body, sizeof(body),
		 "--b\r\nContent-Type: application/sdp\r\n\r\n%s\r\n"
		 "--b\r\nContent-Type: application/resource-lists+xml\r\n"
		 "Content-Disposition: recipient-list\r\n\r\n"
		 "<?xml version=\"1.0\"?><resource-lists "
		 "xmlns=\"urn:ietf:params:xml:ns:resource-lists\">"
		 "<list>%s</list></resource-lists>\r\n--b--\r\n",
		 sdp_offer(), entries);
	return body;
}

#define FAY "<entry uri=\"sip:fay@example.com\"/>"
#define GUS "<entry uri=\"sip:gus@example.com\"/>"

static int conference(struct phone *p, const char *entries)
{
	return phone_invite(p, FACTORY, IM_LINES, MIXED, list_of(entries));
}

static const char *conference_uri(const struct phone *p)
{
	static char uri[128];
	struct sip_addr a;

	assert_int_equal(sip_addr_parse(view_str(field_of(p->response, "Contact")), &a), 0);
	(void)view_copy(a.uri, uri, sizeof(uri));
	return uri;
}

#define assert_contains(text, part) assert_non_null(strstr(text, part))
#define assert_lacks(text, part)    assert_null(strstr(text, part))

/* --- the answer to its creator, and the INVITEs --- */

static void test_CF_9_3_1__the_creator_gets_the_conference_and_its_seat(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	assert_int_equal(conference(s.eve, FAY), 200);
	assert_contains(field_of(s.eve->response, "Contact"), "<sip:conf-");
	assert_contains(field_of(s.eve->response, "Contact"), ">;isfocus;+g.oma.sip-im");
	assert_contains(field_of(s.eve->response, "Server"), "IM-serv/OMA1.0");
	assert_contains(field_of(s.eve->response, "Allow"), "SUBSCRIBE");
	assert_contains(field_of(s.eve->response, "Allow-Events"), "conference");
	assert_contains(s.eve->response, "a=path:msrp://192.0.2.1:2855/");
	assert_contains(s.eve->response, "a=setup:passive");
	assert_contains(s.eve->response, "m=message 2855 TCP/MSRP *");
	stage_end(&s);
}

static void
test_CF_9_3_1_1_and_CF_9_3_1_2_and_CF_9_3_1_3_and_CF_9_3_1_4__what_an_invitee_is_sent(void **state)
{
	struct stage s;
	char line[200];

	(void)state;
	stage_open(&s);
	assert_int_equal(phone_invite(s.eve, FACTORY,
				      IM_LINES
				      "Referred-By: <sip:eve@example.com>\nSubject: spam\n",
				      MIXED, list_of(FAY)),
			 200);
	world_run(s.w, 1000);
	assert_int_equal(s.fay->n_invites, 1);
	assert_contains(s.fay->invite, "INVITE sip:fay@192.0.2."); /* where she is bound */
	assert_string_equal(field_of(s.fay->invite, "To"),
			    "<sip:fay@example.com>"); /* CF-9.3.1-2 */
	assert_string_equal(field_of(s.fay->invite, "Accept-Contact"),
			    "*;+g.oma.sip-im;require;explicit");
	assert_string_equal(field_of(s.fay->invite, "Referred-By"), "<sip:eve@example.com>");
	snprintf(line, sizeof(line), "<%s>;isfocus;+g.oma.sip-im", conference_uri(s.eve));
	assert_string_equal(field_of(s.fay->invite, "Contact"), line);
	assert_contains(field_of(s.fay->invite, "Allow"), "BYE");
	assert_contains(field_of(s.fay->invite, "P-Asserted-Identity"), "sip:conf-");
	assert_contains(s.fay->invite, "a=path:msrp://192.0.2.1:2855/");
	assert_contains(s.fay->invite, "a=setup:actpass");
	assert_string_equal(field_of(s.fay->invite, "Subject"), "spam"); /* as RCS phones do */
	assert_lacks(s.fay->invite, "Replaces:");
	stage_end(&s);
}

static void test_CF_9_3_1_3__a_private_inviter_is_not_named(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	snprintf(s.eve->from, sizeof(s.eve->from), "<sip:anonymous@anonymous.invalid>");
	assert_int_equal(phone_invite(s.eve, FACTORY,
				      IM_LINES
				      "Privacy: id\nP-Preferred-Identity: <sip:eve@example.com>\n",
				      MIXED, list_of(FAY)),
			 200);
	world_run(s.w, 1000);
	assert_int_equal(s.fay->n_invites, 1);
	assert_lacks(s.fay->invite, "eve");
	assert_contains(field_of(s.fay->invite, "Referred-By"), "anonymous");
	stage_end(&s);
}

static void test_CF_9_3_1_5__replaces_is_taken_over_and_nothing_else(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	assert_int_equal(
		conference(
			s.eve,
			"<entry uri=\"sip:fay@example.com?Replaces=x%40y%3Bto-tag%3D1%3B"
			"from-tag%3D2&amp;Route=%3Csip:evil%3E&amp;Subject=a%0D%0AEvil%3A%20b\"/>"),
		200);
	world_run(s.w, 1000);
	assert_int_equal(s.fay->n_invites, 1);
	assert_string_equal(field_of(s.fay->invite, "Replaces"), "x@y;to-tag=1;from-tag=2");
	assert_contains(field_of(s.fay->invite, "Require"), "replaces");
	assert_lacks(s.fay->invite, "evil");
	assert_lacks(s.fay->invite, "Evil");
	stage_end(&s);
}

static void test_move_2__who_is_replaced_is_invited_first(void **state)
{
	static const int answer[] = {0, 603, 486, 480, 404};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct stage s;

		stage_open(&s);
		s.fay->to_invite = -1;
		assert_int_equal(
			conference(s.eve,
				   GUS "<entry uri=\"sip:fay@example.com?Replaces=x%3Bto-tag%3D1%3B"
				       "from-tag%3D2\"/>"),
			200);
		world_run(s.w, 3000);
		assert_int_equal(s.fay->n_invites, 1);
		assert_int_equal(s.gus->n_invites, 0);
		if (answer[i])
			(void)sip_session_reject(s.fay->session, answer[i], NULL, VIEW(""),
						 s.w->net.now);
		else
			(void)sip_session_answer(s.fay->session, view_str(s.fay->contact), VIEW(""),
						 VIEW("application/sdp"), view_str(sdp_answer()),
						 s.w->net.now);
		world_run(s.w, 1000);
		assert_int_equal(s.gus->n_invites, 1);
		stage_end(&s);
	}
}

static void test_move_2__the_others_do_not_wait_for_ever(void **state)
{
	struct stage s;

	(void)state;
	stage_new(&s);
	s.w->server.cfg.invite_timeout_ms = 4000;
	stage_start(&s);
	s.fay->to_invite = -1;
	assert_int_equal(
		conference(s.eve, GUS
			   "<entry "
			   "uri=\"sip:fay@example.com?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2\"/>"),
		200);
	world_run(s.w, 3500);
	assert_int_equal(s.gus->n_invites, 0);
	world_run(s.w, 1500);
	assert_int_equal(s.gus->n_invites, 1);
	stage_end(&s);
}

static void test_move_6__a_420_is_tried_again_without_replaces(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	s.fay->to_invite = 420;
	assert_int_equal(
		conference(s.eve,
			   "<entry "
			   "uri=\"sip:fay@example.com?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2\"/>"),
		200);
	world_run(s.w, 2000);
	assert_int_equal(s.fay->n_invites, 2);
	assert_lacks(s.fay->invite, "Replaces");
	assert_lacks(field_of(s.fay->invite, "Require"), "replaces");
	stage_end(&s);
}

/* --- refusals --- */

static void test_CF_9_3_1__what_the_factory_refuses(void **state)
{
	struct stage s;
	char many[8192] = "";

	(void)state;
	stage_open(&s);
	assert_int_equal(phone_invite(s.eve, FACTORY, "Require: recipient-list-invite\n", MIXED,
				      list_of(FAY)),
			 403);
	assert_int_equal(
		phone_invite(s.eve, FACTORY, IM_LINES "Require: teleport\n", MIXED, list_of(FAY)),
		420);
	assert_contains(field_of(s.eve->response, "Unsupported"), "teleport");
	assert_int_equal(phone_invite(s.eve, FACTORY, IM_LINES, "text/plain", "hello"), 415);
	assert_int_equal(phone_invite(s.eve, FACTORY, IM_LINES, MIXED, "no boundary in here"), 400);
	assert_int_equal(conference(s.eve, "<entry uri="), 400);
	assert_int_equal(conference(s.eve, ""), 403);
	for (int i = 0; i < 60; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
			 "<entry uri=\"sip:u%d@example.com\"/>", i);
	assert_true(conference(s.eve, many) >= 400);
	assert_int_equal(phone_request(s.eve, "MESSAGE", FACTORY, IM_LINES, "text/plain", "hello"),
			 405);
	assert_int_equal(
		phone_request(s.eve, "SUBSCRIBE", FACTORY, IM_LINES "Event: conference\n", "", ""),
		404);
	assert_int_equal(s.w->server.opened, 0);
	stage_end(&s);
}

static void test_CF_X_5__an_unknown_or_ended_conference(void **state)
{
	struct stage s;
	char uri[128];

	(void)state;
	stage_open(&s);
	assert_int_equal(phone_invite(s.eve, "sip:conf-unknown@192.0.2.1:5060", IM_LINES,
				      "application/sdp", sdp_offer()),
			 404);
	s.fay->to_invite = 603;
	assert_int_equal(conference(s.eve, FAY), 200);
	snprintf(uri, sizeof(uri), "%s", conference_uri(s.eve));
	/* Nobody joins who was not invited. */
	assert_int_equal(phone_invite(s.gus, uri, IM_LINES, "application/sdp", sdp_offer()), 403);
	assert_int_equal(
		phone_request(s.gus, "SUBSCRIBE", uri, IM_LINES "Event: conference\n", "", ""),
		403);
	assert_int_equal(phone_request(s.gus, "OPTIONS", uri, IM_LINES, "", ""), 200);
	assert_int_equal(phone_request(s.gus, "MESSAGE", uri, IM_LINES, "text/plain", "hello"),
			 405);
	phone_bye(s.eve, "");
	world_run(s.w, 1000);
	assert_int_equal(
		phone_request(s.eve, "SUBSCRIBE", uri, IM_LINES "Event: conference\n", "", ""),
		410);
	stage_end(&s);
}

/* RFC 3261 §8.2.2.2: the same INVITE by two ways. */
static void test_CF_9_3_1__a_merged_request_is_refused(void **state)
{
	struct stage s;
	struct sip_flow flow = {.transport = SIP_UDP};
	static char twice[PHONE_TEXT];
	char *via, *end;

	(void)state;
	stage_new(&s);
	s.w->server.core_cfg.auth_required = false;
	stage_start(&s);
	flow.remote = s.w->server.sip;
	snprintf(twice, sizeof(twice),
		 "INVITE " FACTORY
		 " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKfirst\r\n"
		 "From: <sip:eve@example.com>;tag=1\r\nTo: <" FACTORY
		 ">\r\nCall-ID: twice\r\nCSeq: 1 INVITE\r\n"
		 "Max-Forwards: 70\r\nContact: <sip:eve@192.0.2.77>\r\nRequire: "
		 "recipient-list-invite\r\n"
		 "Accept-Contact: *;+g.oma.sip-im;require;explicit\r\nContent-Type: " MIXED "\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 strlen(list_of(FAY)), list_of(FAY));
	s.w->server.cfg.assume_im = true;
	net_send(&s.w->net, &s.eve->addr, &flow.remote, view_str(twice));
	via = strstr(twice, "z9hG4bKfirst");
	end = via + strlen("z9hG4bKfirst");
	memcpy(via, "z9hG4bKother", (size_t)(end - via));
	net_send(&s.w->net, &s.eve->addr, &flow.remote, view_str(twice));
	world_run(s.w, 200);
	assert_int_equal(s.w->server.opened, 1);
	/* Nobody acknowledges the 200: it is given up, and the conference with it. */
	world_run(s.w, 40000);
	stage_end(&s);
}

static void test_CF_X_1__no_seats_503_and_nothing_is_left(void **state)
{
	struct stage s;

	(void)state;
	stage_new(&s);
	s.w->server.switch_cfg.max_seats = 2;
	stage_start(&s);
	assert_int_equal(conference(s.eve, FAY GUS), 503);
	assert_true(atoi(field_of(s.eve->response, "Retry-After")) > 0);
	assert_int_equal(s.fay->n_invites, 0);
	world_run(s.w, 1000);
	assert_int_equal(seats(&s), 0);
	assert_int_equal(s.w->server.opened, s.w->server.ended);
	/* Two are not too many. */
	assert_int_equal(conference(s.eve, FAY), 200);
	world_run(s.w, 1000);
	assert_int_equal(seats(&s), 2);
	stage_end(&s);
}

static void test_CF_X_1__too_many_conferences_503(void **state)
{
	struct stage s;

	(void)state;
	stage_new(&s);
	s.w->server.cfg.max_conferences = 1;
	stage_start(&s);
	assert_int_equal(conference(s.eve, FAY), 200);
	world_run(s.w, 1000);
	assert_int_equal(conference(s.gus, FAY), 503);
	assert_true(atoi(field_of(s.gus->response, "Retry-After")) > 0);
	stage_end(&s);
}

static void test_CF_X_1__seats_that_come_too_late_are_given_back(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	s.w->server.switch_mute = true;
	assert_int_equal(conference(s.eve, FAY), 503);
	s.w->server.switch_mute = false;
	world_run(s.w, 1000);
	assert_int_equal(seats(&s), 0);
	stage_end(&s);
}

static void test_CF_X_1__a_creator_who_cancels_leaves_nothing(void **state)
{
	(void)state;
	for (uint64_t ms = 0; ms < 30; ms++) {
		struct stage s;

		stage_open(&s);
		s.w->server.switch_mute = ms & 1;
		s.eve->no_wait = true;
		(void)conference(s.eve, FAY);
		world_run(s.w, ms);
		phone_bye(s.eve, "");
		world_run(s.w, 60000);
		stage_end(&s);
	}
}

/* --- leaving and ending --- */

static void in_conference(struct stage *s, enum conference_end_policy policy)
{
	stage_new(s);
	s->w->server.cfg.end_policy = policy;
	stage_start(s);
	assert_int_equal(conference(s->eve, FAY GUS), 200);
	world_run(s->w, 2000);
	assert_int_equal(seats(s), 3);
}

static void test_CF_X_2_and_FL_7__ends_with_the_last_one(void **state)
{
	struct stage s;

	(void)state;
	in_conference(&s, CONFERENCE_END_LAST);
	phone_bye(s.eve, "");
	world_run(s.w, 1000);
	assert_int_equal(seats(&s), 2);
	phone_bye(s.fay, "");
	world_run(s.w, 1000);
	assert_int_equal(seats(&s), 1);
	assert_int_equal(s.gus->n_byes, 0);
	phone_bye(s.gus, "");
	world_run(s.w, 1000);
	assert_int_equal(controlling_conference_count(s.w->server.controlling), 0);
	stage_end(&s);
}

static void test_CF_X_2__ends_below_two(void **state)
{
	struct stage s;

	(void)state;
	in_conference(&s, CONFERENCE_END_BELOW_TWO);
	phone_bye(s.eve, "");
	world_run(s.w, 1000);
	assert_int_equal(s.gus->n_byes, 0);
	phone_bye(s.fay, "");
	world_run(s.w, 1000);
	assert_int_equal(s.gus->n_byes, 1);
	assert_int_equal(controlling_conference_count(s.w->server.controlling), 0);
	stage_end(&s);
}

static void test_CF_X_2__ends_with_its_creator(void **state)
{
	struct stage s;

	(void)state;
	in_conference(&s, CONFERENCE_END_CREATOR);
	phone_bye(s.fay, "");
	world_run(s.w, 1000);
	assert_int_equal(s.gus->n_byes, 0);
	phone_bye(s.eve, "");
	world_run(s.w, 1000);
	assert_int_equal(s.gus->n_byes, 1);
	assert_int_equal(controlling_conference_count(s.w->server.controlling), 0);
	stage_end(&s);
}

static void test_CF_X_2__an_invitation_is_taken_back_when_it_ends(void **state)
{
	struct stage s;

	(void)state;
	stage_new(&s);
	s.w->server.cfg.end_policy = CONFERENCE_END_CREATOR;
	stage_start(&s);
	s.fay->to_invite = -1;
	assert_int_equal(conference(s.eve, FAY), 200);
	world_run(s.w, 1000);
	phone_bye(s.eve, "");
	world_run(s.w, 1000);
	assert_true(s.fay->ended); /* by CANCEL */
	stage_end(&s);
}

/* Whose seat is never claimed, or lost, is sent BYE. */
static void test_CF_X_2__a_seat_that_nobody_claims_ends_the_session(void **state)
{
	struct stage s;

	(void)state;
	in_conference(&s, CONFERENCE_END_LAST);
	world_run(s.w, 40000);
	assert_int_equal(s.eve->n_byes + s.fay->n_byes + s.gus->n_byes, 3);
	assert_contains(field_of(s.fay->bye, "Reason"), "480");
	stage_end(&s);
}

/* --- who is in --- */

static void test_CF_X_4__subscribers_see_who_is_in(void **state)
{
	struct stage s;
	const char *uri;
	unsigned n;

	(void)state;
	stage_open(&s);
	s.fay->to_invite = -1;
	s.gus->to_invite = 486;
	assert_int_equal(conference(s.eve, FAY GUS), 200);
	uri = conference_uri(s.eve);
	assert_int_equal(
		phone_request(s.eve, "SUBSCRIBE", uri, IM_LINES "Event: presence\n", "", ""), 489);
	assert_int_equal(phone_request(s.eve, "SUBSCRIBE", uri,
				       IM_LINES "Event: conference\nExpires: 600\n", "", ""),
			 200);
	assert_string_equal(field_of(s.eve->response, "Expires"), "600");
	world_run(s.w, 1000);
	assert_true(s.eve->n_notifies >= 1);
	assert_string_equal(field_of(s.eve->notify, "Event"), "conference");
	assert_contains(field_of(s.eve->notify, "Subscription-State"), "active;expires=");
	assert_contains(s.eve->notify, "state=\"full\"");
	assert_contains(s.eve->notify, "<user-count>1</user-count>");
	assert_contains(s.eve->notify, "alerting");
	assert_contains(s.eve->notify, "busy");
	n = s.eve->n_notifies;
	(void)sip_session_answer(s.fay->session, view_str(s.fay->contact), VIEW(""),
				 VIEW("application/sdp"), view_str(sdp_answer()), s.w->net.now);
	world_run(s.w, 1000);
	assert_true(s.eve->n_notifies > n);
	assert_contains(s.eve->notify, "<user-count>2</user-count>");
	phone_bye(s.fay, "");
	world_run(s.w, 1000);
	assert_contains(s.eve->notify, "departed");
	assert_contains(s.eve->notify, "<user-count>1</user-count>");
	phone_bye(s.eve, "");
	world_run(s.w, 1000);
	assert_contains(field_of(s.eve->notify, "Subscription-State"),
			"terminated;reason=noresource");
	stage_end(&s);
}

static void test_CF_X_4_and_IC_7_1_5_3__who_leaves_anonymously_is_not_named(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	assert_int_equal(conference(s.eve, FAY GUS), 200);
	assert_int_equal(phone_request(s.eve, "SUBSCRIBE", conference_uri(s.eve),
				       IM_LINES "Event: conference\n", "", ""),
			 200);
	world_run(s.w, 1000);
	assert_contains(s.eve->notify, "fay");
	phone_bye(s.fay, "Privacy: id\n");
	world_run(s.w, 1000);
	assert_lacks(s.eve->notify, "fay");
	assert_contains(s.eve->notify, "anonymous");
	stage_end(&s);
}

static void test_CF_X_4__a_subscription_runs_out_and_a_dead_watcher_is_dropped(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	assert_int_equal(conference(s.eve, GUS), 200);
	assert_int_equal(phone_request(s.eve, "SUBSCRIBE", conference_uri(s.eve),
				       IM_LINES "Event: conference\nExpires: 5\n", "", ""),
			 200);
	/* What it has to say is said. */
	world_run(s.w, 1000);
	assert_int_equal(phone_request(s.eve, "SUBSCRIBE", FACTORY,
				       IM_LINES "Event: conference\nExpires: 0\n", "", ""),
			 200);
	world_run(s.w, 1000);
	assert_contains(field_of(s.eve->notify, "Subscription-State"), "terminated");
	world_run(s.w, 8000);
	assert_contains(field_of(s.eve->notify, "Subscription-State"), "terminated;reason=timeout");
	/* A phone that is gone answers no NOTIFY. */
	assert_int_equal(phone_request(s.gus, "SUBSCRIBE", conference_uri(s.eve),
				       IM_LINES "Event: conference\n", "", ""),
			 200);
	net_listener_at(&s.w->net, &s.gus->addr)->datagram = NULL;
	stage_end(&s);
}

/* --- no growth --- */

#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void);
static size_t in_use(void)
{
	return __sanitizer_get_current_allocated_bytes();
}
#else
static size_t in_use(void)
{
	return mallinfo2().uordblks;
}
#endif

static void test_CF_9_3_1__ten_thousand_conferences_leave_nothing(void **state)
{
	const char *text = getenv("FLOW_CONFERENCES");
	unsigned n = text ? (unsigned)strtoul(text, NULL, 10) : 1000;
	size_t before = 0;
	struct stage s;

	(void)state;
	stage_open(&s);
	for (unsigned i = 0; i < n; i++) {
		s.fay->to_invite = i % 3 == 0 ? 603 : 0;
		assert_int_equal(conference(s.eve, FAY), 200);
		if (i % 5 == 0)
			assert_int_equal(phone_request(s.eve, "SUBSCRIBE", FACTORY,
						       IM_LINES "Event: conference\n", "", ""),
					 200);
		world_run(s.w, 50);
		phone_bye(s.eve, "");
		if (s.fay->session && !s.fay->ended)
			phone_bye(s.fay, "");
		world_run(s.w, 100);
		if (i == n / 2 || i + 1 == n) {
			world_run(s.w, 200000);
			assert_int_equal(controlling_conference_count(s.w->server.controlling), 0);
			assert_int_equal(sip_stack_tx_count(s.w->server.stack), 0);
			/* The allocator's own caches count as in use; a leak would be hundreds of
			 * times something. */
			if (!before)
				before = in_use();
			else
				assert_in_range(in_use(), 0, before + 32768);
		}
	}
	stage_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_9_3_1__the_creator_gets_the_conference_and_its_seat),
		cmocka_unit_test(
			test_CF_9_3_1_1_and_CF_9_3_1_2_and_CF_9_3_1_3_and_CF_9_3_1_4__what_an_invitee_is_sent),
		cmocka_unit_test(test_CF_9_3_1_3__a_private_inviter_is_not_named),
		cmocka_unit_test(test_CF_9_3_1_5__replaces_is_taken_over_and_nothing_else),
		cmocka_unit_test(test_move_2__who_is_replaced_is_invited_first),
		cmocka_unit_test(test_move_2__the_others_do_not_wait_for_ever),
		cmocka_unit_test(test_move_6__a_420_is_tried_again_without_replaces),
		cmocka_unit_test(test_CF_9_3_1__what_the_factory_refuses),
		cmocka_unit_test(test_CF_X_5__an_unknown_or_ended_conference),
		cmocka_unit_test(test_CF_9_3_1__a_merged_request_is_refused),
		cmocka_unit_test(test_CF_X_1__no_seats_503_and_nothing_is_left),
		cmocka_unit_test(test_CF_X_1__too_many_conferences_503),
		cmocka_unit_test(test_CF_X_1__seats_that_come_too_late_are_given_back),
		cmocka_unit_test(test_CF_X_1__a_creator_who_cancels_leaves_nothing),
		cmocka_unit_test(test_CF_X_2_and_FL_7__ends_with_the_last_one),
		cmocka_unit_test(test_CF_X_2__ends_below_two),
		cmocka_unit_test(test_CF_X_2__ends_with_its_creator),
		cmocka_unit_test(test_CF_X_2__an_invitation_is_taken_back_when_it_ends),
		cmocka_unit_test(test_CF_X_2__a_seat_that_nobody_claims_ends_the_session),
		cmocka_unit_test(test_CF_X_4__subscribers_see_who_is_in),
		cmocka_unit_test(test_CF_X_4_and_IC_7_1_5_3__who_leaves_anonymously_is_not_named),
		cmocka_unit_test(
			test_CF_X_4__a_subscription_runs_out_and_a_dead_watcher_is_dropped),
		cmocka_unit_test(test_CF_9_3_1__ten_thousand_conferences_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
