/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/apt.h"
#include "backends/pkg/dpkgdb.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/proc.h"
#include "sys/signals.h"

#include <errno.h>

enum { POLL_MS = 50 };

static int lock_fd = -1;

/* Who has it: allocated words, or NULL when it has become free. l_pid 0: outside of our PID
 * namespace, -1: an OFD lock. */
static char *holder(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &l) || l.l_type == F_UNLCK)
		return NULL;
	return l.l_pid > 0 ? proc_describe(l.l_pid) : xstrdup("a process that cannot be named from here");
}

static int try_lock(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_SETLK, &l))
		return 0;
	return errno == EAGAIN || errno == EACCES || errno == EINTR ? 1 : -1;
}

static int timed_out(const char *who, unsigned int seconds, struct err *err)
{
	err_set(err, ERR_REFUSED, "'%s' was not free within %u s, held by %s", DPKG_LOCK, seconds, who ? who : "another program");
	return err_remedy(err, "let that program finish, then try again");
}

static int wait_lock(int fd, unsigned int seconds, struct report *rep, struct err *err)
{
	uint64_t deadline = clock_boot_ms() + (uint64_t)seconds * 1000;
	char *said CLEANUP(freep) = NULL;

	for (int got; (got = try_lock(fd)) != 0; clock_pause_ms(POLL_MS)) {
		if (got < 0)
			return err_errno(err, errno, "cannot lock '%s'", DPKG_LOCK);
		char *who CLEANUP(freep) = holder(fd);
		if (who && !str_eq(who, said)) {
			report_info(rep, "waiting for '%s', held by %s", DPKG_LOCK, who);
			str_replace(&said, who);
		}
		if (signals_pending())
			return err_set(err, ERR_FAILED, "stopped while waiting for '%s'",
				       DPKG_LOCK);
		if (clock_boot_ms() >= deadline)
			return timed_out(said, seconds, err);
	}
	return 0;
}

int frontend_lock(const struct root *r, unsigned int seconds, struct report *rep, struct err *err)
{
	if (lock_fd >= 0)
		return 0;
	int fd CLEANUP(closep) = root_openat(r, DPKG_LOCK, O_RDWR | O_CREAT, 0640);
	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s'", DPKG_LOCK);
	if (wait_lock(fd, seconds, rep, err))
		return -1;
	lock_fd = fd;
	fd = -1;
	return 0;
}

char *frontend_holder(const struct root *r)
{
	static const char *const locks[] = { DPKG_LOCK, DPKG_DIR "/lock", "/var/lib/rpm/.rpm.lock",
					     "/usr/lib/sysimage/rpm/.rpm.lock" };

	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		int fd CLEANUP(closep) = root_openat(r, locks[i], O_RDONLY | O_NOFOLLOW, 0);
		char *who = fd < 0 ? NULL : holder(fd);

		if (who)
			return who;
	}
	return NULL;
}

void frontend_unlock(void)
{
	closep(&lock_fd);
}

int frontend_unmake(const struct root *r, unsigned int seconds, struct report *rep, struct err *err)
{
	int dir CLEANUP(closep) = root_openat(r, DPKG_DIR, O_RDONLY | O_DIRECTORY, 0);

	if (dir < 0 || !root_exists(r, DPKG_LOCK))
		return 0;
	if (frontend_lock(r, seconds, rep, err))
		return -1;
	if (io_unlinkat(dir, path_basename(DPKG_LOCK), 0))
		return err_errno(err, errno, "cannot remove '%s'", DPKG_LOCK);
	frontend_unlock();
	return fs_sync_dir(dir, err);
}
