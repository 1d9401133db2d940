/* Names: methods, header fields and reason phrases. */
#include "sip/msg.h"

static const struct view method_texts[SIP_METHODS] = {
	[SIP_INVITE] = {"INVITE", 6},
	[SIP_ACK] = {"ACK", 3},
	[SIP_BYE] = {"BYE", 3},
	[SIP_CANCEL] = {"CANCEL", 6},
	[SIP_REGISTER] = {"REGISTER", 8},
	[SIP_OPTIONS] = {"OPTIONS", 7},
	[SIP_INFO] = {"INFO", 4},
	[SIP_PRACK] = {"PRACK", 5},
	[SIP_SUBSCRIBE] = {"SUBSCRIBE", 9},
	[SIP_NOTIFY] = {"NOTIFY", 6},
	[SIP_PUBLISH] = {"PUBLISH", 7},
	[SIP_MESSAGE] = {"MESSAGE", 7},
	[SIP_REFER] = {"REFER", 5},
	[SIP_UPDATE] = {"UPDATE", 6},
};

static const struct view header_texts[SIP_HEADER_IDS] = {
#define X(id, name, compact) [SIP_H_##id] = {name, sizeof(name) - 1},
	SIP_HEADERS(X)
#undef X
};

enum { NAME_MAX_BYTES = 29, SAME_LENGTH_MAX = 8 };

/* The ids of the names of each length; a test holds this to SIP_HEADERS. */
static const uint8_t header_by_length[NAME_MAX_BYTES + 1][SAME_LENGTH_MAX] = {
	[2] = {SIP_H_TO},
	[3] = {SIP_H_VIA},
	[4] = {SIP_H_FROM, SIP_H_CSEQ, SIP_H_DATE, SIP_H_PATH},
	[5] = {SIP_H_ROUTE, SIP_H_ALLOW, SIP_H_EVENT},
	[6] = {SIP_H_ACCEPT, SIP_H_MIN_SE, SIP_H_SERVER, SIP_H_REASON},
	[7] = {SIP_H_CALL_ID, SIP_H_CONTACT, SIP_H_REQUIRE, SIP_H_EXPIRES, SIP_H_PRIVACY,
	       SIP_H_SUBJECT, SIP_H_WARNING},
	[8] = {SIP_H_REFER_TO, SIP_H_REPLACES},
	[9] = {SIP_H_SUPPORTED, SIP_H_REFER_SUB, SIP_H_TIMESTAMP},
	[10] = {SIP_H_CONTENT_ID, SIP_H_USER_AGENT},
	[11] = {SIP_H_UNSUPPORTED, SIP_H_MIN_EXPIRES, SIP_H_REFERRED_BY, SIP_H_RETRY_AFTER},
	[12] = {SIP_H_RECORD_ROUTE, SIP_H_MAX_FORWARDS, SIP_H_CONTENT_TYPE, SIP_H_ALLOW_EVENTS,
		SIP_H_MIME_VERSION, SIP_H_HISTORY_INFO},
	[13] = {SIP_H_PROXY_REQUIRE, SIP_H_AUTHORIZATION, SIP_H_SERVICE_ROUTE, SIP_H_P_SERVED_USER},
	[14] = {SIP_H_CONTENT_LENGTH, SIP_H_ACCEPT_CONTACT, SIP_H_REJECT_CONTACT},
	[15] = {SIP_H_SESSION_EXPIRES, SIP_H_CONTRIBUTION_ID},
	[16] = {SIP_H_CONTENT_ENCODING, SIP_H_WWW_AUTHENTICATE, SIP_H_P_ASSOCIATED_URI,
		SIP_H_SESSION_REPLACES},
	[17] = {SIP_H_P_CHARGING_VECTOR},
	[18] = {SIP_H_SUBSCRIPTION_STATE, SIP_H_PROXY_AUTHENTICATE},
	[19] = {SIP_H_CONTENT_DISPOSITION, SIP_H_P_ASSERTED_IDENTITY, SIP_H_PROXY_AUTHORIZATION,
		SIP_H_AUTHENTICATION_INFO},
	[20] = {SIP_H_P_PREFERRED_IDENTITY},
	[21] = {SIP_H_P_ACCESS_NETWORK_INFO},
	[29] = {SIP_H_P_CHARGING_FUNCTION_ADDRESSES},
};

