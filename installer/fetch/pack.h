/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A .deb (deb(5)) written as it comes, the counterpart of fetch/unpack.h: deb_pack_open, then the
 * part "control" and the part "data" with their members, then deb_pack_close. The same input gives
 * the same bytes. Owners are numbers, without names.
 *
 * Everything may fail with ERR_FAILED, for want of space most likely; then only release is left.
 */
#ifndef FETCH_PACK_H
#define FETCH_PACK_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct pack_member {
	const char *path;	/* absolute: "/usr/bin/x"; of the control part: "/postinst" */
	char type;		/* 'f', 'd', 'l', 'h': a hard link, its target is a member before it */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t mtime;		/* seconds: dpkg keeps no more */
	uint64_t size;		/* files: as much must follow by deb_pack_content */
	const char *target;
};

struct deb_pack;

/* fd: an empty file, open for writing; it stays the caller's, and is not synced. when: the time of
 * the package. */
int deb_pack_open(struct deb_pack **ret, int fd, int64_t when, struct err *err);
int deb_pack_part(struct deb_pack *p, const char *stem, struct err *err);
int deb_pack_add(struct deb_pack *p, const struct pack_member *m, struct err *err);
int deb_pack_content(struct deb_pack *p, const void *data, size_t len, struct err *err);
int deb_pack_close(struct deb_pack *p, struct err *err);
void deb_pack_freep(struct deb_pack **p);

#endif
