/*
 * Header field values, read in place: one parser per grammar. Each takes one
 * value (as sip_values_next gives them) and returns 0 or E_SYNTAX. Folds count as
 * white space. Views point into the message.
 */
#ifndef CONFAB_SIP_VALUE_H
#define CONFAB_SIP_VALUE_H

#include "sip/msg.h"
#include "sip/uri.h"

/* From, To, Contact, Route, Record-Route, Refer-To, Referred-By, P-Asserted-Identity, Path …: with
 * or without display name and angle brackets. Without brackets, parameters belong to the header
 * (RFC 3261 §20.10). */
struct sip_addr {
	struct view display; /* as it stands, quotes included; may be empty */
	struct view uri;     /* without the brackets */
	struct view params;  /* header parameters, ";tag=…" */
	bool bracketed;
	bool star; /* Contact: * */
};
int sip_addr_parse(struct view value, struct sip_addr *out);
/* The tag parameter; empty where there is none. */
struct view sip_addr_tag(const struct sip_addr *a);

int sip_via_parse(struct view value, struct sip_via *out);
/* The topmost Via of a message. E_MISSING, E_SYNTAX. */
int sip_msg_top_via(const struct sip_msg *m, struct sip_via *out);

struct sip_cseq {
	uint32_t number;
	struct view method;
};
int sip_cseq_parse(struct view value, struct sip_cseq *out);
int sip_msg_cseq(const struct sip_msg *m, struct sip_cseq *out);

/* RFC 3891 §6.1. Also E_SYNTAX where a tag is missing. */
struct sip_replaces {
	struct view call_id, to_tag, from_tag;
	bool early_only;
};
int sip_replaces_parse(struct view value, struct sip_replaces *out);

/* "token;params": Content-Type, Content-Disposition, Event, Subscription-State, Accept … */
struct sip_token_params {
	struct view token; /* "application/sdp", white space around the slash kept out */
	struct view params;
};
int sip_token_params_parse(struct view value, struct sip_token_params *out);
/* True when a Content-Type's type/subtype is that, case folded. */
bool sip_content_is(struct view content_type, struct view type);

/* Challenges and credentials: "Digest name=value, name="value"…". */
struct sip_auth {
	struct view scheme; /* "Digest" */
	struct view realm, nonce, opaque, algorithm, qop, username, uri, response, cnonce, nc, domain;
	bool stale;
};
/* Quoted values come without their quotes, escapes kept. */
int sip_auth_parse(struct view value, struct sip_auth *out);

/* RFC 4028: "3600;refresher=uas". */
struct sip_session_expires {
	uint32_t seconds;
	enum { SIP_REFRESHER_NONE, SIP_REFRESHER_UAC, SIP_REFRESHER_UAS } refresher;
};
int sip_session_expires_parse(struct view value, struct sip_session_expires *out);

/* RFC 3261 §20.33: the seconds of Retry-After, without its comment and parameters. False: there is
 * none that can be read. */
bool sip_retry_after(const struct sip_msg *m, uint32_t *seconds_out);

/* First From/To of a message, parsed. E_MISSING, E_SYNTAX. */
int sip_msg_from(const struct sip_msg *m, struct sip_addr *out);
int sip_msg_to(const struct sip_msg *m, struct sip_addr *out);

/* True when an Accept-Contact or Contact value's feature parameters hold one of the three spellings of
 * the IM tag: +g.oma.sip-im, +g.oma.im.simple, +g.oma.sip.simple. Case folded. */
bool sip_params_have_im_tag(struct view params);
/* The same over all Accept-Contact values of a request. */
bool sip_msg_accepts_im(const struct sip_msg *m);

#endif
