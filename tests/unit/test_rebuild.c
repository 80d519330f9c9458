/* SPDX-License-Identifier: Apache-2.0 */
/* A package file made again from what is installed. dpkg is the judge: it installs the package into
 * a root of its own, and what is made there into another; they have to be the same. */
#include "actions/packages_data.h"
#include "backends/pkg/installed.h"
#include "scratch.h"
#include "sys/proc.h"

#include <sys/xattr.h>

#define LONG "usr/share/demo/a-name-that-alone-is-longer-than-what-the-oldest-kind-of-tar-can-hold-" \
	     "in-its-header-which-is-one-hundred-bytes-and-so-needs-a-block-of-its-own-before-it"

/* $S: the scratch directory; $V: the version. */
static const char build[] =
	"set -e; cd $S; rm -rf tree; mkdir -p tree/DEBIAN; cd tree; umask 022\n"
	"mkdir -p usr/bin usr/lib/demo usr/share/demo/empty lib/demo etc/demo\n"
	"echo program $V >usr/bin/demo; chmod 755 usr/bin/demo; ln usr/bin/demo usr/bin/demo-hard\n"
	"echo unit >lib/demo/unit; : >usr/lib/demo/nothing; ln -s ../../bin/demo usr/lib/demo/link\n"
	"echo set >usr/lib/demo/set-id; chmod 4755 usr/lib/demo/set-id\n"
	"echo theirs >usr/lib/demo/theirs; chown 33:8 usr/lib/demo/theirs; chmod 640 usr/lib/demo/theirs\n"
	"echo long >" LONG "; ln -s ../" LONG " usr/share/demo/long-link\n"
	"echo 'n\xc3\xb6' >usr/share/demo/n\xc3\xb6; chmod 2750 usr/share/demo/empty\n"
	"ln -s empty usr/share/demo/dir-link; echo a=1 >etc/demo/demo.conf; echo b=$V >etc/demo/other.conf\n"
	"[ $V = 2 ] || echo old >etc/demo/old.conf\n"
	"(cd etc/demo; for i in *; do echo /etc/demo/$i; done) >DEBIAN/conffiles\n"
	"printf '#!/bin/sh\\nexit 0\\n' >DEBIAN/postinst; chmod 755 DEBIAN/postinst\n"
	"cp DEBIAN/postinst DEBIAN/prerm; echo 'interest-noawait /usr/lib/demo' >DEBIAN/triggers\n"
	"printf 'Package: demo\\nVersion: 1:%s.0-1\\nArchitecture: all\\nMaintainer: x <x@localhost>\\n"
	"Installed-Size: 12\\nDescription: to be made again\\n A second line.\\n .\\n And another.\\n' $V >DEBIAN/control\n"
	"find . -exec touch -h -d @1700000000 {} +\n"
	"SOURCE_DATE_EPOCH=1700000000 dpkg-deb -b . $S/demo_$V.deb >/dev/null\n";

/* $R: a root with a merged /usr. */
static const char root[] =
	"set -e; mkdir -p $S/$R/var/lib/dpkg/info $S/$R/var/lib/dpkg/updates $S/$R/var/lib/dpkg/triggers $S/$R/usr/lib\n"
	"cd $S/$R; ln -s usr/lib lib; touch -h -d @1700000000 lib; : >var/lib/dpkg/status; : >var/lib/dpkg/diversions\n";

#define INSTALL "dpkg --root=$S/$R --log=/dev/null --force-script-chrootless --force-confold -i "

/* What is there, with all of its metadata but the times of directories. */
static const char listing[] =
	"cd $S/$R; { find etc usr lib ! -type d -printf '%p %y %m %U:%G %n %l %T@\\n'\n"
	"find etc usr lib -type d -printf '%p %y %m %U:%G\\n'; find etc usr -type f -exec sha256sum {} +\n"
	"} | LC_ALL=C sort; cat var/lib/dpkg/status; cd var/lib/dpkg/info; for i in *; do echo \"== $i\"; cat $i; done\n";

static int sh(const struct scratch *s, const char *in, const char *version, const char *script,
	      struct buf *ret)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	char *dir CLEANUP(freep) = xasprintf("S=%s", s->path), *v CLEANUP(freep) = xasprintf("V=%s", version);
	char *r CLEANUP(freep) = xasprintf("R=%s", in);
	const char *env[] = { dir, v, r, NULL };
	struct proc p = PROC_INIT;
	struct err err = ERR_INIT;
	int status = -1;

	p.argv = argv;
	p.env = env;
	p.ret_out = ret;
	if (proc_run(&p, &status, &err) || status)
		printf("# %s: exit %d %s\n", script, status, err.msg);
	return status;
}

