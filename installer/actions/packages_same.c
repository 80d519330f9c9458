/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a package file the one that is installed? Of what others installed nobody knows the hash of
 * its file, and one of the same version may be another build. So the file counts as the way back
 * only if what is in it is what dpkg lists and what is there, by content; conffiles are the
 * administrator's.
 */
#include "actions/packages_data.h"

#include "sys/node.h"

enum { LIST_MAX = 4 * 1024 * 1024 };

struct same {
	const struct action_ctx *ctx;
	const struct deb *deb;
	struct strv conffiles;
	size_t members;			/* found in both, directories aside */
};

static bool is_same(const struct node *here, const struct deb_member *m)
{
	return m->type == 'f' ? here->type == NODE_FILE && str_eq(here->digest, m->sha256) :
				here->type == NODE_LINK && str_eq(here->target, m->target);
}

/* What is not there now was left out by dpkg (path-exclude), and will be again. */
static int compare(struct same *s, const char *path, bool *ret, struct err *err)
{
	const struct deb_member *m = deb_find(s->deb, path);
	struct node here CLEANUP(node_release) = NODE_INIT;

	if (node_read(&here, s->ctx->root, path, NODE_DIGEST, err))
		return -1;
	/* a directory there may be a link here: /lib */
	*ret = here.type == NODE_ABSENT || strv_has(&s->conffiles, path) ||
	       (m && (m->type == 'd' || is_same(&here, m)));
	s->members += m && m->type != 'd';
	return 0;
}

static int compare_all(struct same *s, const struct strv *paths, bool *ret, struct err *err)
{
	*ret = true;
	for (size_t i = 0; i < paths->n && *ret; i++)
		if (!str_empty(paths->v[i]) && !str_eq(paths->v[i], "/.") &&
		    compare(s, paths->v[i], ret, err))
			return -1;
	return 0;
}

/* Members of the file that are no directories; it may have some that dpkg does not list. */
static size_t count_members(const struct deb *deb)
{
	size_t n = 0;

	for (size_t i = 0; i < deb->n; i++)
		n += deb->v[i].type != 'd';
	return n;
}

static int compare_file(struct same *s, const char *file, const struct strv *paths, bool *ret,
			struct err *err)
{
	struct deb deb CLEANUP(deb_release) = { 0 };

	if (packages_list(s->ctx->root, file, &deb, err))
		return -1;
	s->deb = &deb;
	if (compare_all(s, paths, ret, err))
		return -1;
	*ret = *ret && s->members == count_members(&deb);
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
	struct strv paths CLEANUP(strv_release) = STRV_INIT;
	struct buf status CLEANUP(buf_release) = BUF_INIT;
	struct same s = { .ctx = ctx };
	int r;

	*ret = true;
	if (dpkgdb_read(ctx->root, &status, err))
		return -1;
	if (!has_files(&status, name))
		return 0;
	if (list_files(ctx, name, &paths, err))
		return -1;
	packages_conffiles(&status, name, &s.conffiles);
	r = compare_file(&s, file, &paths, ret, err);
	strv_release(&s.conffiles);
	return r;
}
