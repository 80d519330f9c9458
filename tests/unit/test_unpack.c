/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "debs.h"
#include "fetch/unpack.h"
#include "fetch_help.h"

#define LIMIT (4 << 20)

static struct err err;
static struct deb deb;

typedef int read_fn(struct deb *ret, int fd, const char *what, uint64_t max_bytes, struct err *err);

static int by_reader(read_fn *reader, const char *name)
{
	int fd CLEANUP(closep) = openat(test_dirfd, name, O_RDONLY | O_CLOEXEC);

	deb_release(&deb);
	err = (struct err)ERR_INIT;
	return reader(&deb, fd, "package x", LIMIT, &err);
}

static int read_file(const char *name)
{
	return by_reader(deb_read, name);
}

static int read_bytes(const void *data, size_t len)
{
	file_put("x.deb", data, len);
	return read_file("x.deb");
}

static int list_bytes(const struct buf *b)
{
	file_put("x.deb", b->data, b->len);
	return by_reader(deb_list, "x.deb");
}

static void check_said(int got, const char *words)
{
	CHECK_INT(got, -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(strstr(err.msg, words));
	if (!strstr(err.msg, words))
		printf("# got <%s>\n", err.msg);
}

static void check_refused(const struct buf *b, const char *words)
{
	check_said(read_bytes(b->data, b->len), words);
}

/* A package whose data is one good directory and this member. */
static void check_member(char type, const char *path, unsigned int mode, const char *link,
			 const char *words)
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	tar_add(&data, '5', "./usr/", 0755, "", "", 0);
	tar_add(&data, type, path, mode, link, type == '0' ? "x" : "", type == '0');
	tar_end(&data);
	deb_make(&b, CONTROL("x", "1", "amd64"), &data);
	check_refused(&b, words);
}

static void good_data(struct buf *data)
{
	tar_add(data, '5', "./", 0755, "", "", 0);
	tar_add(data, '5', "./usr/", 0755, "", "", 0);
	tar_add(data, '5', "./usr/bin/", 0755, "", "", 0);
	tar_add(data, '0', "./usr/bin/x", 0755, "", "hello\n", 6);
	tar_add(data, '2', "./usr/bin/y", 0777, "x", "", 0);
	tar_add(data, '0', "./usr/bin/empty", 0644, "", "", 0);
	tar_end(data);
}

TEST(good, "control data and members are read, paths normalised, files hashed")
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	dir_make();
	good_data(&data);
	deb_make(&b, CONTROL("sysbox-ce", "0.7.0.linux", "amd64"), &data);
	CHECK_INT(read_bytes(b.data, b.len), 0);
	CHECK_STR(err.msg, "");
	CHECK_STR(deb.control.package, "sysbox-ce");
	CHECK_STR(deb.control.version, "0.7.0.linux");
	CHECK_STR(deb.control.arch, "amd64");
	CHECK_STR(deb.control.depends, "jq, rsync");
	CHECK_STR(deb.control.pre_depends, NULL);
	CHECK_INT(deb.control.installed_size, 40000);
	CHECK_INT(deb.n, 6);
	CHECK_STR(deb.v[0].path, "/");
	CHECK_STR(deb.v[3].path, "/usr/bin/x");
	CHECK_INT(deb.v[3].type, 'f');
	CHECK_INT(deb.v[3].mode, 0755);
	CHECK_INT(deb.v[3].size, 6);
	CHECK_STR(deb.v[3].sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
	CHECK_INT(deb.v[4].type, 'l');
	CHECK_STR(deb.v[4].target, "x");
}

