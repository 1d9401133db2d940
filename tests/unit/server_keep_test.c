/* Conferences over a restart: what is kept when, and what of it comes back. The keeper is a list;
 * the new life of the server knows nothing but that list. */
#include "controlling_world.h"

#include "body/conference_info.h"

#define JOIN_LINES ROOM_IM "Content-Type: application/sdp\n"
#define SUBSCRIBE  "Event: conference\nAccept: application/conference-info+xml\nExpires: 600\n"
#define COMEBACK   90000u

enum { ROWS = 4096 };

struct row {
	char user[64];
	char *record;
	size_t n;
	bool ended;
};

static struct shelf {
	struct row row[ROWS];
	size_t n, begun, put, dropped, cleared, committed;
	int fails; /* what begin says */
	bool open;
} shelf;

static int shelf_begin(void *ctx)
{
	(void)ctx;
	assert_false(shelf.open);
	if (shelf.fails)
		return shelf.fails;
	shelf.begun++;
	shelf.open = true;
	return 0;
}

static struct row *row_of(struct view user)
{
	for (size_t i = 0; i < shelf.n; i++)
		if (view_eq(view_str(shelf.row[i].user), user))
			return &shelf.row[i];
	return NULL;
}

static int shelf_put(void *ctx, struct view user, struct view record, bool ended)
{
	struct row *row = row_of(user);

	(void)ctx;
	assert_true(shelf.open);
	if (!row) {
		assert_true(shelf.n < ROWS);
		row = &shelf.row[shelf.n++];
		*row = (struct row){0};
		assert_true(view_copy(user, row->user, sizeof(row->user)));
	}
	free(row->record);
	row->record = malloc(record.n + 1);
	assert_non_null(row->record);
	if (record.n)
		memcpy(row->record, record.p, record.n);
	row->n = record.n;
	row->ended = ended;
	shelf.put++;
	return 0;
}

static int shelf_drop(void *ctx, struct view user)
{
	struct row *row = row_of(user);

	(void)ctx;
	assert_true(shelf.open);
	assert_non_null(row);
	free(row->record);
	memmove(row, row + 1, (size_t)(&shelf.row[--shelf.n] - row) * sizeof(*row));
	shelf.dropped++;
	return 0;
}

static int shelf_clear(void *ctx)
{
	(void)ctx;
	while (shelf.n)
		free(shelf.row[--shelf.n].record);
	shelf.cleared++;
	return 0;
}

static int shelf_commit(void *ctx)
{
	(void)ctx;
	assert_true(shelf.open);
	shelf.open = false;
	shelf.committed++;
	return 0;
}

static void shelf_rollback(void *ctx)
{
	(void)ctx;
	shelf.open = false;
}

static const struct conference_keeper keeper = {.begin = shelf_begin,
						.put = shelf_put,
						.drop = shelf_drop,
						.clear = shelf_clear,
						.commit = shelf_commit,
						.rollback = shelf_rollback};

static int setup(void **state)
{
	(void)state;
	(void)shelf_clear(NULL);
	shelf = (struct shelf){0};
	return 0;
}

static struct room *keeping(struct room *r)
{
	r->cfg.comeback_ms = COMEBACK;
	room_start(r);
	controlling_set_keeper(r->ctl, &keeper);
	return r;
}

static int restore(struct room *r, uint64_t elapsed_ms)
{
	int rc = 0;

	for (size_t i = 0; i < shelf.n && rc == 0; i++) {
		const struct row *row = &shelf.row[i];

		rc = controlling_restore(r->ctl, view_str(row->user), view_of(row->record, row->n),
					 row->ended, elapsed_ms, r->now);
	}
	controlling_set_keeper(r->ctl, &keeper);
	return rc;
}

/* As by kill -9: nobody says anything, and so much later there is another. */
static void restart(struct room *r, uint64_t later_ms)
{
	controlling_free(r->ctl);
	sip_stack_free(r->stack);
	assert_int_equal(r->timers.n, 0);
	r->n_asked = 0;
	r->n_open = r->n_closed = r->n_answers = r->n_ended = 0;
	r->now += later_ms;
	r->random += 77;
	timers_init(&r->timers, r->now);
	room_start(r);
	assert_int_equal(restore(r, later_ms), 0);
}

static const char *join(struct room *r, const char *uri, const char *user)
{
	return room_ask(r, "INVITE", uri, user, JOIN_LINES, ROOM_SDP);
}

