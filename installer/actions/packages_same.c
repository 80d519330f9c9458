/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a package file the one that is installed? Of what others installed nobody knows the hash of
 * its file, and one of the same version may be another build. So the file counts as the way back
 * only if what is in it is what dpkg lists and what is there, by content; conffiles are the
 * administrator's.
 */
#include "actions/packages_data.h"

#include "sys/fs.h"
#include "sys/node.h"

enum { LIST_MAX = 4 * 1024 * 1024 };

#define STAGE "same"

struct same {
	const struct action_ctx *ctx;
	const char *dir;		/* the file unpacked, inside the root */
	struct strv conffiles;
	size_t members;			/* found in both, directories aside */
};

static bool is_same(const struct node *a, const struct node *b)
{
	return a->type == b->type && str_eq(a->digest, b->digest) && str_eq(a->target, b->target);
}

/* What is not there now was left out by dpkg (path-exclude), and will be again. */
static int compare(struct same *s, const char *path, bool *ret, struct err *err)
{
	struct node here CLEANUP(node_release) = NODE_INIT, in CLEANUP(node_release) = NODE_INIT;
	char *inside CLEANUP(freep) = xasprintf("%s%s", s->dir, path);

	if (node_read(&here, s->ctx->root, path, NODE_DIGEST, err) ||
	    node_read(&in, s->ctx->root, inside, NODE_DIGEST, err))
		return -1;
	/* a directory there may be a link here: /lib */
	*ret = in.type == NODE_DIR || here.type == NODE_ABSENT ||
	       strv_has(&s->conffiles, path) || is_same(&here, &in);
	s->members += in.type != NODE_DIR && in.type != NODE_ABSENT;
	return 0;
}

static int compare_all(struct same *s, const struct strv *paths, bool *ret, struct err *err)
{
	*ret = true;
	for (size_t i = 0; i < paths->n && *ret; i++)
		if (paths->v[i][0] == '/' && compare(s, paths->v[i], ret, err))
			return -1;
	return 0;
}

/* Members of the file that are no directories; it may have some that dpkg does not list. */
static size_t count_members(const char *contents)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	size_t n = 0;

	str_split(&lines, contents, '\n');
	for (size_t i = 0; i < lines.n; i++)
		n += *lines.v[i] && *lines.v[i] != 'd';
	return n;
}

static int compare_file(struct same *s, const char *file, const struct strv *paths, bool *ret,
			struct err *err)
{
	char *outside CLEANUP(freep) = root_outside(s->ctx->root, s->dir);
	struct buf contents CLEANUP(buf_release) = BUF_INIT,
			    nothing CLEANUP(buf_release) = BUF_INIT;
	bool ok, unpacked;

	if (dpkg_deb("--contents", file, NULL, &contents, &ok, err) ||
	    dpkg_deb("--extract", file, outside, &nothing, &unpacked, err))
		return -1;
	if (!ok || !unpacked)
		return err_set(err, ERR_REFUSED, "'%s' is not a package that dpkg can read", file);
	if (compare_all(s, paths, ret, err))
		return -1;
	*ret = *ret && s->members == count_members(contents.data);
	return 0;
}

static int list_files(const struct action_ctx *ctx, const char *name, struct strv *ret,
		      struct err *err)
{
	char *path CLEANUP(freep) = xasprintf(DPKG_DIR "/info/%s.list", name);
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (root_read(ctx->root, path, LIST_MAX, &text, err))
		return -1;
	str_split(ret, text.data, '\n');
	return 0;
}

/* Of one that is removed only conffiles are left. */
static bool has_files(const struct buf *status, const char *name)
{
	char *state CLEANUP(freep) = NULL;
	struct stanza s;

	return dpkgdb_find(status, name, &s) && stanza_status(&s, NULL, NULL, &state) &&
	       str_eq(state, "installed");
}

int packages_is_installed(const struct action_ctx *ctx, const char *file, const char *name,
			  bool *ret, struct err *err)
{
	char *dir CLEANUP(freep) = xasprintf(STATE_DIR "/txn/%06u/stage/" STAGE, ctx->log->id);
	struct strv paths CLEANUP(strv_release) = STRV_INIT;
	struct buf status CLEANUP(buf_release) = BUF_INIT;
	struct same s = { .ctx = ctx, .dir = dir };
	int stage CLEANUP(closep) = -1;
	int r;

	*ret = true;
	if (dpkgdb_read(ctx->root, &status, err))
		return -1;
	if (!has_files(&status, name))
		return 0;
	if (list_files(ctx, name, &paths, err) || txnlog_stage(ctx->log, &stage, err))
		return -1;
	packages_conffiles(&status, name, &s.conffiles);
	r = compare_file(&s, file, &paths, ret, err);
	strv_release(&s.conffiles);
	return r || fs_remove_tree(stage, STAGE, err) ? -1 : 0;
}