TEST(control, "another package, version or architecture is refused")
{
	CHECK_INT(deb_check_control(&deb, "sysbox-ce", "0.7.0.linux", "amd64", "package x", &err),
		  0);
	CHECK_INT(deb_check_control(&deb, NULL, NULL, NULL, "package x", &err), 0);
	CHECK_INT(deb_check_control(&deb, "sysbox-ee", NULL, NULL, "package x", &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK_STR(err.msg, "package x is refused: its name is 'sysbox-ce', not 'sysbox-ee'");
	CHECK_INT(deb_check_control(&deb, NULL, "0.7.1.linux", NULL, "package x", &err), -1);
	CHECK_STR(err.msg, "package x is refused: its version is '0.7.0.linux', not '0.7.1.linux'");
	CHECK_INT(deb_check_control(&deb, NULL, NULL, "arm64", "package x", &err), -1);
	CHECK_STR(err.msg, "package x is refused: its architecture is 'amd64', not 'arm64'");
	str_replace(&deb.control.arch, "all");
	CHECK_INT(deb_check_control(&deb, NULL, NULL, "arm64", "package x", &err), 0);
}

static int fds[8];

static int open_some(void *user, const struct deb_member *m)
{
	size_t *n = user;

	if (!str_eq(m->path, "/usr/bin/x") && !str_eq(m->path, "/usr/bin/empty"))
		return -1;
	fds[*n] = io_openat(test_dirfd, path_basename(m->path), O_RDWR | O_CREAT | O_TRUNC, 0600);
	return fds[(*n)++];
}

TEST(extract, "files come out as they were hashed, one or several in a pass")
{
	int fd CLEANUP(closep) = openat(test_dirfd, "x.deb", O_RDONLY | O_CLOEXEC);
	int out CLEANUP(closep) = io_openat(test_dirfd, "one", O_RDWR | O_CREAT, 0600);
	struct buf got CLEANUP(buf_release) = BUF_INIT;
	size_t n = 0;

	CHECK_INT(deb_extract(&deb, fd, "/usr/bin/x", out, &err), 0);
	file_get("one", &got);
	CHECK_STR(got.data, "hello\n");
	CHECK_INT(deb_extract(&deb, fd, "/usr/bin/none", out, &err), -1);
	CHECK_STR(err.msg, "the package holds no file '/usr/bin/none'");
	CHECK_INT(deb_extract_all(&deb, fd, open_some, &n, &err), 0);
	CHECK_INT(n, 2);
	closep(&fds[0]);
	closep(&fds[1]);
	file_get("x", &got);
	CHECK_STR(got.data, "hello\n");
	file_get("empty", &got);
	CHECK_INT(got.len, 0);
}

TEST(changed, "a package that changed between reading and extracting is refused")
{
	int fd CLEANUP(closep) = openat(test_dirfd, "x.deb", O_RDONLY | O_CLOEXEC);
	int out CLEANUP(closep) = io_openat(test_dirfd, "two", O_RDWR | O_CREAT, 0600);
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	file_get("x.deb", &b);
	char *at = memmem(b.data, b.len, "hello", 5);
	int w CLEANUP(closep) = io_openat(test_dirfd, "x.deb", O_WRONLY, 0);

	CHECK(at && io_pwrite_all(w, "jello", 5, at - b.data) == 0);
	CHECK_INT(deb_extract(&deb, fd, "/usr/bin/x", out, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
}

TEST(paths, "members that lead out are refused")
{
	check_member('0', "./../etc/x", 0644, "", "leads out with '..'");
	check_member('0', "usr/../../x", 0644, "", "leads out with '..'");
	check_member('0', "..", 0644, "", "leads out with '..'");
	check_member('0', "/etc/x", 0644, "", "has an absolute path");
	check_member('0', "usr//x", 0644, "", "has an unusual path");
	check_member('0', "usr/./x", 0644, "", "has an unusual path");
	check_member('0', "usr/\033[2J", 0644, "", "has no usable name");
	check_member('0', "usr", 0644, "", "is there twice");
	check_member('2', "./", 0777, "/etc", "is no directory");
}

TEST(kinds, "set-id members, devices, pipes and hard links are refused")
{
	check_member('0', "./usr/x", 04755, "", "is set-id");
	check_member('0', "./usr/x", 02755, "", "is set-id");
	check_member('5', "./usr/x", 02755, "", "is set-id");
	check_member('3', "./usr/x", 0644, "", "is a device, a pipe or a socket");
	check_member('4', "./usr/x", 0644, "", "is a device, a pipe or a socket");
	check_member('6', "./usr/x", 0644, "", "is a device, a pipe or a socket");
	check_member('1', "./usr/x", 0644, "/etc/shadow", "is a hard link");
	check_member('1', "./usr/x", 0644, "usr", "is a hard link");
}

TEST(behind, "a member behind a symlink or a file is refused, whichever comes first")
{
	for (int order = 0; order < 2; order++) {
		struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

		if (order)
			tar_add(&data, '0', "./usr/lib/x", 0644, "", "x", 1);
		tar_add(&data, '2', "./usr", 0777, "/etc", "", 0);
		if (!order)
			tar_add(&data, '0', "./usr/lib/x", 0644, "", "x", 1);
		tar_end(&data);
		deb_make(&b, CONTROL("x", "1", "amd64"), &data);
		check_refused(&b, "lies behind a member that is no directory");
	}
}

TEST(not_deb, "what is not a Debian package is refused")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT, tar CLEANUP(buf_release) = BUF_INIT;

	check_refused(&b, "is not an intact Debian package");
	buf_adds(&b, "<html>not found</html>");
	check_refused(&b, "is not an intact Debian package");
	buf_clear(&b);
	ar_add(&b, "debian-binary", "3.0\n", 4);
	check_refused(&b, "its format is not 2.x");
	buf_clear(&b);
	ar_add(&b, "control.tar", "", 0);
	check_refused(&b, "does not begin with debian-binary");
	buf_clear(&b);
	ar_add(&b, "debian-binary", "2.0\n", 4);
	check_refused(&b, "a part of it is missing");
	ar_add(&b, "data.tar", "", 0);
	check_refused(&b, "member 'data.tar' is not what belongs there");
	buf_clear(&b);
	tar_end(&tar);
	ar_add(&b, "debian-binary", "2.0\n", 4);
	ar_add(&b, "control.tar", tar.data, tar.len);
	ar_add(&b, "data.tar", tar.data, tar.len);
	check_refused(&b, "its control data has no 'Package'");
}

TEST(control_bad, "control data that is not text, or says a thing twice, is refused")
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	tar_end(&data);
	deb_make(&b, "Package: x\nVersion: 1\nArchitecture: all\nVersion: 2\n", &data);
	check_refused(&b, "its control data has 'Version' twice");
	buf_clear(&b);
	deb_make(&b, "Package: x\nno colon\n", &data);
	check_refused(&b, "has a line without a colon");
	buf_clear(&b);
	deb_make(&b, "Package:\nVersion: 1\nArchitecture: all\n", &data);
	check_refused(&b, "its control data has no 'Package'");
}

/* ---- what is dpkg's to unpack ---- */

static void check_unlisted(char type, const char *path, const char *link, const char *words)
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	tar_add(&data, '5', "./usr/", 0755, "", "", 0);
	tar_add(&data, '0', "./usr/f", 0755, "", "f", 1);
	tar_add(&data, '2', "./usr/l", 0777, "f", "", 0);
	tar_add(&data, '1', "./usr/h", 0755, "./usr/f", "", 0);
	tar_add(&data, type, path, 0644, link, "", 0);
	tar_end(&data);
	deb_make(&b, CONTROL("x", "1", "amd64"), &data);
	check_said(list_bytes(&b), words);
}

TEST(list_refused, "a list of one that is dpkg's refuses what leads out, comes twice, or is a link to no file")
{
	check_unlisted('0', "./../etc/x", "", "leads out with '..'");
	check_unlisted('0', "/etc/x", "", "has an absolute path");
	check_unlisted('0', "./usr/h", "", "is there twice");
	check_unlisted('0', "./usr/h/x", "", "lies behind a member that is no directory");
	check_unlisted('3', "./usr/x", "", "is a device, a pipe or a socket");
	check_unlisted('1', "./usr/x", "/etc/shadow", "has an absolute path");
	check_unlisted('1', "./usr/x", "../etc/shadow", "leads out with '..'");
	check_unlisted('1', "./usr/x", "./usr/x", "links to nothing usable");
	check_unlisted('1', "./usr/x", "./usr/none", "links to nothing usable");
	check_unlisted('1', "./usr/x", "./usr", "links to nothing usable");
	check_unlisted('1', "./usr/x", "./usr/l", "links to nothing usable");
	check_unlisted('1', "./usr/x", "./usr/h", "links to nothing usable");
}

TEST(list_limits, "a list has its limits too, and is refused for a package cut off in the middle of a file")
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;
	char *big CLEANUP(freep) = xcalloc(1, LIMIT + 1);
	char name[32];

	tar_add(&data, '0', "./big", 04755, "", big, LIMIT + 1);
	tar_end(&data);
	deb_make(&b, CONTROL("x", "1", "amd64"), &data);
	check_said(list_bytes(&b), "it unpacks to more than is allowed");
	buf_clear(&data);
	buf_clear(&b);
	tar_add(&data, '0', "./big", 04755, "", big, 100000);
	tar_end(&data);
	deb_make(&b, CONTROL("x", "1", "amd64"), &data);
	b.len -= 50000;
	check_said(list_bytes(&b), "is not an intact Debian package");
	buf_clear(&data);
	buf_clear(&b);
	for (int i = 0; i <= 100000; i++) {
		snprintf(name, sizeof(name), "./%d", i);
		tar_add(&data, '0', name, 0644, "", "", 0);
	}
	tar_end(&data);
	deb_make(&b, CONTROL("x", "1", "amd64"), &data);
	check_said(list_bytes(&b), "more than 100000 members");
}

