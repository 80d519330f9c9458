/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages through the host's package manager, as one reversible action (backends/pkg/). `names`
 * are wanted by name ("fuse3"); `name`/`version`/`arch` is the catalog's package to be fetched,
 * verified and installed as a file (name NULL: only names). remove: the package goes (purged)
 * instead.
 */
#ifndef ACTIONS_PACKAGES_H
#define ACTIONS_PACKAGES_H

#include "actions/action.h"

struct action *action_packages(const char *step, const char *const *names, const char *name,
			       const char *version, const char *arch, bool remove);
/* A package of the distribution's, which apt has and no catalog: installed on the administrator's
 * behalf, so not marked as automatic. key "packages:NAME". */
struct action *action_package_named(const char *step, const char *name);
/* It replaces version `from`, which was installed from a package file of this hash. */
void packages_replace(struct action *a, const char *from, const char *sha256);
/* How long prepare and undo wait for dpkg's frontend lock (120 s); tests shorten it. */
void packages_set_lock_seconds(unsigned int seconds);

#endif
