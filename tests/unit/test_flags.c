/* SPDX-License-Identifier: Apache-2.0 */
/* docker/flags.c and docker/unitfile.c on units as distributions and administrators write them. */
#include "test.h"

#include "docker/flags.h"
#include "docker/unitfile.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[] = "/tmp/test_flags.XXXXXX";
static struct root root = ROOT_INIT;

static void put(const char *path, const char *text)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", tree, path);
	for (char *p = full + strlen(tree) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	FILE *f = fopen(full, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

static void tree_make(void)
{
	struct err err = ERR_INIT;

	memcpy(tree + sizeof(tree) - 7, "XXXXXX", 6);
	if (!mkdtemp(tree) || root_open(&root, tree, &err))
		abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void tree_remove(void)
{
	root_release(&root);
	if (nftw(tree, remove_one, 8, FTW_DEPTH | FTW_PHYS))
		abort();
}

/* "name=value@file:line ..." */
static const char *flags_text(const struct docker_flags *f)
{
	static char out[4096];
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < f->n; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s=%s@%s:%u", i ? " " : "",
				      f->v[i].name, f->v[i].value, f->v[i].file, f->v[i].line);
	return out;
}

static void check_unit(int line, int want_rc, const char *want)
{
	struct docker_flags f = { 0 };
	struct err err = ERR_INIT;

	int rc = docker_flags_from_unit(&f, &root, "docker.service", &err);
	test_int(__FILE__, line, rc, want_rc);
	if (!rc)
		test_str(__FILE__, line, flags_text(&f), want);
	docker_flags_release(&f);
}
#define CHECK_UNIT(rc, want) check_unit(__LINE__, rc, want)

#define U "/lib/systemd/system/docker.service"

TEST(debian, "Debian's unit with DOCKER_OPTS in /etc/default/docker: file and line of the variable")
{
	tree_make();
	put(U, "[Unit]\nExecStart=/no\n[Service]\nType=notify\nEnvironmentFile=-/etc/default/docker\n"
	       "ExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n");
	put("/etc/default/docker",
	    "# comment\n\nDOCKER_OPTS=\"--bip=10.1.0.1/24 \\\n  --dns 8.8.8.8\"\n");
	CHECK_UNIT(0, "host=fd://@" U
		      ":6 bip=10.1.0.1/24@/etc/default/docker:3 dns=8.8.8.8@/etc/default/docker:4");
	tree_remove();
}

TEST(continuation, "continuation lines keep their own numbers, comments in between are skipped")
{
	tree_make();
	put(U,
	    "[Service]\nExecStart=/usr/bin/dockerd \\\n# no --debug\n  --live-restore \\\n  -D "
		"\\\n -H=tcp://1.2.3.4:1 -Htcp://x -gfoo\n");
	CHECK_UNIT(0, "live-restore=@" U ":4 debug=@" U ":5 host=tcp://1.2.3.4:1@" U
		      ":6 host=tcp://x@" U ":6 data-root=foo@" U ":6");
	tree_remove();
}

TEST(reset, "an empty ExecStart= in a drop-in takes the old one out")
{
	tree_make();
	put(U, "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n");
	put("/etc/systemd/system/docker.service.d/override.conf",
	    "[Service]\nExecStart=\nExecStart=-/opt/dockerd --tls=false --log-opt 'a=b c'\n");
	CHECK_UNIT(0, "tls=false@/etc/systemd/system/docker.service.d/override.conf:3 "
		      "log-opt=a=b c@/etc/systemd/system/docker.service.d/override.conf:3");
	struct docker_flags f = { 0 };
	struct err err = ERR_INIT;
	CHECK_INT(docker_flags_from_unit(&f, &root, "docker.service", &err), 0);
	CHECK_STR(f.binary, "/opt/dockerd");
	CHECK_INT(f.argv.n, 4);
	docker_flags_release(&f);
	tree_remove();
}

TEST(precedence, "drop-ins: sorted by name over all directories, /etc hides the same name elsewhere, /dev/null masks")
{
	tree_make();
	put(U,
	    "[Service]\nEnvironment=A=vendor \"B=--debug --mtu 9\"\nExecStart=/d --label=${A} "
		"$B\n");
	put("/usr/lib/systemd/system/docker.service.d/10-x.conf", "[Service]\nEnvironment=A=lib\n");
	put("/run/systemd/system/docker.service.d/20-y.conf", "[Service]\nEnvironment=A=run\n");
	put("/etc/systemd/system/docker.service.d/10-x.conf", "[Service]\nEnvironment=A=etc\n");
	CHECK_UNIT(0, "label=run@" U ":3 debug=@" U ":2 mtu=9@" U ":2");
	char link[600];
	snprintf(link, sizeof(link), "%s/etc/systemd/system/docker.service.d/20-y.conf", tree);
	CHECK_INT(symlink("/dev/null", link), 0);
	CHECK_UNIT(0, "label=etc@" U ":3 debug=@" U ":2 mtu=9@" U ":2");
	tree_remove();
}

TEST(generic, "service.d and the type's drop-ins count, but give way to the unit's own of the same name")
{
	tree_make();
	put(U, "[Service]\nEnvironment=A=1\nExecStart=/d --mtu ${A}\n");
	put("/etc/systemd/system/service.d/50.conf", "[Service]\nEnvironment=A=all\n");
	CHECK_UNIT(0, "mtu=all@" U ":3");
	put("/usr/lib/systemd/system/docker.service.d/50.conf", "[Service]\nEnvironment=A=own\n");
	CHECK_UNIT(0, "mtu=own@" U ":3");
	tree_remove();
}

TEST(etc_wins, "a unit in /etc replaces the vendor's, a masked one is none")
{
	tree_make();
	put(U, "[Service]\nExecStart=/vendor --debug\n");
	put("/etc/systemd/system/docker.service", "[Service]\nExecStart=/mine -l warn\n");
	CHECK_UNIT(0, "log-level=warn@/etc/systemd/system/docker.service:2");
	char path[600];
	snprintf(path, sizeof(path), "%s/etc/systemd/system/docker.service", tree);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(symlink("/dev/null", path), 0);
	CHECK_UNIT(1, "");
	tree_remove();
}

TEST(none, "no unit at all is 1, not an error")
{
	tree_make();
	CHECK_UNIT(1, "");
	tree_remove();
}

TEST(quoting, "quotes inside a variable group words as systemd does; $$ and % are literal; unset variables vanish")
{
	tree_make();
	put(U,
	    "[Service]\nEnvironmentFile=/etc/sysconfig/docker\nExecStart=/d $OPTIONS ${NONE} "
		"$NONE --label=a$$b%%c --group \"x y\"\n");
	put("/etc/sysconfig/docker", "; c\nOPTIONS=--label=\"a b\" '--label=c d'   \nEMPTY=\n");
	CHECK_UNIT(0, "label=a b@/etc/sysconfig/docker:2 label=c d@/etc/sysconfig/docker:2 label=a$b%c@" U ":3 group=x y@" U ":3");
	tree_remove();
}

TEST(env_escapes, "an EnvironmentFile: in double quotes only the escapes of the shell, plain text loses every backslash, a line goes on behind one")
{
	tree_make();
	put(U, "[Service]\nEnvironmentFile=/etc/env\nExecStart=/d --a=${A} --b=${B} --c=${C} --d=${D} --e=${E}\n");
	put("/etc/env", "A=\"x\\\"y\\q\\\nz\"\n"
			"B=one\\ two\\\nthree  \n"
			"# not \\\nC=this\n"
			"C='a\\b'\n"
			"D=\n"
			"E=\"l\"\"r\" \\");
	CHECK_UNIT(0, "a=x\"y\\qz@" U ":3 b=one twothree@" U ":3 c=a\\b@" U ":3 d=@" U ":3 e=lr@" U ":3");
	tree_remove();
}

TEST(env_resets, "an empty Environment= or EnvironmentFile= forgets those before it; a path that is not absolute is none")
{
	tree_make();
	put(U, "[Service]\nEnvironment=A=1 B=1\nEnvironment=\nEnvironment=B=2\nEnvironmentFile=/etc/one\nEnvironmentFile=\n"
	       "EnvironmentFile=etc/one\nnot a setting\nExecStart=/d --a=${A} --b=${B}\n");
	put("/etc/one", "A=one\n");
	CHECK_UNIT(0, "a=@" U ":9 b=2@" U ":9");
	tree_remove();
}

TEST(env_unreadable, "an EnvironmentFile that cannot be read is an error that names it")
{
	struct docker_flags f = { 0 };
	struct err err = ERR_INIT;

	tree_make();
	put(U, "[Service]\nEnvironmentFile=/etc/env\nExecStart=/d\n");
	put("/etc/env/x", "");
	CHECK_INT(docker_flags_from_unit(&f, &root, "docker.service", &err), -1);
	CHECK(strstr(err.msg, "'/etc/env'") != NULL);
	tree_remove();
}

TEST(prefixes, "a unit with dashes takes up the drop-ins of its prefixes too")
{
	struct unitfile u CLEANUP(unitfile_release) = { 0 };
	struct err err = ERR_INIT;

	tree_make();
	put("/etc/systemd/system/docker-ci-a.service", "[Service]\nExecStart=/d\n");
	put("/etc/systemd/system/docker-.service.d/a.conf", "[Service]\nX=1\n");
	put("/run/systemd/system/docker-ci-.service.d/b.conf", "[Service]\nX=2\n");
	put("/run/systemd/system/docker-ci-.service.d/b.txt", "[Service]\nX=3\n");
	CHECK_INT(unitfile_read(&u, &root, "docker-ci-a.service", &err), 0);
	CHECK_INT(u.n, 3);
	CHECK_STR(u.n == 3 ? u.v[1].value.text.data : NULL, "1");
	CHECK_STR(u.n == 3 ? u.v[2].value.text.data : NULL, "2");
	tree_remove();
}

TEST(semicolons, "a ; of its own ends the command, \\; and a quoted one are words")
{
	tree_make();
	put(U, "[Service]\nExecStart=/d --label \\; --group \";\" --x=a\\;b ; /other --no\n");
	CHECK_UNIT(0, "label=;@" U ":2 group=;@" U ":2 x=a\\;b@" U ":2");
	tree_remove();
}

TEST(numbers, "an escape is all digits and one byte, or it stays as it is written")
{
	tree_make();
	put(U, "[Service]\nExecStart=/d --a=\\x41\\x4a\\101 \"--b=\\x 1\\x+1\" --c=\\777\\400\\x00 --d=\\377\n");
	CHECK_UNIT(0, "a=AJA@" U ":2 b=\\x 1\\x+1@" U ":2 c=\\777\\400\\x00@" U ":2 d=\377@" U ":2");
	tree_remove();
}

TEST(env_file_wins, "EnvironmentFile= beats Environment=, a missing file with - is fine, a variable set twice keeps the last")
{
	tree_make();
	put(U,
	    "[Service]\nEnvironmentFile=-/etc/gone\nEnvironmentFile=-/etc/sysconfig/docker\n"
		"Environment=O=--debug\nExecStart=/d $O\n");
	put("/etc/sysconfig/docker", "O='--bip=1.1.1.1/24'\nO=\"--bip=2.2.2.2/24\"\n");
	CHECK_UNIT(0, "bip=2.2.2.2/24@/etc/sysconfig/docker:2");
	tree_remove();
}

TEST(unknown_flags, "a flag that we do not know takes a value only if the next word is no flag")
{
	struct strv argv = STRV_INIT;
	struct docker_flags f = { 0 };
	struct err err = ERR_INIT;

	strv_addv(&argv, (const char *const[]){ "dockerd", "--newthing", "v", "--other", "--debug",
						"--tlsverify", "-p", "/x", "--graph=/g", NULL });
	CHECK_INT(docker_flags_from_argv(&f, &argv, "argv", &err), 0);
	CHECK_STR(
		flags_text(&f),
		"newthing=v@argv:0 other=@argv:0 debug=@argv:0 tlsverify=@argv:0 pidfile=/x@argv:0 data-root=/g@argv:0");
	CHECK(docker_flag_find(&f, "bip") == NULL);
	docker_flags_release(&f);
	strv_release(&argv);
}

TEST(from_pid, "the command line of a running process")
{
	struct docker_flags f = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(docker_flags_from_pid(&f, getpid(), &err), 0);
	CHECK(strstr(f.binary, "test_flags") != NULL);
	docker_flags_release(&f);
	CHECK_INT(docker_flags_from_pid(&f, 0x3fffffff, &err), -1);
}

RUN_TESTS()
