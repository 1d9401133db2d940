#include "procedure/upgrade.h"

#include "base/error.h"
#include "body/multipart.h"
#include "body/resource_lists.h"
#include "procedure/uri_list.h"
#include "sip/write.h"

enum { LIST_BYTES_MAX = 65536, ENTRIES_MAX = 256 };

static int write_list(struct buf *xml, const struct upgrade *u)
{
	struct resource_entry entry[ENTRIES_MAX] = {0};
	struct buf peer, replaces;
	size_t n = 0;
	int rc = 0;

	buf_init(&peer, LIST_BYTES_MAX);
	buf_init(&replaces, LIST_BYTES_MAX);
	if (u->n_invitees >= ENTRIES_MAX)
		return E_LIMIT;
	if (u->peer.n && u->dialog) {
		sip_dialog_write_replaces(u->dialog, &replaces);
		invitee_write_replaces(&peer, u->peer, buf_view(&replaces));
		entry[n++].uri = buf_view(&peer);
	} else if (u->peer.n) {
		entry[n++].uri = u->peer;
	}
	for (size_t i = 0; i < u->n_invitees; i++)
		entry[n++].uri = u->invitees[i];
	if (!buf_ok(&peer) || !buf_ok(&replaces))
		rc = E_NOMEM;
	else
		resource_lists_write(xml, entry, n, false);
	buf_fini(&peer);
	buf_fini(&replaces);
	return rc;
}

int upgrade_write_body(struct buf *body, struct buf *content_type, const struct upgrade *u)
{
	struct buf xml;
	int rc;

	buf_init(&xml, LIST_BYTES_MAX);
	rc = write_list(&xml, u);
	if (rc == 0 && buf_ok(&xml)) {
		multipart_write_part(body, u->boundary, VIEW("application/sdp"), VIEW(""), VIEW(""),
				     u->sdp);
		multipart_write_part(body, u->boundary, VIEW("application/resource-lists+xml"),
				     VIEW("recipient-list"), VIEW(""), buf_view(&xml));
		multipart_end(body, u->boundary);
		buf_putf(content_type, "multipart/mixed;boundary=\"%.*s\"", VIEW_ARG(u->boundary));
	}
	if (rc == 0 && (!buf_ok(&xml) || !buf_ok(body) || !buf_ok(content_type)))
		rc = E_NOMEM;
	buf_fini(&xml);
	return rc;
}

void upgrade_write_fields(struct buf *b)
{
	sip_write_field(b, "Require", VIEW("recipient-list-invite"));
}
