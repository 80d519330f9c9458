/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fault.h"

#ifdef SYSBOXUP_FAULTS

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	bool read;			/* the environment was looked at */
	unsigned long count;
	unsigned long die_before, die_after, stop_before, tear, fail, fail_from;
	int errnum;
	int log_fd;
} fault = { .log_fd = -1 };

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

static void parse_item(const char *item)
{
	struct strv part CLEANUP(strv_release) = STRV_INIT;
	uint64_t n;

	str_split(&part, item, ':');
	if (part.n == 2 && str_eq(part.v[0], "log")) {
		fault.log_fd = open(part.v[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		return;
	}
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

void fault_set(const char *spec)
{
	struct strv items CLEANUP(strv_release) = STRV_INIT;

	if (fault.log_fd >= 0)
		close(fault.log_fd);
	memset(&fault, 0, sizeof fault);
	fault.log_fd = -1;
	fault.read = true;
	if (str_empty(spec))
		return;
	str_split(&items, spec, ',');
	for (size_t i = 0; i < items.n; i++)
		parse_item(items.v[i]);
}

unsigned long fault_count(void)
{
	return fault.count;
}

bool fault_alone(void)
{
	return getenv("SYSBOXUP_FAULT_ALONE") != NULL;
}

static _Noreturn void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void log_call(const char *call, int fd, const char *name)
{
	char link[64], dir[4096] = "";

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = fd >= 0 ? readlink(link, dir, sizeof dir - 1) : 0;
	dir[n > 0 ? n : 0] = '\0';
	dprintf(fault.log_fd, "%lu %s %s%s%s\n", fault.count, call, dir, name ? "/" : "",
		name ? name : "");
}

int fault_enter(const char *call, int fd, const char *name)
{
	if (!fault.read)
		fault_set(getenv("SYSBOXUP_FAULT"));
	fault.count++;
	if (fault.log_fd >= 0)
		log_call(call, fd, name);
	if (fault.count == fault.stop_before)
		kill(getpid(), SIGSTOP);
	if (fault.count == fault.die_before ||
	    (fault.count == fault.tear && !strstr(call, "write")))
		die();
	if (fault.count != fault.fail && (!fault.fail_from || fault.count < fault.fail_from))
		return 0;
	errno = fault.errnum;
	return -1;
}

void fault_leave(void)
{
	if (fault.count == fault.die_after || fault.count == fault.tear)
		die();
}

size_t fault_torn(size_t len)
{
	return fault.count == fault.tear ? len / 2 : len;
}

#else
typedef int fault_is_compiled_out;	/* a translation unit must not be empty */
#endif
