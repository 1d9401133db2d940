/* The response context of RFC 3261 §16.7: the branches of one request, and the answer they make.
 * Contacts of equal q are tried at once, those of a lower one when the others have not taken the
 * request (§16.6: a mix of serial and parallel search). */
#include "server/core/proxy.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

struct branch {
	struct response_context *context;
	struct sip_client_tx *tx;
	/* Timer C of an INVITE; of the first that waits for its turn: how long the others have. */
	struct timer timer_c;
	bool pending; /* under way: no final answer yet */
	bool heard;   /* a provisional answer came */
	bool late;    /* cancelled, for others to have their turn */
	uint16_t q;
	struct later *later; /* it waits for its turn */
};

/* The request of a branch as it will go. */
struct later {
	struct sip_flow flow;
	char mark[SIP_MARK_CHARS]; /* core_loop_mark */
	size_t mark_n, n;
	char request[];
};

/* RFC 3263 §4.3: the other servers of the one target, for as long as none has answered. */
struct failing_over {
	struct core_kept *kept;
	struct sip_flow spare[PROXY_SPARES_MAX];
	size_t at, n;
	bool named;
};

struct response_context {
	struct list link;
	struct core *c;
	struct sip_server_tx *tx;
	uint16_t n, pending, waiting;
	uint16_t best_status; /* 0: none yet */
	bool invite;
	bool to_trusted; /* upstream */
	bool won;	 /* a 2xx went up */
	bool stopped;	 /* all branches were cancelled */
	bool cancelled;	 /* by the one who asked */
	char *best; /* the best final answer so far, as it will go up; NULL: of our own making */
	size_t best_n;
	char *challenges; /* those of the other 401s and 407s (§16.7 step 7) */
	size_t challenges_n;
	char *aor; /* whose bindings the branches go to; NULL: not known */
	/* Of the invitations that its sender may have under way; NULL when no branch is any more,
	 * though transactions linger. */
	struct quota_share *share;
	struct failing_over *over; /* NULL: there is nowhere else to try */
	struct branch branch[];
};

static void over_free(struct failing_over *o)
{
	if (o)
		core_kept_free(o->kept);
	free(o);
}

static void context_free(struct response_context *x)
{
	for (unsigned i = 0; i < x->n; i++) {
		timer_cancel(x->c->timers, &x->branch[i].timer_c);
		free(x->branch[i].later);
		if (x->branch[i].tx)
			sip_client_tx_detach(x->branch[i].tx);
	}
	if (x->tx)
		sip_server_tx_attach(x->tx, NULL, NULL);
	list_del(&x->link);
	quota_release(&x->c->sessions, x->share);
	free(x->best);
	free(x->challenges);
	free(x->aor);
	over_free(x->over);
	free(x);
}

static void free_when_over(struct response_context *x)
{
	if (x->tx)
		return;
	for (unsigned i = 0; i < x->n; i++)
		if (x->branch[i].tx)
			return;
	context_free(x);
}

void proxy_drop_all(struct core *c)
{
	while (!list_empty(&c->contexts))
		context_free(CONTAINER(c->contexts.next, struct response_context, link));
}

/* --- upstream --- */

/* §16.7 step 6: the lower, the better. What says least (a phone that knows no such dialog, one that
 * did not answer) comes behind all others of its class. */
static unsigned rank(unsigned status)
{
	unsigned class = status / 100 * 10;

	if (status >= 600)
		return 0;
	switch (status) {
	case 401:
	case 407:
		return class;
	case 415:
	case 420:
	case 484:
		return class + 1;
	case 408:
	case 480:
		return class + 5;
	case 481:
	case 487:
		return class + 6;
	case 503:
		return class + 7;
	default:
		return class + 3;
	}
}

static bool is_challenge(unsigned status)
{
	return status == 401 || status == 407;
}

static void append(char **text, size_t *n, struct view v)
{
	char *more = v.n ? realloc(*text, *n + v.n) : NULL;

	if (!more)
		return;
	memcpy(more + *n, v.p, v.n);
	*text = more;
	*n += v.n;
}

