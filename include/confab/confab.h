/*
 * libconfab: an OMA SIMPLE IM client to embed.
 *
 * One struct confab is one user at one server. It runs on a libuv loop of the caller's, on that
 * loop's thread alone: every function here is called on it, and every event comes on it. Nothing
 * blocks. What a person would see as one chat is a conversation with a number; a conversation keeps its
 * number when it becomes a conference.
 *
 *	struct confab_options o = { .user = "sip:ann@example.com", .password = "…",
 *				    .server = "192.0.2.10:5060" };
 *	confab_new(loop, &o, on_event, NULL, &c);
 *	confab_call(c, (const char *[]){"sip:bo@example.com"}, 1, &chat);
 *	confab_send(c, chat, "hello", 5, NULL);      // waits until the chat is open
 *	confab_add(c, chat, (const char *[]){"sip:charles@example.com"}, 1);
 *
 * Functions return 0 or a negative code (confab_error_text). Strings are UTF-8, copied when kept.
 */
#ifndef CONFAB_CONFAB_H
#define CONFAB_CONFAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct confab;

enum { CONFAB_ID_SIZE = 33 }; /* a Message-ID and its NUL */

enum confab_event_type {
	CONFAB_REGISTERED,      /* the server knows where we are; expires */
	CONFAB_REGISTER_FAILED, /* status, text; it is tried again */
	CONFAB_INVITED,         /* somebody wants to chat: answer with confab_accept or confab_decline (not with
	                         * auto_accept); text: what it is about, if he says so */
	CONFAB_RINGING,         /* the other side is being asked */
	CONFAB_OPEN,            /* the conversation can carry messages; conference tells of which kind */
	CONFAB_MOVING,          /* the conversation is becoming a conference; peer: who asked for it */
	CONFAB_MOVED,           /* it is one now; uri: the conference */
	CONFAB_MOVE_FAILED,     /* it stays what it was; status, text. 491: the other side adds people too, and it moves to
	                         * theirs. 487: the invitation that the person was being asked about is withdrawn */
	CONFAB_MESSAGE,         /* from, id, content_type, data */
	CONFAB_SENT,            /* a message of ours (id) has a new state */
	CONFAB_ROSTER,          /* who is in the conference, in full */
	CONFAB_JOINED,          /* peer is in */
	CONFAB_LEFT,            /* peer is out; text says how */
	CONFAB_ENDED,           /* the conversation is over; status, text */
	CONFAB_CONNECTION,      /* text: "lost", "restored"; uri: the conference, where it came back to one;
				   without a conversation the one to the server, and "moved": we have another
				   address, and go on from there */
	CONFAB_PROGRESS,        /* what becomes of a confab_add in a conference, or a confab_kick: peer is whom it was about,
				 * removing which of the two, status and text how far it is: 100 and 180 on the way, 200 done,
				 * 300 and more failed (603 declined, 486 busy, 403 not allowed …) */
	CONFAB_SPLIT,           /* peer did not come along into the conference (text: how): the chat with him goes on as
	                         * conversation `other` */
	CONFAB_TYPING,          /* peer is writing (active), or has stopped */
	CONFAB_DELIVERED_TO,    /* peer's program has our message id (asked for by options.notices) */
	CONFAB_DISPLAYED_BY,    /* peer has seen our message id */
	CONFAB_NICKNAME,        /* text: our nickname in the conference; status 200, or why it is not ours: 403, 424, 425 */
	CONFAB_PAGE,            /* a message outside of any conversation: peer, display, content_type, data */
	CONFAB_PAGED,           /* what became of a page of ours (id): status, text */
};

enum confab_sent {
	CONFAB_SENT_ACCEPTED,    /* the next hop (in a conference: the switch) has all of it */
	CONFAB_SENT_DELIVERED,   /* the peer has it */
	CONFAB_SENT_FAILED,      /* it was refused, or reported as not delivered: status, text */
	CONFAB_SENT_UNCONFIRMED, /* the connection broke before anybody confirmed it: it may or may not have arrived */
};

struct confab_participant {
	const char *uri, *display, *status; /* status: "connected", "dialing-out", "disconnected" … (RFC 4575) */
	const char *how;                    /* of a disconnected one: "departed", "booted", "failed", "busy", or "" */
	const char *nickname;		    /* RFC 7701; "" for none */
	bool self, anonymous;
};

