/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define STATE "var/lib/sysboxup"

char *textf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

_Noreturn void die(const char *what, const char *subject)
{
	fprintf(stderr, "crashmodel: cannot %s '%s': %s\n", what, subject, strerror(errno));
	exit(2);
}

void *must(void *memory)
{
	return memory ? memory : (abort(), NULL);
}

/* ---- reading ---- */

struct scan {
	struct fs *fs;
	struct places *places;
};

static void scan_file(struct fs *f, int inode, const char *path, size_t size)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *data = must(malloc(size + 1));

	if (fd < 0 || read(fd, data, size) != (ssize_t)size)
		die("read", path);
	fs_write(f, inode, data, size, 0);
	free(data);
	close(fd);
}

static void scan_attrs(struct fs *f, int inode, const char *path)
{
	char list[4096], value[4096];
	ssize_t n = llistxattr(path, list, sizeof(list));

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(list + at) + 1) {
		ssize_t len = lgetxattr(path, list + at, value, sizeof(value));
		if (len >= 0)
			fs_set_attr(f, inode, list + at, value, (size_t)len);
	}
}

static int scan_path(struct scan *s, const char *path);

static void scan_dir(struct scan *s, int inode, const char *path)
{
	DIR *d = opendir(path);

	if (!d)
		die("list", path);
	for (struct dirent *e; (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		char *below = textf("%s/%s", path, e->d_name);
		fs_enter(s->fs, inode, e->d_name, scan_path(s, below));
		free(below);
	}
	closedir(d);
}

static int scan_known(const struct scan *s, const struct stat *st)
{
	for (size_t i = 0; st->st_nlink > 1 && !S_ISDIR(st->st_mode) && i < s->places->n; i++)
		if (s->places->v[i].ino == st->st_ino && s->places->v[i].dev == st->st_dev)
			return s->places->v[i].inode;
	return NO_INODE;
}

static int scan_path(struct scan *s, const char *path)
{
	char target[PATH_MAX];
	struct stat st;
	int inode;

	if (lstat(path, &st))
		die("look at", path);
	if ((inode = scan_known(s, &st)) >= 0)
		return inode;
	inode = fs_add(s->fs, &(struct inode){ .mode = st.st_mode, .uid = st.st_uid,
					       .gid = st.st_gid, .rdev = st.st_rdev,
					       .mtime = st.st_mtim });
	s->places->v = must(realloc(s->places->v, (s->places->n + 1) * sizeof(*s->places->v)));
	s->places->v[s->places->n++] = (struct place){ st.st_dev, st.st_ino, inode };
	scan_attrs(s->fs, inode, path);
	if (S_ISREG(st.st_mode))
		scan_file(s->fs, inode, path, (size_t)st.st_size);
	else if (S_ISLNK(st.st_mode))
		fs_write(s->fs, inode, target, (size_t)readlink(path, target, sizeof(target)), 0);
	else if (S_ISDIR(st.st_mode))
		scan_dir(s, inode, path);
	return inode;
}

void disk_scan(struct fs *ret, struct places *ret_places, const char *root)
{
	struct places places = { 0 };
	struct scan s = { ret, &places };

	fs_release(ret);
	scan_path(&s, root);
	if (ret_places)
		*ret_places = places;
	else
		free(places.v);
}

/* ---- writing ---- */

static void make_file(const struct inode *n, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t len = n->data ? n->data->len : 0;

	if (fd < 0 || (len && write(fd, bytes_data(n->data), len) != (ssize_t)len) || close(fd))
		die("write", path);
}

static void make_node(const struct inode *n, const char *path)
{
	if (S_ISREG(n->mode)) {
		make_file(n, path);
	} else if (S_ISLNK(n->mode)) {
		char *target = must(strndup(bytes_data(n->data), n->data->len));
		if (symlink(target, path))
			die("make the link", path);
		free(target);
	} else if (S_ISDIR(n->mode)) {
		if (mkdir(path, 0700))
			die("make the directory", path);
	} else if (mknod(path, n->mode, n->rdev)) {
		die("make", path);
	}
}

static void make_meta(const struct inode *n, const char *path)
{
	struct timespec times[2] = { n->mtime, n->mtime };

	if (lchown(path, n->uid, n->gid))
		die("change the owner of", path);
	for (const struct attr *a = n->attrs; a; a = a->next)
		if (lsetxattr(path, a->name, a->value->data, a->value->len, 0))
			die("set an attribute of", path);
	if (!S_ISLNK(n->mode) && chmod(path, n->mode & 07777))
		die("change the mode of", path);
	if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW))
		die("set the times of", path);
}

static void make_below(const struct fs *f, int at, const char *path, char **made)
{
	const struct dir *d = f->v[at].dir;

	for (size_t i = 0; d && i < d->n; i++) {
		int inode = d->v[i].inode;
		char *below = textf("%s/%s", path, d->v[i].name);
		if (made[inode]) {	/* another name of it; a directory has but one */
			if (!S_ISDIR(f->v[inode].mode) && link(made[inode], below))
				die("link", below);
			free(below);
			continue;
		}
		make_node(&f->v[inode], below);
		made[inode] = below;
		make_below(f, inode, below, made);
		make_meta(&f->v[inode], below);
	}
}

