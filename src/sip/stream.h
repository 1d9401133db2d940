/*
 * Messages out of a byte stream (RFC 3261 §18.3): framing by Content-Length, keep-alive
 * CRLFs (RFC 5626 §3.5.1). Storage is taken only while a message is incomplete.
 */
#ifndef CONFAB_SIP_STREAM_H
#define CONFAB_SIP_STREAM_H

#include "base/buf.h"

struct sip_stream {
	struct buf pending; /* an incomplete message; no storage while idle */
	size_t scanned;     /* start of pending's last line, which has no end yet */
	size_t need;        /* bytes of the whole message once the head is known, else 0 */
	size_t max;         /* cap on one message in bytes */
	bool after_crlf;    /* the last thing was a CRLF between messages */
	int error;          /* sticky: what made the stream unusable, or 0 */
};

enum sip_stream_event {
	SIP_STREAM_NEED_MORE, /* all input was taken */
	SIP_STREAM_MESSAGE,   /* *message_out is one whole message */
	SIP_STREAM_PING,      /* CRLFCRLF is complete: answer with one CRLF */
	SIP_STREAM_PONG,      /* a CRLF, single so far */
};

void sip_stream_init(struct sip_stream *s, size_t max);
void sip_stream_fini(struct sip_stream *s);
/* Takes bytes from the front of *in (moving it on) until something happened. The events depend on the
 * bytes alone, never on how they were cut into inputs: so the first CRLF of a ping is told as PONG and
 * the second, right behind it, as PING. The message lives until the
 * next call of any sip_stream function and as long as the input. A negative return means that the
 * stream cannot be trusted any longer: E_SYNTAX (no Content-Length or a bad one), E_LIMIT, E_NOMEM;
 * *message_out then holds the head that was read, if whole, for a last answer (else it is empty).
 * Further calls return the same. */
int sip_stream_feed(struct sip_stream *s, struct view *in, struct view *message_out);

#endif
