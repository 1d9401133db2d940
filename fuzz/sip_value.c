/* Any bytes as the value of each header that has a grammar here. */
#include "sip/value.h"

#include "sip/session_timer.h"
#include "sip/uri.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct view whole, struct view v)
{
	if (v.n && (v.p < whole.p || v.p + v.n > whole.p + whole.n))
		abort();
}

static void params(struct view whole, struct view rest)
{
	struct view name, value;

	inside(whole, rest);
	while (sip_param_next(&rest, &name, &value)) {
		inside(whole, name);
		inside(whole, value);
	}
	(void)sip_params_have_im_tag(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view v = view_of((const char *)data, size);
	struct sip_session_expires expires;
	struct sip_token_params token;
	struct sip_replaces replaces;
	struct sip_auth auth;
	struct sip_addr addr;
	struct sip_cseq cseq;
	struct sip_via via;

	if (sip_addr_parse(v, &addr) == 0) {
		inside(v, addr.uri);
		inside(v, addr.display);
		inside(v, sip_addr_tag(&addr));
		params(v, addr.params);
	}
	if (sip_via_parse(v, &via) == 0) {
		inside(v, via.host);
		inside(v, via.branch);
	}
	if (sip_cseq_parse(v, &cseq) == 0 && cseq.number > INT32_MAX)
		abort();
	if (sip_replaces_parse(v, &replaces) == 0)
		inside(v, replaces.call_id);
	if (sip_token_params_parse(v, &token) == 0)
		params(v, token.params);
	(void)sip_session_expires_parse(v, &expires);
	(void)sip_auth_parse(v, &auth);
	(void)sip_content_is(v, VIEW("application/sdp"));
	return 0;
}
