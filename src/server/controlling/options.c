/* OPTIONS: what a URI is, and what can be done with it (R-11; RFC 4579 §4.3, §5.13, RFC 3261
 * §11.2). */
#include "server/controlling/focus.h"

#include "procedure/create_conference.h"
#include "sip/write.h"

void focus_write_capabilities(struct buf *b)
{
	sip_write_field(b, "Allow-Events", VIEW(FOCUS_EVENTS));
	sip_write_field(b, "Accept", VIEW("application/sdp, message/sipfrag"));
}

void focus_answer_options(const struct controlling *c, const struct conference *conf,
			  struct sip_server_tx *tx, uint64_t now_ms)
{
	struct im_profile p;
	struct buf lines;

	focus_profile(c, &p, VIEW(""));
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	/* The factory makes conferences, and is none. */
	if (conf) {
		buf_puts(&lines, "Contact: ");
		im_write_contact(&lines, &p, view_str(conf->uri), true);
		buf_puts(&lines, "\r\n");
	}
	sip_write_field(&lines, "Allow", p.allow);
	sip_write_field(&lines, "Allow-Events", VIEW(FOCUS_EVENTS));
	sip_write_field(&lines, "Accept",
			VIEW("application/sdp, application/resource-lists+xml, multipart/mixed, "
			     "message/sipfrag"));
	sip_write_field(&lines, "Accept-Encoding", VIEW("identity"));
	sip_write_field(&lines, "Accept-Language", VIEW("en"));
	sip_write_field(&lines, "Supported", VIEW(CREATE_CONFERENCE_SUPPORTED));
	(void)sip_server_tx_reply(tx, 200, NULL, buf_view(&lines), now_ms);
	buf_fini(&lines);
}
