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
