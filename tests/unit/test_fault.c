/* SPDX-License-Identifier: Apache-2.0 */
/* The negative controls of all crash tests: the seam really kills, fails and tears. */
#include "scratch.h"
#include "sys/child.h"
#include "sys/fault.h"

static struct scratch s;

/* open, write "one", write "two", fsync, close: five calls */
static int five_calls(void *arg)
{
	fault_set(arg);
	int fd = io_openat(s.fd, "f", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return 10;
	if (io_write_all(fd, "one", 3))
		return 11;
	if (io_write_all(fd, "two", 3))
		return 12;
	if (io_fsync(fd))
		return 13;
	return io_close(fd) ? 14 : fault_count() == 5 ? 0 : 20;
}

TEST(points, "each kind of fault hits the call it names, and only that")
{
	static const struct { const char *spec; int status; const char *left;
	} cases[] = {
		{ "", 0, "onetwo" },
		{ "die-before:6", 0, "onetwo" },
		{ "die-before:1", 137, NULL },
		{ "die-after:1", 137, "" },
		{ "die-before:3", 137, "one" },
		{ "die-after:3", 137, "onetwo" },
		{ "tear:2", 137, "o" },
		{ "tear:4", 137, "onetwo" },
		{ "fail:1:ENOSPC", 10, NULL },
		{ "fail:3:28", 12, "one" },
		{ "fail-from:2:EIO", 11, "" },
		{ "fail:4:EIO", 13, "onetwo" },
		{ "fail:5:EIO", 14, "onetwo" },
		{ "bogus:1", 125, NULL },
		{ "fail:1:ENONSENSE", 125, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scratch_open(&s);
		CHECK_INT(in_child(five_calls, (void *)cases[i].spec), cases[i].status);
		CHECK_STR(get(&s, "f"), cases[i].left);
		scratch_close(&s);
	}
}

TEST(logs, "the log names number, call and file")
{
	scratch_open(&s);
	char *spec CLEANUP(freep) = xasprintf("log:%s/log", s.path);
	char *want CLEANUP(freep) = xasprintf("1 open %s/f\n2 write %s/f\n3 write %s/f\n4 fsync %s/f\n5 close %s/f\n",
					      s.path, s.path, s.path, s.path, s.path);
	CHECK_INT(in_child(five_calls, spec), 0);
	CHECK_STR(get(&s, "log"), want);
	scratch_close(&s);
}

static int exits_with_7(void *arg)
{
	return 7;
}

static int dies(void *arg)
{
	kill(getpid(), SIGKILL);
	return 0;
}

static int rescue(void *arg, int wait_status)
{
	/* armed for the worker only */
	int got = arg ? five_calls(NULL) : 0;

	return got ? got : WIFSIGNALED(wait_status) ? 40 + WTERMSIG(wait_status) : 1;
}

TEST(supervised, "the worker's exit code is the parent's; after a death by signal the rescue's is")
{
	CHECK_INT(child_supervise(exits_with_7, NULL, rescue, NULL), 7);
	CHECK_INT(child_supervise(dies, NULL, rescue, NULL), 40 + SIGKILL);
	scratch_open(&s);
	CHECK_INT(child_supervise(five_calls, (void *)"die-before:3", rescue, &s), 40 + SIGKILL);
	CHECK_STR(get(&s, "f"), "onetwo");
	setenv("SYSBOXUP_FAULT_ALONE", "1", 1);
	CHECK_INT(child_supervise(five_calls, (void *)"die-before:3", rescue, &s), 128 + SIGKILL);
	unsetenv("SYSBOXUP_FAULT_ALONE");
	CHECK_STR(get(&s, "f"), "one");
	scratch_close(&s);
}

RUN_TESTS()
