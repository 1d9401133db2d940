#include "base/log_quota.h"

void log_quota_tell(struct log_quota *q, const struct log *log, const struct log_kind *kind)
{
	if (q->held)
		log_line(log, kind->level, kind->room, "%llu more %s were not logged",
			 (unsigned long long)q->held, kind->what);
	q->held = 0;
}

bool log_quota_take(struct log_quota *q, const struct log *log, const struct log_kind *kind,
		    uint64_t now_ms)
{
	if (!log || kind->level > log->level)
		return false;
	if (!q->lines || now_ms - q->since_ms >= LOG_QUOTA_MS) {
		log_quota_tell(q, log, kind);
		q->since_ms = now_ms;
		q->lines = 0;
	}
	if (q->lines == LOG_QUOTA_LINES) {
		q->held++;
		return false;
	}
	q->lines++;
	return true;
}