TEST(list_control, "a list of conffiles that is not text, too large or there twice is refused, by either")
{
	static const struct { char type; size_t len, times; const char *words; } bad[] = {
		{ '0', 3, 1, "its list of conffiles is not text" },
		{ '0', (1 << 20) + 1, 1, "is too large" },
		{ '0', 3, 2, "is there twice" },
		{ '1', 0, 1, "is a " },
		{ '2', 0, 1, "is a link among the control files" },
	};
	char *zeros CLEANUP(freep) = xcalloc(1, (1 << 20) + 1);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct buf tar CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

		tar_add(&tar, '0', "./control", 0644, "", CONTROL("x", "1", "all"),
			strlen(CONTROL("x", "1", "all")));
		for (size_t n = 0; n < bad[i].times; n++)
			tar_add(&tar, bad[i].type, "./conffiles", 0644, "control", zeros, bad[i].len);
		tar_end(&tar);
		ar_add(&b, "debian-binary", "2.0\n", 4);
		ar_add(&b, "control.tar", tar.data, tar.len);
		buf_clear(&tar);
		tar_end(&tar);
		ar_add(&b, "data.tar", tar.data, tar.len);
		check_refused(&b, bad[i].words);
		check_said(list_bytes(&b), bad[i].words);
	}
}

