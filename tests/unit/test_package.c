/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "debs.h"
#include "fetch/package.h"
#include "fetch_help.h"

#define CACHE "var/lib/sysboxup/cache/"

static struct err err;
static struct root root = ROOT_INIT;
static struct profile profile;
static struct package package = { .fd = -1 };
static struct report report;
static char sha[DIGEST_HEX + 1], other_sha[DIGEST_HEX + 1];
static char *url, *cached;

/* A package of this control data, as file `name`. */
static void make(const char *name, const char *control, char hex[DIGEST_HEX + 1])
{
	struct buf data CLEANUP(buf_release) = BUF_INIT, deb CLEANUP(buf_release) = BUF_INIT;

	tar_add(&data, '5', "./usr/", 0755, "", "", 0);
	tar_add(&data, '0', "./usr/x", 0755, "", "hello\n", 6);
	tar_end(&data);
	deb_make(&deb, control, &data);
	file_put(name, deb.data, deb.len);
	digest_hex(deb.data, deb.len, hex);
}

static struct catalog_entry entry(void)
{
	static char *urls[2];

	urls[0] = url;
	return (struct catalog_entry){
		.name = (char *)"sysbox-ce",
		.version = (char *)"0.7.0",
		.arch = (char *)"amd64",
		.sha256 = sha,
		.urls = { .v = urls, .n = 1 },
	};
}

static int fetch(const struct catalog_entry *e, const char *file)
{
	package_release(&package);
	err = (struct err)ERR_INIT;
	report.warnings = 0;
	return package_fetch(&package, &root, e, &profile, file, &report, &err);
}

