/* SIP, SIPS and TEL URIs (RFC 3261 §19.1, RFC 3966), read in place. */
#ifndef CONFAB_SIP_URI_H
#define CONFAB_SIP_URI_H

#include "base/buf.h"
#include "base/view.h"

enum sip_scheme { SIP_SCHEME_OTHER, SIP_SCHEME_SIP, SIP_SCHEME_SIPS, SIP_SCHEME_TEL };

/* Views into the text that was parsed; escapes are left as they stand. */
struct sip_uri {
	enum sip_scheme scheme;
	struct view text;     /* all of it */
	struct view user;     /* sip/sips: before '@'; tel: the number; may be empty */
	struct view password;
	struct view host;     /* IPv6 with its brackets */
	uint16_t port;        /* 0: none given */
	struct view params;   /* ";a=b;c", with the leading ';', or empty */
	struct view headers;  /* "a=b&c=d", without the '?', or empty */
};

/* A whole URI without angle brackets. E_SYNTAX; a scheme that is not known parses as OTHER with only
 * text set. */
int sip_uri_parse(struct view text, struct sip_uri *out);
/* A parameter of a ";name=value;flag" list, case folded name; true when it is there. *value (may be
 * NULL) is empty for a flag; quotes are kept. Good for URI and for header parameters. */
bool sip_param(struct view params, struct view name, struct view *value);
/* Walks a parameter list; true while there is one. */
bool sip_param_next(struct view *rest, struct view *name, struct view *value);
/* Walks the "?a=b&c=d" part; name and value still escaped. */
bool sip_uri_header_next(struct view *rest, struct view *name, struct view *value);
/* Appends v with %HH undone. E_SYNTAX on a broken escape or an escaped NUL, CR or LF when
 * reject_control (what goes into a header must not be able to begin another one). */
int sip_unescape(struct buf *out, struct view v, bool reject_control);
/* Appends v with everything but unreserved characters of a URI header value escaped. */
void sip_escape(struct buf *out, struct view v);
/* Comparison by RFC 3261 §19.1.4 (sip and sips); case-folded text for others. */
bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b);
/* Appends the address-of-record form: scheme ':' user '@' host[:port], host in lower case, user
 * unescaped where that is harmless, no parameters, headers or password. For keys of bindings and for
 * comparing people. */
void sip_uri_aor(struct buf *out, const struct sip_uri *u);

#endif