static void gather_challenges(struct response_context *x, const struct sip_msg *m)
{
	struct buf *extra = &x->c->extra;

	buf_reset(extra);
	sip_write_copy(extra, m, SIP_H_WWW_AUTHENTICATE);
	sip_write_copy(extra, m, SIP_H_PROXY_AUTHENTICATE);
	if (buf_ok(extra) && x->challenges_n + extra->n < CORE_HEAD_MAX)
		append(&x->challenges, &x->challenges_n, buf_view(extra));
}

static void set_best(struct response_context *x, unsigned status, struct view bytes)
{
	free(x->best);
	x->best = NULL;
	x->best_n = 0;
	x->best_status = (uint16_t)status;
	append(&x->best, &x->best_n, bytes);
}

/* A final answer other than 2xx; m NULL: of our own making. */
static void consider(struct response_context *x, unsigned status, const struct sip_msg *m,
		     bool from_trusted)
{
	bool better = x->best_status == 0 || rank(status) < rank(x->best_status);
	struct sip_msg old;

	if (!better) {
		if (m && is_challenge(status))
			gather_challenges(x, m);
		return;
	}
	if (is_challenge(status) && x->best && is_challenge(x->best_status) &&
	    sip_msg_parse(view_of(x->best, x->best_n), &old) == 0)
		gather_challenges(x, &old);
	if (!m) {
		set_best(x, status, VIEW(""));
		return;
	}
	proxy_compose_response(x->c, m, from_trusted, x->to_trusted, view_str(x->aor));
	set_best(x, status, buf_ok(&x->c->out) ? buf_view(&x->c->out) : VIEW(""));
}

static void send_best(struct response_context *x, uint64_t now_ms)
{
	unsigned status = x->best_status ? x->best_status : 408;
	struct view best = view_of(x->best, x->best_n);
	size_t line = view_find(best, '\n', 0) + 1;

	if (x->cancelled && !x->best)
		status = 487;
	/* §16.7 step 6: a 503 speaks of that branch, not of this server. */
	if (status == 503 || !x->best) {
		status = status == 503 ? 500 : status;
		if (sip_server_tx_reply(x->tx, (int)status, NULL, VIEW(""), now_ms))
			core_answer_at_least(x->tx, (int)status, now_ms);
		return;
	}
	if (is_challenge(status) && x->challenges_n) {
		buf_reset(&x->c->out);
		buf_put(&x->c->out, view_first(best, line));
		buf_put(&x->c->out, view_of(x->challenges, x->challenges_n));
		buf_put(&x->c->out, view_from(best, line));
		if (buf_ok(&x->c->out))
			best = buf_view(&x->c->out);
	}
	if (sip_server_tx_respond(x->tx, best, (int)status, now_ms))
		core_answer_at_least(x->tx, (int)status, now_ms);
}

static void next_turn(struct response_context *x, uint64_t now_ms);

static void finish(struct response_context *x, uint64_t now_ms)
{
	if (!x->pending && x->waiting && !x->won && !x->stopped && x->tx)
		next_turn(x, now_ms);
	if (x->pending || x->won || !x->tx)
		return;
	send_best(x, now_ms);
	free(x->best);
	free(x->challenges);
	x->best = x->challenges = NULL;
	x->best_n = x->challenges_n = 0;
}

/* --- branches --- */

static void branch_done(struct branch *b)
{
	if (!b->pending)
		return;
	b->pending = false;
	timer_cancel(b->context->c->timers, &b->timer_c);
	if (--b->context->pending)
		return;
	quota_release(&b->context->c->sessions, b->context->share);
	b->context->share = NULL;
}

/* §16.7 step 10, §16.10. */
static void cancel_pending(struct response_context *x, struct view reason, uint64_t now_ms)
{
	x->stopped = true;
	if (!x->invite)
		return;
	for (unsigned i = 0; i < x->n; i++)
		if (x->branch[i].pending && x->branch[i].tx)
			sip_client_tx_cancel(x->branch[i].tx, reason, now_ms);
}

static void arm_timer_c(struct branch *b, uint64_t now_ms)
{
	if (b->context->invite && b->pending)
		timer_arm(b->context->c->timers, &b->timer_c,
			  now_ms + b->context->c->cfg.timer_c_ms);
}

