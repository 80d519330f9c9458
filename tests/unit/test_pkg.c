/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/apt.h"
#include "backends/pkg/aptsim.h"
#include "backends/pkg/depends.h"
#include "backends/pkg/dpkgdb.h"
#include "backends/pkg/dpkgnote.h"
#include "base/hex.h"
#include "scratch.h"

/* What apt 2.6 printed for the stand-in package on Debian 12, shortened. */
static const char sim[] =
	"Inst libonig5 (6.9.8-1 Debian:12.1/stable [amd64])\n"
	"Inst libjq1 (1.6-2.1 Debian:12.1/stable [amd64]) [libjq1:amd64 ]\n"
	"Inst jq (1.6-2.1 Debian:12.1/stable [amd64])\n"
	"Conf libonig5 (6.9.8-1 Debian:12.1/stable [amd64])\n"
	"Conf libjq1 (1.6-2.1 Debian:12.1/stable [amd64])\n"
	"Conf jq (1.6-2.1 Debian:12.1/stable [amd64])\n"
	"Inst lsb-release (12.0-1 Debian:12.1/stable [all])\n"
	"Inst sysbox-ce [0.6.7.linux] (0.7.0.linux local-deb [amd64])\n"
	"Conf lsb-release (12.0-1 Debian:12.1/stable [all])\n"
	"Conf sysbox-ce (0.7.0.linux local-deb [amd64])\n";

static struct pkg_plan parsed(const char *text)
{
	struct pkg_plan plan = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(aptsim_parse(text, &plan, &err), 0);
	CHECK_STR(err.msg, "");
	return plan;
}

TEST(simulated, "apt's plan: new and upgraded packages, a new batch behind a configuration")
{
	struct pkg_plan plan CLEANUP(pkg_plan_release) = parsed(sim);

	CHECK_INT(plan.n, 5);
	CHECK_STR(plan.v[1].name, "libjq1");
	CHECK_STR(plan.v[1].new_version, "1.6-2.1");
	CHECK_STR(plan.v[1].arch, "amd64");
	CHECK_INT(plan.v[2].what, PKG_INSTALL);
	CHECK_INT(plan.v[2].batch, 0);
	CHECK_INT(plan.v[3].batch, 1);
	CHECK_STR(plan.v[3].arch, "all");
	CHECK_INT(plan.v[4].what, PKG_UPGRADE);
	CHECK_STR(plan.v[4].old_version, "0.6.7.linux");
	CHECK_STR(plan.v[4].new_version, "0.7.0.linux");

	struct pkg_plan odd CLEANUP(pkg_plan_release) = parsed(
		"Inst x [1:1-1] (1:2-1 Our Mirror (test):1/stable, Debian:12.1/stable [amd64]) []\n");
	CHECK_INT(odd.n, 1);
	CHECK_STR(odd.v[0].old_version, "1:1-1");
	CHECK_STR(odd.v[0].new_version, "1:2-1");
	CHECK_STR(odd.v[0].arch, "amd64");
}

TEST(removals, "removals and somebody's half-configured packages are seen")
{
	struct pkg_plan plan CLEANUP(pkg_plan_release) = parsed(
		"Remv fuse [2.9.9-6]\nPurg x [1]\nConf broken (1.0 Debian:12.1/stable [amd64])\nInst fuse3 (3.14.0-4 Debian [amd64])\n");

	CHECK_INT(plan.n, 4);
	CHECK_INT(plan.v[0].what, PKG_REMOVE);
	CHECK_STR(plan.v[0].old_version, "2.9.9-6");
	CHECK_INT(plan.v[1].what, PKG_REMOVE);
	CHECK_INT(plan.v[2].what, PKG_CONFIGURE_STRANGER);
	CHECK_STR(plan.v[2].name, "broken");
	CHECK_INT(plan.v[3].what, PKG_INSTALL);
}

TEST(garbled, "a line of the plan that cannot be read is an error that shows it, other lines are skipped")
{
	static const char *const bad[] = { "Inst jq\n", "Inst jq (1.6\n", "Inst jq (1.6 Debian)\n",
					   "Remv jq\n", "Conf \n" };
	struct pkg_plan plan CLEANUP(pkg_plan_release) = parsed("NOTE: this is a simulation\n\nReading...\n");

	CHECK_INT(plan.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;
		CHECK_INT(aptsim_parse(bad[i], &plan, &err), -1);
		CHECK(strstr(err.msg, "cannot understand apt's plan") != NULL);
	}
	CHECK_INT(plan.n, 0);
}

