/* SPDX-License-Identifier: Apache-2.0 */
/* dpkg's database read as a file: no process, no lock; between two packages of a running dpkg it
 * may be the state of before. */
#ifndef HOST_DPKG_H
#define HOST_DPKG_H

#include "base/str.h"
#include "sys/root.h"

struct dpkg_status {
	struct buf text;		/* /var/lib/dpkg/status; empty if this is no dpkg system */
};

int dpkg_status_read(struct dpkg_status *ret, const struct root *root, struct err *err);
void dpkg_status_release(struct dpkg_status *s);
/* The version of a package that is installed (state "installed"), allocated, or NULL. */
char *dpkg_version(const struct dpkg_status *s, const char *package);

#endif