static int status_of(const char *answer)
{
	return room_parsed(answer).status;
}

static struct conference_info next_state(struct room *r)
{
	struct asked *a = room_notify(r, "conference");
	struct conference_info doc = {0};

	if (a)
		assert_int_equal(conference_info_parse(room_parsed(a->text).body, &doc), 0);
	return doc;
}

static void skip_state(struct room *r)
{
	struct conference_info doc;

	do {
		doc = next_state(r);
		conference_info_free(&doc);
	} while (doc.version);
}

static enum conference_status status_in(const struct conference_info *doc, const char *who)
{
	const struct conference_user *u = conference_info_find(doc, view_str(who));

	return u && u->n_endpoints ? u->endpoints[0].status : CONFERENCE_STATUS_NONE;
}

/* --- when it is written --- */

static void test_CF_X_5__a_conference_is_written_soon_and_no_answer_waits_for_it(void **state)
{
	struct room *r = keeping(room_new());
	const char *ok = room_of_two(r);

	(void)state;
	assert_int_equal(status_of(ok), 200);
	assert_int_equal(shelf.begun, 0);
	room_run(r, 99);
	assert_int_equal(shelf.begun, 0);
	room_run(r, 1);
	assert_int_equal(shelf.begun, 1);
	assert_int_equal(shelf.committed, 1);
	assert_int_equal(shelf.n, 1);
	assert_non_null(strstr(room_uri(r, ok), shelf.row[0].user));
	/* Nothing new, nothing written. */
	room_run(r, 60000);
	assert_int_equal(shelf.begun, 1);
	room_free(r);
}

