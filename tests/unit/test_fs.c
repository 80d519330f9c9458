/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include "sys/clock.h"
#include "sys/fault.h"

static struct scratch s;

TEST(makes, "mkdir -p with the mode asked for whatever the umask; existing directories are fine, files are not")
{
	struct err err = ERR_INIT;
	struct stat st = { 0 };

	scratch_open(&s);
	mode_t old = umask(077);
	CHECK_INT(fs_mkdir_path(&s.root, "/a/b//c/", 0755, &err), 0);
	CHECK_INT(fs_mkdir_path(&s.root, "/a/b/c", 0700, &err), 0);
	umask(old);
	CHECK_INT(root_stat(&s.root, "/a/b/c", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0755);
	put(&s, "file", "");
	CHECK_INT(fs_mkdir_path(&s.root, "/file/x", 0755, &err), -1);
	CHECK(strstr(err.msg, "'/file/x'") != NULL);
	scratch_close(&s);
}

static int put_new(void *arg)
{
	struct err err = ERR_INIT;

	fault_set(arg);
	return fs_put(s.fd, "f", 0640, "new", 3, &err) ? 1 : 0;
}

TEST(put_crash, "a small file is old or new at every crash, never torn, and the next try is not disturbed")
{
	static const char *const how[] = { "die-before", "die-after", "tear" };
	int old = 0, new = 0;

	scratch_open(&s);
	for (size_t h = 0; h < ARRAY_SIZE(how); h++) {
		for (int n = 1, more = 1; more && n < 30; n++) {
			struct err err = ERR_INIT;
			char *fault CLEANUP(freep) = xasprintf("%s:%d", how[h], n);
			CHECK_INT(fs_put(s.fd, "f", 0600, "old", 3, &err), 0);
			more = in_child(put_new, fault) == 128 + SIGKILL;
			const char *now = get(&s, "f");
			CHECK(str_eq(now, "old") || str_eq(now, "new"));
			old += str_eq(now, "old");
			new += str_eq(now, "new");
		}
	}
	CHECK(old > 6 && new > 3);
	scratch_close(&s);
}

TEST(put_fails, "a put that fails leaves the old file and no temporary")
{
	scratch_open(&s);
	put(&s, "f", "old");
	char *before CLEANUP(freep) = tree(&s, "/", true);
	for (int n = 1; n < 7; n++) {
		struct err err = ERR_INIT;
		char *fault CLEANUP(freep) = xasprintf("fail:%d:ENOSPC", n);
		fault_set(fault);
		CHECK_INT(fs_put(s.fd, "f", 0640, "new", 3, &err), -1);
		CHECK_INT(err.errnum, ENOSPC);
		fault_set(NULL);
		char *now CLEANUP(freep) = tree(&s, "/", true);
		CHECK_STR(now, before);
	}
	scratch_close(&s);
}

TEST(copies, "a copy has the bytes and the digest; more than allowed is refused")
{
	struct err err = ERR_INIT;
	char hex[65];

	scratch_open(&s);
	put(&s, "from", "abc");
	int from = openat(s.fd, "from", O_RDONLY | O_CLOEXEC);
	int to = openat(s.fd, "to", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK_INT(fs_copy_fd(from, to, 3, hex, &err), 0);
	CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_STR(get(&s, "to"), "abc");
	CHECK_INT(fs_copy_fd(from, to, 2, hex, &err), -1);
	CHECK_INT(err.errnum, EFBIG);
	close(from);
	close(to);
	scratch_close(&s);
}

TEST(removes, "a tree goes, what its links point to stays, and removing nothing is fine")
{
	struct err err = ERR_INIT;

	scratch_open(&s);
	CHECK_INT(fs_mkdir_path(&s.root, "/t/a/b", 0755, &err), 0);
	CHECK_INT(fs_mkdir_path(&s.root, "/stays", 0755, &err), 0);
	put(&s, "t/a/f", "");
	put(&s, "stays/f", "");
	CHECK(!symlinkat("../stays", s.fd, "t/dir") && !symlinkat("../stays/f", s.fd, "t/file"));
	CHECK_INT(fs_remove_tree(s.fd, "t", &err), 0);
	CHECK_INT(fs_remove_tree(s.fd, "t", &err), 0);
	CHECK(!root_exists(&s.root, "/t") && root_exists(&s.root, "/stays/f"));
	CHECK_INT(fs_unlink(s.fd, "none", &err), 0);
	scratch_close(&s);
}

TEST(reads, "a file beside a descriptor: links are not followed, absent is 1")
{
	struct err err = ERR_INIT;
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	scratch_open(&s);
	put(&s, "f", "text");
	CHECK(!symlinkat("f", s.fd, "l"));
	CHECK_INT(fs_read_at(s.fd, "f", 4, &b, &err), 0);
	CHECK_STR(b.data, "text");
	CHECK_INT(fs_read_at(s.fd, "none", 4, &b, &err), 1);
	CHECK_INT(fs_read_at(s.fd, "l", 4, &b, &err), -1);
	CHECK_INT(fs_read_at(s.fd, "f", 3, &b, &err), -1);
	scratch_close(&s);
}

TEST(space, "free space of the nearest directory that exists")
{
	struct err err = ERR_INIT;
	uint64_t bytes = 0, inodes = 0, again = 0;

	scratch_open(&s);
	CHECK_INT(fs_free_space(&s.root, "/not/there/yet", &bytes, &inodes, &err), 0);
	CHECK(bytes > 0 && inodes > 0);
	CHECK_INT(fs_free_space(&s.root, "/", &again, &inodes, &err), 0);
	CHECK(again > bytes / 2);
	scratch_close(&s);
}

/* Each of these on a directory of its own, t, that holds t/a/f. */
static int op_mkdir(struct err *err)
{
	return fs_mkdir_path(&s.root, "/t/x/y", 0777, err);
}

static int op_put(struct err *err)
{
	return fs_put(s.fd, "put", 0600, "text", 4, err);
}

static int op_remove(struct err *err)
{
	return fs_remove_tree(s.fd, "t", err);
}

static int op_copy(struct err *err)
{
	int from CLEANUP(closep) = openat(s.fd, "file", O_RDONLY | O_CLOEXEC);
	int to CLEANUP(closep) = openat(s.fd, "copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fs_copy_fd(from, to, 16, NULL, err);
}

TEST(each_call, "whichever call fails, the operation fails and says for what reason")
{
	int (*const ops[])(struct err *) = { op_mkdir, op_put, op_remove, op_copy };

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		unsigned long n = 0, calls = 0;
		do {
			struct err err = ERR_INIT;
			mode_t old = umask(077);

			scratch_open(&s);
			CHECK_INT(fs_mkdir_path(&s.root, "/t/a/b", 0755, &err), 0);
			put(&s, "t/a/f", "");
			put(&s, "file", "text");
			put(&s, "other", "");
			char *spec CLEANUP(freep) = xasprintf("fail:%lu:EIO", ++n);
			fault_set(spec);
			int rc = ops[i](&err);
			calls = fault_count();
			fault_set(NULL);
			CHECK_INT(rc, n <= calls ? -1 : 0);
			CHECK(!rc || err.errnum == EIO);
			CHECK(!rc || str_ends(err.msg, ": input/output error"));
			umask(old);
			scratch_close(&s);
		} while (n <= calls && n < 100);
		CHECK(n > 1);
	}
}

TEST(nothing_there, "a descriptor that is none, a name that is a device, a file that is a directory: errors, not crashes")
{
	struct err err = ERR_INIT;
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	uint64_t bytes = 1;
	char hex[65];

	scratch_open(&s);
	CHECK_INT(fs_remove_tree(-1, "x", &err), -1);
	CHECK_STR(err.msg, "cannot look at the directory of 'x': bad file descriptor");
	CHECK_INT(fs_usage(-1, "x", &bytes, &err), -1);
	CHECK_INT(bytes, 0);
	CHECK_INT(fs_usage(s.fd, "absent", &bytes, &err), 0);
	CHECK_INT(fs_read_fd(-1, 4, &b, &err), -1);
	CHECK_INT(fs_read_fd(s.fd, 4, &b, &err), -1);
	CHECK_STR(err.msg, "not a regular file");
	CHECK_INT(fs_list_fd(-1, &names, &err), -1);
	CHECK_INT(fs_copy_fd(s.fd, -1, 4, hex, &err), -1);
	CHECK_STR(err.msg, "cannot read what is to be copied: is a directory");
	int dev CLEANUP(closep) = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(fs_read_at(dev, "null", 4, &b, &err), -1);
	CHECK_STR(err.msg, "cannot read 'null': not a regular file");
	int null CLEANUP(closep) = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CHECK_INT(fs_read_fd(null, 4, &b, &err), -1);
	put(&s, "w", "");
	int write_only CLEANUP(closep) = openat(s.fd, "w", O_WRONLY | O_CLOEXEC);
	CHECK_INT(fs_read_fd(write_only, 4, &b, &err), -1);
	CHECK_STR(err.msg, "cannot read the file: bad file descriptor");
	CHECK_INT(b.len, 0);
	scratch_close(&s);
}

TEST(iso, "ISO times round trip; what we would not write is not taken")
{
	static const char *const bad[] = { "",
					   "2026-11-22",
					   "2026-02-31T00:00:00Z",
					   "2026-11-22T01:28:26",
					   "2026-11-22T01:28:26Zx",
					   "2026-1-2T01:28:26Z" };
	char text[32];

	clock_iso(1795310906, text);
	CHECK_STR(text, "2026-11-22T01:28:26Z");
	CHECK_INT(clock_parse_iso(text), 1795310906);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(clock_parse_iso(bad[i]), -1);
	CHECK_INT(strlen(clock_boot_id()), 36);
}

RUN_TESTS()
