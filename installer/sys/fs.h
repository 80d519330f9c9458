/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small file operations, each durable when it returns (file and directory synced) unless it says
 * otherwise. Our own state only; targets on the host go through sys/replace.h.
 */
#ifndef SYS_FS_H
#define SYS_FS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/io.h"
#include "sys/root.h"

int fs_mkdir(int dirfd, const char *name, mode_t mode, struct err *err);	/* existing directory is fine; parent synced */
int fs_mkdir_path(const struct root *r, const char *path, mode_t mode, struct err *err);	/* mkdir -p, all of them synced */
/* New file NAME in dirfd with these bytes, fsynced; directory synced. Through a temporary and
 * rename, replaces. */
int fs_put(int dirfd, const char *name, mode_t mode, const void *data, size_t len, struct err *err);
/* whole file from offset 0, digest on the way; not synced */
int fs_copy_fd(int from, int to, uint64_t max, char hex[65], struct err *err);
int fs_sync_dir(int dirfd, struct err *err);
/* What somebody else put there, and may not have synced. What can only be read has nothing to.
 * path: for the error. */
int fs_settle(int fd, const char *path, struct err *err);
int fs_unlink(int dirfd, const char *name, struct err *err);			/* absent is fine; not synced */
/* rm -r without following links or crossing devices; not synced */
int fs_remove_tree(int dirfd, const char *name, struct err *err);
/* bytes on the disk of name and all below it, no links followed; absent: 0 */
int fs_usage(int dirfd, const char *name, uint64_t *ret, struct err *err);
int fs_read_at(int dirfd, const char *name, size_t max, struct buf *ret, struct err *err);	/* absent: 1 */
/* a regular file to its end; more than max is an error */
int fs_read_fd(int fd, size_t max, struct buf *ret, struct err *err);
int fs_list_fd(int dirfd, struct strv *ret, struct err *err);			/* sorted, without . and .. */
/* of the nearest existing parent */
int fs_free_space(const struct root *r, const char *path, uint64_t *ret_bytes, uint64_t *ret_inodes,
		  struct err *err);

#endif
