/* SPDX-License-Identifier: Apache-2.0 */
/*
 * haste.so, for LD_PRELOAD: while somebody holds a lock on the file that HASTE names, time flies
 * for the program that it is loaded into. Each of its waits ends after a moment, and its clocks say
 * that the whole wait is over. So what its deadlines do about a program that hangs
 * (tests/tools/meddle.c) is seen without waiting for them, in the program as released.
 *
 * Time that is waited for in other ways passes as it does: reads with a timeout of their socket,
 * signals, locks. Its children are left alone: a clean environment does not hand us on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
	SLICE_MS = 20,
	PATIENCE_MS = 400,	/* somebody who does not hang has so long to do something */
};

static long long skew_ms;	/* what the clocks are ahead */

static bool hangs(void)
{
	const char *path = getenv("HASTE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	int saved = errno;
	bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB);

	if (fd >= 0)
		close(fd);
	errno = saved;
	return held;
}

int clock_gettime(clockid_t which, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	if (real(which, t))
		return -1;
	if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
		return 0;
	t->tv_sec += skew_ms / 1000;
	t->tv_nsec += skew_ms % 1000 * 1000000;
	if (t->tv_nsec >= 1000000000) {
		t->tv_sec++;
		t->tv_nsec -= 1000000000;
	}
	return 0;
}

/* In slices, since the hanging may begin in the middle. */
int poll(struct pollfd *fds, nfds_t n, int ms)
{
	static int (*real)(struct pollfd *, nfds_t, int);
	int left = ms, hung = 0;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "poll");
	while (ms < 0 || left > SLICE_MS) {
		int got = real(fds, n, SLICE_MS);
		if (got)
			return got;
		if (ms < 0)
			continue;
		left -= SLICE_MS;
		hung += hangs() ? SLICE_MS : 0;
		if (hung >= PATIENCE_MS) {
			skew_ms += left;
			return 0;
		}
	}
	return real(fds, n, left);
}

/* What <poll.h> makes of it under _FORTIFY_SOURCE. */
int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size);
int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size)
{
	return n * sizeof(*fds) > size ? (abort(), -1) : poll(fds, n, ms);
}

int nanosleep(const struct timespec *t, struct timespec *rest)
{
	static int (*real)(const struct timespec *, struct timespec *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "nanosleep");
	if (!hangs())
		return real(t, rest);
	skew_ms += t->tv_sec * 1000 + t->tv_nsec / 1000000;
	return real(&(struct timespec){ .tv_nsec = 1000000 }, rest);
}
