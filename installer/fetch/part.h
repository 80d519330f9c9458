/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file on its way into a directory of ours. Until it is published it is NAME.part (0600, locked
 * against a second process), hashed while it grows; NAME.meta keeps the ETag it may be resumed
 * with. A crash leaves a part that the next part_open takes up: what a power cut did to its bytes
 * comes out when the whole has the wrong hash.
 */
#ifndef FETCH_PART_H
#define FETCH_PART_H

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

struct part {
	int dirfd;		/* borrowed */
	int fd;			/* read and write; position unused */
	char *name, *temp, *meta;
	uint64_t len;		/* bytes there, all of them in hash */
	struct digest *hash;
	char *etag;		/* strong validator of these bytes, or NULL */
	bool resumed;		/* bytes of more than one answer */
};

#define PART_INIT { .dirfd = -1, .fd = -1 }

/* Opens or makes it. resume: take up what an earlier run left. ERR_LOCKED if another process is at
 * it. */
int part_open(struct part *ret, int dirfd, const char *name, bool resume, struct err *err);
int part_write(struct part *p, const void *data, size_t len, struct err *err);
int part_restart(struct part *p, struct err *err);	/* from 0 */
void part_set_etag(struct part *p, const char *etag);
void part_digest(struct part *p, char hex[DIGEST_HEX + 1]);	/* ends the hash: publish, restart or drop follows */
/* 0644, fsync, rename to NAME, fsync of the directory. *ret_fd is the same file, read-only. */
int part_publish(struct part *p, int *ret_fd, struct err *err);
void part_keep(struct part *p);		/* to be resumed later; an empty one is dropped. Best effort */
void part_drop(struct part *p);
void part_release(struct part *p);

#endif
