/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of keys and certificates that comes into being whole: 0700, its keys 0400, its
 * certificates 0444. It is written under a name that nobody looks at, synced, and renamed.
 */
#ifndef PKI_FILES_H
#define PKI_FILES_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

struct pki_file {
	char *path;			/* "key.pem" or "ci-7/key.pem" */
	mode_t mode;
	struct buf data;		/* wiped */
	bool link;			/* data is what it points to */
};

struct pki_files {
	struct pki_file *v;
	size_t n;
};

#define PKI_FILES_INIT { NULL, 0 }

void files_release(struct pki_files *f);
/* The buffer to be filled with its content, good until the next call. */
struct buf *files_add(struct pki_files *f, mode_t mode, const char *path);
void files_add_link(struct pki_files *f, const char *path, const char *target);

/* A new directory `name` with them all, in dirfd, synced but for its own name there; what bore that
 * name goes. */
int files_write(const struct pki_files *f, int dirfd, const char *name, struct err *err);

#endif
