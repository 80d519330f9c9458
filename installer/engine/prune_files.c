/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages that were fetched: cache/SHA256, and debs/NAME.deb (.rpm and the like), which may be a
 * second name of one of them. The journal's records name the files that their kinds need for the
 * way back, by path or by digest; whatever is named in one that is kept stays.
 */
#include "engine/prune.h"

#include "backends/pkg/deps.h"
#include "base/digest.h"
#include "journal/base.h"
#include "journal/txnlog.h"
#include "sys/fs.h"

#include <errno.h>
#include <unistd.h>

static const char *const dirs[] = { "cache", "debs" };

struct fetched {
	const char *dir;
	char *name;
	uint64_t size;
	struct timespec mtime;
};

struct fetched_list {
	struct fetched *v;
	size_t n;
};

static void fetched_release(struct fetched_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
}

static bool is_package(const char *name)
{
	return digest_valid(name) || str_ends(name, ".deb") || dep_is_package(name);
}

static int open_dir(const struct state *s, const char *name)
{
	return s->fd < 0 ? -1 :
			   io_open_read(s->fd, name, O_DIRECTORY | O_NOFOLLOW);
}

/* A second name takes no space: it is counted where the first one is. */
static void list_one(struct fetched_list *l, int fd, const char *dir, const char *name)
{
	bool second = str_eq(dir, dirs[1]);
	struct stat st;

	if (!is_package(name) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISREG(st.st_mode))
		return;
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct fetched){
		.dir = dir,
		.name = xstrdup(name),
		.size = second && st.st_nlink > 1 ? 0 : (uint64_t)st.st_blocks * 512,
		.mtime = st.st_mtim,
	};
}

static int list_dir(struct fetched_list *l, const struct state *s, const char *dir, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	int fd CLEANUP(closep) = open_dir(s, dir);

	if (fd < 0)
		return 0;
	if (fs_list_fd(fd, &names, err))
		return err_prefix(err, "cannot list '%s/%s'", STATE_DIR, dir);
	for (size_t i = 0; i < names.n; i++)
		list_one(l, fd, dir, names.v[i]);
	return 0;
}

static int list_all(struct fetched_list *l, const struct state *s, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (list_dir(l, s, dirs[i], err))
			return -1;
	return 0;
}

static uint64_t usage(const struct fetched_list *l)
{
	uint64_t all = 0;

	for (size_t i = 0; i < l->n; i++)
		all += l->v[i].size;
	return all;
}

int prune_files_usage(const struct state *s, uint64_t *ret, struct err *err)
{
	struct fetched_list l CLEANUP(fetched_release) = { NULL, 0 };

	if (list_all(&l, s, err))
		return -1;
	*ret = usage(&l);
	return 0;
}

/* ---- which are named ---- */

static void collect(const struct json *j, struct strv *names)
{
	const char *text = json_string(j), *name = text ? path_basename(text) : NULL;

	if (name && is_package(name) && !strv_has(names, name))
		strv_add(names, name);
	if (json_type(j) == JSON_OBJECT || json_type(j) == JSON_ARRAY)
		for json_each(member, j)
			collect(member, names);
}

static int collect_base(const struct state *s, struct strv *names, struct err *err)
{
	struct json *base CLEANUP(json_freep) = NULL;

	if (base_read(s, &base, err))
		return -1;
	if (base)
		collect(base, names);
	return 0;
}

static int collect_txn(const struct state *s, unsigned int id, struct strv *names, struct err *err)
{
	struct txn_summary t;

	if (!txnlog_exists(s, id))
		return 0;
	if (txnlog_read(s, id, &t, err))
		return -1;
	if (t.prepared)
		collect(t.prepared, names);
	txn_summary_release(&t);
	return 0;
}

static int collect_all(const struct state *s, struct strv *names, struct err *err)
{
	unsigned int newest;

	if (txnlog_newest(s, &newest, err) || collect_base(s, names, err))
		return -1;
	for (unsigned int id = s->pruned + 1; id <= newest; id++)
		if (collect_txn(s, id, names, err))
			return -1;
	return 0;
}

/* ---- the oldest go ---- */

static int older_first(const void *a, const void *b)
{
	const struct fetched *x = a, *y = b;

	if (x->mtime.tv_sec != y->mtime.tv_sec)
		return x->mtime.tv_sec < y->mtime.tv_sec ? -1 : 1;
	return (x->mtime.tv_nsec > y->mtime.tv_nsec) - (x->mtime.tv_nsec < y->mtime.tv_nsec);
}

static int remove_one(const struct state *s, const struct fetched *f, struct err *err)
{
	int fd CLEANUP(closep) = open_dir(s, f->dir);

	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s/%s'", STATE_DIR, f->dir);
	return fs_unlink(fd, f->name, err);
}

int prune_files(struct state *s, uint64_t most, struct err *err)
{
	struct fetched_list l CLEANUP(fetched_release) = { NULL, 0 };
	struct strv named CLEANUP(strv_release) = STRV_INIT;
	uint64_t left;

	if (list_all(&l, s, err))
		return -1;
	left = usage(&l);
	if (left <= most || collect_all(s, &named, err))
		return left <= most ? 0 : -1;
	qsort(l.v, l.n, sizeof(*l.v), older_first);
	for (size_t i = 0; i < l.n && left > most; i++) {
		if (strv_has(&named, l.v[i].name))
			continue;
		if (remove_one(s, &l.v[i], err))
			return -1;
		left -= l.v[i].size;
	}
	return 0;
}