static void test_CF_X_2__a_conference_of_a_moment_is_never_written(void **state)
{
	struct room *r = keeping(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");

	(void)state;
	room_acknowledge(r, ok);
	room_reply(r, room_next(r, "INVITE", "bo@"), 486);
	room_inside(r, ok, "BYE", 8, "", "");
	room_run(r, 60000);
	assert_int_equal(shelf.put, 0);
	assert_int_equal(shelf.n, 0);
	room_free(r);
}

static void test_CF_X_2__one_that_has_ended_stays_so(void **state)
{
	struct room *r = keeping(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	room_run(r, 200);
	assert_int_equal(shelf.n, 1);
	room_inside(r, ok, "BYE", 8, "", "");
	room_inside(r, join(r, uri, "bo"), "BYE", 8, "", "");
	room_run(r, 200);
	assert_int_equal(shelf.n, 1);
	assert_true(shelf.row[0].ended);
	assert_int_equal(shelf.row[0].n, 0);
	restart(r, 1000);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	assert_int_equal(status_of(join(r, uri, "ann")), 410);
	room_free(r);
}

static void test_what_cannot_be_written_is_written_later(void **state)
{
	struct room *r = keeping(room_new());

	(void)state;
	shelf.fails = E_IO;
	(void)room_of_two(r);
	room_run(r, 10000);
	assert_int_equal(shelf.n, 0);
	shelf.fails = 0;
	room_run(r, 2000);
	assert_int_equal(shelf.n, 1);
	assert_int_equal(shelf.cleared, 0);
	room_free(r);
}

/* The transcript is not looked at any more. */
static void forget_texts(struct room *r)
{
	r->n_asked = r->n_sent = r->n_closed = 0;
	while (r->n_texts)
		free(r->text[--r->n_texts]);
}

static void end_at_once(struct room *r)
{
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	room_run(r, 200);
	room_inside(r, ok, "BYE", 8, "", "");
	room_inside(r, join(r, uri, "bo"), "BYE", 8, "", "");
	room_run(r, 40000);
	forget_texts(r);
}

static void test_those_that_have_ended_do_not_fill_the_disk(void **state)
{
	struct room *r = keeping(room_new());

	(void)state;
	for (int i = 0; i < 1030; i++)
		end_at_once(r);
	assert_int_equal(shelf.n, 1024);
	assert_int_equal(shelf.dropped, 6);
	assert_int_equal(shelf.cleared, 0);
	/* The oldest ones make room in the next life too. */
	restart(r, 1000);
	end_at_once(r);
	assert_int_equal(shelf.n, 1024);
	room_free(r);
}

static void test_where_more_end_than_can_be_written_all_is_written_anew(void **state)
{
	struct room *r = room_new();
	const char *uri;

	(void)state;
	r->cfg.max_conferences = 1100;
	keeping(r);
	for (int i = 0; i < 1030; i++) {
		(void)room_of_two(r);
		forget_texts(r);
	}
	room_run(r, 1000);
	assert_int_equal(shelf.n, 1030);
	shelf.fails = E_IO;
	for (size_t i = 0; i < 1030; i++) {
		uri = room_textf(r, "sip:%s@192.0.2.1:5060", shelf.row[i].user);
		room_inside(r, join(r, uri, "ann"), "BYE", 8, "", "");
		room_inside(r, join(r, uri, "bo"), "BYE", 8, "", "");
		forget_texts(r);
	}
	room_run(r, 40000);
	forget_texts(r);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	uri = room_uri(r, room_of_two(r));
	shelf.fails = 0;
	room_run(r, 3000);
	assert_int_equal(shelf.cleared, 1);
	assert_int_equal(shelf.n, 1025);
	restart(r, 1000);
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	assert_int_equal(status_of(join(r, uri, "ann")), 200);
	room_free(r);
}

static void test_at_the_end_of_the_process_nothing_is_left_unwritten(void **state)
{
	struct room *r = keeping(room_new());

	(void)state;
	(void)room_of_two(r);
	controlling_keep_now(r->ctl, r->now);
	assert_int_equal(shelf.n, 1);
	controlling_keep_now(r->ctl, r->now);
	assert_int_equal(shelf.begun, 1);
	/* Drained: they have ended, and stay so. */
	controlling_shut_down(r->ctl, r->now);
	controlling_keep_now(r->ctl, r->now);
	assert_true(shelf.row[0].ended);
	room_free(r);
}

/* --- what comes back --- */

static void test_CF_X_5__members_come_back_to_the_same_conference(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *answer;

	(void)state;
	room_run(r, 200);
	restart(r, 3000);
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	assert_int_equal(status_of(join(r, uri, "dora")), 403);
	assert_int_equal(status_of(join(r, uri, "stranger")), 403);
	answer = join(r, uri, "bo");
	assert_int_equal(status_of(answer), 200);
	assert_string_equal(room_uri(r, answer), uri);
	room_acknowledge(r, answer);
	/* Ann has a seat as well, where what Bo says waits for her. */
	assert_int_equal(r->n_open, 1);
	assert_int_equal(r->n_seats, 2);
	answer = join(r, uri, "ann");
	assert_int_equal(status_of(answer), 200);
	room_acknowledge(r, answer);
	assert_non_null(
		strstr(answer, room_textf(r, "/s%llu;tcp", (unsigned long long)r->seat[1])));
	assert_int_equal(r->n_open, 1);
	assert_int_equal(r->n_closed, 0);
	/* She made it, and may still do what its creator may. */
	assert_int_equal(status_of(room_inside(r, answer, "REFER", 8,
					       "Refer-To: <sip:bo@example.com;method=BYE>\n", "")),
			 200);
	assert_int_equal(status_of(join(r, uri, "bo")), 403);
	room_run(r, 200);
	restart(r, 3000);
	assert_int_equal(status_of(join(r, uri, "bo")), 403);
	assert_int_equal(status_of(join(r, uri, "ann")), 200);
	room_free(r);
}

static void test_CF_X_3__who_was_put_out_stays_out_from_that_moment(void **state)
{
	struct room *r = keeping(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	room_run(r, 200);
	assert_int_equal(status_of(room_inside(r, ok, "REFER", 8,
					       "Refer-To: <sip:bo@example.com;method=BYE>\n", "")),
			 200);
	restart(r, 3000);
	assert_int_equal(status_of(join(r, uri, "bo")), 403);
	assert_int_equal(status_of(join(r, uri, "ann")), 200);
	room_free(r);
}

static void test_RFC_3261_12_2__dialogs_of_before_are_481(void **state)
{
	struct room *r = keeping(room_new());
	const char *ok = room_of_two(r);

	(void)state;
	room_run(r, 200);
	restart(r, 3000);
	assert_int_equal(status_of(room_inside(r, ok, "BYE", 8, "", "")), 481);
	assert_int_equal(
		status_of(room_inside(r, ok, "REFER", 9, "Refer-To: <sip:c@example.com>\n", "")),
		481);
	room_free(r);
}

static void test_CF_X_2__a_conference_that_nobody_comes_back_to_ends(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	assert_int_equal(status_of(room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "")), 200);
	room_run(r, 200);
	restart(r, 3000);
	room_run(r, COMEBACK - 100);
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	skip_state(r);
	room_run(r, 10100);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	assert_int_equal(r->n_asked, 2);
	assert_non_null(
		strstr(r->asked[1].text, "Subscription-State: terminated;reason=noresource"));
	assert_int_equal(status_of(join(r, uri, "ann")), 410);
	room_run(r, 200);
	assert_true(shelf.row[0].ended);
	room_free(r);
}

static void test_CF_X_2__those_who_are_not_back_in_time_have_left(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *answer;

	(void)state;
	room_run(r, 200);
	restart(r, 3000);
	answer = join(r, uri, "bo");
	room_acknowledge(r, answer);
	room_run(r, COMEBACK + 10000);
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	/* What waited at Ann's seat is reported. */
	assert_int_equal(r->n_closed, 1);
	assert_true(r->closed[0] == r->seat[1]);
	/* As ever, she may join again. */
	assert_int_equal(status_of(join(r, uri, "ann")), 200);
	room_free(r);
}

static void test_CF_X_2__one_who_leaves_does_not_end_it_for_those_to_come(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *answer;

	(void)state;
	room_run(r, 200);
	restart(r, 3000);
	answer = join(r, uri, "bo");
	room_acknowledge(r, answer);
	room_inside(r, answer, "BYE", 8, "", "");
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	assert_int_equal(status_of(join(r, uri, "ann")), 200);
	room_free(r);
}

static void test_CF_X_2__end_policies_hold_when_the_time_is_over(void **state)
{
	static const enum conference_end_policy policy[] = {
		CONFERENCE_END_LAST, CONFERENCE_END_BELOW_TWO, CONFERENCE_END_CREATOR};
	static const size_t left[] = {1, 0, 0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct room *r = room_new();
		const char *answer, *uri;

		(void)setup(NULL);
		r->cfg.end_policy = policy[i];
		uri = room_uri(r, room_of_two(keeping(r)));
		room_run(r, 200);
		restart(r, 3000);
		answer = join(r, uri, "bo");
		assert_int_equal(status_of(answer), 200);
		room_acknowledge(r, answer);
		room_run(r, COMEBACK + 45000);
		assert_int_equal(controlling_conference_count(r->ctl), left[i]);
		room_free(r);
	}
}

static void test_CF_X_5__who_was_in_comes_back_whatever_dial_in_says(void **state)
{
	struct room *r = room_new();
	const char *uri;

	(void)state;
	r->cfg.dial_in = CONFERENCE_DIAL_IN_NOBODY;
	uri = room_uri(r, room_of_two(keeping(r)));
	room_run(r, 200);
	restart(r, 3000);
	assert_int_equal(status_of(join(r, uri, "dora")), 403);
	assert_int_equal(status_of(join(r, uri, "bo")), 200);
	room_free(r);
}

static void test_a_full_conference_has_room_for_those_who_were_in(void **state)
{
	struct room *r = room_new();
	const char *uri;

	(void)state;
	r->cfg.max_members = 2;
	r->cfg.dial_in = CONFERENCE_DIAL_IN_ANYONE;
	uri = room_uri(r, room_of_two(keeping(r)));
	room_run(r, 200);
	restart(r, 3000);
	assert_int_equal(status_of(join(r, uri, "dora")), 403);
	room_acknowledge(r, join(r, uri, "bo"));
	assert_int_equal(status_of(join(r, uri, "dora")), 403);
	assert_int_equal(status_of(join(r, uri, "ann")), 200);
	room_free(r);
}

static void test_seats_that_do_not_come_are_asked_for_again(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *answer;

	(void)state;
	room_run(r, 200);
	restart(r, 3000);
	r->no_seats = true;
	assert_int_equal(status_of(join(r, uri, "bo")), 503);
	r->no_seats = false;
	r->slow_seats = true;
	assert_null(join(r, uri, "bo"));
	/* While Ann's seat is on its way she comes herself. */
	assert_null(join(r, uri, "ann"));
	assert_int_equal(r->n_open, 2);
	room_grant(r);
	room_run(r, 0);
	assert_int_equal(r->n_answers, 2);
	answer = r->sent[r->n_sent - 1];
	assert_int_equal(status_of(answer), 200);
	room_free(r);
}

/* --- subscriptions --- */

static void test_RFC_6665_4_4_1__a_subscription_goes_on_in_its_dialog(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *answer;
	struct conference_info doc;
	uint32_t version, cseq;
	struct asked *a;

	(void)state;
	answer = room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	a = room_notify(r, "conference");
	cseq = (uint32_t)atoi(room_field(r, a->text, "CSeq"));
	version = 1;
	room_run(r, 200);
	restart(r, 3000);
	/* Out of order in the old life, and so in this one. */
	assert_int_equal(status_of(room_inside(r, answer, "SUBSCRIBE", 7, SUBSCRIBE, "")), 500);
	assert_int_equal(status_of(room_inside(r, answer, "SUBSCRIBE", 8, SUBSCRIBE, "")), 200);
	a = room_notify(r, "conference");
	assert_non_null(a);
	assert_true((uint32_t)atoi(room_field(r, a->text, "CSeq")) > cseq);
	assert_int_equal(conference_info_parse(room_parsed(a->text).body, &doc), 0);
	assert_true(doc.version > version);
	assert_int_equal(doc.state, CONFERENCE_FULL);
	assert_int_equal(doc.user_count, 0);
	assert_int_equal(status_in(&doc, "sip:ann@example.com"), CONFERENCE_DISCONNECTED);
	assert_int_equal(status_in(&doc, "sip:bo@example.com"), CONFERENCE_DISCONNECTED);
	version = doc.version;
	conference_info_free(&doc);
	room_acknowledge(r, join(r, uri, "bo"));
	doc = next_state(r);
	assert_int_equal(doc.version, version + 1);
	assert_int_equal(doc.state, CONFERENCE_PARTIAL);
	assert_int_equal(status_in(&doc, "sip:bo@example.com"), CONFERENCE_CONNECTED);
	conference_info_free(&doc);
	room_free(r);
}

static void test_CF_X_4__watchers_are_told_after_a_while_and_not_all_at_once(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r));
	struct conference_info doc;

	(void)state;
	room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	room_ask(r, "SUBSCRIBE", uri, "ann", SUBSCRIBE, "");
	room_run(r, 200);
	restart(r, 3000);
	room_run(r, 2900);
	/* Somebody is back; the others' phones may not be. */
	room_acknowledge(r, join(r, uri, "bo"));
	assert_int_equal(r->n_asked, 0);
	room_run(r, 11000);
	assert_int_equal(r->n_asked, 2);
	doc = next_state(r);
	assert_int_equal(doc.state, CONFERENCE_FULL);
	assert_int_equal(status_in(&doc, "sip:bo@example.com"), CONFERENCE_CONNECTED);
	conference_info_free(&doc);
	room_free(r);
}

