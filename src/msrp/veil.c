#include "msrp/veil.h"

#include <stdio.h>

enum { END_TEXT_MAX = 64 + MSRP_TID_MAX };

void msrp_veil_init(struct msrp_veil *v)
{
	*v = (struct msrp_veil){.tid = ""};
	msrp_reader_init(&v->reader);
}

void msrp_veil_fini(struct msrp_veil *v)
{
	msrp_reader_fini(&v->reader);
}

static void head(struct msrp_veil *v, const struct msrp_head *h, msrp_veil_put *put, void *ctx)
{
	(void)view_copy(h->tid, v->tid, sizeof(v->tid));
	v->hidden = 0;
	v->has_body = h->has_body;
	put(ctx, h->raw);
}

static void end(struct msrp_veil *v, char flag, msrp_veil_put *put, void *ctx)
{
	char text[END_TEXT_MAX];
	int n;

	if (v->has_body)
		n = snprintf(text, sizeof(text), "\r\n[%llu bytes]\r\n-------%s%c\r\n",
			     (unsigned long long)v->hidden, v->tid, flag);
	else
		n = snprintf(text, sizeof(text), "-------%s%c\r\n", v->tid, flag);
	if (n > 0 && (size_t)n < sizeof(text))
		put(ctx, view_of(text, (size_t)n));
}

void msrp_veil_take(struct msrp_veil *v, struct view bytes, msrp_veil_put *put, void *ctx)
{
	while (!v->lost) {
		struct msrp_event ev;
		int type = msrp_reader_next(&v->reader, &bytes, &ev);

		switch (type) {
		case MSRP_EV_NEED_MORE:
			return;
		case MSRP_EV_HEAD:
			head(v, &ev.head, put, ctx);
			break;
		case MSRP_EV_BODY:
			v->hidden += ev.body.n;
			break;
		case MSRP_EV_END:
			end(v, ev.flag, put, ctx);
			break;
		default:
			v->lost = true;
			put(ctx, VIEW("[what follows is not MSRP]\r\n"));
			return;
		}
	}
}