/* Valid during the callback. Strings that do not apply are "". */
struct confab_event {
	enum confab_event_type type;
	uint32_t conversation, other;
	bool conference;
	const char *peer, *display, *uri, *id, *text, *content_type;
	const char *data;  /* of a message; not NUL-terminated */
	size_t data_n;
	bool active;       /* typing */
	bool to_all;       /* a message: for everybody in the conference; false: for us alone */
	enum confab_sent sent;
	bool removing;     /* CONFAB_PROGRESS: of a confab_kick */
	int status;        /* SIP or MSRP status where there is one */
	uint32_t expires;  /* seconds */
	const struct confab_participant *participant;
	size_t n_participants;
};

typedef void confab_event_fn(void *ctx, const struct confab_event *ev);

/* One message as it was on the wire. dir: '>' sent, '<' received. protocol: "sip" or "msrp". */
typedef void confab_trace_fn(void *ctx, char dir, const char *protocol, const char *transport,
			     const char *local, const char *remote, const char *bytes, size_t n);
/* level: 0 error … 3 debug. */
typedef void confab_log_fn(void *ctx, int level, const char *text);

/* NULL or 0: the default. */
struct confab_options {
	const char *user;         /* own IM Address, "sip:ann@example.com"; required */
	const char *display;      /* name shown to others */
	const char *password;
	const char *server;       /* the SIP server: "192.0.2.10:5060", or a name; required. A name without a port is
	                           * looked up by NAPTR and SRV (RFC 3263); others found are tried when one fails */
	const char *transport;    /* "tcp", "udp" or "tls"; default: what DNS says, else tcp */
	const char *dns_servers;  /* "192.0.2.53, 192.0.2.54:5353"; default: those of the system */
	const char *tls_ca;       /* PEM file of the CAs believed; default: those of the system */
	const char *tls_certificate, *tls_key; /* PEM files, where the server wants to see one */
	const char *tls_name;     /* the domain that the server's certificate must name; default: the name in
	                           * server, or where that is an address, the domain of user */
	bool msrp_tls;            /* offer MSRP over TLS; an offer of it is taken in any case */
	bool msrp_tls_only;       /* offer nothing else, and refuse plain MSRP (488) */
	bool msrp_active;         /* others cannot connect to us (a NAT, a firewall): messages run over connections
	                           * that we make, and who cannot be connected to either is refused (488) */
	const char *listen;       /* own address; default: the one the kernel uses towards the server */
	uint16_t sip_port, msrp_port; /* default: chosen by the kernel */
	const char *factory;      /* Conference-factory-URI; default sip:conference-factory@DOMAIN */
	const char *feature_tag;  /* default +g.oma.sip-im */
	bool auto_accept;         /* take every chat */
	bool notices;             /* ask for a word when our messages were delivered and displayed (RFC 5438) */
	bool direct;              /* let in who invites or writes past the server, which has not asked him who he is;
	                           * default: 403 */
	bool ask_before_move;     /* treat an INVITE with Replaces as an invitation; default: move without asking */
	unsigned max_conversations; /* at once; beyond: 486. Default 64 */
	uint32_t register_expires;  /* seconds; default 600 */
	uint32_t keepalive;         /* seconds between keep-alives to the server; default 27 over UDP, else 110 */
	uint32_t session_expires;   /* seconds without a refresh after which a session is over (RFC 4028); default 1800, 90 at least */
	uint64_t max_message;       /* bytes of an incoming message; default 10 MiB */
	bool ims;                   /* register as a phone of an IMS core does (+sip.instance), and anew after a 503 */
	const char *access_network; /* P-Access-Network-Info of every request, "IEEE-802.11"; default: none */
	confab_trace_fn *trace;
	confab_log_fn *log;
	void *trace_ctx, *log_ctx;
};

/* Opens the sockets and registers. A server's name is looked up before it returns, which takes some seconds where DNS
 * does not answer; later lookups do not block. The caller's ctx comes back with each event. */
int confab_new(struct uv_loop_s *loop, const struct confab_options *options, confab_event_fn *on_event,
	       void *ctx, struct confab **out);
