/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/account_lock.h"

#include "base/str.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/proc.h"

#include <errno.h>
#include <unistd.h>

enum { POLL_MS = 50, PID_MAX_DIGITS = 20 };

static unsigned int wait_ms = 15000;

struct account_locks {
	int etc;
	int pwd;
	struct strv held;	/* "passwd" ... */
	char *own;		/* our pid */
};

void account_locks_set_wait(unsigned int ms)
{
	wait_ms = ms;
}

static char *lock_name(const char *file)
{
	return xasprintf("%s.lock", file);
}

static char *ticket_name(const char *file)
{
	return xasprintf(".%s.lock.sysboxup", file);
}

/* The lock first: as long as it is there, it can be told by its ticket. */
static void drop_pair(struct account_locks *l, const char *file)
{
	char *lock CLEANUP(freep) = lock_name(file), *ticket CLEANUP(freep) = ticket_name(file);

	(void)io_unlinkat(l->etc, lock, 0);
	(void)io_unlinkat(l->etc, ticket, 0);
}

static void locks_free(struct account_locks *l)
{
	for (size_t i = 0; i < l->held.n; i++)
		drop_pair(l, l->held.v[i]);
	if (l->held.n)	/* or a power cut brings back what nobody holds */
		(void)io_fsync(l->etc);
	strv_release(&l->held);
	closep(&l->pwd);
	closep(&l->etc);
	free(l->own);
	free(l);
}

void account_locks_drop(struct account_locks **l)
{
	if (*l)
		locks_free(STEAL(*l));
}

static int busy(const char *lock, const char *who, struct err *err)
{
	err_set(err, ERR_REFUSED, "'/etc/%s' was not free within %u s, held by %s", lock, wait_ms / 1000, who);
	return err_remedy(err, "let that program finish; a lock that nobody holds: rm /etc/%s", lock);
}

static char *pwd_holder(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &l) || l.l_type == F_UNLCK || l.l_pid <= 0)
		return xstrdup("another process");
	return proc_describe(l.l_pid);
}

static int pwd_lock(struct account_locks *l, uint64_t deadline, struct err *err)
{
	struct flock wanted = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	l->pwd = io_openat(l->etc, ".pwd.lock", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
	if (l->pwd < 0)
		return err_errno(err, errno, "cannot open '%s'", ACCOUNT_LOCK_PATH);
	while (fcntl(l->pwd, F_SETLK, &wanted)) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_errno(err, errno, "cannot lock '%s'", ACCOUNT_LOCK_PATH);
		if (clock_boot_ms() >= deadline) {
			char *who CLEANUP(freep) = pwd_holder(l->pwd);
			return busy(".pwd.lock", who, err);
		}
		clock_pause_ms(POLL_MS);
	}
	return 0;
}

/* 1: the lock is stale and gone. 0: held by *ret_pid. Without a PID in it shadow refuses, and so do
 * we. */
static int stale_removed(struct account_locks *l, const char *lock, pid_t *ret_pid, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int64_t pid;
	int got = fs_read_at(l->etc, lock, PID_MAX_DIGITS, &text, err);

	if (got)
		return got;	/* 1: it went away this instant */
	if (str_to_i64(str_trim(text.data), 1, INT32_MAX, &pid)) {
		err_set(err, ERR_REFUSED, "'/etc/%s' holds no process id", lock);
		return err_remedy(err, "if no useradd or usermod runs: rm /etc/%s", lock);
	}
	*ret_pid = (pid_t)pid;
	if (proc_starttime((pid_t)pid))
		return 0;
	return io_unlinkat(l->etc, lock, 0) && errno != ENOENT ?
		       err_errno(err, errno, "cannot remove '/etc/%s'", lock) :
		       1;
}

/* What a dead run of ours left. */
static void clear_pair(struct account_locks *l, const char *file)
{
	char *lock CLEANUP(freep) = lock_name(file), *ticket CLEANUP(freep) = ticket_name(file);
	struct stat a, b;

	if (fstatat(l->etc, ticket, &a, AT_SYMLINK_NOFOLLOW))
		return;
	if (!fstatat(l->etc, lock, &b, AT_SYMLINK_NOFOLLOW) && a.st_ino == b.st_ino &&
	    a.st_dev == b.st_dev)
		(void)io_unlinkat(l->etc, lock, 0);
	(void)io_unlinkat(l->etc, ticket, 0);
}

static int make_ticket(struct account_locks *l, const char *ticket, struct err *err)
{
	int fd CLEANUP(closep) = io_openat(l->etc, ticket, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
					   0600);

	if (fd < 0 || io_write_all(fd, l->own, strlen(l->own) + 1))
		return err_errno(err, errno, "cannot write '/etc/%s'", ticket);
	return 0;
}

static int link_lock(struct account_locks *l, const char *ticket, const char *lock,
		     uint64_t deadline, struct err *err)
{
	pid_t pid = 0;

	while (io_linkat(l->etc, ticket, l->etc, lock)) {
		if (errno != EEXIST)
			return err_errno(err, errno, "cannot make '/etc/%s'", lock);
		int got = stale_removed(l, lock, &pid, err);
		if (got < 0)
			return -1;
		if (!got && clock_boot_ms() >= deadline) {
			char *who CLEANUP(freep) = proc_describe(pid);
			return busy(lock, who, err);
		}
		if (!got)
			clock_pause_ms(POLL_MS);
	}
	return 0;
}

static int file_lock(struct account_locks *l, const char *file, uint64_t deadline, struct err *err)
{
	char *lock CLEANUP(freep) = lock_name(file), *ticket CLEANUP(freep) = ticket_name(file);
	int got;

	clear_pair(l, file);
	got = make_ticket(l, ticket, err);
	if (!got)
		got = link_lock(l, ticket, lock, deadline, err);
	if (got)
		(void)io_unlinkat(l->etc, ticket, 0);
	else
		strv_add(&l->held, file);
	return got;
}

int account_locks_take(struct account_locks **ret, const struct root *r, const char *const *names,
		       struct err *err)
{
	struct account_locks *l CLEANUP(account_locks_drop) = xcalloc(1, sizeof(*l));
	uint64_t deadline = clock_boot_ms() + wait_ms;

	l->pwd = -1;
	l->own = xasprintf("%d", (int)getpid());
	l->etc = root_openat(r, "/etc", O_RDONLY | O_DIRECTORY, 0);
	if (l->etc < 0)
		return err_errno(err, errno, "cannot open '/etc'");
	if (pwd_lock(l, deadline, err))
		return -1;
	for (; *names; names++)
		if (file_lock(l, *names, deadline, err))
			return -1;
	*ret = STEAL(l);
	return 0;
}

int account_locks_unmake(struct account_locks *l, struct err *err)
{
	if (io_unlinkat(l->etc, ".pwd.lock", 0) && errno != ENOENT)
		return err_errno(err, errno, "cannot remove '%s'", ACCOUNT_LOCK_PATH);
	return fs_sync_dir(l->etc, err);
}
