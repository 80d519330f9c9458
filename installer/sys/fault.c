/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fault.h"

#ifdef SYSBOXUP_FAULTS

#include "base/str.h"
#include "sys/faultlate.h"
#include "sys/faultlog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum skip { SKIP_FSYNC_FILE, SKIP_FSYNC_DIR, SKIP_SYNCFS, SKIPS };

static struct {
	bool read;			/* the environment was looked at */
	unsigned long count;
	unsigned long die_before, die_after, stop_before, tear, fail, fail_from;
	char since[64];			/* counting begins with the first call on a file of this name; "": now */
	int errnum;
	int log_fd;
	struct faultlog record;
	bool skip[SKIPS];
	bool late;
} fault = { .log_fd = -1, .record.fd = -1 };

static const struct {
	const char *name;
	unsigned long *n;
	bool has_errno;
} kinds[] = {
	{ "die-before", &fault.die_before, false },
	{ "die-after", &fault.die_after, false },
	{ "stop-before", &fault.stop_before, false },
	{ "tear", &fault.tear, false },
	{ "fail", &fault.fail, true },
	{ "fail-from", &fault.fail_from, true },
};

static const char *const skip_names[SKIPS] = {
	[SKIP_FSYNC_FILE] = "fsync-file",
	[SKIP_FSYNC_DIR] = "fsync-dir",
	[SKIP_SYNCFS] = "syncfs",
};

static _Noreturn void usage(const char *item)
{
	dprintf(2, "SYSBOXUP_FAULT: not understood: %s\n", item);
	_exit(125);
}

static int errno_named(const char *s)
{
	uint64_t n;

	if (!str_to_u64(s, 4095, &n))
		return (int)n;
	for (int i = 1; i < 200; i++)
		if (str_eq(strerrorname_np(i), s))
			return i;
	return 0;
}

static void parse_skip(const char *what)
{
	for (size_t i = 0; i < SKIPS; i++)
		if (str_eq(what, skip_names[i])) {
			fault.skip[i] = true;
			return;
		}
	usage(what);
}

/* Those that are no number of a call; false for any other. */
static bool parse_mode(const struct strv *part)
{
	if (part->n == 1 && str_eq(part->v[0], "late-intent"))
		fault.late = true;
	else if (part->n != 2)
		return false;
	else if (str_eq(part->v[0], "skip"))
		parse_skip(part->v[1]);
	else if (str_eq(part->v[0], "since"))
		snprintf(fault.since, sizeof(fault.since), "%s", part->v[1]);
	else if (str_eq(part->v[0], "log"))
		fault.log_fd = open(part->v[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	else if (str_eq(part->v[0], "record"))
		fault.record.fd = faultlog_open(part->v[1]);
	else
		return false;
	return true;
}

static void parse_item(const char *item)
{
	struct strv part CLEANUP(strv_release) = STRV_INIT;
	uint64_t n;

	str_split(&part, item, ':');
	if (parse_mode(&part))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!part.n || !str_eq(part.v[0], kinds[i].name))
			continue;
		if (part.n != (kinds[i].has_errno ? 3 : 2) || str_to_u64(part.v[1], 1 << 30, &n) ||
		    !n)
			usage(item);
		*kinds[i].n = n;
		if (kinds[i].has_errno && !(fault.errnum = errno_named(part.v[2])))
			usage(item);
		return;
	}
	usage(item);
}

static void parse_list(const char *list, void (*parse)(const char *))
{
	struct strv items CLEANUP(strv_release) = STRV_INIT;

	if (str_empty(list))
		return;
	str_split(&items, list, ',');
	for (size_t i = 0; i < items.n; i++)
		parse(items.v[i]);
}

void fault_set(const char *spec)
{
	if (fault.log_fd >= 0)
		close(fault.log_fd);
	if (fault.record.fd >= 0)
		close(fault.record.fd);
	memset(&fault, 0, sizeof fault);
	faultlate_clear();
	fault.log_fd = fault.record.fd = -1;
	fault.read = true;
	parse_list(spec, parse_item);
}

static void read_environment(void)
{
	fault_set(getenv("SYSBOXUP_FAULT"));
	parse_list(getenv("SYSBOXUP_FAULT_SKIP"), parse_skip);
	fault.late |= str_eq(getenv("SYSBOXUP_FAULT_LATE_INTENT"), "1");
}

unsigned long fault_count(void)
{
	return fault.count;
}

bool fault_alone(void)
{
	return getenv("SYSBOXUP_FAULT_ALONE") != NULL;
}

#ifdef SYSBOXUP_COVERAGE
void __gcov_dump(void);	/* gcc's counters, which SIGKILL would lose */
void counters_take(void);	/* tests/guest/counters.c */
#endif

static _Noreturn void die(void)
{
#ifdef SYSBOXUP_COVERAGE
	counters_take();
	__gcov_dump();
#endif
	kill(getpid(), SIGKILL);
	_exit(128 + SIGKILL);	/* the init of a PID namespace: no signal of its own ends it */
}

static void log_call(const struct fault_op *op)
{
	char subject[PATH_MAX + 256];

	faultlog_subject(op, subject, sizeof(subject));
	dprintf(fault.log_fd, "%lu %s %s\n", fault.count, op->call, subject);
}

/* 0 is no number of a call. */
static bool is_at(unsigned long n)
{
	return n && fault.count == n;
}

static bool is_counted(const struct fault_op *op)
{
	char subject[PATH_MAX + 256];

	if (!*fault.since)
		return true;
	faultlog_subject(op, subject, sizeof(subject));
	if (!str_eq(path_basename(subject), fault.since))
		return false;
	*fault.since = '\0';
	return true;
}

static bool is_skipped(const struct fault_op *op)
{
	struct stat st;

	if (str_eq(op->call, "syncfs"))
		return fault.skip[SKIP_SYNCFS];
	if (!str_eq(op->call, "fsync") || fstat(op->fd, &st))
		return false;
	return fault.skip[S_ISDIR(st.st_mode) ? SKIP_FSYNC_DIR : SKIP_FSYNC_FILE];
}

int fault_enter(struct fault_op *op)
{
	if (!fault.read)
		read_environment();
	if (fault.late && faultlate_put_off(op))
		return 1;
	if (!is_counted(op))
		return is_skipped(op);
	fault.count++;
	if (fault.log_fd >= 0)
		log_call(op);
	if (is_at(fault.stop_before))
		kill(getpid(), SIGSTOP);
	if (is_at(fault.die_before) || (is_at(fault.tear) && !strstr(op->call, "write")))
		die();
	if (is_at(fault.fail) || (fault.fail_from && fault.count >= fault.fail_from)) {
		errno = fault.errnum;
		return -1;
	}
	if (is_skipped(op))
		return 1;
	if (fault.record.fd >= 0)
		faultlog_before(&fault.record, op, fault.count);
	return 0;
}

void fault_leave(const struct fault_op *op, int ret)
{
	if (fault.record.fd >= 0 && ret >= 0)
		faultlog_after(&fault.record, op, ret);
	if (is_at(fault.die_after) || is_at(fault.tear))
		die();
	if (fault.late && ret >= 0)
		faultlate_catch_up(op);
}

size_t fault_torn(size_t len)
{
	return is_at(fault.tear) ? len / 2 : len;
}

#else
typedef int fault_is_compiled_out;	/* a translation unit must not be empty */
#endif