static void installed_root(struct scratch *s)
{
	scratch_open(s);
	CHECK_INT(sh(s, "a", "1", build, NULL), 0);
	CHECK_INT(sh(s, "a", "1", root, NULL), 0);
	CHECK_INT(sh(s, "a", "1", INSTALL "$S/demo_$V.deb", NULL), 0);
}

/* demo, as it is in this root, into a file of that name. */
static int rebuild(const struct scratch *s, const char *in, const char *out, struct err *err)
{
	struct installed p CLEANUP(installed_release) = { .control = BUF_INIT };
	struct root r CLEANUP(root_release) = ROOT_INIT;
	char *path CLEANUP(freep) = path_join(s->path, in);
	int fd CLEANUP(closep) = openat(s->fd, out, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (root_open(&r, path, err) || installed_read(&p, &r, "demo", err))
		return -1;
	CHECK_STR(p.version, strstr(out, "2") ? "1:2.0-1" : "1:1.0-1");
	return packages_pack(&r, &p, fd, err);
}

static void same_in_both(const struct scratch *s, const char *version)
{
	struct buf a CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	CHECK_INT(sh(s, "a", version, listing, &a), 0);
	CHECK_INT(sh(s, "b", version, listing, &b), 0);
	CHECK(a.len > 1000);
	CHECK_STR(b.data, a.data);
}

TEST(the_same, "dpkg reads what was made again, and installs the same of it: files, owners, modes, times, links, its own notes")
{
	struct scratch s;
	struct err err = ERR_INIT;

	installed_root(&s);
	CHECK_INT(rebuild(&s, "a", "made_1.deb", &err), 0);
	CHECK_STR(err.msg, "");
	CHECK_INT(sh(&s, "b", "1", "dpkg-deb --info $S/made_1.deb >/dev/null && dpkg-deb --contents $S/made_1.deb >/dev/null", NULL), 0);
	/* libarchive's tar and dpkg's say the same of each member, in the same order */
	CHECK_INT(sh(&s, "b", "1",
		     "cd $S; for d in demo_1 made_1; do dpkg-deb --fsys-tarfile $d.deb | tar --numeric-owner -tv >$d.txt; done; cmp demo_1.txt made_1.txt",
		     NULL),
		  0);
	CHECK_INT(sh(&s, "b", "1", root, NULL), 0);
	CHECK_INT(sh(&s, "b", "1", INSTALL "$S/made_1.deb", NULL), 0);
	same_in_both(&s, "1");
	CHECK_INT(rebuild(&s, "b", "again_1.deb", &err), 0);
	CHECK_INT(sh(&s, "b", "1", "cmp $S/made_1.deb $S/again_1.deb", NULL), 0);
	scratch_close(&s);
}

TEST(obsolete, "a conffile that the package has no more is left out, and stays as it is when the package comes back")
{
	struct scratch s;
	struct buf status CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	installed_root(&s);
	CHECK_INT(sh(&s, "a", "2", build, NULL), 0);
	CHECK_INT(sh(&s, "a", "2", INSTALL "$S/demo_2.deb", NULL), 0);
	CHECK_INT(sh(&s, "a", "2", "grep old.conf $S/$R/var/lib/dpkg/status", &status), 0);
	CHECK(strstr(status.data, "obsolete") != NULL);
	CHECK_INT(rebuild(&s, "a", "made_2.deb", &err), 0);
	CHECK_STR(err.msg, "");
	CHECK_INT(sh(&s, "a", "2",
		     "cd $S; for d in demo_2 made_2; do dpkg-deb --fsys-tarfile $d.deb | tar --numeric-owner -tv >$d.txt; done; cmp demo_2.txt made_2.txt",
		     NULL),
		  0);
	CHECK_INT(sh(&s, "a", "2", "cp -a $S/a $S/b", NULL), 0);
	CHECK_INT(sh(&s, "b", "2", INSTALL "$S/made_2.deb", NULL), 0);
	same_in_both(&s, "2");
	scratch_close(&s);
}

TEST(diverted, "a file that a diversion moved is packed from where it is, as what it was")
{
	struct scratch s;
	struct err err = ERR_INIT;

	installed_root(&s);
	CHECK_INT(rebuild(&s, "a", "made_1.deb", &err), 0);
	CHECK_INT(sh(&s, "a", "1",
		     "cd $S/$R; printf '/usr/lib/demo/theirs\\n/usr/lib/demo/aside\\n:\\n' >var/lib/dpkg/diversions\n"
		     "mv usr/lib/demo/theirs usr/lib/demo/aside; echo another >usr/lib/demo/theirs",
		     NULL),
		  0);
	CHECK_INT(rebuild(&s, "a", "again_1.deb", &err), 0);
	CHECK_STR(err.msg, "");
	CHECK_INT(sh(&s, "a", "1", "cmp $S/made_1.deb $S/again_1.deb", NULL), 0);
	scratch_close(&s);
}

static const struct {
	const char *change, *why;
} refusals[] = {
	{ "echo more >>usr/bin/demo", "'/usr/bin/demo' is not as its package had it" },
	{ "echo a=2 >etc/demo/demo.conf",
	  "'/etc/demo/demo.conf' is a conffile that was edited: what its package had there is gone" },
	{ "rm etc/demo/demo.conf", "'/etc/demo/demo.conf' is missing" },
	{ "rm usr/lib/demo/nothing", "'/usr/lib/demo/nothing' is missing" },
	{ "rm usr/lib/demo/nothing; mkdir usr/lib/demo/nothing",
	  "'/usr/lib/demo/nothing' is not what the package had there" },
	{ "rm usr/lib/demo/nothing; ln -s set-id usr/lib/demo/nothing",
	  "'/usr/lib/demo/nothing' is not what the package had there" },
	{ "rm usr/lib/demo/link; mkfifo usr/lib/demo/link", "'/usr/lib/demo/link' is not what the package had there" },
	{ "rm -r usr/share/demo; ln -s /nowhere usr/share/demo", "'/usr/share/demo' is no directory any more" },
	{ "rm var/lib/dpkg/info/demo.md5sums",
	  "'/var/lib/dpkg/info/demo.md5sums' is missing: dpkg noted no checksums of its files" },
	{ "rm var/lib/dpkg/info/demo.list", "'/var/lib/dpkg/info/demo.list' is missing: dpkg has no list of its files" },
	{ "sed -i /set-id/d var/lib/dpkg/info/demo.list", "'/usr/lib/demo/set-id' is not in dpkg's list of its files" },
	{ "sed -i /set-id/d var/lib/dpkg/info/demo.md5sums", "'/usr/lib/demo/set-id' has no checksum in dpkg's notes" },
	{ "sed -i s/^./x/ var/lib/dpkg/info/demo.md5sums",
	  "'/var/lib/dpkg/info/demo.md5sums' has a line that is no checksum of a file" },
	{ "echo root root 0755 /usr/lib/demo/set-id >var/lib/dpkg/statoverride",
	  "'/usr/lib/demo/set-id' has a statoverride: the mode that its package gave it is not known" },
	{ "sed -i 's/ok installed/ok half-configured/' var/lib/dpkg/status", "package 'demo' is not installed whole" },
	{ "sed -i s/demo/another/ var/lib/dpkg/status", "package 'demo' is not installed whole" },
};

TEST(refused, "what is not as dpkg noted it is refused with its path: content, conffile, type, absence, no note, an override")
{
	struct scratch s;

	installed_root(&s);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct err err = ERR_INIT;
		char *script CLEANUP(freep) = xasprintf("rm -rf $S/b; cp -a $S/a $S/b; cd $S/b; %s", refusals[i].change);

		CHECK_INT(sh(&s, "b", "1", script, NULL), 0);
		CHECK_INT(rebuild(&s, "b", "made_1.deb", &err), -1);
		CHECK_STR(err.msg, refusals[i].why);
		CHECK_INT(err.kind, ERR_REFUSED);
	}
	scratch_close(&s);
}