/* Leaves all conversations, unregisters, and calls done when nothing is left (bounded: two seconds). Then
 * confab_free, once the callback has returned. */
void confab_shutdown(struct confab *c, void (*done)(void *ctx), void *ctx);
/* Frees at once; what was not said stays unsaid. It turns the loop to close its handles, so it must not be called from
 * inside a callback of the loop, the done of confab_shutdown and events included. */
void confab_free(struct confab *c);

/* One URI: a 1-1 chat. Several: a conference made by the server's factory. */
int confab_call(struct confab *c, const char *const *uris, size_t n, uint32_t *conversation_out);

/* NULL, false or empty: not wanted. */
struct confab_call_options {
	bool conference;          /* a conference from the start for one URI too: more people can be added without a move */
	const char *subject;      /* what the conference is about */
	const char *contribution; /* the Contribution-ID that RCS phones know a group by; default: a new one */
	const char *rejoin;       /* a conference URI (of CONFAB_OPEN or CONFAB_MOVED) to come back to. Where that conference is no
				   * more, a new one is made with the URIs; without URIs the conversation ends with 404 or 410 */
};
/* confab_call with more to say. options may be NULL; n may be 0 with rejoin. */
int confab_call_with(struct confab *c, const char *const *uris, size_t n,
		     const struct confab_call_options *options, uint32_t *conversation_out);
int confab_accept(struct confab *c, uint32_t conversation);
/* status: 486 busy, 603 declined, 480 … */
int confab_decline(struct confab *c, uint32_t conversation, int status);
/* Sends text. It goes to whom the conversation holds at this moment: in a 1-1 chat the peer alone; from confab_add on,
 * everybody. It waits when the conversation is not open yet. id_out (CONFAB_ID_SIZE) may be NULL. */
int confab_send(struct confab *c, uint32_t conversation, const char *text, size_t n, char *id_out);
/* The same for one participant of a conference alone (RFC 7701). E_UNSUPPORTED: the conference has no private messages. */
int confab_send_to(struct confab *c, uint32_t conversation, const char *uri, const char *text, size_t n,
		   char *id_out);
/* A name to be known by in this conference, "" for none; CONFAB_NICKNAME answers. E_UNSUPPORTED: it has no nicknames. */
int confab_nick(struct confab *c, uint32_t conversation, const char *nickname);
/* The person is writing (call it again while that goes on, as often as wanted) or has stopped. It ends by itself after
 * 15 seconds, and when something is sent. */
int confab_typing(struct confab *c, uint32_t conversation, bool active);
/* The person has seen a message (its id): who asked to be told is told. */
int confab_displayed(struct confab *c, uint32_t conversation, const char *id);
/* A message outside of any conversation (SIP MESSAGE). E_LIMIT: it would be larger than 1300 bytes. CONFAB_PAGED answers.
 * id_out (CONFAB_ID_SIZE) may be NULL. */
int confab_page(struct confab *c, const char *uri, const char *text, size_t n, char *id_out);
/* Adds people. A 1-1 chat becomes a conference; to a conference they are invited by the server, and CONFAB_PROGRESS tells how it
 * goes for one (of several, the roster tells). */
int confab_add(struct confab *c, uint32_t conversation, const char *const *uris, size_t n);
/* Takes people out of a conference, where the server's policy allows it; CONFAB_PROGRESS tells. */
int confab_kick(struct confab *c, uint32_t conversation, const char *const *uris, size_t n);
/* Leaves and forgets the conversation. anonymous: the others are not told who left. */
int confab_leave(struct confab *c, uint32_t conversation, bool anonymous);
/* Asks for a CONFAB_ROSTER event. */
int confab_who(struct confab *c, uint32_t conversation);

/* Fault injection, for tests of what is built on this: resets a connection. which: "sip", "direct" or "conference" (the MSRP
 * connections of a conversation). */
int confab_break(struct confab *c, uint32_t conversation, const char *which);

const char *confab_error_text(int error);
/* Own addresses, "host:port", once confab_new has returned. */
const char *confab_sip_address(const struct confab *c);
const char *confab_msrp_address(const struct confab *c);

#endif