TEST(uris, "places of packages and the names under which apt keeps them")
{
	struct apt_uri u CLEANUP(apt_uri_release) = { 0 };
	struct pkg_op op = { .name = (char *)"libx:i386",
			     .new_version = (char *)"1:2.0+b1",
			     .arch = (char *)"i386" };
	char *name CLEANUP(freep) = apt_archive_name(&op);

	CHECK(apt_uri_parse("'file:/srv/pool/./jq_1.6%2b1_amd64.deb' jq_1.6+1_amd64.deb 64432 SHA256:abc", &u));
	char *path CLEANUP(freep) = apt_uri_path(u.uri);
	CHECK_STR(path, "/srv/pool/./jq_1.6+1_amd64.deb");
	CHECK_STR(u.file, "jq_1.6+1_amd64.deb");
	CHECK_STR(u.hash, "SHA256:abc");
	CHECK_INT(u.size, 64432);
	CHECK_STR(name, "libx_1%3a2.0+b1_i386.deb");
	char *none CLEANUP(freep) = apt_uri_path("https://mirror.example/x.deb");
	CHECK_STR(none, NULL);
	CHECK(!apt_uri_parse("E: no", &u) && !apt_uri_parse("'half", &u));
}

static const char status_text[] =
	"Package: jq\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.6-2.1\n"
	"Description: a tool\n Package: not-this\n .\n more\n\n"
	"Package: rsync\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 3.2\nConffiles:\n /etc/default/rsync 0123\n /etc/init.d/rsync 4567\n\n"
	"Package: libx\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
	"Package: libx\nStatus: install ok installed\nMulti-Arch: same\nArchitecture: i386\nVersion: 2\n";

static const char marks_text[] =
	"Package: jq\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: rsync\nArchitecture: amd64\nAuto-Installed: 0\n\n";

static struct buf text(const char *s)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, s);
	return b;
}

