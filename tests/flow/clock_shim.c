/*
 * Loaded before the C library (LD_PRELOAD), so that a test can set the wall clock of one process
 * and of nobody else: CLOCK_SHIM names a file with a 64-bit number of milliseconds, which are added
 * to whatever the real clock says. What runs by the monotonic clock is left alone, as when somebody
 * sets the clock of a machine.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *shift;

__attribute__((constructor)) static void clock_shim_open(void)
{
	const char *name = getenv("CLOCK_SHIM");
	int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		shift = at;
	if (fd >= 0)
		(void)close(fd);
}

static void set(struct timespec *t)
{
	int64_t ms = shift ? atomic_load(shift) : 0;
	int64_t ns = t->tv_nsec + ms % 1000 * 1000000;

	t->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
	t->tv_nsec = ns >= 1000000000 ? ns - 1000000000 : ns < 0 ? ns + 1000000000 : ns;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	long rc = syscall(SYS_clock_gettime, id, t);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		set(t);
	return (int)rc;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}
