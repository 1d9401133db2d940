#include "confabd_certificate.h"

#include "io/tcp.h"
#include "sip/domain_identity.h"

struct question {
	struct view host;
	bool yes;
};

static void look(void *ctx, const struct cert_name *name, size_t n)
{
	struct question *q = ctx;

	q->yes = sip_domain_identity_matches(name, n, q->host);
}

bool certificate_names(const struct io_conn *io, struct view host)
{
	struct question q = {.host = host};

	if (io_conn_tls_believed(io))
		io_conn_tls_names(io, look, &q);
	return q.yes;
}
