/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <sys/sysmacros.h>

static struct scratch s;

/* /in has links that try to leave; the file "secret" lies outside, beside it. */
static struct root hostile_root(void)
{
	struct root in = ROOT_INIT;
	struct err err = ERR_INIT;
	char *outside;

	scratch_open(&s);
	put(&s, "secret", "outside\n");
	outside = xasprintf("%s/secret", s.path);
	if (mkdirat(s.fd, "in", 0755) || mkdirat(s.fd, "in/etc", 0755) ||
	    mkdirat(s.fd, "in/etc/d", 0755) || symlinkat(outside, s.fd, "in/etc/absolute") ||
	    symlinkat("../../secret", s.fd, "in/etc/relative") ||
	    symlinkat("../../../../../../../..", s.fd, "in/etc/up") ||
	    symlinkat("/etc/d", s.fd, "in/dlink") || symlinkat("loop", s.fd, "in/loop") ||
	    symlinkat("/etc/d/made", s.fd, "in/dangling"))
		abort();
	put(&s, "in/etc/file", "inside\n");
	put(&s, "in/etc/passwd", "image\n");
	free(outside);
	char *path CLEANUP(freep) = xasprintf("%s/in//", s.path);
	CHECK_INT(root_open(&in, path, &err), 0);
	return in;
}

static void done(struct root *in)
{
	root_release(in);
	scratch_close(&s);
}

TEST(reads, "a file is read, an absent one is 1 where that is asked, a larger one is an error that names it")
{
	struct root in CLEANUP(done) = hostile_root();
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	CHECK_INT(root_read(&in, "/etc/file", 7, &b, &err), 0);
	CHECK_STR(b.data, "inside\n");
	CHECK_INT(root_read_optional(&in, "/etc/none", 10, &b, &err), 1);
	CHECK_INT(root_read(&in, "/etc/file", 6, &b, &err), -1);
	CHECK_STR(err.msg, "cannot read '/etc/file': larger than 6 bytes");
	CHECK_INT(root_read(&in, "/etc/none", 6, &b, &err), -1);
	CHECK_STR(err.msg, "cannot read '/etc/none': no such file or directory");
	CHECK_INT(root_read(&in, "/etc/d", 6, &b, &err), -1);
	CHECK_STR(err.msg, "cannot read '/etc/d': not a regular file");
	CHECK_STR(b.data, "inside\n");
}

TEST(contained, "no symlink of an image leads out of it, absolute, relative or through ..")
{
	static const char *const paths[] = { "/etc/absolute", "/etc/relative", "/../secret",
					     "/etc/up/secret" };
	struct root in CLEANUP(done) = hostile_root();
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		CHECK_INT(root_read_optional(&in, paths[i], 100, &b, &err), 1);
		CHECK_INT(root_stat(&in, paths[i], &st), -1);
		CHECK_INT(root_openat(&in, paths[i], O_WRONLY, 0), -1);
	}
	/* made instead of followed: what a dangling absolute link names is below the root */
	int fd = root_openat(&in, "/etc/relative", O_WRONLY | O_CREAT, 0600);
	CHECK(fd >= 0 && !close(fd) && root_exists(&in, "/secret"));
	CHECK_INT(root_read(&in, "/etc/up/etc/passwd", 100, &b, &err), 0);
	CHECK_STR(b.data, "image\n");
	CHECK_STR(get(&s, "secret"), "outside\n");
}

TEST(parents, "the parent and name of a path: links followed inside the root, also dangling ones, or not at all")
{
	static const struct { const char *path; bool follow; const char *real, *name; } cases[] = {
		{ "/etc/file", true, "/etc/file", "file" },
		{ "/etc//file/", true, "/etc/file", "file" },
		{ "/dlink/x", true, "/etc/d/x", "x" },
		{ "/dlink", true, "/etc/d", "d" },
		{ "/dlink", false, "/dlink", "dlink" },
		{ "/dangling", true, "/etc/d/made", "made" },
		{ "/etc/relative", true, "/secret", "secret" },
		{ "/new", true, "/new", "new" },
	};
	struct root in CLEANUP(done) = hostile_root();
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd CLEANUP(closep) = -1;
		char *name CLEANUP(freep) = NULL, *real CLEANUP(freep) = NULL;
		CHECK_INT(root_parent(&in, cases[i].path, cases[i].follow, &fd, &name, &real, &err),
			  0);
		CHECK_STR(err.msg, "");
		CHECK_STR(name, cases[i].name);
		CHECK_STR(real, cases[i].real);
	}
	int fd = -1;
	char *name = NULL;
	CHECK_INT(root_parent(&in, "/loop", true, &fd, &name, NULL, &err), -1);
	CHECK_INT(err.errnum, ELOOP);
	CHECK_INT(root_parent(&in, "/etc/absolute", true, &fd, &name, NULL, &err), -1);
	CHECK_INT(err.errnum, ENOENT);
	CHECK_INT(root_parent(&in, "/etc/..", true, &fd, &name, NULL, &err), -1);
	CHECK(fd == -1 && !name);
}

