/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/faultlate.h"

#ifdef SYSBOXUP_FAULTS

#include "base/str.h"
#include "sys/faultlog.h"
#include "sys/io.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAITING_MAX = 512 };

struct waiting {
	int dirfd;
	char from[32], to[16];
};

static struct waiting waiting[WAITING_MAX];
static size_t waiting_n;
static bool catching_up;

void faultlate_clear(void)
{
	for (size_t i = 0; i < waiting_n; i++)
		closep(&waiting[i].dirfd);
	waiting_n = 0;
}

static bool is_number(const char *name)
{
	return strlen(name) == 4 && strspn(name, "0123456789") == 4;
}

/* Does the file begin like a record of that type (journal/record.h)? */
static bool has_type(int dirfd, const char *name, const char *type)
{
	char head[64] = "", want[64];
	int fd CLEANUP(closep) = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	snprintf(want, sizeof(want), "sysboxup-record 1 %s ", type);
	return fd >= 0 && pread(fd, head, sizeof(head) - 1, 0) > 0 && str_starts(head, want);
}

static void give_names(void)
{
	int errnum = errno;

	catching_up = true;
	for (size_t i = 0; i < waiting_n; i++) {
		struct waiting *w = &waiting[i];
		if (!io_renameat2(w->dirfd, w->from, w->dirfd, w->to, 0))
			(void)io_fsync(w->dirfd);
	}
	catching_up = false;
	faultlate_clear();
	errno = errnum;
}

bool faultlate_put_off(const struct fault_op *op)
{
	if (catching_up || !str_eq(op->call, "rename") || !is_number(op->to) ||
	    !(str_eq(op->entry, "new") || str_starts(op->entry, "spare-")))
		return false;
	if (waiting_n == WAITING_MAX || !(has_type(op->fd, op->entry, "prepared") ||
					  has_type(op->fd, op->entry, "intent"))) {
		give_names();
		return false;
	}
	struct waiting *w = &waiting[waiting_n++];
	w->dirfd = fcntl(op->fd, F_DUPFD_CLOEXEC, 3);
	snprintf(w->from, sizeof(w->from), "%s", op->entry);
	snprintf(w->to, sizeof(w->to), "%s", op->to);
	return true;
}

static bool is_ours(const char *name)
{
	return !name || strstr(name, ".sysboxup-") || strstr(name, ".lock");
}

static bool is_effect(const struct fault_op *op)
{
	static const char *const calls[] = { "rename", "rename-new", "exchange", "link", "unlink",
					     "rmdir", "mkdir", "symlink" };
	char path[PATH_MAX + 256];

	if (is_ours(op->entry) && is_ours(op->to))
		return false;
	faultlog_subject(op, path, sizeof(path));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (str_eq(op->call, calls[i]))
			return !strstr(path, "/var/lib/sysboxup");
	return false;
}

void faultlate_catch_up(const struct fault_op *op)
{
	if (waiting_n && !catching_up && is_effect(op))
		give_names();
}

#else
typedef int faultlate_is_compiled_out;	/* a translation unit must not be empty */
#endif