static void on_turn(struct response_context *x, uint64_t now_ms);

/* §16.8. The CANCEL brings a final answer, or the stack's own timeout does. */
static void on_timer_c(void *ctx, uint64_t now_ms)
{
	struct branch *b = ctx;

	if (b->later)
		on_turn(b->context, now_ms);
	else if (b->tx)
		sip_client_tx_cancel(b->tx, VIEW(""), now_ms);
}

static void pass_on(struct response_context *x, const struct sip_msg *m, bool from_trusted,
		    uint64_t now_ms)
{
	if (!x->tx)
		return;
	proxy_compose_response(x->c, m, from_trusted, x->to_trusted, view_str(x->aor));
	if (buf_ok(&x->c->out) &&
	    sip_server_tx_respond(x->tx, buf_view(&x->c->out), m->status, now_ms) == 0)
		return;
	log_line(x->c->log, LOG_DEBUG, "core", "a %u was not passed on", m->status);
	/* Who answers an INVITE with 2xx sends that again. */
	if (!x->invite || m->status >= 300)
		core_answer_at_least(x->tx, m->status, now_ms);
}

/* All 2xx to an INVITE go up, also those that come again (RFC 6026 §7.3). */
static void on_success(struct branch *b, const struct sip_msg *m, bool from_trusted,
		       uint64_t now_ms)
{
	struct response_context *x = b->context;

	branch_done(b);
	if (x->invite || !x->won)
		pass_on(x, m, from_trusted, now_ms);
	x->won = true;
	if (x->pending && !x->stopped)
		cancel_pending(x,
			       VIEW("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n"),
			       now_ms);
}

static uint32_t breadth_each(struct inbound *r, size_t n);
static const struct sip_client_handler client_handler;

/* Sends the request once more, to the next server that there is. False: there is none, or somebody
 * has answered already. */
static bool fail_over(struct branch *b, struct sip_client_tx *tx, uint64_t now_ms)
{
	struct response_context *x = b->context;
	struct failing_over *o = x->over;

	if (!o || b->heard || x->stopped || x->cancelled || !x->tx)
		return false;
	while (o->at < o->n) {
		struct proxy_target t = {.flow = o->spare[o->at++], .named = o->named};
		char mark[SIP_MARK_CHARS];
		struct inbound r;
		struct sip_msg m;

		if (!core_kept_again(o->kept, x->c, x->tx, &m, now_ms, &r))
			return false;
		t.uri = r.uri.text;
		b->tx = NULL;
		proxy_compose_request(&r, &t, breadth_each(&r, 1));
		if (!buf_ok(&r.c->out) ||
		    sip_client_tx_new_marked(r.c->stack, buf_view(&r.c->out), &t.flow,
					     core_loop_mark(&r, mark), &client_handler, b, now_ms,
					     &b->tx))
			continue;
		sip_client_tx_detach(tx);
		arm_timer_c(b, now_ms);
		return true;
	}
	b->tx = tx;
	return false;
}

static void take_response(struct branch *b, struct sip_client_tx *tx, const struct sip_msg *m,
			  uint64_t now_ms)
{
	struct response_context *x = b->context;
	bool from_trusted = core_is_trusted(x->c, sip_client_tx_flow(tx));

	if (m->status < 200) {
		b->heard = true;
		arm_timer_c(b, now_ms);
		if (!x->won)
			pass_on(x, m, from_trusted, now_ms);
		return;
	}
	if (m->status < 300) {
		on_success(b, m, from_trusted, now_ms);
		return;
	}
	if (m->status == 503 && fail_over(b, tx, now_ms))
		return;
	branch_done(b);
	/* The usual case, one branch: nothing is to be kept. */
	if (x->n == 1 && m->status != 503) {
		x->best_status = m->status;
		pass_on(x, m, from_trusted, now_ms);
		return;
	}
	if (x->won)
		return;
	/* It was taken back because its time was up (§16.8). */
	if (m->status == 487 && b->late)
		consider(x, 408, NULL, false);
	else
		consider(x, m->status, m, from_trusted);
	if (m->status >= 600 && !x->stopped)
		cancel_pending(x, VIEW(""), now_ms);
	finish(x, now_ms);
}

