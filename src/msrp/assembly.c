#include "msrp/assembly.h"

#include "base/error.h"

#include <stdlib.h>

struct msrp_segment {
	struct list link;
	uint64_t start; /* of its first byte */
	struct buf data;
};

static struct msrp_segment *segment_of(struct list *l)
{
	return CONTAINER(l, struct msrp_segment, link);
}

/* The position behind its last byte. */
static uint64_t segment_end(const struct msrp_segment *g)
{
	return g->start + g->data.n;
}

static void segment_free(struct msrp_assembly *m, struct msrp_segment *g)
{
	list_del(&g->link);
	m->n_segments--;
	buf_fini(&g->data);
	free(g);
}

void msrp_assembly_init(struct msrp_assembly *m, uint64_t max)
{
	*m = (struct msrp_assembly){.max = max, .total = MSRP_UNKNOWN};
	list_init(&m->segments);
}

void msrp_assembly_fini(struct msrp_assembly *m)
{
	LIST_EACH(l, tmp, &m->segments)
	segment_free(m, segment_of(l));
	m->bytes = 0;
	m->at = NULL;
}

int msrp_assembly_begin(struct msrp_assembly *m, uint64_t start, uint64_t total)
{
	if (total != MSRP_UNKNOWN) {
		if (m->total != MSRP_UNKNOWN && m->total != total)
			return E_RANGE;
		if (total > m->max)
			return E_LIMIT;
		m->total = total;
	}
	if (start == 0 || (m->total != MSRP_UNKNOWN && start - 1 > m->total))
		return E_RANGE;
	if (start - 1 > m->max)
		return E_LIMIT;
	m->at = NULL;
	m->pos = start;
	LIST_EACH(l, tmp, &m->segments)
	{
		struct msrp_segment *g = segment_of(l);

		if (g->start <= start && start <= segment_end(g)) {
			m->at = g;
			break;
		}
	}
	return 0;
}

/* The first segment behind position pos, or the list's head. */
static struct list *segment_after(struct msrp_assembly *m, uint64_t pos)
{
	LIST_EACH(l, tmp, &m->segments)
	if (segment_of(l)->start > pos)
		return l;
	return &m->segments;
}

static int segment_add(struct msrp_assembly *m)
{
	struct msrp_segment *g;

	if (m->n_segments >= MSRP_SEGMENTS_MAX)
		return E_LIMIT;
	g = calloc(1, sizeof(*g));
	if (!g)
		return E_NOMEM;
	g->start = m->pos;
	buf_init(&g->data, m->max > SIZE_MAX ? SIZE_MAX : (size_t)m->max);
	list_add_tail(segment_after(m, m->pos), &g->link);
	m->n_segments++;
	m->at = g;
	return 0;
}

/* Takes off the front of *bytes what is there already. */
static int skip_known(struct msrp_assembly *m, struct view *bytes)
{
	uint64_t known = segment_end(m->at) - m->pos;
	size_t n = known < bytes->n ? (size_t)known : bytes->n;

	if (n && memcmp(m->at->data.p + (m->pos - m->at->start), bytes->p, n) != 0)
		return E_RANGE;
	*bytes = view_from(*bytes, n);
	m->pos += n;
	return 0;
}

/* Joins the segment of the chunk with the one right behind it. */
static int join_next(struct msrp_assembly *m)
{
	struct msrp_segment *next;
	int rc;

	if (!m->at || m->at->link.next == &m->segments)
		return 0;
	next = segment_of(m->at->link.next);
	if (segment_end(m->at) != next->start)
		return 0;
	rc = buf_reserve(&m->at->data, next->data.n);
	if (rc)
		return rc;
	buf_put(&m->at->data, buf_view(&next->data));
	segment_free(m, next);
	return 0;
}

/* Bytes that are new, up to the next segment at most; takes them off *bytes. */
static int put_new(struct msrp_assembly *m, struct view *bytes)
{
	struct list *next = segment_after(m, m->pos);
	uint64_t room = m->max - m->bytes;
	struct view part = *bytes;
	int rc;

	if (next != &m->segments && segment_of(next)->start - m->pos < part.n)
		part = view_first(part, (size_t)(segment_of(next)->start - m->pos));
	if (m->total != MSRP_UNKNOWN && part.n > m->total - (m->pos - 1))
		return E_RANGE;
	if (part.n > room || m->pos - 1 + part.n > m->max)
		return E_LIMIT;
	rc = m->at ? 0 : segment_add(m);
	if (!rc)
		rc = buf_reserve(&m->at->data, part.n);
	if (rc)
		return rc;
	buf_put(&m->at->data, part);
	m->bytes += part.n;
	m->pos += part.n;
	*bytes = view_from(*bytes, part.n);
	return join_next(m);
}

int msrp_assembly_put(struct msrp_assembly *m, struct view bytes)
{
	while (!view_empty(bytes)) {
		int rc = 0;

		if (m->at && m->pos < segment_end(m->at))
			rc = skip_known(m, &bytes);
		else
			rc = put_new(m, &bytes);
		if (rc)
			return rc;
	}
	return 0;
}

int msrp_assembly_end(struct msrp_assembly *m, char flag)
{
	if (flag == '$') {
		uint64_t total = m->pos - 1;

		/* '$' defines the total (RFC 4975 §7.3.1); a repeated one changes nothing. */
		if (m->total != MSRP_UNKNOWN && m->total != total)
			return E_RANGE;
		if (!list_empty(&m->segments) &&
		    segment_end(segment_of(m->segments.prev)) - 1 > total)
			return E_RANGE;
		m->total = total;
		m->last_seen = true;
	}
	m->at = NULL;
	return 0;
}

bool msrp_assembly_complete(const struct msrp_assembly *m, struct view *out)
{
	const struct msrp_segment *g;

	if (!m->last_seen || m->at || m->bytes != m->total || m->n_segments > 1)
		return false;
	if (m->n_segments == 0) {
		*out = VIEW("");
		return true;
	}
	g = segment_of(m->segments.next);
	if (g->start != 1)
		return false;
	*out = buf_view(&g->data);
	return true;
}
