/* The certificates of confabd: read at the start, and anew on SIGHUP; and which of those that
 * others show make them believed. */
#include "confabd.h"

#include "base/error.h"
#include "io/tls.h"
#include "sip/domain_identity.h"

enum { DAY_S = 24 * 3600, SOON_DAYS = 14 };

static void warn_of_end(struct confabd *d, struct io_tls *t)
{
	int64_t left = io_tls_not_after(t) - (int64_t)(io_wall_ms() / 1000);

	if (left < 0)
		log_line(&d->log.log, LOG_WARN, "confabd", "%s has expired: nobody will believe it",
			 d->cfg.tls.certificate);
	else if (left < SOON_DAYS * DAY_S)
		log_line(&d->log.log, LOG_WARN, "confabd", "%s expires in %d days",
			 d->cfg.tls.certificate, (int)(left / DAY_S));
}

static int open_one(struct confabd *d, enum io_tls_clients clients, struct io_tls **out)
{
	struct io_tls_options options = {.certificate = d->cfg.tls.certificate,
					 .key = d->cfg.tls.key,
					 .ca = d->cfg.tls.ca,
					 .clients = clients};
	char why[IO_TLS_WHY_MAX] = "";
	int rc = io_tls_new(&options, out, why, sizeof(why));

	if (rc)
		log_line(&d->log.log, LOG_ERROR, "confabd", "TLS: %s",
			 why[0] ? why : error_text(rc));
	return rc;
}

int confabd_tls_open(struct confabd *d)
{
	static const enum io_tls_clients clients[] = {
		[SERVER_CLIENTS_NO] = IO_TLS_CLIENTS_IGNORE,
		[SERVER_CLIENTS_OPTIONAL] = IO_TLS_CLIENTS_ASK,
		[SERVER_CLIENTS_REQUIRED] = IO_TLS_CLIENTS_REQUIRE};
	int rc;

	if (!d->cfg.tls.certificate[0])
		return 0;
	rc = open_one(d, clients[d->cfg.tls.verify_clients], &d->sip_tls);
	if (rc)
		return rc;
	warn_of_end(d, d->sip_tls);
	/* Phones certify themselves; their session descriptions vouch for them. */
	return d->cfg.msrp.tls ? open_one(d, IO_TLS_CLIENTS_ANY, &d->msrp_tls) : 0;
}

bool confabd_tls_trusts(const struct confabd *d, const struct cert_name *name, size_t n)
{
	for (size_t i = 0; i < d->cfg.tls.trusted.n; i++)
		if (sip_domain_identity_matches(name, n, view_str(d->cfg.tls.trusted.item[i])))
			return true;
	return false;
}

bool confabd_tls_trusts_domain(const struct confabd *d, struct view domain)
{
	for (size_t i = 0; i < d->cfg.tls.trusted.n; i++)
		if (view_eq_nocase(domain, view_str(d->cfg.tls.trusted.item[i])))
			return true;
	return false;
}

void confabd_route(const struct confabd *d, const char *item, struct core_route *out)
{
	*out = (struct core_route){0};
	(void)config_server_route(item, &out->domain, &out->peer, &out->tls);
	out->vouched = out->tls && confabd_tls_trusts_domain(d, out->domain);
}

void confabd_tls_close(struct confabd *d)
{
	io_tls_free(d->sip_tls);
	io_tls_free(d->msrp_tls);
	d->sip_tls = d->msrp_tls = NULL;
}

void confabd_tls_reload(struct confabd *d)
{
	struct io_tls *both[] = {d->sip_tls, d->msrp_tls};
	char why[IO_TLS_WHY_MAX];

	for (size_t i = 0; i < 2; i++) {
		if (!both[i])
			continue;
		if (io_tls_reload(both[i], why, sizeof(why))) {
			log_line(&d->log.log, LOG_ERROR, "confabd",
				 "TLS: the old certificate stays: %s", why);
			return;
		}
	}
	if (!d->sip_tls)
		return;
	log_line(&d->log.log, LOG_INFO, "confabd", "the certificate was read anew");
	warn_of_end(d, d->sip_tls);
}
