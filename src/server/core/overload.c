#include "server/core/overload.h"

enum {
	ALL = 1000,
	UP = 100,  /* a window over the limit sheds so much more: from none to all in a second */
	DOWN = 25, /* a window under it so much less */
	BAND = 50, /* below the limit; in it all stays as it is */
};

void overload_init(struct overload *o, unsigned limit_percent)
{
	*o = (struct overload){.limit = limit_percent * 10};
}

bool overload_window(struct overload *o, uint64_t idle_ms, uint64_t span_ms)
{
	uint64_t idle = idle_ms < span_ms ? idle_ms : span_ms;
	/* A thread that was stopped altogether has not worked all the time. */
	uint64_t counted = span_ms < 2 * OVERLOAD_WINDOW_MS ? span_ms : 2 * OVERLOAD_WINDOW_MS;
	unsigned busy = span_ms ? (unsigned)((span_ms - idle) * ALL / span_ms) : 0;
	unsigned before = o->shed;

	if (o->limit >= ALL)
		return false;
	if (busy < o->limit) {
		o->busy_for_ms = 0;
		if (busy + BAND < o->limit)
			o->shed = o->shed > DOWN ? o->shed - DOWN : 0;
		return false;
	}
	o->busy_for_ms += counted;
	if (o->busy_for_ms < OVERLOAD_PATIENCE_MS && !o->shed)
		return false;
	o->shed = o->shed + UP < ALL ? o->shed + UP : ALL;
	return before == 0;
}

bool overload_admit(struct overload *o)
{
	o->debt += o->shed;
	if (o->debt < ALL)
		return true;
	o->debt -= ALL;
	o->refused++;
	return false;
}