static void on_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	struct branch *b = ctx;
	struct response_context *x = b->context;

	take_response(b, tx, m, now_ms);
	/* Nothing of a request other than INVITE comes after its one answer; the transactions
	 * linger by themselves. */
	if (!x->invite && !x->pending)
		context_free(x);
}

static unsigned status_of(int error)
{
	return error == E_TIMEOUT ? 408 : 503;
}

static void on_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	struct branch *b = ctx;

	if (!b->pending)
		return;
	log_line(b->context->c->log, LOG_INFO, "core", "a branch failed: %s", error_text(error));
	if (fail_over(b, tx, now_ms))
		return;
	branch_done(b);
	consider(b->context, status_of(error), NULL, false);
	finish(b->context, now_ms);
}

static void on_client_gone(void *ctx, struct sip_client_tx *tx)
{
	struct branch *b = ctx;

	(void)tx;
	b->tx = NULL;
	timer_cancel(b->context->c->timers, &b->timer_c);
	free_when_over(b->context);
}

static void on_cancel(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	struct response_context *x = ctx;
	struct buf *extra = &x->c->extra;

	(void)tx;
	buf_reset(extra);
	sip_write_copy(extra, m, SIP_H_REASON); /* RFC 3326 */
	x->cancelled = true;
	cancel_pending(x, buf_ok(extra) ? buf_view(extra) : VIEW(""), now_ms);
}

static void on_server_gone(void *ctx, struct sip_server_tx *tx)
{
	struct response_context *x = ctx;

	(void)tx;
	x->tx = NULL;
	free_when_over(x);
}

static const struct sip_client_handler client_handler = {
	.on_response = on_response, .on_failed = on_failed, .on_gone = on_client_gone};
static const struct sip_server_handler server_handler = {.on_cancel = on_cancel,
							 .on_gone = on_server_gone};

/* --- one after the other --- */

/* Their time is up: an INVITE is taken back, and its end is the next one's beginning; anything else
 * goes to the next ones too. */
static void on_turn(struct response_context *x, uint64_t now_ms)
{
	if (x->won || x->stopped || !x->tx)
		return;
	if (!x->invite) {
		next_turn(x, now_ms);
		return;
	}
	for (unsigned i = 0; i < x->n; i++) {
		if (!x->branch[i].pending || !x->branch[i].tx)
			continue;
		x->branch[i].late = true;
		sip_client_tx_cancel(x->branch[i].tx, VIEW(""), now_ms);
	}
}

static void branch_begin(struct branch *b, const struct sip_flow *flow, struct view mark,
			 struct view request, uint64_t now_ms)
{
	struct response_context *x = b->context;
	int rc = sip_client_tx_new_marked(x->c->stack, request, flow, mark, &client_handler, b,
					  now_ms, &b->tx);

	timer_cancel(x->c->timers, &b->timer_c);
	b->pending = true;
	x->waiting--;
	x->pending++;
	if (rc == 0) {
		arm_timer_c(b, now_ms);
		return;
	}
	log_line(x->c->log, LOG_WARN, "core", "a branch could not begin: %s", error_text(rc));
	branch_done(b);
	consider(x, 503, NULL, false);
}

static void arm_turn(struct response_context *x, uint64_t now_ms)
{
	unsigned i = 0;

	if (!x->waiting)
		return;
	while (!x->branch[i].later)
		i++;
	timer_arm(x->c->timers, &x->branch[i].timer_c, now_ms + x->c->cfg.fork_ms);
}

/* The branches are in the order of their q, the highest first. */
static void next_turn(struct response_context *x, uint64_t now_ms)
{
	do {
		unsigned i = 0;
		uint16_t q;

		while (!x->branch[i].later)
			i++;
		q = x->branch[i].q;
		for (; i < x->n && x->branch[i].q == q; i++) {
			struct later *l = x->branch[i].later;

			if (!l)
				continue;
			x->branch[i].later = NULL;
			branch_begin(&x->branch[i], &l->flow, view_of(l->mark, l->mark_n),
				     view_of(l->request, l->n), now_ms);
			free(l);
		}
	} while (x->waiting && !x->pending);
	arm_turn(x, now_ms);
}

