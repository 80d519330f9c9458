/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package manager, as a table of functions; one file each, one line in registry.c. Only what the
 * packages action needs. Read-only calls need no lock. Facts: facts/dpkg-tried.md.
 */
#ifndef BACKENDS_PKG_PKG_H
#define BACKENDS_PKG_PKG_H

#include "base/report.h"
#include "host/host.h"

struct pkg_status {
	bool known;			/* a stanza exists */
	char *version, *arch;
	char *want, *state;		/* "install", "hold" ...; "installed", "config-files", "half-configured" ... */
	bool automatic;			/* apt's auto mark */
};

/* One thing of a resolved plan. */
struct pkg_op {
	enum { PKG_INSTALL, PKG_UPGRADE, PKG_REMOVE, PKG_CONFIGURE_STRANGER } what;
	char *name, *old_version, *new_version, *arch;
	char *file;			/* downloaded, path in our state */
	char sha256[65];
	bool rebuilt;			/* file was made from what is installed: installed.h */
	unsigned int batch;		/* dpkg call it belongs to: a new one where apt configures before it unpacks on */
};

struct pkg_plan {
	struct pkg_op *v;
	size_t n;
};

void pkg_status_release(struct pkg_status *s);
void pkg_plan_release(struct pkg_plan *p);

struct pkg_ops {
	const char *name;		/* "apt" */
	bool (*usable)(const struct host *h);
	/* Status of one package, from the database's own files (no process). */
	int (*status)(const struct host *h, const char *package, struct pkg_status *ret,
		      struct err *err);
	/* Files of an installed package that are not as it brought them; conffiles are the
	 * administrator's, and left out. Runs the manager's own check. */
	int (*changed)(const struct host *h, const char *package, struct strv *ret,
		       struct err *err);
	/* Whether a file belongs to any package. */
	int (*owned)(const struct host *h, const char *path, bool *ret, struct err *err);
	/* Half-configured packages, pending updates/ ...: ERR_REFUSED naming them. */
	int (*audit)(const struct host *h, struct err *err);
	/* The frontend lock, held until the process ends or unlock; waits up to seconds, naming the
	 * holder through rep. */
	int (*lock)(const struct host *h, unsigned int seconds, struct report *rep,
		    struct err *err);
	void (*unlock)(const struct host *h);
	/* names and .deb files -> what would happen; nothing changes. ERR_REFUSED for removals,
	 * held packages ... */
	int (*resolve)(const struct host *h, const char *const *wants, const char *state_dir,
		       struct pkg_plan *ret, struct report *rep, struct err *err);
	/* Downloads what resolve named into state_dir and hashes it. */
	int (*download)(const struct host *h, const char *const *wants, const char *state_dir,
			struct pkg_plan *plan, struct report *rep, struct err *err);
};

extern const struct pkg_ops *const pkg_backends[];	/* ends with NULL */
const struct pkg_ops *pkg_backend(const struct host *h);	/* NULL: none is usable */

#endif
