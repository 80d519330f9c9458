/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a wanted version to a verified, open package: cache (DIR/SHA256, hashed again), --package
 * FILE, or download; then size, SHA-256 and the package's own control data. The cache is
 * /var/lib/sysboxup/cache (0755, files 0644); what is refused does not stay in it.
 */
#ifndef FETCH_PACKAGE_H
#define FETCH_PACKAGE_H

#include "fetch/catalog.h"
#include "fetch/unpack.h"

struct package {
	const struct catalog_entry *entry;	/* borrowed */
	int fd;					/* verified */
	char *cached;				/* its path in the cache */
	struct deb deb;
};

/* What to fetch. Without file this is catalog_find. With it (--package FILE): the entry that has
 * the file's hash, of this version (of any if version is "latest"); ERR_REFUSED if there is none,
 * ERR_USAGE if FILE cannot be read. */
const struct catalog_entry *package_choose(const struct catalog *c, const char *name,
					   const char *version, const char *arch, const char *file,
					   struct err *err);
/* file: --package FILE or NULL; its bytes go to the cache if their hash is entry's. ERR_REFUSED for
 * what is not the package entry speaks of. */
int package_fetch(struct package *ret, const struct root *root, const struct catalog_entry *entry,
		  const struct profile *p, const char *file, struct report *rep, struct err *err);
void package_release(struct package *p);

#endif
