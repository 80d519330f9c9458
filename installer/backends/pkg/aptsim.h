/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `apt-get -s -qq install` prints, parsed (facts/dpkg-tried.md section 4):
 *
 *	Inst jq (1.6-2.1 Debian:12/stable [amd64])	new
 *	Inst jq [1.5] (1.6-2.1 ... [amd64]) [x:amd64 ]	upgrade (or downgrade, or the same again)
 *	Remv fuse [2.9.9-6]				removal
 *	Conf jq (1.6-2.1 ... [amd64])			configured; without an Inst: somebody's
 *							half-configured package
 *
 * A Conf before the next Inst ends a batch: the packages so far must be one call of dpkg, those
 * behind it another.
 */
#ifndef BACKENDS_PKG_APTSIM_H
#define BACKENDS_PKG_APTSIM_H

#include "backends/pkg/pkg.h"

/* Lines that are none of these are skipped; one of these that cannot be read is an error. */
int aptsim_parse(const char *text, struct pkg_plan *ret, struct err *err);

/* One line of `apt-get --print-uris`: 'URI' FILE SIZE [HASH]. False: it is none. */
struct apt_uri {
	char *uri, *file, *hash;	/* hash: "SHA256:..." or NULL */
	uint64_t size;
};
bool apt_uri_parse(const char *line, struct apt_uri *ret);
void apt_uri_release(struct apt_uri *u);
/* The path of a "file:" URI, %XX decoded; NULL for any other. */
char *apt_uri_path(const char *uri);
/* Name under which apt keeps a downloaded package: NAME_VERSION_ARCH.deb, ':' as %3a. */
char *apt_archive_name(const struct pkg_op *op);

#endif
