#include "server/core/overload.h"

enum {
	UP = 50,   /* a window without any rest sheds so much more: none to all in 2 s */
	DOWN = 25, /* the most that one under the limit sheds less */
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
	unsigned busy = span_ms ? (unsigned)((span_ms - idle) * OVERLOAD_ALL / span_ms) : 0;
	unsigned before = o->shed;

	if (o->limit >= OVERLOAD_ALL)
		return false;
	if (busy < o->limit) {
		unsigned down = o->limit - busy < DOWN ? o->limit - busy : DOWN;

		o->busy_for_ms = 0;
		o->shed = o->shed > down ? o->shed - down : 0;
		return false;
	}
	o->busy_for_ms += counted;
	if (o->busy_for_ms < OVERLOAD_PATIENCE_MS && !o->shed)
		return false;
	o->shed += (busy - o->limit) * UP / (OVERLOAD_ALL - o->limit) + 1;
	if (o->shed > OVERLOAD_ALL)
		o->shed = OVERLOAD_ALL;
	return before == 0;
}

bool overload_admit(struct overload *o, bool known)
{
	unsigned *debt = known ? &o->debt_known : &o->debt;

	/* Of those who come twice both visits have to go well. The square is less than the share
	 * and grows with it, so that who knows how to be known does not keep all others out. */
	*debt += known ? o->shed * o->shed / OVERLOAD_ALL : o->shed;
	if (*debt < OVERLOAD_ALL)
		return true;
	*debt -= OVERLOAD_ALL;
	o->refused++;
	return false;
}
