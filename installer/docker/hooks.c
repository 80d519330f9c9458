/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/hooks.h"

#include "journal/txnlog.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRE "pre-restart"
#define POST "post-restart"
#define MARK "hooks."
#define MARK_MAX 4096
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

static const char *const results[] = {
	[HOOK_DONE] = "done", [HOOK_UNDONE] = "undone", [HOOK_NOTHING] = "nothing",
};

/* ---- which ---- */

static int refuse(struct err *err, const char *path, const char *why)
{
	err_set(err, ERR_REFUSED, "'%s' is not run: %s", path, why);
	return err_remedy(err, "make it root's, and writable by nobody else (chown root, chmod go-w), or take it away");
}

/* Whoever could write it would be root. */
static int check_owner(const char *path, const struct stat *st, struct err *err)
{
	if (S_ISLNK(st->st_mode))
		return refuse(err, path, "it is a symbolic link");
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return refuse(err, path, "it is neither a file nor a directory");
	if (st->st_uid != 0)
		return refuse(err, path, "its owner is not root");
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return refuse(err, path, "others may write it");
	return 0;
}

/* 1: it is not there. */
static int look(const struct root *r, const char *path, struct stat *st, struct err *err)
{
	if (root_lstat(r, path, st))
		return errno == ENOENT || errno == ENOTDIR ?
			       1 :
			       err_errno(err, errno, "cannot look at '%s'", path);
	return check_owner(path, st, err);
}

static int list_directory(const struct root *r, const char *dir, struct strv *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (root_list(r, dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		char *path CLEANUP(freep) = path_join(dir, names.v[i]);
		struct stat st;
		int rc;

		if (names.v[i][strspn(names.v[i], NAME_BYTES)])
			continue;
		if ((rc = look(r, path, &st, err)) < 0)
			return -1;
		if (!rc && S_ISREG(st.st_mode) && (st.st_mode & S_IXUSR))
			strv_add(ret, path);
	}
	return 0;
}

int hooks_list(const struct root *r, const char *name, struct strv *ret, struct err *err)
{
	char *path CLEANUP(freep) = path_join(HOOKS_DIR, name);
	struct strv found CLEANUP(strv_release) = STRV_INIT;
	struct stat st;
	int rc = look(r, HOOKS_DIR, &st, err);

	if (!rc)
		rc = look(r, path, &st, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (S_ISDIR(st.st_mode) && list_directory(r, path, &found, err))
		return -1;
	if (S_ISREG(st.st_mode) && (st.st_mode & S_IXUSR))
		strv_add(&found, path);
	for (size_t i = 0; i < found.n; i++)
		strv_take(ret, STEAL(found.v[i]));
	return 0;
}

/* ---- one ---- */

/* *ret_status as it exited. ERR_REFUSED where it did not. */
static int run(const struct root *r, const char *path, const char *command, const char *result,
	       int *ret_status, struct report *rep, struct err *err)
{
	char *outside CLEANUP(freep) = root_outside(r, path);
	char *env_command CLEANUP(freep) = xasprintf("SYSBOXUP_COMMAND=%s", command);
	char *env_result CLEANUP(freep) = xasprintf("SYSBOXUP_RESULT=%s", result ? result : "");
	const char *const argv[] = { outside, NULL };
	const char *const env[] = { env_command, result ? env_result : NULL, NULL };
	struct proc p = PROC_INIT;

	p.argv = argv;
	p.env = env;
	p.timeout = HOOK_SECONDS;
	p.log = rep;
	report_log(rep, "running %s", path);
	return proc_run(&p, ret_status, err) ? err_raise(err, ERR_REFUSED) : 0;
}

/* ---- the mark ---- */

/* For whom this process has asked pre-restart, and has not called post-restart yet. A purge of
 * somebody else may take our mark away. */
static char *asked;

static char *own_mark(void)
{
	return xasprintf(MARK "%ld-%llu", (long)getpid(),
			 (unsigned long long)proc_starttime(getpid()));
}

/* Who prepares a transaction has its number, and the lock. Another run may get the same number
 * where this one is discarded. */
static int note_transaction(const struct state *s, struct json *j, struct err *err)
{
	struct txn_summary t;
	unsigned int id;

	if (s->lock_fd < 0)
		return 0;
	if (txnlog_newest(s, &id, err))
		return -1;
	if (!id)
		return 0;
	if (txnlog_read(s, id, &t, err))
		return -1;
	if (t.state == TXN_NONE && json_get_str(t.begin, "run")) {
		json_set_i64(j, "transaction", id);
		json_set_str(j, "run", json_get_str(t.begin, "run"));
	}
	txn_summary_release(&t);
	return 0;
}

static int mark(const struct state *s, const char *command, struct err *err)
{
	struct json *j CLEANUP(json_freep) = json_obj();
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char *name CLEANUP(freep) = own_mark();

	json_set_str(j, "boot_id", clock_boot_id());
	json_set_str(j, "command", command);
	if (note_transaction(s, j, err))
		return -1;
	json_print_pretty(j, &text);
	if (fs_put(s->fd, name, 0600, text.data, text.len, err))
		return -1;
	str_replace(&asked, command);
	return 0;
}

/* NULL: there is none. One that is torn is of somebody who is gone. */
static struct json *marked(const struct state *s, const char *name)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct json *j = NULL;

	if (fs_read_at(s->fd, name, MARK_MAX, &text, &ignored))
		return NULL;
	return json_parse(text.data, text.len, JSON_STRICT, MARK, &j, &ignored) ? json_obj() : j;
}

/* Is the process that the name tells of there? */
static bool lives(const char *name)
{
	unsigned long long started = 0;
	long pid = 0;

	return sscanf(name, MARK "%ld-%llu", &pid, &started) == 2 && pid > 0 &&
	       proc_wait_gone((pid_t)pid, started, 0);
}

/* After a boot another process may have the same numbers. */
static bool is_left(const char *name, const struct json *j)
{
	return !lives(name) || !str_eq(json_get_str(j, "boot_id"), clock_boot_id());
}

/* The names of all of them; what a write that was cut short left of one goes. */
static void list_marks(const struct state *s, struct strv *ret)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (s->fd < 0 || fs_list_fd(s->fd, &names, &ignored))
		return;
	for (size_t i = 0; i < names.n; i++)
		if (str_starts(names.v[i], MARK))
			strv_add(ret, names.v[i]);
		else if (str_starts(names.v[i], "." MARK) && s->lock_fd >= 0 &&
			 !lives(names.v[i] + 1))
			(void)fs_unlink(s->fd, names.v[i], &ignored);
}

