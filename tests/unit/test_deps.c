/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/deps.h"

#include "fixture.h"
#include "test.h"

static struct dep_output said(const char *out, const char *errout, int status)
{
	struct dep_output o = { BUF_INIT, BUF_INIT, status };

	buf_adds(&o.out, out);
	buf_adds(&o.errout, errout);
	return o;
}

/* Of liba, toolb and other: those that this output says others need. */
static char *who_is_needed(const char *manager, const char *out, const char *errout, int status)
{
	struct strv ids CLEANUP(strv_release) = STRV_INIT, got CLEANUP(strv_release) = STRV_INIT;
	struct dep_output o CLEANUP(dep_output_release) = said(out, errout, status);
	struct err err = ERR_INIT;

	strv_addv(&ids, (const char *const[]){ "liba", "toolb", "other", NULL });
	CHECK_INT(dep_backend_named(manager)->needed(&o, &ids, &got, &err), 0);
	return strv_join(&got, " ");
}

TEST(tables, "each table says all that is not optional, and each manager of a distribution's data but apt has one")
{
	struct distro_list l CLEANUP(distro_list_release) = { 0 };
	struct err err = ERR_INIT;
	struct fixture f;

	for (const struct dep_ops *const *ops = dep_backends; *ops; ops++) {
		const struct dep_ops *o = *ops;
		CHECK(o->name && o->programs && o->database && o->locks && o->telling &&
		      o->complaints && o->suffixes && o->saved);
		CHECK(o->fetch && o->read && o->paths && o->installed && o->owned && o->install &&
		      o->remove && o->needed);
		CHECK(dep_backend_named(o->name) == o);
	}
	fixture_open(&f, true);
	CHECK_INT(distro_list_load(&l, &f.root, NULL, &err), 0);
	for (size_t i = 0; i < l.n; i++) {
		const char *manager = l.v[i].package_manager;
		CHECK(str_eq(manager, "apt") || str_eq(manager, "none") ||
		      dep_backend_named(manager));
	}
	fixture_close(&f);
}

TEST(chosen, "a manager is taken by the distribution's data, if all its programs are there and the system runs")
{
	struct distro d = { .package_manager = (char *)"zypper" };
	struct fixture f;
	struct host h = { .root = &f.root, .running = true, .distro = &d };

	fixture_open(&f, true);
	fixture_program(&f, "/usr/bin/zypper");
	CHECK(!dep_backend(&h));
	fixture_program(&f, "/usr/bin/rpm");
	CHECK(dep_backend(&h) == dep_backend_named("zypper"));
	h.running = false;
	CHECK(!dep_backend(&h));
	h.running = true;
	d.package_manager = (char *)"apt";
	CHECK(!dep_backend(&h));
	fixture_close(&f);
}

TEST(needed, "what a tried removal says of others is understood, by pacman and by apk")
{
	char *both CLEANUP(freep) = who_is_needed("pacman", "",
		":: removing toolb breaks dependency 'toolb' required by x\n"
		":: removing liba breaks dependency 'liba=1' required by y\n"
		":: removing stranger breaks dependency 'q' required by y\n", 1);
	char *none CLEANUP(freep) = who_is_needed("pacman", "liba-1.0-1\n", "", 0);
	char *kept CLEANUP(freep) = who_is_needed("apk",
		"(1/2) Purging other (1.0-r0)\n(2/2) Purging liba (1.0-r0)\nOK: 5 MiB\n", "", 0);
	char *failed CLEANUP(freep) = who_is_needed("apk", "", "ERROR: no\n", 1);

	CHECK_STR(both, "toolb liba");
	CHECK_STR(none, "");
	CHECK_STR(kept, "toolb");
	CHECK_STR(failed, "");
}

TEST(litter, "only what rpm itself leaves beside a file is taken for that")
{
	const struct dep_ops *dnf = dep_backend_named("dnf");

	CHECK(dnf->litter("rsync;6543abcd", "rsync"));
	CHECK(!dnf->litter("rsync;6543abc", "rsync"));
	CHECK(!dnf->litter("rsync;6543abcg", "rsync"));
	CHECK(!dnf->litter("rsync", "rsync"));
	CHECK(!dnf->litter("rsync;6543abcd", "rsyn"));
	CHECK(!dnf->litter("rsync;6543abcd.bak", "rsync"));
}

TEST(apk_names, "apk's file names are taken apart at the last dash but one")
{
	static const struct { const char *file, *name, *version; } files[] = {
		{ "/x/fuse-common-3.16.2-r0.apk", "fuse-common", "3.16.2-r0" },
		{ "/x/rsync-3.4.0-r12.apk", "rsync", "3.4.0-r12" },
		{ "/x/rsync-3.4.0.apk", NULL, NULL },
		{ "/x/rsync.apk", NULL, NULL },
		{ "/x/rsync-3.4.0-r12.deb", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct dep_list l CLEANUP(dep_list_release) = { xcalloc(1, sizeof(struct dep)), 1 };
		struct err err = ERR_INIT;
		CHECK_INT(dep_backend_named("apk")->read(files[i].file, &l.v[0], &err),
			  files[i].name ? 0 : -1);
		CHECK_STR(l.v[0].name, files[i].name);
		CHECK_STR(l.v[0].version, files[i].version);
	}
}

TEST(why, "a refusal is told in the manager's own words, once each, and a failed script is found in either output")
{
	const struct dep_ops *dnf = dep_backend_named("dnf");
	struct dep_output o CLEANUP(dep_output_release) =
		said("warning: %post(x) scriptlet failed, exit status 1\n",
		     "Last metadata expiration check\nError: \n Problem: no\n  - nothing provides q\n Problem: no\n", 0);
	struct dep_output quiet CLEANUP(dep_output_release) = said("", "", 3);
	struct buf why CLEANUP(buf_release) = BUF_INIT, nothing CLEANUP(buf_release) = BUF_INIT;
	char *complaint CLEANUP(freep) = dep_complaint(dnf, &o);
	char *none CLEANUP(freep) = dep_complaint(dnf, &quiet);

	dep_why(dnf, &o, &why);
	dep_why(dnf, &quiet, &nothing);
	CHECK_STR(why.data, "Problem: no; - nothing provides q");
	CHECK_STR(nothing.data, "exit status 3, no reason given");
	CHECK_STR(complaint, "warning: %post(x) scriptlet failed, exit status 1");
	CHECK(!none);
}

RUN_TESTS()
