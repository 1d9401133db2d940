/*
 * Frames out of a byte stream (RFC 4975 §7.1, §9), zero copy where the input allows:
 * a head event, any number of body events, an end event. A body is never gathered.
 * Storage is taken only while a head or a possible end-line is cut by the end of the
 * input; an idle reader holds none.
 */
#ifndef CONFAB_MSRP_FRAME_H
#define CONFAB_MSRP_FRAME_H

#include "base/buf.h"
#include "base/view.h"

enum msrp_method {
	MSRP_METHOD_OTHER,
	MSRP_SEND,
	MSRP_REPORT,
	MSRP_AUTH,
	MSRP_NICKNAME /* RFC 7701 §7 */
};

enum msrp_failure_report { MSRP_FAILURE_YES, MSRP_FAILURE_NO, MSRP_FAILURE_PARTIAL };

enum {
	MSRP_HEAD_BYTES_MAX = 8192,
	MSRP_TID_MAX = 32, /* RFC 4975 §9: ident, 4 to 32 characters; shorter ones are let pass */
	MSRP_FIELDS_MAX = 32,
};
#define MSRP_UNKNOWN UINT64_MAX /* a '*' in Byte-Range */

/* A head. Views point into the reader's input or its carry: good until the next call of
 * msrp_reader_next. Fields that are absent are empty. */
struct msrp_head {
	struct view raw; /* start line to the last header line, its CRLF included, without the empty
			    line */
	bool is_request;
	enum msrp_method method;
	struct view method_name;
	struct view tid;
	uint16_t status;     /* response */
	struct view comment; /* response */
	struct view to_path, from_path;
	struct view message_id;
	bool has_range;
	uint64_t start, end,
		total;	     /* Byte-Range; first byte is 1; end or total MSRP_UNKNOWN for '*';
			      * 1, MSRP_UNKNOWN, MSRP_UNKNOWN without the field (RFC 4975 §7.3.1) */
	bool success_report; /* default no */
	enum msrp_failure_report failure_report; /* default yes; an unknown value counts as yes */
	bool has_status;			 /* Status: of a REPORT */
	uint16_t status_ns;			 /* 0 is the only one defined */
	uint16_t status_code;			 /* 200 … */
	struct view status_comment;
	struct view content_type;
	struct view use_nickname; /* content of the quoted-string, escapes left; p is NULL where
				     there is none */
	struct view www_authenticate, authorization, authentication_info;
	struct view expires, min_expires, max_expires, use_path;
	bool has_body; /* an empty line followed: body and end-line come */
};

enum msrp_event_type {
	MSRP_EV_NEED_MORE = 0,
	MSRP_EV_HEAD, /* ev.head */
	MSRP_EV_BODY, /* ev.body: the next bytes of the body, never empty */
	MSRP_EV_END,  /* ev.flag: '$' last chunk, '+' more follow, '#' aborted */
};

struct msrp_event {
	struct msrp_head head;
	struct view body;
	char flag;
};

struct msrp_reader {
	struct buf carry;  /* bytes of a head or of a possible end-line that the input cut */
	size_t carry_used; /* bytes of carry handed out by the last event, dropped at the next call
			    */
	char tid[MSRP_TID_MAX + 1]; /* of the frame whose body is being read */
	uint8_t tid_n;
	uint8_t state;	 /* head, body, end */
	char flag;	 /* of an end-line that is read but not yet told */
	uint64_t expect; /* body bytes that the Byte-Range still promises, MSRP_UNKNOWN: none known
			  */
};

void msrp_reader_init(struct msrp_reader *r);
void msrp_reader_fini(struct msrp_reader *r);
/* Takes bytes from the front of *in (moving it on) and gives the next event. MSRP_EV_NEED_MORE:
 * all of *in was taken. Negative: the stream is broken (E_SYNTAX; E_LIMIT: head too long or too
 * many fields; E_NOMEM) and the connection has to be closed; ev->head.tid and the paths are filled
 * as far as they were readable, so that a last 400 can be written when tid is not empty. Where the
 * known end of the body is inside the input the reader looks there first and does not scan the body
 * twice. A body that contains "-------" and another tid, split anywhere, is passed through. A head
 * field of struct msrp_head that stands twice, To-Path or From-Path missing in a request: E_SYNTAX.
 */
int msrp_reader_next(struct msrp_reader *r, struct view *in, struct msrp_event *ev);
/* True between a head event and its end event. */
bool msrp_reader_in_frame(const struct msrp_reader *r);

enum msrp_method msrp_method_of(struct view name);
/* Comment text for a status code of RFC 4975 and 7701. */
const char *msrp_reason(int status);

#endif
