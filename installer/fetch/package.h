/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a wanted version to a verified, open package: cache (DIR/SHA256, hashed again), --package FILE, or download; then
 * size, SHA-256 and the package's own control data. The cache is /var/lib/sysboxup/cache (0755, files 0644).
 */
#ifndef FETCH_PACKAGE_H
#define FETCH_PACKAGE_H

#include "fetch/catalog.h"
#include "fetch/unpack.h"

struct package {
	const struct catalog_entry *entry;	/* borrowed; NULL for a --package FILE of unknown hash (refused before) */
	int fd;					/* verified */
	char *cached;				/* its path in the cache */
	struct deb deb;
};

/* file: --package FILE or NULL. Its hash must be that of an entry for this version (any entry if version is "latest"). */
int package_fetch(struct package *ret, const struct root *root, const struct catalog_entry *entry, const struct profile *p,
		  const char *file, struct report *rep, struct err *err);
void package_release(struct package *p);

#endif
