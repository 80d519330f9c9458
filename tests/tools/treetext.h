/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree as text, a line a path, for comparing in a few hundred microseconds: type, mode, owner,
 * device, size, links, time and content of files, targets of links, extended attributes. Made by
 * the same program only: contents are named by a hash that nobody else knows.
 */
#ifndef TREETEXT_H
#define TREETEXT_H

#include "writelog.h"

#include <fts.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/xattr.h>

struct text {
	char *v;
	size_t len, room;
};

__attribute__((format(printf, 2, 3))) static inline void add(struct text *t, const char *format,
							     ...)
{
	va_list args;
	int n;

	if (t->room - t->len < 8192) {
		t->room = t->room ? 2 * t->room : 1 << 16;
		t->v = realloc(t->v, t->room);
		if (!t->v)
			abort();
	}
	va_start(args, format);
	n = vsnprintf(t->v + t->len, t->room - t->len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= t->room - t->len)
		abort();
	t->len += (size_t)n;
}

static inline uint64_t hash(uint64_t h, const void *bytes, size_t len)
{
	const char *p = bytes;
	uint64_t word;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = log_mix(h ^ word);
	}
	word = len;
	memcpy(&word, p, len);
	return log_mix(h ^ word ^ (len << 56));
}

static inline uint64_t hash_file(const char *path)
{
	static char chunk[1 << 18];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME | O_NOFOLLOW);
	uint64_t h = 1;
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		h = hash(h, chunk, (size_t)n);
	close(fd);
	return n < 0 ? 0 : h;	/* unreadable: as no other file */
}

static inline void add_xattrs(struct text *t, const char *path)
{
	char names[4096], value[4096];
	ssize_t len = llistxattr(path, names, sizeof(names));

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t n = lgetxattr(path, names + at, value, sizeof(value));

		add(t, " %s=%016" PRIx64, names + at, n < 0 ? 0 : hash(2, value, (size_t)n));
	}
}

/* Kept by entry, not by file: their times belong to the last who changed any (DESIGN.md, "exactly
 * as before", b). */
static inline bool is_untimed(const char *inside)
{
	static const char *const paths[] = { "/etc/passwd", "/etc/group",  "/etc/shadow",
					     "/etc/gshadow", "/etc/subuid", "/etc/subgid" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (!strcmp(paths[i], inside))
			return true;
	return false;
}

/* Size and times of a directory are its past, not its content. */
static inline void add_node(struct text *t, const char *path, const char *inside,
			    const struct stat *st)
{
	char link[4096] = "-";

	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlink(path, link, sizeof(link) - 1);
		link[n < 0 ? 0 : n] = '\0';
	}
	add(t, "%s\t%06o %u:%u %lu", inside, st->st_mode, st->st_uid, st->st_gid, st->st_rdev);
	if (!S_ISDIR(st->st_mode))
		add(t, " %ld links %lu", st->st_size, st->st_nlink);
	if (!S_ISDIR(st->st_mode) && !is_untimed(inside))
		add(t, " at %ld.%09ld", st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (S_ISREG(st->st_mode))
		add(t, " %016" PRIx64, hash_file(path));
	add(t, " %s", link);
	add_xattrs(t, path);
	add(t, "\n");
}

static inline int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static inline void snap(const char *root, struct text *t)
{
	char *roots[] = { strdup(root), NULL };
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, by_name);
	size_t len = strlen(root);

	t->len = 0;
	add(t, "%s", "");
	if (!walk)
		log_die(root);
	for (FTSENT *e; (e = fts_read(walk));) {
		const char *inside = e->fts_path[len] ? e->fts_path + len : "/";

		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
			add(t, "%s\tunreadable: %s\n", inside, strerror(e->fts_errno));
		else if (e->fts_info != FTS_DP)
			add_node(t, e->fts_path, inside, e->fts_statp);
	}
	fts_close(walk);
	free(roots[0]);
}

/* Without the lines of what is below path. */
static inline void strip(struct text *t, const char *path)
{
	size_t len = strlen(path), kept = 0;

	for (char *line = t->v, *end; *line; line = end) {
		end = strchr(line, '\n') + 1;
		if (!strncmp(line, path, len) && (line[len] == '/' || line[len] == '\t'))
			continue;
		memmove(t->v + kept, line, (size_t)(end - line));
		kept += (size_t)(end - line);
	}
	t->v[t->len = kept] = '\0';
}

static inline bool same(const struct text *a, const struct text *b)
{
	return a->len == b->len && !memcmp(a->v, b->v, a->len);
}

/* The first lines in which they differ. */
static inline void show_difference(const char *what, const char *a, const char *b)
{
	while (*a && *b) {
		size_t len_a = strcspn(a, "\n"), len_b = strcspn(b, "\n");

		if (len_a != len_b || memcmp(a, b, len_a))
			break;
		a += len_a + 1;
		b += len_b + 1;
	}
	fprintf(stderr, "\t%s:\n\t\t%.*s\n\t\t%.*s\n", what, (int)strcspn(a, "\n"), a,
		(int)strcspn(b, "\n"), b);
}

#endif