static const char foreign[] =
	"cd $1; mkdir -p b/DEBIAN b/etc b/usr/bin; umask 022;"
	"printf 'Package: x\\nVersion: 1\\nArchitecture: amd64\\nInstalled-Size: 7\\nMaintainer: x\\nDescription: x\\n'"
	" > b/DEBIAN/control; printf '/etc/x\\n/etc/y\\n  \\n/etc/x\\nremove-on-upgrade /etc/gone\\n' > b/DEBIAN/conffiles;"
	"echo hello > b/etc/x; ln b/etc/x b/etc/y; ln -s x b/etc/l; echo 1 > b/usr/bin/mount; chmod 4755 b/usr/bin/mount;"
	"echo 2 > 'b/usr/bin/F\303\251 x'; dpkg-deb --root-owner-group --nocheck -b b c.deb >/dev/null; rm -r b";

static const struct deb_member *at(const char *path)
{
	static const struct deb_member none = { 0 };

	return deb_find(&deb, path) ? deb_find(&deb, path) : &none;
}

TEST(listed, "a package of a distribution is listed: set-id files, hard links, conffiles and names that are not ASCII")
{
	static const char hello[] = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

	lib_run(foreign);
	check_said(by_reader(deb_read, "c.deb"), "is refused: member");
	CHECK_INT(by_reader(deb_list, "c.deb"), 0);
	CHECK_STR(err.msg, "");
	CHECK_STR(deb.control.package, "x");
	CHECK_INT(deb.control.installed_size, 7);
	char *conffiles CLEANUP(freep) = strv_join(&deb.conffiles, " ");
	CHECK_STR(conffiles, "/etc/x /etc/y /etc/gone");
	CHECK_INT(at("/usr/bin/mount")->mode, 04755);
	CHECK_INT(at("/etc")->type, 'd');
	CHECK_STR(at("/etc/l")->target, "x");
	CHECK_STR(at("/etc/x")->sha256, hello);
	CHECK(deb_find(&deb, "/etc/x") == deb_find(&deb, "/etc/y"));
	CHECK(deb_find(&deb, "/usr/bin/F\303\251 x"));
	CHECK(!deb_find(&deb, "/etc/gone") && !deb_find(&deb, "/etc/"));
	deb_release(&deb);
	CHECK(!deb_find(&deb, "/etc/x"));
}

