/* SPDX-License-Identifier: Apache-2.0 */
/* The negative controls of all crash tests: the seam really kills, fails and tears. */
#include "scratch.h"
#include "sys/child.h"
#include "sys/fault.h"

static struct scratch s;

/* open, write "one", write "two", fsync, close: five calls */
static int make_f(void)
{
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

static int five_calls(void *arg)
{
	fault_set(arg);
	return make_f();
}

/* Three calls on another file, and then those five. */
static int eight_calls(void *arg)
{
	fault_set(arg);
	int fd = io_openat(s.fd, "early", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || io_write_all(fd, "early", 5) || io_close(fd))
		return 15;
	return make_f();
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

TEST(since, "what comes before the first call on a file is not counted, and not hit")
{
	static const struct { const char *spec; int status; const char *left;
	} cases[] = {
		{ "since:f", 0, "onetwo" },
		{ "since:f,die-before:1", 137, NULL },
		{ "since:f,die-after:3", 137, "onetwo" },
		{ "since:f,tear:2", 137, "o" },
		{ "since:f,fail:3:28", 12, "one" },
		{ "since:f,fail-from:2:EIO", 11, "" },
		{ "since:other,die-before:1,fail-from:1:EIO", 20, "onetwo" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scratch_open(&s);
		CHECK_INT(in_child(eight_calls, (void *)cases[i].spec), cases[i].status);
		CHECK_STR(get(&s, "early"), "early");
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

/* The calls of a recording, in order, in one line. Static storage. */
static const char *recorded(const char *name)
{
	static struct buf b;
	const char *p = get(&s, name);
	unsigned long n;
	size_t len;
	char call[32];
	int used;

	buf_release(&b);
	if (!p || strncmp(p, "sysboxup-oplog 1\n", 17))
		return p;
	for (p += 17; *p; p += used + 1 + len + 1) {
		if (sscanf(p, "%lu %31s %*[^\n]%n", &n, call, &used) != 2)
			return p;
		len = strtoul(memrchr(p, ' ', (size_t)used), NULL, 10);
		buf_addf(&b, "%s%s", b.len ? " " : "", call);
	}
	return b.data;
}

TEST(skips, "a skipped sync succeeds and does not reach the file system, the other kind does")
{
	static const struct { const char *spec, *variable, *calls; int status;
	} cases[] = {
		{ ",fail:9:EIO", NULL, "create write write fsync", 0 },
		{ ",skip:fsync-file", NULL, "create write write", 0 },
		{ ",skip:fsync-dir,skip:syncfs", NULL, "create write write fsync", 0 },
		{ ",skip:fsync", NULL, NULL, 125 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scratch_open(&s);
		char *spec CLEANUP(freep) = xasprintf("record:%s/r%s", s.path, cases[i].spec);
		CHECK_INT(in_child(five_calls, spec), cases[i].status);
		if (cases[i].calls)
			CHECK_STR(recorded("r"), cases[i].calls);
		scratch_close(&s);
	}
}

static int syncs(void *arg)
{
	fault_set(arg);
	int fd = io_openat(s.fd, "f", O_RDWR | O_CREAT, 0600);

	return io_fsync(fd) || io_fsync(s.fd) || io_syncfs(fd) || fault_count() != 4;
}

TEST(skips_each, "files, directories and file systems are told apart")
{
	static const struct { const char *skip, *calls;
	} cases[] = {
		{ "fsync-file", "create fsync syncfs" },
		{ "fsync-dir", "create fsync syncfs" },
		{ "syncfs", "create fsync fsync" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scratch_open(&s);
		char *spec CLEANUP(freep) = xasprintf("record:%s/r,skip:%s", s.path, cases[i].skip);
		CHECK_INT(in_child(syncs, spec), 0);
		CHECK_STR(recorded("r"), cases[i].calls);
		scratch_close(&s);
	}
}

static int a_record(int dir, const char *type, const char *from, const char *to)
{
	char *text CLEANUP(freep) = xasprintf("sysboxup-record 1 %s 3 0\n{}\n", type);
	int fd CLEANUP(closep) = io_openat(dir, from, O_RDWR | O_CREAT, 0600);

	return io_write_all(fd, text, strlen(text)) || io_renameat2(dir, from, dir, to, 0);
}

/* What is there after each of: PREPARED, INTENT, a temporary, its exchange with the target,
 * COMMITTED. */
static int late(void *arg)
{
	struct stat st;

	fault_set(arg);
	mkdirat(s.fd, "txn", 0700);
	int dir CLEANUP(closep) = openat(s.fd, "txn", O_RDONLY | O_DIRECTORY);
	bool waits = !str_eq(arg, "fail:99:EIO");

	if (a_record(dir, "begin", "new", "0000") || fstatat(dir, "0000", &st, 0))
		return 1;
	if (a_record(dir, "prepared", "new", "0001") || !fstatat(dir, "0001", &st, 0) == waits)
		return 2;
	if (a_record(dir, "intent", "spare-0007", "0002") || !fstatat(dir, "0002", &st, 0) == waits)
		return 3;
	if (io_symlinkat("x", s.fd, ".f.sysboxup-000001.0") || !fstatat(dir, "0002", &st, 0) == waits)
		return 4;
	if (io_renameat2(s.fd, ".f.sysboxup-000001.0", s.fd, "f", 0) || fstatat(dir, "0001", &st, 0) ||
	    fstatat(dir, "0002", &st, 0))
		return 5;
	if (a_record(dir, "intent", "spare-0006", "0003") || !fstatat(dir, "0003", &st, 0) == waits)
		return 6;
	return a_record(dir, "committed", "spare-0005", "0004") || fstatat(dir, "0003", &st, 0) ||
	       fstatat(dir, "0004", &st, 0);
}

TEST(late_intent, "a late intent gets its name after the effect, or with the record that ends it all")
{
	static const char *const specs[] = { "late-intent", "fail:99:EIO" };

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		scratch_open(&s);
		CHECK_INT(in_child(late, (void *)specs[i]), 0);
		scratch_close(&s);
	}
}

static int some_of_each(void *arg)
{
	fault_set(arg);
	int fd = io_openat(s.fd, "a b", O_WRONLY | O_CREAT, 0640);

	return io_write_all(fd, "12\n", 3) || io_write_all(fd, "4", 1) || io_pwrite_all(fd, "x", 1, 1) ||
	       io_ftruncate(fd, 2) || io_fchmod(fd, 0751) || io_fchown(fd, 1, 2) ||
	       io_symlinkat("to/there", s.fd, "%") || !io_unlinkat(s.fd, "absent", 0) ||
	       io_renameat2(s.fd, "a b", s.fd, "%", RENAME_EXCHANGE) || io_close(fd);
}

TEST(record, "a recording holds every call that succeeded, with its operands and bytes")
{
	struct stat st, dir;

	scratch_open(&s);
	char *spec CLEANUP(freep) = xasprintf("record:%s/r", s.path);
	CHECK_INT(in_child(some_of_each, spec), 0);
	CHECK_INT(fstatat(s.fd, "%", &st, AT_SYMLINK_NOFOLLOW) || fstat(s.fd, &dir), 0);
	unsigned long long dev = st.st_dev, ino = st.st_ino, in = dir.st_ino;
	char *lines[] = {
		xasprintf("1 create %llu:%llu a%%20b 0:0 - %llu:%llu %d 640 0 0 0 ", dev, in, dev, ino, O_WRONLY | O_CREAT),
		xasprintf(" - %s/a%%20b 0\n\n2 write %llu:%llu - 0:0 - 0:0 0 0 0 0 0 ", s.path, dev, ino),
		xasprintf(" - %s/a%%20b 3\n12\n\n3 write %llu:%llu - 0:0 - 0:0 0 0 0 0 3 ", s.path, dev, ino),
		xasprintf(" 1\n4\n4 pwrite %llu:%llu - 0:0 - 0:0 0 0 0 0 1 ", dev, ino),
		xasprintf(" 1\nx\n5 ftruncate %llu:%llu - 0:0 - 0:0 0 0 0 0 2 ", dev, ino),
		xasprintf("\n6 fchmod %llu:%llu - 0:0 - 0:0 0 751 0 0 0 ", dev, ino),
		xasprintf("\n7 fchown %llu:%llu - 0:0 - 0:0 0 0 1 2 0 ", dev, ino),
		xasprintf("\n8 symlink %llu:%llu %%25 0:0 - ", dev, in),
		xasprintf(" - %s/%%25 8\nto/there\n10 exchange %llu:%llu a%%20b %llu:%llu %%25 %llu:%llu 2 0 0 0 0 ",
			  s.path, dev, in, dev, in, dev, ino),
	};
	const char *at = get(&s, "r");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *found = at ? strstr(at, lines[i]) : NULL;
		if (!found)
			CHECK_STR(at, lines[i]);
		at = found ? found + strlen(lines[i]) - 1 : at;
		free(lines[i]);
	}
	scratch_close(&s);
}

static int reads(void *arg)
{
	static const int bad[] = { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND | O_CREAT };

	put(&s, "there", "x");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (io_open_read(s.fd, "there", bad[i]) >= 0 || errno != EINVAL)
			return 1;
	int fd CLEANUP(closep) = io_open_read(s.fd, "there", O_NOFOLLOW);
	return fd < 0 || write(fd, "y", 1) >= 0 || io_open_read(s.fd, "absent", 0) >= 0;
}

TEST(reading, "what is opened for reading is not made, not truncated and cannot be written")
{
	scratch_open(&s);
	CHECK_INT(in_child(reads, NULL), 0);
	CHECK_STR(get(&s, "there"), "x");
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