static void test_CF_X_4__a_phone_that_is_not_there_yet_is_told_later(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	room_run(r, 200);
	restart(r, 3000);
	r->notify_status = 480;
	room_run(r, 15000);
	assert_int_equal(r->n_asked, 1);
	r->notify_status = 200;
	room_run(r, 20000);
	assert_int_equal(r->n_asked, 2);
	room_free(r);
}

static void test_CF_X_4__a_phone_that_knows_nothing_of_it_is_not_asked_again(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	room_run(r, 200);
	restart(r, 3000);
	r->notify_status = 481;
	room_run(r, 60000);
	assert_int_equal(r->n_asked, 1);
	room_acknowledge(r, join(r, uri, "bo"));
	assert_int_equal(r->n_asked, 1);
	room_free(r);
}

static void test_a_subscription_that_ran_out_meanwhile_is_gone(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *answer;

	(void)state;
	answer = room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	room_run(r, 200);
	restart(r, 600000);
	assert_int_equal(status_of(room_inside(r, answer, "SUBSCRIBE", 8, SUBSCRIBE, "")), 481);
	room_free(r);
}

static void test_those_of_before_leave_room_for_new_ones(void **state)
{
	struct room *r = room_new();
	const char *uri;

	(void)state;
	r->cfg.max_subscriptions = r->cfg.max_subscriptions_per_user = 1;
	uri = room_uri(r, room_of_two(keeping(r)));
	room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	room_run(r, 200);
	restart(r, 3000);
	room_acknowledge(r, join(r, uri, "bo"));
	assert_int_equal(status_of(room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "")), 200);
	room_free(r);
}

