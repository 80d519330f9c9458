/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small directory tree in memory, to put it back and to compare it many times: names, types,
 * modes, owners, devices, contents, links, numbers of hard links, times, extended attributes (ACLs
 * are such). Running out of anything ends the program.
 */
#ifndef TOOLS_TREE_H
#define TOOLS_TREE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct tree_node {
	char *path;			/* below the top: "etc/passwd"; "" is the top */
	struct stat st;
	char *data;			/* content of a file, target of a link */
	size_t len;
	char *xattrs;			/* name, NUL, length (size_t), value, and so on; sorted by name */
	size_t xattrs_len;
};

struct tree {
	struct tree_node *v;		/* sorted by path: parents first */
	size_t n;
};

static inline void tree_die(const char *what, const char *path)
{
	fprintf(stderr, "%s '%s': %s\n", what, path, strerror(errno));
	exit(2);
}

static inline void *tree_must(void *memory)
{
	if (!memory)
		tree_die("no memory for", "a tree");
	return memory;
}

static inline void tree_release(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].path);
		free(t->v[i].data);
		free(t->v[i].xattrs);
	}
	free(t->v);
	*t = (struct tree){ 0 };
}

/* ---- reading ---- */

static inline int tree_by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline int tree_by_path(const void *a, const void *b)
{
	return strcmp(((const struct tree_node *)a)->path, ((const struct tree_node *)b)->path);
}

static inline void tree_read_xattrs(struct tree_node *n, const char *path)
{
	char names[4096], value[65536];
	const char *sorted[64];
	size_t count = 0;
	ssize_t len = llistxattr(path, names, sizeof(names));

	if (len < 0 && errno != ENOTSUP)
		tree_die("cannot list attributes of", path);
	for (ssize_t at = 0; at < len && count < 64; at += (ssize_t)strlen(names + at) + 1)
		sorted[count++] = names + at;
	qsort(sorted, count, sizeof(*sorted), tree_by_name);
	for (size_t i = 0; i < count; i++) {
		ssize_t got = lgetxattr(path, sorted[i], value, sizeof(value));
		size_t name_len = strlen(sorted[i]) + 1, size = (size_t)got;
		if (got < 0)
			tree_die("cannot read attributes of", path);
		n->xattrs = tree_must(realloc(n->xattrs,
					      n->xattrs_len + name_len + sizeof(size) + size));
		char *to = n->xattrs + n->xattrs_len;
		to = mempcpy(to, sorted[i], name_len);
		to = mempcpy(to, &size, sizeof(size));
		memcpy(to, value, size);
		n->xattrs_len += name_len + sizeof(size) + size;
	}
}

static inline void tree_read_content(struct tree_node *n, const char *path)
{
	n->len = (size_t)n->st.st_size;
	n->data = tree_must(malloc(n->len + 1));
	if (S_ISLNK(n->st.st_mode)) {
		if (readlink(path, n->data, n->len) != (ssize_t)n->len)
			tree_die("cannot read link", path);
		return;
	}
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || read(fd, n->data, n->len) != (ssize_t)n->len)
		tree_die("cannot read", path);
	close(fd);
}

static inline struct tree_node *tree_add(struct tree *t, const char *below)
{
	if (!(t->n & (t->n - 1)))
		t->v = tree_must(reallocarray(t->v, t->n ? 2 * t->n : 1, sizeof(*t->v)));
	t->v[t->n] = (struct tree_node){ .path = tree_must(strdup(below)) };
	return &t->v[t->n++];
}

static inline void tree_read_below(struct tree *t, const char *top, const char *below)
{
	char path[4096];
	struct tree_node *n = tree_add(t, below);

	snprintf(path, sizeof(path), "%s%s%s", top, *below ? "/" : "", below);
	if (lstat(path, &n->st))
		tree_die("cannot read", path);
	tree_read_xattrs(n, path);
	if (S_ISREG(n->st.st_mode) || S_ISLNK(n->st.st_mode))
		tree_read_content(n, path);
	if (!S_ISDIR(n->st.st_mode))
		return;
	DIR *dir = opendir(path);
	if (!dir)
		tree_die("cannot open", path);
	for (struct dirent *e; (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", below, *below ? "/" : "", e->d_name);
		tree_read_below(t, top, path);
	}
	closedir(dir);
}

static inline struct tree tree_read(const char *top)
{
	struct tree t = { 0 };

	tree_read_below(&t, top, "");
	qsort(t.v, t.n, sizeof(*t.v), tree_by_path);
	return t;
}

/* ---- putting it back ---- */

/* What is below top, on its own file system; top stays. */
static inline void tree_clear(const char *top, dev_t dev)
{
	char path[4096];
	DIR *dir = opendir(top);

	if (!dir)
		tree_die("cannot open", top);
	for (struct dirent *e; (e = readdir(dir));) {
		struct stat st;
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", top, e->d_name);
		if (lstat(path, &st))
			tree_die("cannot read", path);
		if (st.st_dev != dev) {
			errno = EXDEV;
			tree_die("a mount is in the way at", path);
		}
		if (S_ISDIR(st.st_mode))
			tree_clear(path, dev);
		if (S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path))
			tree_die("cannot remove", path);
	}
	closedir(dir);
}

