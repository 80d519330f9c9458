/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zypper, as tried with 1.14: without a terminal it takes the answers that it calls default, and
 * none of them imports a key or breaks a package lock. Downloads lie below dir by repository.
 */
#include "backends/pkg/rpm.h"

enum { ZYPPER_SECONDS = 1800 };

static const char *const programs[] = { "zypper", "rpm", NULL };
static const char *const telling[] = { "rror: ",	  "Problem: ",	    "not installable",
				       "not found in",	  "No provider of", "Solution 1: ",
				       "is needed by",	  "conflicts with", "is locked",
				       "ignature ver", NULL };
static const struct dep_lock locks[] = { { "/run/zypp.pid", DEP_LOCK_PIDFILE },
					 RPM_LOCKS,
					 { NULL, DEP_LOCK_EXISTS } };

extern const struct dep_ops dep_zypper;

static int zypper_fetch(const struct strv *names, const char *dir, struct report *rep,
			struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	strv_add(&argv, "zypper");
	strv_add(&argv, "--non-interactive");
	strv_add(&argv, "--pkg-cache-dir");
	strv_add(&argv, dir);
	strv_add(&argv, "install");
	strv_add(&argv, "--download-only");
	strv_add(&argv, "--no-recommends");
	strv_addv(&argv, (const char *const *)names->v);
	return dep_ask(&dep_zypper, &argv, NULL, ZYPPER_SECONDS, rep, &o, err);
}

const struct dep_ops dep_zypper = {
	.name = "zypper",
	.programs = programs,
	.locks = locks,
	.telling = telling,
	.fetch = zypper_fetch,
	RPM_LOW_HALF,
};
