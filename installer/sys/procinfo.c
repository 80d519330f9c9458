/* SPDX-License-Identifier: Apache-2.0 */
/* Other processes: what they are, whether they are still there. */
#include "sys/proc.h"

#include "base/str.h"
#include "sys/clock.h"
#include "sys/io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 60, LOOK_MS = 20 };

void proc_status_words(int wait_status, char *buf, size_t size)
{
	static const struct { int sig; const char *name;
	} names[] = {
		{ SIGHUP, "SIGHUP" },   { SIGINT, "SIGINT" },   { SIGQUIT, "SIGQUIT" },
		{ SIGILL, "SIGILL" },   { SIGABRT, "SIGABRT" }, { SIGBUS, "SIGBUS" },
		{ SIGFPE, "SIGFPE" },   { SIGKILL, "SIGKILL" }, { SIGSEGV, "SIGSEGV" },
		{ SIGPIPE, "SIGPIPE" }, { SIGALRM, "SIGALRM" }, { SIGTERM, "SIGTERM" },
		{ SIGSYS, "SIGSYS" },
	};

	if (!WIFSIGNALED(wait_status)) {
		snprintf(buf, size, "exit status %d", WEXITSTATUS(wait_status));
		return;
	}
	snprintf(buf, size, "killed by signal %d", WTERMSIG(wait_status));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].sig == WTERMSIG(wait_status))
			snprintf(buf, size, "killed by %s", names[i].name);
}

/* A file of /proc/PID, at most size - 1 bytes, NUL behind; its length or -1. */
static ssize_t read_of(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
	int fd CLEANUP(closep) = io_open_existing(AT_FDCWD, path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

char *proc_describe(pid_t pid)
{
	char raw[512], words[sizeof raw * 4];
	ssize_t n = read_of(pid, "cmdline", raw, sizeof raw);

	for (ssize_t i = 0; i < n - 1; i++)
		if (!raw[i])
			raw[i] = ' ';
	if (n <= 0)		/* a kernel thread has no command line */
		n = read_of(pid, "comm", raw, sizeof raw);
	if (n <= 0)
		return xasprintf("pid %ld", (long)pid);
	err_quote(words, sizeof words, str_trim(raw));
	bool cut = strlen(words) > WORDS_MAX;
	return xasprintf("%ld: %.*s%s", (long)pid, WORDS_MAX, words, cut ? " ..." : "");
}

/* The fields of /proc/PID/stat from the third (state) on; the second may hold anything, even ")
 * ". */
static int stat_fields(pid_t pid, struct strv *ret)
{
	char raw[2048];

	if (read_of(pid, "stat", raw, sizeof raw) <= 0 || !strrchr(raw, ')'))
		return -1;
	str_words(ret, strrchr(raw, ')') + 1);
	return 0;
}

uint64_t proc_starttime(pid_t pid)
{
	enum { STARTTIME = 22 - 3 };
	struct strv f CLEANUP(strv_release) = STRV_INIT;
	uint64_t t;

	if (stat_fields(pid, &f) || f.n <= STARTTIME || str_to_u64(f.v[STARTTIME], UINT64_MAX, &t))
		return 0;
	return t;
}

int64_t proc_began_ms(uint64_t starttime)
{
	struct timespec now, up;

	if (!starttime || clock_gettime(CLOCK_REALTIME, &now) || clock_gettime(CLOCK_BOOTTIME, &up))
		return 0;
	return 1000 * (int64_t)(now.tv_sec - up.tv_sec) + (now.tv_nsec - up.tv_nsec) / 1000000 +
	       (int64_t)(1000 * starttime / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* 0: there is none that we could see. */
static pid_t parent_of(pid_t pid)
{
	enum { PPID = 4 - 3 };
	struct strv f CLEANUP(strv_release) = STRV_INIT;
	int64_t parent;

	if (stat_fields(pid, &f) || f.n <= PPID || str_to_i64(f.v[PPID], 0, INT32_MAX, &parent))
		return 0;
	return (pid_t)parent;
}

/* One of the sets of signals that wait for it ("SigPnd", "ShdPnd") has SIGKILL. */
static bool awaits_kill(const char *status, const char *set)
{
	const char *at = strstr(status, set);

	return at && strtoull(at + strlen(set), NULL, 16) & 1ULL << (SIGKILL - 1);
}

static bool is_killed(pid_t pid)
{
	enum { FLAGS = 9 - 3, EXITING = 0x404 };	/* PF_EXITING, PF_SIGNALED (linux/sched.h) */
	struct strv f CLEANUP(strv_release) = STRV_INIT;
	char status[4096];
	uint64_t flags;

	if (pid <= 1 || read_of(pid, "status", status, sizeof status) <= 0)
		return false;
	if (awaits_kill(status, "\nSigPnd:") || awaits_kill(status, "\nShdPnd:"))
		return true;
	return !stat_fields(pid, &f) && f.n > FLAGS &&
	       !str_to_u64(f.v[FLAGS], UINT64_MAX, &flags) && flags & EXITING;
}

/*
 * The parent first: once that is gone, the child has its signal. More than one look: the kernel
 * takes the signal off the set before it marks the process, and gives the child another parent
 * before it signals it, and may be interrupted between the two.
 */
bool proc_is_dying(pid_t pid)
{
	enum { LOOKS = 3, APART_MS = 3 };

	for (int i = 0; i < LOOKS; i++) {
		if (i)
			clock_pause_ms(APART_MS);
		if (is_killed(parent_of(pid)) || is_killed(pid))
			return true;
	}
	return false;
}

/* ---- logins ---- */

static int64_t login_number(pid_t pid)
{
	enum { NONE = UINT32_MAX };
	char raw[32];
	int64_t n;

	if (read_of(pid, "sessionid", raw, sizeof raw) <= 0 ||
	    str_to_i64(str_trim(raw), 0, (int64_t)NONE - 1, &n))
		return -1;
	return n;
}

static uint64_t boot_ms(uint64_t ticks)
{
	return ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

void proc_login(struct login *ret)
{
	pid_t first = getpid(), parent;
	int64_t number = login_number(first);

	if (number < 0) {
		first = getsid(0);
		snprintf(ret->id, sizeof(ret->id), "session %ld of %llu", (long)first,
			 (unsigned long long)proc_starttime(first));
	} else {
		while ((parent = parent_of(first)) > 0 && login_number(parent) == number)
			first = parent;
		snprintf(ret->id, sizeof(ret->id), "login %lld", (long long)number);
	}
	ret->since = boot_ms(proc_starttime(first));
}

static bool is_gone(pid_t pid, uint64_t starttime)
{
	struct strv f CLEANUP(strv_release) = STRV_INIT;

	return proc_starttime(pid) != starttime || stat_fields(pid, &f) || str_eq(f.v[0], "Z") ||
	       str_eq(f.v[0], "X");
}

int proc_wait_gone(pid_t pid, uint64_t starttime, unsigned int seconds)
{
	uint64_t deadline = clock_boot_ms() + (uint64_t)seconds * 1000;
	int pidfd CLEANUP(closep) = (int)syscall(SYS_pidfd_open, pid, 0);

	while (!is_gone(pid, starttime)) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		uint64_t now = clock_boot_ms();
		if (now >= deadline)
			return -1;
		if (pidfd < 0)
			clock_pause_ms(LOOK_MS);
		else if (poll(&p, 1, deadline - now < 60000 ? (int)(deadline - now) : 60000) > 0)
			return 0;
	}
	return 0;
}

int proc_signal(pid_t pid, int sig)
{
	return kill(pid, sig);
}
