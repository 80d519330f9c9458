/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/state.h"

#include "base/mem.h"
#include "journal/base.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/proc.h"
#include "sys/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define RUN_MAX (64 * 1024)
#define UNFINISHED "unfinished"
#define RUN_SIZE 4096

enum { CHILD_SECONDS = 60, HOLDER_MS = 5000, DYING_MS = 30000, HOLDER_POLL_MS = 5 };

static int open_existing(struct state *s, struct err *err)
{
	s->fd = root_openat(s->root, STATE_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (s->fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open '%s'", STATE_DIR);
	s->txn_fd = io_open_read(s->fd, "txn", O_DIRECTORY | O_NOFOLLOW);
	/* no history, or one that cannot be read: not the same */
	return s->txn_fd < 0 && errno != ENOENT && errno != ENOTDIR ?
		       err_errno(err, errno, "cannot open '%s/txn'", STATE_DIR) :
		       0;
}

/* What a purge that was cut short left of a history that is gone (state.h). */
static int sweep(const struct state *s, struct err *err)
{
	static const char *const of_history[] = { "base", "profile.json", "index.json",
						  "changed.json" };
	struct stat st;

	if (s->fd < 0 || !fstatat(s->fd, "txn", &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(of_history); i++)
		if (fs_remove_tree(s->fd, of_history[i], err))
			return -1;
	return fs_sync_dir(s->fd, err);
}

/* The lock file is made after the directories were made and synced: where it is, nothing is left to
 * do. */
static bool made_before(const struct state *s)
{
	struct stat st;

	return s->fd >= 0 && s->txn_fd >= 0 && !fstatat(s->fd, "lock", &st, AT_SYMLINK_NOFOLLOW);
}

static int make_all(struct state *s, struct err *err)
{
	static const struct { const char *name; mode_t mode; } dirs[] = {
		{ "txn", 0700 }, { "cache", 0755 }, { "known", 0700 },
	};

	if (open_existing(s, err))
		return -1;
	if (made_before(s))
		return 0;
	if (sweep(s, err) || fs_mkdir_path(s->root, "/var/lib", 0755, err) ||
	    fs_mkdir_path(s->root, STATE_DIR, 0700, err) || (s->fd < 0 && open_existing(s, err)))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (fs_mkdir(s->fd, dirs[i].name, dirs[i].mode, err))
			return err_prefix(err, "cannot make '%s/%s'", STATE_DIR, dirs[i].name);
	if (s->txn_fd < 0)
		s->txn_fd = io_open_read(s->fd, "txn", O_DIRECTORY | O_NOFOLLOW);
	return s->txn_fd < 0 ? err_errno(err, errno, "cannot open '%s/txn'", STATE_DIR) : 0;
}

int state_open(struct state *ret, const struct root *root, enum state_mode mode, struct err *err)
{
	struct state s = STATE_INIT;

	s.root = root;
	if ((mode == STATE_CREATE ? make_all(&s, err) : open_existing(&s, err)) ||
	    base_find(&s, &s.pruned, err)) {
		state_release(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

void state_forget_holder(const struct state *s)
{
	(void)io_unlinkat(s->fd, "run", 0);
	(void)io_unlinkat(s->fd, ".run.other", 0);
}

void state_release(struct state *s)
{
	if (s->lock_fd >= 0)
		proc_set_watcher(NULL, NULL);
	if (s->lock_fd >= 0 && stamp_sealed())
		state_forget_holder(s);
	closep(&s->lock_fd);
	closep(&s->txn_fd);
	closep(&s->fd);
}

static int run_read(const struct state *s, struct json **ret)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (fs_read_at(s->fd, "run", RUN_MAX, &text, &ignored))
		return -1;
	return json_parse(text.data, text.len, JSON_STRICT, "run", ret, &ignored);
}

static int run_write_other(struct state *s, const char *block)
{
	int fd CLEANUP(closep) = io_openat(s->fd, ".run.other", O_WRONLY | O_CREAT | O_NOFOLLOW,
					   0600);

	return fd < 0 ? -1 : io_pwrite_all(fd, block, RUN_SIZE, 0);
}

/*
 * Whole or not at all, but not synced: what it says ends with the boot. Two files that keep their
 * block change places, so that a full disk stops no recovery.
 */
static int run_replace(struct state *s, const struct buf *text, struct err *err)
{
	char block[RUN_SIZE];

	if (text->len > sizeof(block))
		return err_errno(err, EFBIG, "cannot write '%s/run'", STATE_DIR);
	memset(block, '\n', sizeof(block));
	memcpy(block, text->data, text->len);
	if (run_write_other(s, block))
		return err_errno(err, errno, "cannot write '%s/run'", STATE_DIR);
	if (!io_renameat2(s->fd, ".run.other", s->fd, "run", RENAME_EXCHANGE))
		return 0;
	/* the first time, or no exchange here: the next one gets its block now */
	if (io_renameat2(s->fd, ".run.other", s->fd, "run", 0) || run_write_other(s, block))
		return err_errno(err, errno, "cannot write '%s/run'", STATE_DIR);
	return 0;
}

static int run_write(struct state *s, const char *command, pid_t child, uint64_t starttime,
		     struct err *err)
{
	struct json *j CLEANUP(json_freep) = json_obj();
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	json_set_i64(j, "pid", getpid());
	json_set_i64(j, "started", (int64_t)proc_starttime(getpid()));
	json_set_str(j, "command", command);
	if (child) {
		json_set_i64(j, "child", child);
		json_set_i64(j, "child_started", (int64_t)starttime);
	}
	json_print_pretty(j, &text);
	return run_replace(s, &text, err);
}

/* The run file of somebody who lives: between taking the lock and writing it lies a moment. */
static bool read_holder(const struct state *s, struct json **ret)
{
	struct json *j CLEANUP(json_freep) = NULL;

	if (run_read(s, &j) || !proc_wait_gone((pid_t)json_get_i64(j, "pid", 0),
					       (uint64_t)json_get_i64(j, "started", 0), 0))
		return false;
	*ret = j;
	j = NULL;
	return true;
}

static int locked_by(const struct state *s, struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;

	if (!read_holder(s, &j))
		return err_set(err, ERR_LOCKED, "another run of sysboxup holds '%s/lock'", STATE_DIR);
	err_set(err, ERR_LOCKED, "another run holds the lock: pid %lld, sysboxup %s", (long long)json_get_i64(j, "pid", 0),
		json_get_str(j, "command") ? json_get_str(j, "command") : "?");
	return err_remedy(err, "wait until it is done, then run the command again");
}

/* How long one who has the lock is waited for: who has not said yet that it has it, or was killed
 * and has yet to die. Others are at work. */
static unsigned int patience_ms(const struct state *s)
{
	struct json *j CLEANUP(json_freep) = NULL;

	if (!read_holder(s, &j))
		return HOLDER_MS;
	return proc_is_dying((pid_t)json_get_i64(j, "pid", 0)) ? DYING_MS : 0;
}

/* 1: somebody else has it. */
static int try_lock(const struct state *s, int fd)
{
	uint64_t began = clock_boot_ms();

	while (io_flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return -1;
		if (clock_boot_ms() - began >= patience_ms(s))
			return 1;
		clock_pause_ms(HOLDER_POLL_MS);
	}
	return 0;
}

/* On a full disk others cannot be told who we are; the lock holds all the same. */
static int say_who(struct state *s, const char *command, pid_t child, uint64_t starttime,
		   struct err *err)
{
	struct err why = ERR_INIT;

	if (!run_write(s, command, child, starttime, &why) || why.errnum == ENOSPC ||
	    why.errnum == EDQUOT)
		return 0;
	*err = why;
	return -1;
}

/* Said before the wait for a dead run's child, which stays noted meanwhile. */
static int take_over(struct state *s, const char *command, struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;
	pid_t child;

	if (run_read(s, &j))
		j = json_obj();
	child = (pid_t)json_get_i64(j, "child", 0);
	if (say_who(s, command, child, (uint64_t)json_get_i64(j, "child_started", 0), err) ||
	    state_wait_child(s, CHILD_SECONDS, err))
		return -1;
	return child ? say_who(s, command, 0, 0, err) : 0;
}

static void note_child(void *user, pid_t pid, uint64_t starttime)
{
	struct err ignored = ERR_INIT;

	(void)state_note_child(user, pid, starttime, &ignored);
}

static int take_lock(struct state *s, int *ret_fd, struct err *err)
{
	struct stat st;

	if (!fstatat(s->fd, "lock", &st, AT_SYMLINK_NOFOLLOW) && !S_ISREG(st.st_mode))
		return err_set(err, ERR_FAILED, "'%s/lock' is no regular file", STATE_DIR);
	int fd CLEANUP(closep) = io_openat(s->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	int got;

	if (fd < 0 && errno == ENOENT)	/* the directory is gone: so is_current sees */
		return 0;
	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s/lock'", STATE_DIR);
	got = try_lock(s, fd);
	if (got)
		return got > 0 ? locked_by(s, err) :
				 err_errno(err, errno, "cannot lock '%s/lock'", STATE_DIR);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Does the name still lead to what is open? -1: nothing is, and nothing may be there. */
static bool is_named(int dirfd, const char *name, int fd)
{
	struct stat named, opened;
	bool there = !fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW);

	return fd < 0 ? !there : there && !fstat(fd, &opened) && same_file(&named, &opened);
}

/* Who held it may have taken it away, with the history and the directory (state_purge). */
static bool is_current(const struct state *s, int lock_fd)
{
	struct stat opened, named;

	return lock_fd >= 0 && is_named(s->fd, "lock", lock_fd) &&
	       is_named(s->fd, "txn", s->txn_fd) && !fstat(s->fd, &opened) &&
	       !root_stat(s->root, STATE_DIR, &named) && same_file(&opened, &named);
}

static int reopen(struct state *s, struct err *err)
{
	struct state again = STATE_INIT;

	if (state_open(&again, s->root, STATE_CREATE, err))
		return -1;
	state_release(s);
	*s = again;
	return 0;
}

int state_lock(struct state *s, const char *command, struct err *err)
{
	int fd CLEANUP(closep) = -1;

	for (;;) {
		if (take_lock(s, &fd, err))
			return -1;
		if (is_current(s, fd))
			break;
		closep(&fd);
		if (reopen(s, err))
			return -1;
	}
	if (take_over(s, command, err))
		return -1;
	s->lock_fd = STEAL_FD(fd);
	proc_set_watcher(note_child, s);
	return 0;
}

/* Empty, so the directory's sync is all that it needs. One that is there may be of a run whose sync
 * never came. */
int state_mark_unfinished(struct state *s, struct err *err)
{
	int fd CLEANUP(closep) = io_openat(s->fd, UNFINISHED, O_WRONLY | O_CREAT | O_NOFOLLOW,
					   0600);

	if (fd < 0)
		return err_errno(err, errno, "cannot make '%s/%s'", STATE_DIR, UNFINISHED);
	return fs_sync_dir(s->fd, err);
}

int state_mark_finished(struct state *s, struct err *err)
{
	return fs_unlink(s->fd, UNFINISHED, err);
}

int state_busy(const struct state *s, struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;
	pid_t pid;

	if (s->lock_fd >= 0 || run_read(s, &j) || !(pid = (pid_t)json_get_i64(j, "pid", 0)) ||
	    pid == getpid())
		return 0;
	return proc_wait_gone(pid, (uint64_t)json_get_i64(j, "started", 0), 0) ? locked_by(s, err) :
										 0;
}

int state_note_child(struct state *s, pid_t pid, uint64_t starttime, struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;

	if (run_read(s, &j))
		j = json_obj();
	return run_write(s, json_get_str(j, "command"), pid, starttime, err);
}

int state_wait_child(struct state *s, unsigned int seconds, struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;
	pid_t pid;

	if (run_read(s, &j) || !(pid = (pid_t)json_get_i64(j, "child", 0)))
		return 0;
	if (!proc_wait_gone(pid, (uint64_t)json_get_i64(j, "child_started", 0), seconds))
		return 0;
	return err_set(err, ERR_LOCKED, "a child of an earlier run is still at work: pid %d", (int)pid);
}
