/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of distros/ and templates/, compiled in so that the binary runs alone.
 * A file of the same name under /etc/sysboxup/{distros,templates}.d/ wins; who reads
 * it decides that (this layer knows no paths of a host).
 */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

#include <stddef.h>

struct embedded {
	const char *name;	/* path in the repository: "distros/debian.json" */
	const char *data;	/* NUL-terminated for convenience, the NUL not in len */
	size_t len;
};

extern const struct embedded embedded_files[];	/* ends with name == NULL */

/* The file called name, or NULL. */
const struct embedded *embedded_find(const char *name);

#endif