TEST(attributes, "an attribute that no package holds is refused")
{
	struct scratch s;
	struct err err = ERR_INIT;

	installed_root(&s);
	int fd CLEANUP(closep) = openat(s.fd, "a/usr/bin/demo", O_RDONLY | O_CLOEXEC);
	CHECK(!fsetxattr(fd, "user.demo", "1", 1, 0));
	CHECK_INT(rebuild(&s, "a", "made_1.deb", &err), -1);
	CHECK_STR(err.msg, "'/usr/bin/demo' has the attribute user.demo, which a package cannot hold");
	scratch_close(&s);
}

TEST(full, "a full disk is an error that says so")
{
	struct scratch s;
	struct installed p CLEANUP(installed_release) = { .control = BUF_INIT };
	struct root r CLEANUP(root_release) = ROOT_INIT;
	struct err err = ERR_INIT;

	installed_root(&s);
	char *path CLEANUP(freep) = path_join(s.path, "a");
	int fd CLEANUP(closep) = open("/dev/full", O_RDWR | O_CLOEXEC);
	CHECK_INT(root_open(&r, path, &err), 0);
	CHECK_INT(installed_read(&p, &r, "demo", &err), 0);
	CHECK_INT(packages_pack(&r, &p, fd, &err), -1);
	CHECK_STR(err.msg, "cannot write the package: no space left on device");
	scratch_close(&s);
}

RUN_TESTS()