static const uint8_t header_by_letter[26] = {
	['a' - 'a'] = SIP_H_ACCEPT_CONTACT,
	['b' - 'a'] = SIP_H_REFERRED_BY,
	['c' - 'a'] = SIP_H_CONTENT_TYPE,
	['e' - 'a'] = SIP_H_CONTENT_ENCODING,
	['f' - 'a'] = SIP_H_FROM,
	['i' - 'a'] = SIP_H_CALL_ID,
	['j' - 'a'] = SIP_H_REJECT_CONTACT,
	['k' - 'a'] = SIP_H_SUPPORTED,
	['l' - 'a'] = SIP_H_CONTENT_LENGTH,
	['m' - 'a'] = SIP_H_CONTACT,
	['o' - 'a'] = SIP_H_EVENT,
	['r' - 'a'] = SIP_H_REFER_TO,
	['s' - 'a'] = SIP_H_SUBJECT,
	['t' - 'a'] = SIP_H_TO,
	['u' - 'a'] = SIP_H_ALLOW_EVENTS,
	['v' - 'a'] = SIP_H_VIA,
	['x' - 'a'] = SIP_H_SESSION_EXPIRES,
};

enum sip_method sip_method_of(struct view name)
{
	for (int i = SIP_METHOD_OTHER + 1; i < SIP_METHODS; i++)
		if (view_eq(name, method_texts[i]))
			return (enum sip_method)i;
	return SIP_METHOD_OTHER;
}

struct view sip_method_text(enum sip_method m)
{
	return (unsigned)m < SIP_METHODS ? method_texts[m] : VIEW("");
}

static inline char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

enum sip_header_id sip_header_of(struct view name)
{
	const uint8_t *ids;
	char first;

	if (name.n == 0 || name.n > NAME_MAX_BYTES)
		return SIP_H_OTHER;
	first = lower(name.p[0]);
	if (name.n == 1)
		return first >= 'a' && first <= 'z' ? header_by_letter[first - 'a'] : SIP_H_OTHER;
	ids = header_by_length[name.n];
	for (int i = 0; i < SAME_LENGTH_MAX && ids[i]; i++) {
		const struct view *text = &header_texts[ids[i]];

		/* Most senders spell names as the RFC does. */
		if (lower(text->p[0]) == first &&
		    (memcmp(text->p, name.p, name.n) == 0 || view_eq_nocase(*text, name)))
			return ids[i];
	}
	return SIP_H_OTHER;
}

struct view sip_header_text(enum sip_header_id id)
{
	return (unsigned)id < SIP_HEADER_IDS ? header_texts[id] : VIEW("");
}

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{100, "Trying"},
	{180, "Ringing"},
	{181, "Call Is Being Forwarded"},
	{182, "Queued"},
	{183, "Session Progress"},
	{199, "Early Dialog Terminated"},
	{200, "OK"},
	{202, "Accepted"},
	{204, "No Notification"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Moved Temporarily"},
	{305, "Use Proxy"},
	{380, "Alternative Service"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{410, "Gone"},
	{412, "Conditional Request Failed"},
	{413, "Request Entity Too Large"},
	{414, "Request-URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Unsupported URI Scheme"},
	{417, "Unknown Resource-Priority"},
	{420, "Bad Extension"},
	{421, "Extension Required"},
	{422, "Session Interval Too Small"},
	{423, "Interval Too Brief"},
	{424, "Bad Location Information"},
	{428, "Use Identity Header"},
	{429, "Provide Referrer Identity"},
	{430, "Flow Failed"},
	{433, "Anonymity Disallowed"},
	{436, "Bad Identity Info"},
	{437, "Unsupported Credential"},
	{438, "Invalid Identity Header"},
	{439, "First Hop Lacks Outbound Support"},
	{440, "Max-Breadth Exceeded"},
	{469, "Bad Info Package"},
	{470, "Consent Needed"},
	{480, "Temporarily Unavailable"},
	{481, "Call/Transaction Does Not Exist"},
	{482, "Loop Detected"},
	{483, "Too Many Hops"},
	{484, "Address Incomplete"},
	{485, "Ambiguous"},
	{486, "Busy Here"},
	{487, "Request Terminated"},
	{488, "Not Acceptable Here"},
	{489, "Bad Event"},
	{491, "Request Pending"},
	{493, "Undecipherable"},
	{494, "Security Agreement Required"},
	{500, "Server Internal Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Server Time-out"},
	{505, "Version Not Supported"},
	{513, "Message Too Large"},
	{580, "Precondition Failure"},
	{600, "Busy Everywhere"},
	{603, "Decline"},
	{604, "Does Not Exist Anywhere"},
	{606, "Not Acceptable"},
	{607, "Unwanted"},
};

const char *sip_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}