static void check_refused(const struct catalog_entry *e, const char *file, const char *words)
{
	CHECK_INT(fetch(e, file), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(strstr(err.msg, words));
	if (!strstr(err.msg, words))
		printf("# got <%s>\n", err.msg);
}

static void on_report(struct report *r, const struct report_line *line)
{
}

TEST(fresh, "a package is fetched into the cache, verified and open")
{
	struct stat st;

	dir_make();
	report.emit = on_report;
	CHECK_INT(root_open(&root, test_dir, &err), 0);
	make("p.deb", CONTROL("sysbox-ce", "0.7.0.linux", "amd64"), sha);
	make("q.deb", CONTROL("sysbox-ce", "0.7.1.linux", "amd64"), other_sha);
	url = xasprintf("file://%s/p.deb", test_dir);
	cached = xasprintf(CACHE "%s", sha);
	struct catalog_entry e = entry();

	CHECK_INT(fetch(&e, NULL), 0);
	CHECK_STR(err.msg, "");
	CHECK_STR(package.deb.control.version, "0.7.0.linux");
	CHECK_INT(package.deb.n, 2);
	CHECK(str_ends(cached, package.cached + 1));
	CHECK(fstat(package.fd, &st) == 0 && (st.st_mode & 07777) == 0644);
	CHECK(file_exists(cached));
}

TEST(cache, "what is in the cache is not fetched again")
{
	struct catalog_entry e = entry();

	e.urls.v[0] = (char *)"file:///nowhere";
	CHECK_INT(fetch(&e, NULL), 0);
	CHECK_INT(report.warnings, 0);
}

TEST(damaged, "a damaged cache is noticed and replaced; a link in its place is not followed")
{
	struct catalog_entry e = entry();
	struct stat st;

	file_put(cached, "damaged", 7);
	CHECK_INT(fetch(&e, NULL), 0);
	CHECK_INT(report.warnings, 1);
	CHECK_INT(fs_unlink(test_dirfd, cached, &err), 0);
	CHECK_INT(symlinkat("/etc/passwd", test_dirfd, cached), 0);
	CHECK_INT(fetch(&e, NULL), 0);
	CHECK(fstatat(test_dirfd, cached, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode));
}

TEST(file, "--package FILE is copied if its hash is the entry's")
{
	struct catalog_entry e = entry();
	char *p CLEANUP(freep) = in_dir("p.deb"), *q CLEANUP(freep) = in_dir("q.deb"),
		*none CLEANUP(freep) = in_dir("none");

	e.urls.v[0] = (char *)"file:///nowhere";
	CHECK_INT(fs_unlink(test_dirfd, cached, &err), 0);
	CHECK_INT(fetch(&e, p), 0);
	CHECK(file_exists(cached));
	CHECK_INT(fs_unlink(test_dirfd, cached, &err), 0);
	check_refused(&e, q, "q.deb' is not sysbox-ce 0.7.0: its SHA-256 is ");
	check_refused(&e, test_dir, "is not a file");
	CHECK_INT(fetch(&e, none), -1);
	CHECK(!file_exists(cached));
	struct strv left CLEANUP(strv_release) = STRV_INIT;

	CHECK_INT(root_list(&root, "/" CACHE, &left, &err), 0);
	CHECK_INT(left.n, 0);
}

TEST(choose, "--package FILE is recognised by its hash")
{
	struct catalog_entry v[2] = { entry(), entry() };
	struct catalog c = { .v = v, .n = 2 };
	char *q CLEANUP(freep) = in_dir("q.deb"), *ca CLEANUP(freep) = in_dir("x");

	v[1].version = (char *)"0.7.1";
	v[1].sha256 = other_sha;
	v[1].upstream = true;
	file_put("x", "x", 1);
	CHECK(package_choose(&c, "sysbox-ce", "latest", "amd64", q, &err) == &v[1]);
	CHECK(package_choose(&c, "sysbox-ce", "0.7.1", "amd64", q, &err) == &v[1]);
	CHECK(package_choose(&c, "sysbox-ce", "0.7.1", "amd64", NULL, &err) == &v[1]);
	v[1].upstream = false;
	CHECK(package_choose(&c, "sysbox-ce", "0.7.1", "amd64", q, &err) == &v[1]);
	CHECK(!package_choose(&c, "sysbox-ce", "latest", "amd64", q, &err));
	CHECK(strstr(err.msg, "0.7.1, whose hash only third parties know"));
	err = (struct err)ERR_INIT;
	v[1].upstream = true;
	CHECK(!package_choose(&c, "sysbox-ce", "0.7.0", "amd64", q, &err));
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(strstr(err.msg, "q.deb' is not sysbox-ce 0.7.0 for amd64 of the catalog"));
	CHECK(!package_choose(&c, "sysbox-ce", "latest", "arm64", q, &err));
	CHECK(!package_choose(&c, "sysbox-ce", "latest", "amd64", ca, &err));
	CHECK(strstr(err.msg, "x' is not sysbox-ce for amd64 of the catalog"));
}

TEST(control, "another package's control data is refused, though the hash is right")
{
	struct catalog_entry e = entry();

	make("p.deb", CONTROL("sysbox-ee", "0.7.0.linux", "amd64"), sha);
	check_refused(&e, NULL, "its name is 'sysbox-ee', not 'sysbox-ce'");
	make("p.deb", CONTROL("sysbox-ce", "0.7.0.linux", "arm64"), sha);
	check_refused(&e, NULL, "its architecture is 'arm64', not 'amd64'");
	make("p.deb", CONTROL("sysbox-ce", "0.7.1.linux", "amd64"), sha);
	check_refused(&e, NULL, "its version is '0.7.1.linux'");
	make("p.deb", CONTROL("sysbox-ce", "0.7.01.linux", "amd64"), sha);
	check_refused(&e, NULL, "its version is '0.7.01.linux'");
	e.package_version = (char *)"0.7.0.linux";
	check_refused(&e, NULL, "its version is '0.7.01.linux', not '0.7.0.linux'");
	e.package_version = NULL;
	make("p.deb", CONTROL("sysbox-ce", "0.7.0-0.linux", "amd64"), sha);
	CHECK_INT(fetch(&e, NULL), 0);
	e.size = 3;
	check_refused(&e, NULL, "bytes, the catalog says 3");
}

TEST(end, "nothing is left behind")
{
	package_release(&package);
	root_release(&root);
	free(url);
	free(cached);
	dir_remove();
	CHECK(access(test_dir, F_OK) < 0);
}

RUN_TESTS()