/* --- what is damaged --- */

static void test_no_damaged_record_comes_back_or_does_harm(void **state)
{
	struct room *r = keeping(room_new());
	const char *uri = room_uri(r, room_of_two(r));
	char user[64], *good, *bad;
	size_t n;

	(void)state;
	room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	room_run(r, 200);
	restart(r, 3000);
	n = shelf.row[0].n;
	memcpy(user, shelf.row[0].user, sizeof(user));
	good = shelf.row[0].record;
	/* It is there already. */
	assert_int_equal(
		controlling_restore(r->ctl, view_str(user), view_of(good, n), false, 0, r->now),
		E_EXISTS);
	controlling_free(r->ctl);
	sip_stack_free(r->stack);
	timers_init(&r->timers, r->now);
	room_start(r);
	for (size_t i = 0; i < n; i++) {
		/* Of its very size, so that no byte behind it is read unnoticed. */
		bad = malloc(i + 1);
		memcpy(bad, good, i);
		assert_true(controlling_restore(r->ctl, view_str(user), view_of(bad, i), false, 0,
						r->now) < 0);
		free(bad);
	}
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	bad = malloc(n ? n : 1);
	for (size_t i = 0; i < n; i++)
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			memcpy(bad, good, n);
			bad[i] = (char)((unsigned char)bad[i] ^ bit);
			(void)controlling_restore(r->ctl, view_str(user), view_of(bad, n), false, 0,
						  r->now);
			/* Those that read as something else run for a while. */
			if (controlling_conference_count(r->ctl)) {
				room_run(r, 20);
				controlling_free(r->ctl);
				sip_stack_free(r->stack);
				timers_init(&r->timers, r->now);
				room_start(r);
			}
		}
	free(bad);
	assert_int_equal(
		controlling_restore(r->ctl, VIEW("conf-other"), view_of(good, n), false, 0, r->now),
		E_SYNTAX);
	assert_int_equal(controlling_restore(r->ctl, view_str(user), VIEW("2,"), false, 0, r->now),
			 E_UNSUPPORTED);
	room_free(r);
}