static struct response_context *context_new(struct inbound *r, size_t n, struct view aor)
{
	struct response_context *x = calloc(1, sizeof(*x) + n * sizeof(x->branch[0]));

	if (!x)
		return NULL;
	x->c = r->c;
	x->tx = r->tx;
	x->n = x->waiting = (uint16_t)n;
	x->invite = r->m->method == SIP_INVITE;
	x->to_trusted = core_is_trusted(r->c, r->from);
	if (aor.n && !(x->aor = view_dup(aor))) {
		free(x);
		return NULL;
	}
	list_add_tail(&r->c->contexts, &x->link);
	for (size_t i = 0; i < n; i++) {
		x->branch[i].context = x;
		timer_init(&x->branch[i].timer_c, on_timer_c, &x->branch[i]);
	}
	sip_server_tx_attach(r->tx, &server_handler, x);
	return x;
}

static uint32_t breadth_each(struct inbound *r, size_t n)
{
	struct view v = sip_msg_value_named(r->m, VIEW("Max-Breadth"));
	uint32_t breadth;

	if (v.n == 0 || view_to_u32(v, &breadth))
		return 0;
	return breadth / (uint32_t)n;
}

/* Without memory for it, there is one server the less to try. */
static struct failing_over *over_new(const struct inbound *r, const struct proxy_target *t)
{
	struct failing_over *o = t->n_spares ? calloc(1, sizeof(*o)) : NULL;

	if (!o)
		return NULL;
	o->kept = core_keep(r);
	if (!o->kept) {
		free(o);
		return NULL;
	}
	o->named = t->named;
	o->n = t->n_spares;
	memcpy(o->spare, t->spare, o->n * sizeof(o->spare[0]));
	return o;
}

static struct later *later_new(const struct sip_flow *flow, struct view mark, struct view request)
{
	struct later *l = malloc(sizeof(*l) + request.n);

	if (!l)
		return NULL;
	l->flow = *flow;
	memcpy(l->mark, mark.p, mark.n);
	l->mark_n = mark.n;
	l->n = request.n;
	memcpy(l->request, request.p, request.n);
	return l;
}

/* To the first ones at once; for the others it is kept as it will go. */
static int start_branch(struct inbound *r, struct branch *b, const struct proxy_target *t,
			uint32_t breadth)
{
	char text[SIP_MARK_CHARS];
	struct view mark;

	proxy_compose_request(r, t, breadth);
	if (!buf_ok(&r->c->out))
		return E_LIMIT;
	mark = core_loop_mark(r, text);
	b->q = r->c->cfg.fork_ms ? t->q : 0;
	if (b->q == b->context->branch[0].q) {
		branch_begin(b, &t->flow, mark, buf_view(&r->c->out), r->now_ms);
		return 0;
	}
	b->later = later_new(&t->flow, mark, buf_view(&r->c->out));
	return b->later ? 0 : E_NOMEM;
}

void proxy_fork(struct inbound *r, const struct proxy_target *targets, size_t n, struct view aor)
{
	uint32_t breadth = breadth_each(r, n);
	struct response_context *x;
	struct quota_share *share;

	if (!core_session_count(r, &share))
		return;
	x = context_new(r, n, aor);
	if (!x) {
		quota_release(&r->c->sessions, share);
		core_reply(r, 503, NULL, VIEW(""));
		return;
	}
	x->share = share;
	/* Of bindings, of which there may be several, none has another place to be. */
	if (n == 1)
		x->over = over_new(r, &targets[0]);
	if (x->invite)
		core_reply(r, 100, NULL, VIEW(""));
	for (size_t i = 0; i < n; i++) {
		int rc = start_branch(r, &x->branch[i], &targets[i], breadth);

		if (rc == 0)
			continue;
		log_line(r->c->log, LOG_WARN, "core", "a branch could not begin: %s",
			 error_text(rc));
		x->waiting--;
		consider(x, 503, NULL, false);
	}
	arm_turn(x, r->now_ms);
	finish(x, r->now_ms);
}
