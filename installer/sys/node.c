/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/node.h"

#include "base/str.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

void node_release(struct node *n)
{
	for (size_t i = 0; i < n->xattrs_n; i++) {
		free(n->xattrs[i].name);
		free(n->xattrs[i].value);
	}
	free(n->xattrs);
	free(n->target);
	*n = (struct node)NODE_INIT;
}

void node_copy(struct node *dst, const struct node *src)
{
	struct node n = *src;

	n.target = xstrdup(src->target);
	n.xattrs = src->xattrs_n ? xcalloc(src->xattrs_n, sizeof *n.xattrs) : NULL;
	for (size_t i = 0; i < src->xattrs_n; i++) {
		n.xattrs[i].name = xstrdup(src->xattrs[i].name);
		n.xattrs[i].value = xmemdup(src->xattrs[i].value, src->xattrs[i].len);
		n.xattrs[i].len = src->xattrs[i].len;
	}
	node_release(dst);
	*dst = n;
}

/* ---- reading ---- */

/* Names (attr == NULL) or one value; through /proc where the descriptor is O_PATH, as a link's
 * always is. */
static ssize_t xattr_get(int fd, const char *attr, void *data, size_t size)
{
	char path[64];
	ssize_t n = attr ? fgetxattr(fd, attr, data, size) : flistxattr(fd, data, size);

	if (n >= 0 || errno != EBADF)
		return n;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return attr ? getxattr(path, attr, data, size) : listxattr(path, data, size);
}

static int xattr_read(int fd, const char *attr, struct buf *ret)
{
	for (int i = 0; i < 8; i++) {
		ssize_t need = xattr_get(fd, attr, NULL, 0);
		if (need < 0)
			return -1;
		buf_clear(ret);
		buf_reserve(ret, (size_t)need + 1);
		ssize_t got = xattr_get(fd, attr, ret->data, (size_t)need + 1);
		if (got >= 0) {
			ret->len = (size_t)got;
			ret->data[got] = '\0';
			return 0;
		}
		if (errno != ERANGE)	/* it grew meanwhile */
			return -1;
	}
	return -1;
}

static int xattr_order(const void *a, const void *b)
{
	return strcmp(((const struct xattr *)a)->name, ((const struct xattr *)b)->name);
}

static void xattr_add(struct node *n, const char *name, const void *value, size_t len)
{
	n->xattrs = xreallocarray(n->xattrs, n->xattrs_n + 1, sizeof *n->xattrs);
	n->xattrs[n->xattrs_n++] = (struct xattr){ xstrdup(name), xmemdup(value, len), len };
}

/* Read-only helpers of somebody without privileges see fewer attributes; that is no error. */
static bool xattr_unreadable(int errnum)
{
	return errnum == ENODATA || errnum == ENOTSUP || errnum == EPERM || errnum == EACCES;
}

/* xfs lists an ACL twice, to the privileged: under its own name too, in its own format. */
static bool xattr_is_alias(const char *name)
{
	return str_starts(name, "trusted.SGI_ACL_");
}

static int read_xattrs(struct node *n, int fd, struct err *err)
{
	struct buf names CLEANUP(buf_release) = BUF_INIT, value CLEANUP(buf_release) = BUF_INIT;

	if (xattr_read(fd, NULL, &names))
		return xattr_unreadable(errno) ?
			       0 :
			       err_errno(err, errno, "cannot list extended attributes");
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1) {
		if (xattr_is_alias(names.data + at))
			continue;
		if (!xattr_read(fd, names.data + at, &value))
			xattr_add(n, names.data + at, value.data, value.len);
		else if (!xattr_unreadable(errno))
			return err_errno(err, errno, "cannot read the extended attribute %s",
					 names.data + at);
	}
	if (n->xattrs_n)
		qsort(n->xattrs, n->xattrs_n, sizeof *n->xattrs, xattr_order);
	return 0;
}

