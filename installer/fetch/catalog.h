/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of installable packages. The embedded one (distros/catalog.json... compiled in as
 * templates/catalog.json) is part of the signed program. An external one is catalog.json with a
 * detached OpenPGP signature, a serial that never goes backwards (highest seen kept in
 * /var/lib/sysboxup/known/catalog-serial, monotonic: no rollback lowers it) and an expiry.
 *
 *	{ "format": 1, "serial": 3, "created": "2026-11-01T00:00:00Z", "expires":
 *	"2027-11-01T00:00:00Z",
 *	  "packages": [ { "name": "sysbox-ce", "version": "0.7.0", "package_version": "0.7.0.linux",
 *	  "arch": "amd64", "size": 11767016,
 *	                  "sha256": "...", "provenance": "upstream",	// "upstream" published it
 *									itself, or "third-party"
 *	                  "source": "where the hash comes from", "urls": ["https://...",
 *	                  "https://..."] } ] }
 *
 * size and package_version may be absent where unknown. `latest` takes only "upstream" hashes.
 */
#ifndef FETCH_CATALOG_H
#define FETCH_CATALOG_H

#include "base/json.h"
#include "base/report.h"
#include "profile/profile.h"
#include "sys/root.h"

struct catalog_entry {
	char *name, *version, *package_version, *arch, *sha256, *source;
	bool upstream;		/* provenance */
	uint64_t size;		/* 0 = unknown */
	struct strv urls;
};

struct catalog {
	int64_t serial, created, expires;	/* expires 0 = never (embedded) */
	bool embedded;
	char evidence[65];	/* digest of text, signature, keyring and pins that were verified together; "" if embedded */
	struct catalog_entry *v;
	size_t n;
};

int catalog_parse(struct catalog *ret, const char *text, size_t len, const char *what,
		  struct err *err);
/* Of one package, which is known from elsewhere and need not be fetched. */
void catalog_single(struct catalog *ret, const char *name, const char *version, const char *arch,
		    const char *sha256);
void catalog_release(struct catalog *c);
/* The embedded one, or the profile's: downloaded, signature verified, serial and expiry checked.
 * Serial and evidence are remembered by
 * catalog_remember, in prepare; the same evidence is not put to gpg again within a day (a second
 * apply is to be cheap). */
int catalog_load(struct catalog *ret, const struct root *root, const struct profile *p,
		 struct report *rep, struct err *err);
int catalog_remember(const struct catalog *c, const struct root *root, struct err *err);
/* version "latest" or one of them; ERR_USAGE naming the known versions if there is none, or that
 * only third parties know its hash. */
const struct catalog_entry *catalog_find(const struct catalog *c, const char *name,
					 const char *version, const char *arch, struct err *err);

#endif
