/* What a client shows of itself by TLS, and whom it believes. */
#include "embed/state.h"

#include "base/error.h"
#include "sip/domain_identity.h"

#include <stdlib.h>

static int complain(struct confab *c, int rc, const char *why)
{
	if (rc)
		log_line(&c->log, LOG_ERROR, "embed", "TLS: %s", why[0] ? why : error_text(rc));
	return rc;
}

/* RFC 5922 §4: whoever asks for a domain must find that domain, whatever the address it lives at.
 */
static int expected_name(struct confab *c, const struct confab_options *o)
{
	struct view server = view_str(o->server), name = view_str(o->tls_name);
	struct sip_uri u;
	struct addr literal;

	if (!name.n && addr_parse_hostport(server, 0, &literal))
		name = view_first(server, view_find(server, ':', 0));
	if (!name.n) {
		if (sip_uri_parse(view_str(o->user), &u))
			return E_SYNTAX;
		name = u.host;
	}
	return view_copy(name, c->tls_name, sizeof(c->tls_name)) ? 0 : E_SYNTAX;
}

int certificates_open(struct confab *c, const struct confab_options *o)
{
	struct io_tls_options sip = {
		.certificate = o->tls_certificate, .key = o->tls_key, .ca = o->tls_ca};
	struct io_tls_options msrp = {
		.self_name = "confab", .ca = o->tls_ca, .clients = IO_TLS_CLIENTS_ANY};
	char why[IO_TLS_WHY_MAX] = "";
	int rc = expected_name(c, o);

	if (rc)
		return rc;
	rc = complain(c, io_tls_new(&msrp, &c->msrp_tls, why, sizeof(why)), why);
	if (!rc && c->server.transport == SIP_TLS)
		rc = complain(c, io_tls_new(&sip, &c->sip_tls, why, sizeof(why)), why);
	return rc;
}

void certificates_close(struct confab *c)
{
	io_tls_free(c->sip_tls);
	io_tls_free(c->msrp_tls);
	c->sip_tls = c->msrp_tls = NULL;
}

struct promise {
	const struct confab *confab;
	struct view host;
	bool kept;
};

/* RFC 4975 §14.4: the host in the path; and a switch of the server's own domain, whose path has an
 * address. */
static void names_host(void *ctx, const struct cert_name *name, size_t n)
{
	struct promise *p = ctx;

	p->kept = sip_domain_identity_matches(name, n, p->host) ||
		  sip_domain_identity_matches(name, n, view_str(p->confab->tls_name));
}

bool certificates_vouch(void *ctx, void *handle, bool tls, const struct msrp_peer *peer)
{
	const struct wire *w = handle;
	struct promise p = {.confab = ctx, .host = peer ? peer->host : VIEW("")};

	if (io_conn_is_tls(w->io) != tls)
		return false;
	if (!tls || !peer)
		return true;
	if (peer->fingerprint.n)
		return io_conn_tls_matches(w->io, peer->fingerprint);
	if (io_conn_tls_believed(w->io))
		io_conn_tls_names(w->io, names_host, &p);
	return p.kept;
}

const char *certificates_identify_server(void *ctx, struct io_conn *io,
					 const struct cert_name *name, size_t n)
{
	const struct wire *w = ctx;

	(void)io;
	return sip_domain_identity_matches(name, n, view_str(w->confab->tls_name))
		       ? NULL
		       : "the server's certificate does not name the domain that was asked for";
}
