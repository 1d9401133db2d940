#include "sip/domain_identity.h"

#include "sip/uri.h"

static bool is_domain(struct view name, struct view domain)
{
	/* A dot at the end is DNS's way of saying that nothing follows. */
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	return name.n && view_eq_nocase(name, domain);
}

/* §7.1: only a URI that names a domain alone counts; one with a user is that user's. */
static bool uri_domain(struct view text, struct view *host)
{
	struct sip_uri u;

	if (sip_uri_parse(text, &u) || u.scheme != SIP_SCHEME_SIP || u.user.n || u.port)
		return false;
	*host = u.host;
	return true;
}

static bool any_uri(const struct cert_name *name, size_t n)
{
	struct view host;

	for (size_t i = 0; i < n; i++)
		if (name[i].kind == CERT_NAME_URI && uri_domain(name[i].text, &host))
			return true;
	return false;
}

static bool any_alternative(const struct cert_name *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name[i].kind != CERT_NAME_CN)
			return true;
	return false;
}

static bool matches_address(const struct cert_name *name, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (name[i].kind == CERT_NAME_IP && addr_same_host(&name[i].addr, a))
			return true;
	return false;
}

bool sip_domain_identity_matches(const struct cert_name *name, size_t n, struct view domain)
{
	bool uris = any_uri(name, n), alternatives = any_alternative(name, n);
	struct view host;
	struct addr a;

	if (domain.n && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (addr_parse(domain, 0, &a) == 0)
		return matches_address(name, n, &a);
	for (size_t i = 0; domain.n && i < n; i++) {
		switch (name[i].kind) {
		case CERT_NAME_URI:
			if (uri_domain(name[i].text, &host) && is_domain(host, domain))
				return true;
			break;
		case CERT_NAME_DNS:
			if (!uris && is_domain(name[i].text, domain))
				return true;
			break;
		case CERT_NAME_CN:
			if (!alternatives && is_domain(name[i].text, domain))
				return true;
			break;
		case CERT_NAME_IP:
			break;
		}
	}
	return false;
}