static inline void tree_write_file(const struct tree_node *n, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, n->data, n->len) != (ssize_t)n->len || close(fd))
		tree_die("cannot write", path);
}

static inline void tree_write_meta(const struct tree_node *n, const char *path)
{
	const struct timespec times[2] = { n->st.st_atim, n->st.st_mtim };

	if (lchown(path, n->st.st_uid, n->st.st_gid) ||
	    (!S_ISLNK(n->st.st_mode) && chmod(path, n->st.st_mode & 07777)))
		tree_die("cannot set owner and mode of", path);
	for (const char *at = n->xattrs, *end = at + n->xattrs_len; at < end;) {
		const char *name = at;
		size_t size;
		at += strlen(name) + 1;
		memcpy(&size, at, sizeof(size));
		at += sizeof(size);
		if (lsetxattr(path, name, at, size, 0))
			tree_die("cannot set attributes of", path);
		at += size;
	}
	if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW))
		tree_die("cannot set times of", path);
}

/* An earlier node of the same inode, or NULL. */
static inline const struct tree_node *tree_twin(const struct tree *t, size_t i)
{
	for (size_t j = 0; t->v[i].st.st_nlink > 1 && j < i; j++)
		if (t->v[j].st.st_ino == t->v[i].st.st_ino && !S_ISDIR(t->v[i].st.st_mode))
			return &t->v[j];
	return NULL;
}

static inline void tree_make(const struct tree *t, size_t i, const char *top, const char *path)
{
	const struct tree_node *n = &t->v[i], *twin = tree_twin(t, i);
	char other[4096], target[4096];
	int r;

	if (twin) {
		snprintf(other, sizeof(other), "%s/%s", top, twin->path);
		r = link(other, path);
	} else if (S_ISREG(n->st.st_mode)) {
		tree_write_file(n, path);
		r = 0;
	} else if (S_ISLNK(n->st.st_mode)) {
		snprintf(target, sizeof(target), "%.*s", (int)n->len, n->data);
		r = symlink(target, path);
	} else if (S_ISDIR(n->st.st_mode)) {
		r = *n->path ? mkdir(path, 0700) : 0;
	} else {
		r = mknod(path, n->st.st_mode, n->st.st_rdev);
	}
	if (r)
		tree_die("cannot make", path);
}

/* top exists; it holds nothing else afterwards. */
static inline void tree_write(const struct tree *t, const char *top)
{
	char path[4096];
	struct stat st;

	if (lstat(top, &st))
		tree_die("cannot read", top);
	tree_clear(top, st.st_dev);
	for (size_t i = 0; i < t->n; i++) {
		snprintf(path, sizeof(path), "%s/%s", top, t->v[i].path);
		tree_make(t, i, top, path);
	}
	for (size_t i = t->n; i-- > 0;) {	/* times of directories last */
		snprintf(path, sizeof(path), "%s/%s", top, t->v[i].path);
		tree_write_meta(&t->v[i], path);
	}
}

/* ---- comparing ---- */

static inline const char *tree_node_differs(const struct tree_node *a, const struct tree_node *b,
					    bool times)
{
	if (a->st.st_mode != b->st.st_mode)
		return "mode";
	if (a->st.st_uid != b->st.st_uid || a->st.st_gid != b->st.st_gid)
		return "owner";
	if (a->st.st_rdev != b->st.st_rdev)
		return "device";
	if (a->len != b->len || (a->len && memcmp(a->data, b->data, a->len)))
		return "content";
	if (a->xattrs_len != b->xattrs_len ||
	    (a->xattrs_len && memcmp(a->xattrs, b->xattrs, a->xattrs_len)))
		return "attributes";
	if (S_ISDIR(a->st.st_mode))
		return NULL;
	if (a->st.st_nlink != b->st.st_nlink)
		return "links";
	if (times && (a->st.st_mtim.tv_sec != b->st.st_mtim.tv_sec ||
		      a->st.st_mtim.tv_nsec != b->st.st_mtim.tv_nsec))
		return "time";
	return NULL;
}

/*
 * The first difference, said in ret, or false. `skip` (may be NULL) says of a path that it, and
 * whatever it is, does not count. Times of directories never do.
 */
static inline bool tree_differs(const struct tree *a, const struct tree *b, bool times,
				bool (*skip)(const char *path), char *ret, size_t size)
{
	for (size_t i = 0, j = 0; i < a->n || j < b->n;) {
		int order = i == a->n ? 1 : j == b->n ? -1 : strcmp(a->v[i].path, b->v[j].path);
		const struct tree_node *x = order <= 0 ? &a->v[i++] : NULL;
		const struct tree_node *y = order >= 0 ? &b->v[j++] : NULL;
		const char *path = (x ? x : y)->path, *what;

		if (skip && skip(path))
			continue;
		what = !x ? "only there now" : !y ? "missing now" : tree_node_differs(x, y, times);
		if (!what)
			continue;
		snprintf(ret, size, "/%s: %s", path, what);
		return true;
	}
	return false;
}

#endif
