/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is at a path: the unit of before-images, after-images and comparison. Type, all metadata
 * that we promise to give back (owner, mode, xattrs - ACL, SELinux label and capabilities are
 * xattrs -, mtime), and the content as a digest (files), target (symlinks) or device number.
 */
#ifndef SYS_NODE_H
#define SYS_NODE_H

#include "base/digest.h"
#include "base/json.h"
#include "sys/root.h"

#include <stdint.h>
#include <time.h>

enum node_type { NODE_ABSENT, NODE_FILE, NODE_DIR, NODE_LINK, NODE_OTHER };

struct xattr {
	char *name;
	void *value;
	size_t len;
};

struct node {
	enum node_type type;
	mode_t mode;			/* permission bits, 07777 */
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	uint64_t size;			/* files */
	uint64_t rdev;			/* NODE_OTHER: device number */
	mode_t format;			/* NODE_OTHER: S_IFMT bits */
	char digest[DIGEST_HEX + 1];	/* files; "" where the content was not read */
	char *target;			/* links */
	struct xattr *xattrs;		/* sorted by name */
	size_t xattrs_n;
	uint64_t dev, ino;		/* fingerprint only: never encoded into after-images to be compared */
	struct timespec ctime;		/* fingerprint only */
};

#define NODE_INIT { .type = NODE_ABSENT }

void node_release(struct node *n);
void node_copy(struct node *dst, const struct node *src);

enum node_want { NODE_META = 0, NODE_DIGEST = 1 };

/* What is at path (last part not followed). Absent is a result, not an error. */
int node_read(struct node *ret, const struct root *r, const char *path, int want, struct err *err);
int node_read_at(struct node *ret, int dirfd, const char *name, int want, struct err *err);
int node_read_fd(struct node *ret, int fd, int want, struct err *err);

/*
 * Same type, content, owner, mode, xattrs, target. mtime counts only with NODE_CMP_MTIME. A file
 * whose content was not read equals only its own fingerprint. Labels the kernel gives by itself
 * (security.evm, security.ima) do not count, and an SELinux label only if both have one. The mode
 * of a link does not count, nor the mtime of a directory.
 */
enum node_cmp { NODE_CMP_PLAIN = 0, NODE_CMP_MTIME = 1 };
bool node_equal(const struct node *a, const struct node *b, int cmp);
/* Same dev, ino, size, mtime and ctime: the content needs no reading. */
bool node_same_fingerprint(const struct node *a, const struct node *b);

struct json *node_encode(const struct node *n);			/* with the fingerprint, unless sealed (sys/stamp.h) */
int node_decode(struct node *ret, const struct json *j, struct err *err);

/* Owner, then xattrs (those not in n removed), then mode: in this order because chown drops set-id
 * bits and capabilities and chmod rewrites the ACL mask. mtime only if set_mtime. fd must not be
 * O_PATH. Not removed: labels that the policy gives. */
int node_apply_meta(const struct node *n, int fd, bool set_mtime);	/* -1 and errno */

/* The same for a link, by name: owner, xattrs, and mtime if set_mtime. */
int node_apply_link_meta(const struct node *n, int dirfd, const char *name, bool set_mtime);

#endif