static int read_digest(struct node *n, int fd, struct err *err)
{
	char path[64];

	if (!(fcntl(fd, F_GETFL) & O_PATH))
		return fs_copy_fd(fd, -1, UINT64_MAX, n->digest, err);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int file CLEANUP(closep) = io_open_existing(AT_FDCWD, path,
						    O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (file < 0)
		return err_errno(err, errno, "cannot read");
	return fs_copy_fd(file, -1, UINT64_MAX, n->digest, err);
}

static int read_target(struct node *n, int fd, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(fd, "", target, sizeof target);

	if (len < 0 || (size_t)len == sizeof target)
		return err_errno(err, len < 0 ? errno : ENAMETOOLONG, "cannot read the link");
	n->target = xstrndup(target, (size_t)len);
	return 0;
}

static enum node_type type_of(mode_t mode)
{
	return S_ISREG(mode) ? NODE_FILE :
	       S_ISDIR(mode) ? NODE_DIR :
	       S_ISLNK(mode) ? NODE_LINK :
			       NODE_OTHER;
}

static void from_stat(struct node *n, const struct stat *st)
{
	*n = (struct node){
		.type = type_of(st->st_mode),
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
		.dev = st->st_dev,
		.ino = st->st_ino,
	};
	if (n->type == NODE_FILE)
		n->size = (uint64_t)st->st_size;
	if (n->type == NODE_OTHER) {
		n->rdev = st->st_rdev;
		n->format = st->st_mode & S_IFMT;
	}
}

int node_read_fd(struct node *ret, int fd, int want, struct err *err)
{
	struct node n CLEANUP(node_release) = NODE_INIT;
	struct stat st;

	if (fstat(fd, &st))
		return err_errno(err, errno, "cannot look at it");
	from_stat(&n, &st);
	if (n.type == NODE_LINK && read_target(&n, fd, err))
		return -1;
	if (n.type != NODE_OTHER && read_xattrs(&n, fd, err))
		return -1;
	if (n.type == NODE_FILE && (want & NODE_DIGEST) && read_digest(&n, fd, err))
		return -1;
	node_release(ret);
	*ret = n;
	n = (struct node)NODE_INIT;
	return 0;
}

static int read_opened(struct node *ret, int fd, const char *what, int want, struct err *err)
{
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_errno(err, errno, "cannot look at '%s'", what);
	if (fd < 0) {
		node_release(ret);
		return 0;
	}
	return node_read_fd(ret, fd, want, err) ? err_prefix(err, "'%s'", what) : 0;
}

int node_read(struct node *ret, const struct root *r, const char *path, int want, struct err *err)
{
	int fd CLEANUP(closep) = root_openat(r, path, O_PATH | O_NOFOLLOW, 0);

	return read_opened(ret, fd, path, want, err);
}

int node_read_at(struct node *ret, int dirfd, const char *name, int want, struct err *err)
{
	int fd CLEANUP(closep) = io_open_existing(dirfd, name, O_PATH | O_NOFOLLOW);

	return read_opened(ret, fd, name, want, err);
}

/* ---- comparing ---- */

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool node_same_fingerprint(const struct node *a, const struct node *b)
{
	return a->type == b->type && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

static bool xattr_by_kernel(const char *name)
{
	return str_eq(name, "security.evm") || str_eq(name, "security.ima");
}

static const struct xattr *xattr_find(const struct node *n, const char *name)
{
	for (size_t i = 0; i < n->xattrs_n; i++)
		if (str_eq(n->xattrs[i].name, name))
			return &n->xattrs[i];
	return NULL;
}

/* Each attribute of a that counts is the same in b. */
static bool xattrs_within(const struct node *a, const struct node *b)
{
	for (size_t i = 0; i < a->xattrs_n; i++) {
		const struct xattr *x = &a->xattrs[i], *y = xattr_find(b, x->name);
		if (xattr_by_kernel(x->name) || (!y && str_eq(x->name, "security.selinux")))
			continue;
		if (!y || x->len != y->len || memcmp(x->value, y->value, x->len))
			return false;
	}
	return true;
}

static bool same_content(const struct node *a, const struct node *b)
{
	if (a->type == NODE_LINK)
		return str_eq(a->target, b->target);
	if (a->type == NODE_OTHER)
		return a->rdev == b->rdev && a->format == b->format;
	if (a->type != NODE_FILE)
		return true;
	if (!*a->digest || !*b->digest)
		return node_same_fingerprint(a, b);
	return a->size == b->size && str_eq(a->digest, b->digest);
}

bool node_equal(const struct node *a, const struct node *b, int cmp)
{
	if (a->type != b->type)
		return false;
	if (a->type == NODE_ABSENT)
		return true;
	if (a->uid != b->uid || a->gid != b->gid || (a->type != NODE_LINK && a->mode != b->mode))
		return false;
	if ((cmp & NODE_CMP_MTIME) && a->type != NODE_DIR && !same_time(a->mtime, b->mtime))
		return false;
	return same_content(a, b) && xattrs_within(a, b) && xattrs_within(b, a);
}

/* ---- metadata back onto a file ---- */

/* The policy's own: giving it up is not possible, only changing it. */
static bool xattr_stays(const char *name)
{
	return xattr_by_kernel(name) || str_eq(name, "security.selinux");
}

static int drop_other_xattrs(const struct node *n, int fd)
{
	struct buf names CLEANUP(buf_release) = BUF_INIT;

	if (xattr_read(fd, NULL, &names))
		return errno == ENOTSUP ? 0 : -1;
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1) {
		const char *name = names.data + at;
		if (!xattr_find(n, name) && !xattr_stays(name) && io_fremovexattr(fd, name) &&
		    errno != ENODATA)
			return -1;
	}
	return 0;
}

int node_apply_meta(const struct node *n, int fd, bool set_mtime)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, n->mtime };

	if (io_fchown(fd, n->uid, n->gid) || drop_other_xattrs(n, fd))
		return -1;
	for (size_t i = 0; i < n->xattrs_n; i++) {
		const struct xattr *x = &n->xattrs[i];
		if (!xattr_by_kernel(x->name) && io_fsetxattr(fd, x->name, x->value, x->len))
			return -1;
	}
	if (io_fchmod(fd, n->mode))
		return -1;
	return set_mtime ? io_futimens(fd, times) : 0;
}

int node_apply_link_meta(const struct node *n, int dirfd, const char *name, bool set_mtime)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, n->mtime };

	if (io_fchownat(dirfd, name, n->uid, n->gid))
		return -1;
	for (size_t i = 0; i < n->xattrs_n; i++) {
		const struct xattr *x = &n->xattrs[i];
		if (!xattr_by_kernel(x->name) &&
		    io_lsetxattr(dirfd, name, x->name, x->value, x->len))
			return -1;
	}
	return set_mtime ? io_utimensat(dirfd, name, times) : 0;
}