TEST(truncated, "a package cut off anywhere is refused or misses nothing")
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	good_data(&data);
	deb_make(&b, CONTROL("x", "1", "amd64"), &data);
	for (size_t n = 0; n < b.len; n += 97) {
		if (read_bytes(b.data, n) == 0)
			CHECK_INT(deb.n, 6);	/* only the end marker is gone */
		else
			CHECK_INT(err.kind, ERR_REFUSED);
	}
}

TEST(damaged, "a package with any byte flipped is read or refused, never a crash")
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	good_data(&data);
	deb_make(&b, CONTROL("x", "1", "amd64"), &data);
	for (size_t i = 0; i < b.len; i += 7) {
		b.data[i] ^= 0x55;
		if (read_bytes(b.data, b.len) < 0)
			CHECK(err_is_set(&err));
		b.data[i] ^= 0x55;
	}
}

TEST(bomb, "what unpacks to more than is allowed, or to too many members, is refused")
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;
	char name[32];

	for (int i = 0; i < 10001; i++) {
		snprintf(name, sizeof(name), "./%d", i);
		tar_add(&data, '0', name, 0644, "", "", 0);
	}
	tar_end(&data);
	deb_make(&b, CONTROL("x", "1", "amd64"), &data);
	check_refused(&b, "more than 10000 members");
	lib_run("cd $1; mkdir -p b/DEBIAN; printf 'Package: x\\nVersion: 1\\nArchitecture: "
		"amd64\\nMaintainer: x\\nDescription: x\\n'"
		" > b/DEBIAN/control; truncate -s 300M b/zeros; dpkg-deb --root-owner-group -Zxz "
		"-z1 -b b bomb.deb >/dev/null; rm -r b");
	CHECK_INT(read_file("bomb.deb"), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK_STR(err.msg, "package x is refused: it unpacks to more than is allowed");
}

TEST(compressed, "packages by dpkg-deb are read with each compression it has")
{
	static const char *const kinds[] = { "none", "gzip", "xz", "zstd" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char *script CLEANUP(freep) = xasprintf(
			"cd $1; mkdir -p b/DEBIAN b/usr/bin; echo hello > b/usr/bin/x; printf "
			"'Package: x\\nVersion: 1\\n"
			"Architecture: amd64\\nMaintainer: x\\nDescription: x\\n' > "
			"b/DEBIAN/control;"
			"dpkg-deb --root-owner-group -Z%s -b b c.deb >/dev/null; rm -r "
			"b", kinds[i]);

		lib_run(script);
		CHECK_INT(read_file("c.deb"), 0);
		CHECK_STR(err.msg, "");
		CHECK_INT(deb.n, 4);
		CHECK_STR(deb.v[deb.n - 1].path, "/usr/bin/x");
		CHECK_STR(deb.v[deb.n - 1].sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
	}
	deb_release(&deb);
	dir_remove();
}

RUN_TESTS()
