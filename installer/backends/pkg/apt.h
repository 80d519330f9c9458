/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian's and Ubuntu's packages: apt resolves and downloads, dpkg's databases are read
 * (facts/dpkg-tried.md sections 4, 5).
 */
#ifndef BACKENDS_PKG_APT_H
#define BACKENDS_PKG_APT_H

#include "backends/pkg/pkg.h"

#define DPKG_LOCK "/var/lib/dpkg/lock-frontend"

extern const struct pkg_ops pkg_apt;

/*
 * dpkg's frontend lock: a classic POSIX lock on one descriptor that is never opened a second time
 * in this process (any close of the file would drop it). frontend.c. Waits at most seconds; the
 * holder is named through rep when waiting begins and in the error.
 */
int frontend_lock(const struct root *r, unsigned int seconds, struct report *rep, struct err *err);
void frontend_unlock(void);
/* The lock's file, which we made, goes. */
int frontend_unmake(const struct root *r, unsigned int seconds, struct report *rep,
		    struct err *err);
/* Who is at work with packages here, in words, allocated; NULL: nobody. By dpkg's locks and rpm's;
 * must not be asked by a process that holds one of them (see above). */
char *frontend_holder(const struct root *r);

#endif
