/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what a package depends on is installed: deb-control(5), Debian policy 7.1, by dpkg's
 * status alone. */
#ifndef BACKENDS_PKG_DEPENDS_H
#define BACKENDS_PKG_DEPENDS_H

#include "backends/pkg/dpkgdb.h"

/*
 * Adds each relation ("fuse | fuse3 (>= 3.2)") of a Depends or Pre-Depends field that no installed
 * package meets: by its name, or by a name that it provides, in a version as asked for. What is
 * only provided without a version meets none that asks for one. relations: may be NULL.
 */
void depends_unmet(const struct buf *status, const char *relations, struct strv *ret);

#endif
