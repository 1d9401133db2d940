/* A conference whose server is killed, around one IM Client. */
#ifndef CONFAB_TEST_RECOVER_WORLD_H
#define CONFAB_TEST_RECOVER_WORLD_H

#include "client_world.h"

#define NEW_CONFERENCE "sip:conf-2@192.0.2.1:5060"
#define STATE(version, users)                                                                      \
	"<?xml version=\"1.0\"?><conference-info "                                                 \
	"xmlns=\"urn:ietf:params:xml:ns:conference-info\" "                                        \
	"entity=\"" DESK_CONFERENCE "\" state=\"full\" version=\"" version "\"><users>" users      \
	"</users></conference-info>"
#define USER(uri)                                                                                  \
	"<user entity=\"" uri "\"><endpoint entity=\"" uri                                         \
	"\"><status>connected</status></endpoint></user>"

#define LISTED(uri, status, how)                                                                   \
	"<user entity=\"" uri "\"><endpoint entity=\"" uri "\"><status>" status "</status>" how    \
	"</endpoint></user>"
#define OUT(uri, how)                                                                              \
	LISTED(uri, "disconnected", "<disconnection-method>" how "</disconnection-method>")

/* A roster, in the subscription that this SUBSCRIBE made. */
static inline void notify(struct desk *d, const char *subscribe, unsigned cseq, const char *state)
{
	(void)desk_ask(d, subscribe, "NOTIFY", cseq,
		       "Event: conference\r\nSubscription-State: active;expires=3600\r\n",
		       "application/conference-info+xml", state);
}

/* What the client asks for, of this conference; it gets it. */
static inline const char *subscribed(struct desk *d, const char *conference)
{
	const char *subscribe = desk_next(d, desk_textf(d, "SUBSCRIBE %s", conference));

	desk_answer(d, subscribe, 200,
		    desk_textf(d, "Contact: <%s>\r\nExpires: 3600\r\n", conference), "", "");
	return subscribe;
}

/* Ann, and these people, in a conference that is open. */
static inline uint32_t conference(struct desk *d, const char *users, const char **invite_out)
{
	uint32_t id = desk_conference(d, invite_out);

	desk_seat_opens(d);
	assert_non_null(desk_event(d, CONFAB_OPEN));
	notify(d, subscribed(d, DESK_CONFERENCE), 1, users);
	return id;
}

/* Bo has Ann come into a conference of his; what she subscribes by. */
static inline const char *asked_in(struct desk *d)
{
	const char *answer = desk_called(d,
					 "Contact: <" DESK_CONFERENCE
					 ">;isfocus\r\nReferred-By: <sip:bo@example.com>\r\n"
					 "Contribution-ID: one\r\n",
					 DESK_SDP);

	assert_int_equal(desk_parsed(answer).status, 200);
	(void)desk_asked(d, answer, "ACK", 1, "", "");
	desk_seat_opens(d);
	while (desk_event(d, CONFAB_INVITED))
		;
	return subscribed(d, DESK_CONFERENCE);
}

/* What is written next on the connection: a SEND of ours; it is answered. */
static inline const char *answer_send(struct desk *d, const char *status)
{
	const char *sent = d->msrp_out;
	char tid[64], to[200], from[200];

	assert_non_null(sent);
	assert_int_equal(
		sscanf(sent, "MSRP %63s SEND To-Path: %199s From-Path: %199s", tid, to, from), 3);
	d->msrp_out = NULL;
	msrp_conn_recv(d->msrp,
		       view_str(desk_textf(
			       d, "MSRP %s %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n",
			       tid, status, from, to, tid)),
		       d->now);
	desk_run(d, 0);
	return sent;
}

/* The connection breaks, and whoever is there afterwards knows nothing of the session. */
static inline void server_is_new(struct desk *d)
{
	struct msrp_conn *c = d->msrp;

	d->msrp = NULL;
	d->msrp_out = NULL;
	msrp_conn_down(c, d->now);
	desk_run(d, 50);
	assert_non_null(d->msrp);
	msrp_conn_up(d->msrp, d->now);
	desk_run(d, 0);
	(void)answer_send(d, "481 Unknown");
	/* A BYE may still be on the way. */
	assert_null(desk_next(d, "INVITE "));
	desk_run(d, 1500);
}

#endif