void disk_make(const struct fs *f, const char *root)
{
	char **made = must(calloc(f->n + 1, sizeof(*made)));

	make_below(f, 0, root, made);
	make_meta(&f->v[0], root);
	for (size_t i = 0; i < f->n; i++)
		free(made[i]);
	free(made);
}

void disk_clear(const char *root)
{
	DIR *d = opendir(root);

	if (!d)
		die("list", root);
	for (struct dirent *e; (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		char *below = textf("%s/%s", root, e->d_name);
		if (e->d_type == DT_DIR) {
			disk_clear(below);
			if (rmdir(below))
				die("remove", below);
		} else if (unlink(below)) {
			die("remove", below);
		}
		free(below);
	}
	closedir(d);
}

/* ---- comparing ---- */

struct diff {
	const struct fs *a, *b;
	int how;
};

static bool same_bytes(struct bytes *a, struct bytes *b)
{
	size_t len = a ? a->len : 0;

	return len == (b ? b->len : 0) &&
	       (!len || a == b || !memcmp(bytes_data(a), bytes_data(b), len));
}

static bool same_attrs(const struct attr *a, const struct attr *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (a->name != b->name || !same_bytes(a->value, b->value))
			return false;
	return !a && !b;
}

static int line_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines in another order mean the same in the account files, that is all that is forgiven. */
static char *sorted_lines(struct bytes *b)
{
	char *text = must(strndup(b ? bytes_data(b) : "", b ? b->len : 0)), *rest = text, *line;
	char **lines = must(calloc(strlen(text) + 2, sizeof(*lines))), *ret = must(strdup(""));
	size_t n = 0;

	while ((line = strsep(&rest, "\n")))
		lines[n++] = line;
	qsort(lines, n, sizeof(*lines), line_order);
	for (size_t i = 0; i < n; i++) {
		char *more = textf("%s%s\n", ret, lines[i]);
		free(ret);
		ret = more;
	}
	free(lines);
	free(text);
	return ret;
}

static bool same_meaning(struct bytes *a, struct bytes *b)
{
	char *x = sorted_lines(a), *y = sorted_lines(b);
	bool same = !strcmp(x, y);

	free(x);
	free(y);
	return same;
}

/* hostdiff's table: the files that shadow's tools and we edit entry by entry. */
static bool has_meaning(const char *path)
{
	static const char *const paths[] = { "/etc/passwd", "/etc/group", "/etc/shadow",
					     "/etc/gshadow", "/etc/subuid", "/etc/subgid" };

	for (size_t i = 0; i < COUNT(paths); i++)
		if (!strcmp(path, paths[i]))
			return true;
	return false;
}

static const char *node_differs(const struct diff *d, const struct inode *a, const struct inode *b,
				const char *path)
{
	bool meaning = has_meaning(path);

	if (a->mode != b->mode)
		return "type or mode";
	if (a->uid != b->uid || a->gid != b->gid)
		return "owner";
	if (a->rdev != b->rdev)
		return "device";
	if (!same_attrs(a->attrs, b->attrs))
		return "extended attributes";
	if (meaning ? !same_meaning(a->data, b->data) : !same_bytes(a->data, b->data))
		return S_ISLNK(a->mode) ? "target" : "content";
	if ((d->how & DIFF_TIMES) && !S_ISDIR(a->mode) && !meaning &&
	    (a->mtime.tv_sec != b->mtime.tv_sec || a->mtime.tv_nsec != b->mtime.tv_nsec))
		return "mtime";
	return NULL;
}

/* Of our own state: who runs now, and the lock's file, are no part of it. */
static bool is_skipped(const struct diff *d, const char *path)
{
	static const char *const runs[] = { "/" STATE "/run", "/" STATE "/.run.other",
					    "/" STATE "/lock" };

	if (!(d->how & DIFF_STATE))
		return !strcmp(path, "/" STATE);
	for (size_t i = 0; i < COUNT(runs); i++)
		if (!strcmp(path, runs[i]))
			return true;
	return false;
}

static char *diff_at(const struct diff *d, int a, int b, const char *path);

/* Two sorted lists at once. */
static char *diff_dirs(const struct diff *d, const struct dir *a, const struct dir *b,
		       const char *path)
{
	size_t i = 0, k = 0, an = a ? a->n : 0, bn = b ? b->n : 0;
	char *found = NULL;

	while (!found && (i < an || k < bn)) {
		int c = i == an ? 1 : k == bn ? -1 : strcmp(a->v[i].name, b->v[k].name);
		char *below = textf("%s/%s", path, c <= 0 ? a->v[i].name : b->v[k].name);
		if (!is_skipped(d, below))
			found = c < 0 ? textf("%s is missing", below) :
				c > 0 ? textf("%s is left", below) :
					diff_at(d, a->v[i].inode, b->v[k].inode, below);
		i += c <= 0;
		k += c >= 0;
		free(below);
	}
	return found;
}

static char *diff_at(const struct diff *d, int a, int b, const char *path)
{
	const char *what = node_differs(d, &d->a->v[a], &d->b->v[b], path);

	if (what)
		return textf("%s: %s", *path ? path : "/", what);
	return diff_dirs(d, d->a->v[a].dir, d->b->v[b].dir, path);
}

char *disk_diff(const struct fs *a, const struct fs *b, int how)
{
	struct diff d = { a, b, how };

	return diff_at(&d, 0, 0, "");
}