TEST(links, "a link's text as it is; lstat sees the link, stat what it leads to")
{
	struct root in CLEANUP(done) = hostile_root();
	char *target CLEANUP(freep) = NULL;
	struct stat st = { 0 };

	CHECK_INT(root_readlink(&in, "/etc/relative", &target), 0);
	CHECK_STR(target, "../../secret");
	CHECK_INT(root_readlink(&in, "/etc/file", &target), -1);
	CHECK_INT(errno, EINVAL);
	CHECK_INT(root_lstat(&in, "/dlink", &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_INT(root_stat(&in, "/dlink", &st), 0);
	CHECK(S_ISDIR(st.st_mode));
	CHECK(root_exists(&in, "/dangling") && !root_exists(&in, "/nothing"));
}

TEST(lists, "a directory is listed sorted; an absent one is 1")
{
	struct root in CLEANUP(done) = hostile_root();
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;

	CHECK_INT(root_list(&in, "/etc", &names, &err), 0);
	char *all CLEANUP(freep) = strv_join(&names, " ");
	CHECK_STR(all, "absolute d file passwd relative up");
	CHECK_INT(root_list(&in, "/none", &names, &err), 1);
	CHECK_INT(root_list(&in, "/etc/file", &names, &err), -1);
}

TEST(names, "paths seen from outside; only / is the host")
{
	struct root in CLEANUP(done) = hostile_root();
	struct root host CLEANUP(root_release) = ROOT_INIT;
	struct err err = ERR_INIT;
	char *want CLEANUP(freep) = xasprintf("%s/in/etc/file", s.path);
	char *got CLEANUP(freep) = root_outside(&in, "/etc/file");

	CHECK_STR(got, want);
	CHECK(!in.is_host);
	CHECK_INT(root_open(&host, "//", &err), 0);
	CHECK(host.is_host);
	CHECK_STR(host.path, "/");
	char *same CLEANUP(freep) = root_outside(&host, "/etc/file");
	CHECK_STR(same, "/etc/file");
	CHECK_INT(root_open(&host, "/does/not/exist", &err), -1);
	CHECK_STR(err.msg, "cannot open the root '/does/not/exist': no such file or directory");
}

TEST(devices, "a device of an image is not even opened")
{
	struct root in CLEANUP(done) = hostile_root();
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	if (mknodat(s.fd, "in/etc/null", S_IFCHR | 0666, makedev(1, 3)))
		return;		/* not root */
	CHECK_INT(root_openat(&in, "/etc/null", O_RDWR, 0), -1);
	CHECK_INT(errno, ENXIO);
	CHECK_INT(root_read(&in, "/etc/null", 16, &text, &err), -1);
	CHECK_STR(err.msg, "cannot read '/etc/null': not a regular file");
	int fd = root_openat(&in, "/etc/null", O_PATH, 0);
	CHECK(fd >= 0);
	close(fd);
}

static int renaming(void *arg)
{
	/* until the parent is content: rename a directory that is being walked through, with
	 * ".." */
	for (;;)
		if (renameat(s.fd, "in/etc/d", s.fd, "in/etc/e") ||
		    renameat(s.fd, "in/etc/e", s.fd, "in/etc/d"))
			return 1;
}

TEST(raced, "a walk that is raced by renames still ends inside, never outside")
{
	struct root in CLEANUP(done) = hostile_root();
	int escaped = 0, reached = 0;

	fflush(NULL);
	pid_t pid = fork();
	if (!pid)
		_exit(renaming(NULL));
	/* On a busy machine the other one may sleep with the name away, as long as this takes. */
	for (int i = 0; i < 3000 || (!reached && i < 3000000); i++) {
		struct stat st;
		escaped += !root_stat(&in, "/etc/d/../../../secret", &st);
		reached += !root_stat(&in, "/etc/d/../file", &st);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_INT(escaped, 0);
	CHECK(reached > 0);
}

RUN_TESTS()