TEST(database, "dpkg's status: a package by name and architecture, holds, marks, unknown ones; continuation lines are no fields")
{
	struct buf status CLEANUP(buf_release) = text(status_text),
			  marks CLEANUP(buf_release) = text(marks_text);
	static const struct {
		const char *name, *version, *want, *state;
		bool automatic;
	} want[] = {
		{ "jq", "1.6-2.1", "install", "installed", true },
		{ "rsync", "3.2", "hold", "installed", false },
		{ "libx", "2", "install", "installed", false },
		{ "libx:amd64", "1", "deinstall", "config-files", false },
		{ "not-this", NULL, NULL, NULL, false },
		{ "j", NULL, NULL, NULL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct pkg_status st;
		dpkgdb_status(&status, &marks, want[i].name, &st);
		CHECK_STR(st.version, want[i].version);
		CHECK_STR(st.want, want[i].want);
		CHECK_STR(st.state, want[i].state);
		CHECK_INT(st.automatic, want[i].automatic);
		CHECK_INT(st.known, want[i].version != NULL);
		pkg_status_release(&st);
	}
	struct stanza s;
	CHECK(dpkgdb_find(&status, "rsync", &s));
	char *conffiles CLEANUP(freep) = stanza_lines(&s, "Conffiles");
	CHECK_STR(conffiles, "\n /etc/default/rsync 0123\n /etc/init.d/rsync 4567\n");
}

TEST(foreign, "a package that is there for another architecture is not taken for ours")
{
	struct pkg_plan plan CLEANUP(pkg_plan_release) = parsed(
		"Inst libx (3 Debian [amd64])\nInst jq (2 Debian [amd64])\nInst libx:i386 (3 Debian [i386])\nInst data (1 Debian [all])\n");
	struct buf status CLEANUP(buf_release) = text(status_text);
	struct buf marks CLEANUP(buf_release) = BUF_INIT;
	struct pkg_status st;

	dpkgdb_qualify(&status, &plan);
	CHECK_STR(plan.v[0].name, "libx:amd64");
	CHECK_STR(plan.v[1].name, "jq");
	CHECK_STR(plan.v[2].name, "libx:i386");
	CHECK_STR(plan.v[3].name, "data");
	dpkgdb_status(&status, &marks, plan.v[0].name, &st);
	CHECK_STR(st.state, "config-files");
	pkg_status_release(&st);
	char *file CLEANUP(freep) = apt_archive_name(&plan.v[0]);
	CHECK_STR(file, "libx_3_amd64.deb");
}

TEST(unsettled, "packages that are neither installed nor gone are named, with what is wrong")
{
	struct buf status CLEANUP(buf_release) =
		text("Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: install ok half-configured\n\n"
		     "Package: c\nStatus: install reinstreq half-installed\n\nPackage: d\nStatus: deinstall ok config-files\n\n"
		     "Package: e\nStatus: install ok triggers-pending\nMulti-Arch: same\nArchitecture: amd64\n\n");
	struct strv bad CLEANUP(strv_release) = STRV_INIT, names CLEANUP(strv_release) = STRV_INIT;

	dpkgdb_unsettled(&status, &bad);
	dpkgdb_unsettled_names(&status, &names);
	char *words CLEANUP(freep) = strv_join(&bad, ", "),
		    *list CLEANUP(freep) = strv_join(&names, " ");
	CHECK_STR(words, "b (half-configured), c (reinstallation required), e (triggers-pending)");
	CHECK_STR(list, "b c e:amd64");
}

TEST(audit, "an interrupted dpkg is refused with its remedy, by its packages or by its journal")
{
	struct scratch s;
	struct err err = ERR_INIT;

	scratch_open(&s);
	struct host h = { .root = &s.root };
	mkdirat(s.fd, "var", 0755);
	mkdirat(s.fd, "var/lib", 0755);
	mkdirat(s.fd, "var/lib/dpkg", 0755);
	mkdirat(s.fd, "var/lib/dpkg/updates", 0755);
	put(&s, "var/lib/dpkg/status", status_text);
	CHECK_INT(pkg_apt.audit(&h, &err), 0);
	put(&s, "var/lib/dpkg/updates/0001", "");
	CHECK_INT(pkg_apt.audit(&h, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(strstr(err.remedy, "dpkg --configure -a") != NULL);
	put(&s, "var/lib/dpkg/status", "Package: b\nStatus: install ok half-configured\n");
	CHECK_INT(pkg_apt.audit(&h, &err), -1);
	CHECK(strstr(err.msg, "b (half-configured)") != NULL);
	scratch_close(&s);
}

/* Another process holds the lock until the pipe is closed. */
static pid_t hold_lock(struct host *h, int *ret_pipe)
{
	struct err err = ERR_INIT;
	int ready[2], end[2];
	char c = 0;

	if (pipe(ready) || pipe(end))
		abort();
	fflush(NULL);
	pid_t pid = fork();
	if (!pid) {
		close(end[1]);
		c = pkg_apt.lock(h, 0, NULL, &err) ? 'n' : 'y';
		if (write(ready[1], &c, 1) != 1 || read(end[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1 && c == 'y');
	close(ready[0]);
	close(ready[1]);
	close(end[0]);
	*ret_pipe = end[1];
	return pid;
}

static void check_unmet(const char *relations, const char *want)
{
	static const char status[] =
		"Package: fuse3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.14.0-4\n"
		"Provides: fuse (= 3.14.0-4), nothing-said,\n userspace-fs\n\n"
		"Package: jq\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 1.6-2.1\n\n"
		"Package: rsync\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 3.2.7-1\n\n"
		"Package: iptables\nStatus: install ok half-configured\nArchitecture: amd64\nVersion: 1.8.9-2\n\n";
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv unmet CLEANUP(strv_release) = STRV_INIT;

	buf_adds(&text, status);
	depends_unmet(&text, relations, &unmet);
	char *got CLEANUP(freep) = strv_join(&unmet, "; ");
	CHECK_STR(got, want);
}

TEST(depends, "what a package depends on: by name, version and provided name; only what is installed counts")
{
	check_unmet(NULL, "");
	check_unmet("", "");
	check_unmet("jq, fuse3", "");
	check_unmet(" jq (>= 1.5) , jq (<< 2), jq (= 1.6-2.1), jq (>> 1.6-2), jq (<= 1.6-2.1)", "");
	check_unmet("jq (>= 1.7), jq (<< 1.6), jq (= 1.6), jq (>> 1.6-2.1), jq (<= 1.5)",
		    "jq (>= 1.7); jq (<< 1.6); jq (= 1.6); jq (>> 1.6-2.1); jq (<= 1.5)");
	check_unmet("jq (> 1.6-2.1), jq (< 1.6-2.1)", "");
	check_unmet("fuse, fuse (>= 3), userspace-fs, nothing-said", "");
	check_unmet("fuse (>= 4), nothing-said (>= 1)", "fuse (>= 4); nothing-said (>= 1)");
	check_unmet("rsync, iptables, absent | gone", "rsync; iptables; absent | gone");
	check_unmet("absent | jq:any (>= 1.6) | rsync, jq:amd64 [amd64]", "");
	check_unmet("jqq, j", "jqq; j");
}

/* The paragraph put into status, and taken out of it again. */
static void check_there_and_back(const char *before, const char *after)
{
	static const char paragraph[] = "Package: x\nStatus: install ok installed\nVersion: 1\n";
	struct json *note CLEANUP(json_freep) = note_new(), *none CLEANUP(json_freep) = note_new();
	struct buf text CLEANUP(buf_release) = BUF_INIT, p CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	buf_adds(&p, paragraph);
	buf_adds(&text, before);
	note_set_paragraph(note, &p);
	size_t joins = note_joins(&text);
	CHECK_INT(note_into_status(note, "x", &text, joins, &err), 0);
	CHECK_STR(text.data, after);
	CHECK_INT(note_into_status(note, "x", &text, joins, &err), 0);
	CHECK_STR(text.data, after);
	CHECK_INT(note_into_status(none, "x", &text, joins, &err), 0);
	CHECK_STR(text.data, before);
	CHECK_INT(note_into_status(none, "x", &text, joins, &err), 0);
	CHECK_STR(text.data, before);
}

#define X "Package: x\nStatus: install ok installed\nVersion: 1\n\n"

TEST(note, "a paragraph of status comes and goes, and every other byte stays")
{
	check_there_and_back("", X);
	check_there_and_back("Package: a\nVersion: 1\n\n", "Package: a\nVersion: 1\n\n" X);
	check_there_and_back("Package: a\nVersion: 1\n", "Package: a\nVersion: 1\n\n" X);
	check_there_and_back("Package: a\nVersion: 1", "Package: a\nVersion: 1\n\n" X);
	check_there_and_back("Package: a\n\n\n\n", "Package: a\n\n\n\n" X);
}

TEST(note_between, "one in the middle is replaced where it is, and goes with its blank line")
{
	struct json *note CLEANUP(json_freep) = note_new(), *none CLEANUP(json_freep) = note_new();
	struct buf text CLEANUP(buf_release) = BUF_INIT, p CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	buf_adds(&text, "Package: a\n\nPackage: x\nVersion: 0.9\nConffiles:\n /etc/x 0\n\nPackage: b\n\n");
	buf_adds(&p, "Package: x\nVersion: 1\n");
	note_set_paragraph(note, &p);
	CHECK_INT(note_into_status(note, "x", &text, 0, &err), 0);
	CHECK_STR(text.data, "Package: a\n\nPackage: x\nVersion: 1\n\nPackage: b\n\n");
	CHECK_INT(note_into_status(none, "x", &text, 0, &err), 0);
	CHECK_STR(text.data, "Package: a\n\nPackage: b\n\n");
}

TEST(hex, "bytes of any kind are the same behind a record; a text that is none is told")
{
	struct buf all CLEANUP(buf_release) = BUF_INIT, again CLEANUP(buf_release) = BUF_INIT;

	for (int i = 0; i < 256; i++)
		buf_addc(&all, (char)i);
	char *text CLEANUP(freep) = hex_encode(&all);
	CHECK_INT(strlen(text), 512);
	CHECK(hex_decode(text, &again));
	CHECK(buf_equal(&all, &again));
	CHECK(hex_decode(NULL, &again) && hex_decode("", &again));
	CHECK(!hex_decode("0", &again));
	CHECK(!hex_decode("0g", &again));
	CHECK(!hex_decode("AA", &again));
}

TEST(frontend, "the frontend lock: past the deadline the holder is named; free, it is ours, also asked for twice")
{
	struct scratch s;
	struct err err = ERR_INIT;
	int pipe_end;

	scratch_open(&s);
	struct host h = { .root = &s.root };
	mkdirat(s.fd, "var", 0755);
	mkdirat(s.fd, "var/lib", 0755);
	mkdirat(s.fd, "var/lib/dpkg", 0755);
	pid_t pid = hold_lock(&h, &pipe_end);
	char *number CLEANUP(freep) = xasprintf("%d", (int)pid);
	CHECK_INT(pkg_apt.lock(&h, 0, NULL, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(strstr(err.msg, number) != NULL);
	close(pipe_end);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(pkg_apt.lock(&h, 0, NULL, &err), 0);
	CHECK_INT(pkg_apt.lock(&h, 0, NULL, &err), 0);
	pkg_apt.unlock(&h);
	scratch_close(&s);
}

RUN_TESTS()
