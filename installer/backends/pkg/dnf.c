/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnf, as tried with 4.14; the same words mean the same to dnf 5, which could not be tried. It
 * waits for its own locks, and checks signatures when it downloads. It is answered "yes" once, for
 * the download, and not told to assume it: a key of a repository that nobody has accepted yet is
 * then refused, not imported into rpm's database (dnf/cli/cli.py, gpgsigcheck).
 */
#include "backends/pkg/rpm.h"

enum { DNF_SECONDS = 1800 };

static const char *const programs[] = { "dnf", "rpm", NULL };
static const char *const telling[] = { "rror: ", "Problem", "- ", "is needed by", "conflicts with",
				       "Unable to find", "GPG", "keys", NULL };
static const struct dep_lock locks[] = { { "/var/lib/dnf/rpmdb_lock.pid", DEP_LOCK_PIDFILE },
					 { "/var/cache/dnf/metadata_lock.pid", DEP_LOCK_PIDFILE },
					 { "/var/cache/dnf/download_lock.pid", DEP_LOCK_PIDFILE },
					 RPM_LOCKS,
					 { NULL, DEP_LOCK_EXISTS } };

extern const struct dep_ops dep_dnf;

static int dnf_fetch(const struct strv *names, const char *dir, struct report *rep,
		     struct err *err)
{
	static const char *const options[] = { "--quiet", "--downloadonly",
					       "--setopt=install_weak_deps=0",
					       "--setopt=defaultyes=0", "--setopt=assumeyes=0",
					       NULL };
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	strv_add(&argv, "dnf");
	strv_addv(&argv, options);
	strv_addf(&argv, "--setopt=destdir=%s", dir);
	strv_add(&argv, "install");
	strv_addv(&argv, (const char *const *)names->v);
	return dep_ask(&dep_dnf, &argv, "y\n", DNF_SECONDS, rep, &o, err);
}

const struct dep_ops dep_dnf = {
	.name = "dnf",
	.programs = programs,
	.locks = locks,
	.telling = telling,
	.fetch = dnf_fetch,
	RPM_LOW_HALF,
};