/* ---- around a restart ---- */

int hooks_pre_restart(const struct state *s, const char *command, struct buf *ret_why,
		      struct report *rep, struct err *err)
{
	struct strv pre CLEANUP(strv_release) = STRV_INIT, post CLEANUP(strv_release) = STRV_INIT;

	/* one that cannot be run afterwards is refused now */
	if (hooks_list(s->root, PRE, &pre, err) || hooks_list(s->root, POST, &post, err) ||
	    ((pre.n || post.n) && mark(s, command, err)))
		return -1;
	for (size_t i = 0; i < pre.n; i++) {
		int status;

		if (run(s->root, pre.v[i], command, NULL, &status, rep, err))
			return -1;
		if (status == HOOK_NOT_NOW) {
			buf_addf(ret_why, "'%s' says: not now", pre.v[i]);
			return 1;
		}
		if (status) {
			err_set(err, ERR_REFUSED, "'%s' does not agree to a restart of Docker: exit status %d", pre.v[i], status);
			return err_remedy(err, "sysboxup -v shows what it says");
		}
	}
	return 0;
}

static void unmark(const struct state *s, const char *name, struct report *rep)
{
	struct err err = ERR_INIT;

	if (s->fd >= 0 && (fs_unlink(s->fd, name, &err) || fs_sync_dir(s->fd, &err)))
		report_warn(rep, NULL, "post-restart will be called once more: %s", err.msg);
}

static void run_all_post(const struct state *s, const char *command, enum hook_result result,
			 struct report *rep)
{
	struct strv post CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;

	if (hooks_list(s->root, POST, &post, &err))
		report_warn(rep, err.remedy, "%s", err.msg);
	for (size_t i = 0; i < post.n; i++) {
		struct err why = ERR_INIT;
		int status;

		if (run(s->root, post.v[i], command, results[result], &status, rep, &why))
			report_warn(rep, NULL, "%s", why.msg);
		else if (status)
			report_warn(rep, "sysboxup -v shows what it says",
				    "'%s' failed: exit status %d", post.v[i], status);
	}
}

void hooks_post_restart(const struct state *s, enum hook_result result, struct report *rep)
{
	char *command CLEANUP(freep) = STEAL(asked), *name CLEANUP(freep) = own_mark();

	if (!command)
		return;
	run_all_post(s, command, result, rep);
	unmark(s, name, rep);
}

/* Of one that died: its restart stands where its transaction does. */
static enum hook_result came_of(const struct state *s, const struct json *j)
{
	int64_t id = json_get_i64(j, "transaction", 0);
	enum hook_result result = HOOK_UNDONE;
	struct err ignored = ERR_INIT;
	struct txn_summary t;

	if (id <= 0 || id > UINT_MAX || !txnlog_exists(s, (unsigned int)id) ||
	    txnlog_read(s, (unsigned int)id, &t, &ignored))
		return HOOK_UNDONE;
	if ((t.state == TXN_COMMITTED || t.state == TXN_PENDING) &&
	    str_eq(json_get_str(t.begin, "run"), json_get_str(j, "run")))
		result = HOOK_DONE;
	txn_summary_release(&t);
	return result;
}

void hooks_settle(const struct state *s, struct report *rep)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	list_marks(s, &names);
	for (size_t i = 0; i < names.n; i++) {
		struct json *j CLEANUP(json_freep) = marked(s, names.v[i]);
		const char *command = json_get_str(j, "command");

		if (!j || !is_left(names.v[i], j))
			continue;
		run_all_post(s, command ? command : "?", came_of(s, j), rep);
		unmark(s, names.v[i], rep);
	}
}

char *hooks_left(const struct state *s)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	list_marks(s, &names);
	for (size_t i = 0; i < names.n; i++) {
		struct json *j CLEANUP(json_freep) = marked(s, names.v[i]);
		const char *command = json_get_str(j, "command");

		if (j && is_left(names.v[i], j))
			return xstrdup(command ? command : "?");
	}
	return NULL;
}
