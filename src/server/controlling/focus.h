/* Inside the controlling function: conferences, members, watchers; shared by its files only. */
#ifndef CONFAB_SERVER_CONTROLLING_FOCUS_H
#define CONFAB_SERVER_CONTROLLING_FOCUS_H

#include "base/list.h"
#include "body/conference_info.h"
#include "procedure/general.h"
#include "procedure/uri_list.h"
#include "server/controlling/controlling.h"
#include "sip/session.h"

enum { CONFERENCE_USER_MAX = 48, CONFERENCE_URI_MAX = 128, SEAT_PATH_MAX = 192 };

struct controlling {
	struct controlling_config cfg;
	char *factory_user, *feature_tag, *release;
	struct sip_stack *stack;
	struct sip_ua *ua;
	struct seat_broker broker;
	bool (*served)(void *ctx, struct view host, uint16_t port);
	void *served_ctx;
	struct hash by_user, by_id;
	uint64_t next_id;
};

enum member_state {
	MEMBER_SEATING, /* his seat was asked for */
	MEMBER_WAITING, /* has a seat, is not invited yet */
	MEMBER_INVITED,
	MEMBER_ALERTING,
	MEMBER_JOINED,
	MEMBER_GONE
};

struct member {
	struct list link;
	struct conference *conference;
	uint64_t seat;
	char path[SEAT_PATH_MAX];
	char *uri, *aor, *display, *replaces, *inviter;
	bool inviter_anonymous, anonymous, creator, dialed_in;
	bool without_replaces; /* he was asked again, without it */
	uint32_t anonymous_id;
	enum member_state state;
	enum conference_disconnection why;
	struct sip_session *session;
	/* The INVITE that made him a member, as far as it is needed until he is answered. */
	char *offer;
	size_t offer_n;
};

struct conference {
	struct hash_node by_user, by_id;
	struct controlling *ctl;
	uint64_t id;
	char user[CONFERENCE_USER_MAX];
	char uri[CONFERENCE_URI_MAX];
	struct list members, watchers;
	uint32_t version, next_anonymous;
	uint64_t sess_id;
	struct timer seats_late;  /* the switch does not answer */
	struct timer replaces_late; /* an entry with Replaces does not answer */
	bool seated, ending, others_released;
	int depth; /* handlers under way: freed only at 0 */
	bool dead;
};

/* --- focus.c --- */
struct conference *conference_new(struct controlling *c);
struct conference *conference_by_id(const struct controlling *c, uint64_t id);
struct conference *conference_by_user(const struct controlling *c, struct view user);
struct member *member_new(struct conference *conf, struct view uri, struct view display);
struct member *member_by_seat(const struct conference *conf, uint64_t seat);
struct member *member_by_aor(const struct conference *conf, struct view aor);
size_t conference_count(const struct conference *conf, bool joined_only);
/* A member is out: his seat is freed, the others are told, the end policy is looked at. */
void member_leave(struct member *m, enum conference_disconnection why, bool drain, uint64_t now_ms);
void conference_end(struct conference *conf, uint64_t now_ms);
/* Brackets around work that may end the conference. */
void conference_hold(struct conference *conf);
void conference_release(struct conference *conf);
/* URI without parameters, in the form addresses are compared in. Heap; NULL when memory ran out or it is none. */
char *aor_of(struct view uri);
void focus_profile(const struct controlling *c, struct im_profile *p, struct view identity);

/* --- invite_member.c --- */
void conference_invite_next(struct conference *conf, uint64_t now_ms);
int member_invite(struct member *m, uint64_t now_ms);
extern const struct sip_session_handler member_handler;

/* --- member_media.c --- */
/* Writes the focus's side of the session description for a seat. offer empty: it is an offer of ours. */
int member_write_sdp(const struct member *m, struct buf *b, struct view offer);
/* Reads the member's side: tells the switch. answered: his answer to our offer. E_SYNTAX, E_UNSUPPORTED. */
int member_read_sdp(struct member *m, struct view sdp, bool answered);

/* --- factory.c --- */
void factory_invite(struct controlling *c, struct sip_server_tx *tx, const struct sip_msg *m,
		    const struct core_identity *who, uint64_t now_ms);

/* --- notify.c --- */
void watcher_subscribe(struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms);
void conference_changed(struct conference *conf, uint64_t now_ms);
void watchers_end(struct conference *conf, uint64_t now_ms);
/* Forgets them without a word; the caller holds the conference. */
void watchers_free(struct conference *conf);

#endif
