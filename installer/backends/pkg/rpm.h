/* SPDX-License-Identifier: Apache-2.0 */
/* The low half that dnf and zypper share. */
#ifndef BACKENDS_PKG_RPM_H
#define BACKENDS_PKG_RPM_H

#include "backends/pkg/deps.h"

extern const char *const rpm_suffixes[], *const rpm_complaints[];
int rpm_read(const char *file, struct dep *ret, struct err *err);
int rpm_paths(const char *file, struct strv *ret, struct err *err);
int rpm_installed(const struct strv *ids, struct dep_list *ret, struct err *err);
int rpm_owned(const char *path, bool *ret, struct err *err);
void rpm_install(struct strv *argv, const struct strv *files, enum dep_how how);
void rpm_remove(struct strv *argv, const struct strv *ids, enum dep_how how);
int rpm_needed(const struct dep_output *o, const struct strv *ids, struct strv *ret,
	       struct err *err);
bool rpm_litter(const char *name, const char *base);

#define RPM_DATABASE "/var/lib/rpm"
/* Where the database lives differs: since Fedora 36 and in openSUSE it is below /usr. */
#define RPM_LOCKS \
	{ "/var/lib/rpm/.rpm.lock", DEP_LOCK_RECORD }, \
	{ "/usr/lib/sysimage/rpm/.rpm.lock", DEP_LOCK_RECORD }

/* One table for each that stands in front of rpm. */
#define RPM_LOW_HALF \
	.database = RPM_DATABASE, .complaints = rpm_complaints, .suffixes = rpm_suffixes, \
	.saved = ".rpmsave", .read = rpm_read, \
	.downgrade = "rpm --upgrade --oldpackage --excludepath=" DEP_LEFT_OUT, \
	.paths = rpm_paths, .installed = rpm_installed, \
	.owned = rpm_owned, .install = rpm_install, .remove = rpm_remove, .needed = rpm_needed, \
	.litter = rpm_litter

#endif
