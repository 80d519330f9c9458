/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks of package managers whose own programs we start: taken by them, so only waited for by us.
 * Who comes in between is met by the program that we start, which waits or says so.
 */
#include "backends/pkg/deps.h"

#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/proc.h"
#include "sys/signals.h"

#include <errno.h>
#include <sys/file.h>

enum { POLL_MS = 50, PIDFILE_MAX = 64 };

#define NAMELESS "a process that cannot be named from here"

/* Each says who has it: allocated words, or NULL where it is free. */

static char *record_holder(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &l) || l.l_type == F_UNLCK)
		return NULL;
	return l.l_pid > 0 ? proc_describe(l.l_pid) : xstrdup(NAMELESS);
}

static char *flock_holder(int fd)
{
	if (!io_flock(fd, LOCK_SH | LOCK_NB)) {
		(void)io_flock(fd, LOCK_UN);
		return NULL;
	}
	return errno == EWOULDBLOCK ? xstrdup(NAMELESS) : NULL;
}

static char *pidfile_holder(int fd)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	uint64_t pid;

	if (fs_read_fd(fd, PIDFILE_MAX, &text, &ignored) || !text.len ||
	    str_to_u64(str_trim(text.data), INT32_MAX, &pid) || !proc_starttime((pid_t)pid))
		return NULL;
	return proc_describe((pid_t)pid);
}

/* Has this process the file open? */
static bool has_open(const struct root *r, const char *pid, const char *path)
{
	char *dir CLEANUP(freep) = xasprintf("/proc/%s/fd", pid);
	struct strv fds CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (root_list(r, dir, &fds, &ignored))
		return false;
	for (size_t i = 0; i < fds.n; i++) {
		char *link CLEANUP(freep) = path_join(dir, fds.v[i]), *target CLEANUP(freep) = NULL;
		if (!root_readlink(r, link, &target) && str_eq(target, path))
			return true;
	}
	return false;
}

static char *opener(const struct root *r, const char *path)
{
	struct strv pids CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;
	uint64_t pid;

	if (root_list(r, "/proc", &pids, &ignored))
		return NULL;
	for (size_t i = 0; i < pids.n; i++)
		if (!str_to_u64(pids.v[i], INT32_MAX, &pid) && has_open(r, pids.v[i], path))
			return proc_describe((pid_t)pid);
	return NULL;
}

/* Not opened: we would be found to hold it. */
static char *exists_holder(const struct root *r, const char *path, bool *ret_stale)
{
	char *who = root_exists(r, path) ? opener(r, path) : NULL;

	/* it may be gone by now, and its maker with it */
	*ret_stale = !who && root_exists(r, path);
	return who;
}

/* *ret_stale: the file is there and means "taken", but nobody has it. */
static char *holder(const struct root *r, const struct dep_lock *lock, bool *ret_stale)
{
	int fd CLEANUP(closep) = -1;

	*ret_stale = false;
	if (lock->kind == DEP_LOCK_EXISTS)
		return exists_holder(r, lock->path, ret_stale);
	fd = root_openat(r, lock->path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return NULL;
	switch (lock->kind) {
	case DEP_LOCK_RECORD:
		return record_holder(fd);
	case DEP_LOCK_FLOCK:
		return flock_holder(fd);
	case DEP_LOCK_PIDFILE:
		return pidfile_holder(fd);
	case DEP_LOCK_EXISTS:
		break;
	}
	return NULL;
}

static int stale(const struct root *r, const struct dep_lock *lock, bool clear, struct report *rep,
		 struct err *err)
{
	int dir CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (!clear) {
		err_set(err, ERR_REFUSED, "'%s' says that a package manager is at work, but no process has it open", lock->path);
		return err_remedy(err, "make sure that none runs, then: rm %s", lock->path);
	}
	report_info(rep, "'%s' was left by the run that was interrupted: removed", lock->path);
	if (root_parent(r, lock->path, false, &dir, &name, NULL, err))
		return -1;
	return fs_unlink(dir, name, err);
}

static int wait_one(const struct root *r, const struct dep_lock *lock, unsigned int seconds,
		    bool clear, struct report *rep, struct err *err)
{
	uint64_t deadline = clock_boot_ms() + (uint64_t)seconds * 1000;
	char *said CLEANUP(freep) = NULL;

	for (;; clock_pause_ms(POLL_MS)) {
		bool left;
		char *who CLEANUP(freep) = holder(r, lock, &left);
		if (left)
			return stale(r, lock, clear, rep, err);
		if (!who)
			return 0;
		if (!str_eq(who, said)) {
			report_info(rep, "waiting for '%s', held by %s", lock->path, who);
			str_replace(&said, who);
		}
		if (signals_pending())
			return err_set(err, ERR_FAILED, "stopped while waiting for '%s'",
				       lock->path);
		if (clock_boot_ms() < deadline)
			continue;
		err_set(err, ERR_REFUSED, "'%s' was not free within %u s, held by %s", lock->path, seconds, who);
		return err_remedy(err, "let that program finish, then try again");
	}
}

int dep_wait(const struct host *h, const struct dep_ops *ops, unsigned int seconds, bool clear,
	     struct report *rep, struct err *err)
{
	for (const struct dep_lock *lock = ops->locks; lock->path; lock++)
		if (wait_one(h->root, lock, seconds, clear, rep, err))
			return -1;
	return 0;
}