static void test_caps_hold_for_what_comes_back(void **state)
{
	struct room *r = keeping(room_new());

	(void)state;
	(void)room_of_two(r);
	(void)room_of_two(r);
	room_run(r, 200);
	assert_int_equal(shelf.n, 2);
	controlling_free(r->ctl);
	sip_stack_free(r->stack);
	timers_init(&r->timers, r->now);
	r->cfg.max_conferences = 1;
	room_start(r);
	assert_int_equal(restore(r, 0), E_LIMIT);
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	room_free(r);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_CF_X_5__a_conference_is_written_soon_and_no_answer_waits_for_it),
		T(test_CF_X_2__a_conference_of_a_moment_is_never_written),
		T(test_CF_X_2__one_that_has_ended_stays_so),
		T(test_what_cannot_be_written_is_written_later),
		T(test_those_that_have_ended_do_not_fill_the_disk),
		T(test_where_more_end_than_can_be_written_all_is_written_anew),
		T(test_at_the_end_of_the_process_nothing_is_left_unwritten),
		T(test_CF_X_5__members_come_back_to_the_same_conference),
		T(test_CF_X_3__who_was_put_out_stays_out_from_that_moment),
		T(test_RFC_3261_12_2__dialogs_of_before_are_481),
		T(test_CF_X_2__a_conference_that_nobody_comes_back_to_ends),
		T(test_CF_X_2__those_who_are_not_back_in_time_have_left),
		T(test_CF_X_2__one_who_leaves_does_not_end_it_for_those_to_come),
		T(test_CF_X_2__end_policies_hold_when_the_time_is_over),
		T(test_CF_X_5__who_was_in_comes_back_whatever_dial_in_says),
		T(test_a_full_conference_has_room_for_those_who_were_in),
		T(test_seats_that_do_not_come_are_asked_for_again),
		T(test_RFC_6665_4_4_1__a_subscription_goes_on_in_its_dialog),
		T(test_CF_X_4__watchers_are_told_after_a_while_and_not_all_at_once),
		T(test_CF_X_4__a_phone_that_is_not_there_yet_is_told_later),
		T(test_CF_X_4__a_phone_that_knows_nothing_of_it_is_not_asked_again),
		T(test_a_subscription_that_ran_out_meanwhile_is_gone),
		T(test_those_of_before_leave_room_for_new_ones),
		T(test_no_damaged_record_comes_back_or_does_harm),
		T(test_caps_hold_for_what_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
