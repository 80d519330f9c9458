/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "labels": the SELinux labels of what this transaction makes in an image, by the policy that
 * is in it. The kernel of a machine that has none gives new files no label. setfiles is the
 * builder's own program; what lies outside of the tree is read-only to it, wherever a link in the
 * tree may lead. There is nothing to undo: what was there before keeps its label (sys/node.h), and
 * what is new goes.
 */
#include "actions/kinds.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/memfile.h"
#include "sys/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60, POLL_MS = 10, WORDS_MAX = 512 };

struct labels_data {
	char *spec;		/* the policy's file_contexts, inside the root */
	struct strv paths;	/* inside the root, what is below them included */
};

extern const struct action_ops labels_ops;

static void labels_release(struct action *a)
{
	struct labels_data *d = a->data;

	free(d->spec);
	strv_release(&d->paths);
	free(d);
}

struct action *action_labels(const char *step, const char *spec, const struct strv *paths)
{
	struct labels_data *d = xcalloc(1, sizeof(*d));

	d->spec = xstrdup(spec);
	strv_addv(&d->paths, (const char *const *)paths->v);
	return action_new(&labels_ops, "labels:selinux", step, RANK_LATE, d);
}

static int nothing(struct action *a, struct action_ctx *ctx, struct err *err)
{
	return 0;
}

/* The root as every process sees it: it may have been given relative to a directory of ours. */
static char *root_real(const struct root *r)
{
	char *link CLEANUP(freep) = xasprintf("/proc/self/fd/%d", r->fd);
	char path[4096];
	ssize_t n = readlink(link, path, sizeof(path) - 1);

	return n < 0 ? NULL : xstrndup(path, (size_t)n);
}

/* No part of it but the last is a link. */
static int add_path(struct strv *argv, const struct root *r, const char *top, const char *path,
		    struct err *err)
{
	int dir CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL, *real CLEANUP(freep) = NULL;

	if (root_parent(r, path, false, &dir, &name, &real, err))
		return -1;
	strv_addf(argv, "%s%s", top, real);
	return 0;
}

static int make_argv(const struct labels_data *d, const struct root *r, const char *top,
		     struct strv *argv, struct err *err)
{
	static const char *const words[] = { "setfiles", "-F", "-r", NULL };

	strv_addv(argv, words);
	strv_add(argv, top);
	if (add_path(argv, r, top, d->spec, err))
		return -1;
	for (size_t i = 0; i < d->paths.n; i++)
		if (root_exists(r, d->paths.v[i]) && add_path(argv, r, top, d->paths.v[i], err))
			return -1;
	return 0;
}

static int complain(int output, const char *why, struct err *err)
{
	struct buf words CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	char shown[WORDS_MAX];

	(void)memfile_tail(output, WORDS_MAX / 2, &words, &ignored);
	err_quote(shown, sizeof(shown), str_trim(words.data));
	err_set(err, ERR_FAILED, "setfiles %s: %s", why, shown);
	return err_remedy(
		err,
		"take setfiles (policycoreutils) away from this machine: then the image labels itself when it boots");
}

static int wait_for(struct sandbox_run *run, int output, struct err *err)
{
	uint64_t deadline = clock_boot_ms() + SECONDS * 1000;

	while (!sandbox_ended(run)) {
		if (clock_boot_ms() >= deadline)
			return complain(output, "did not end", err);
		clock_pause_ms(POLL_MS);
	}
	return WIFEXITED(run->status) && !WEXITSTATUS(run->status) ?
		       0 :
		       complain(output, "failed", err);
}

static int labels_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	struct sandbox_run run CLEANUP(sandbox_stop) = { 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	char *top CLEANUP(freep) = root_real(ctx->root);
	int output CLEANUP(closep) = memfile_new("setfiles", "", 0, err);

	if (output < 0)
		return -1;
	if (!top)
		return err_errno(err, errno, "cannot tell where '%s' is", ctx->root->path);
	if (make_argv(a->data, ctx->root, top, &argv, err))
		return -1;
	const struct sandbox_op tree = { .kind = SANDBOX_BIND, .at = top, .from = top };
	const struct sandbox_program setfiles = { (const char *const *)argv.v, env, -1, NULL };
	const struct sandbox s = { &tree, 1, &setfiles, 1, output };

	return sandbox_start(&s, &run, err) ? -1 : wait_for(&run, output, err);
}

static int labels_invert(const struct record *oldest, const struct record *newest,
			 struct action **ret, struct err *err)
{
	*ret = NULL;
	return 0;
}

static bool labels_idle(const struct action *a)
{
	return true;
}

static int labels_encode(const struct action *a, struct json *j)
{
	const struct labels_data *d = a->data;

	json_set_str(j, "spec", d->spec);
	json_set(j, "paths", strv_json(&d->paths));
	return 0;
}

static int labels_decode(struct action *a, const struct json *j, struct err *err)
{
	struct labels_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->spec = xstrdup(json_get_str(j, "spec"));
	json_strv(json_get(j, "paths"), &d->paths);
	return d->spec ? 0 : err_set(err, ERR_FAILED, "no policy");
}

static void labels_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct labels_data *d = a->data;

	report_change(r, "SELinux labels", "set on what is new, by setfiles and '%s'", d->spec);
}

const struct action_ops labels_ops = {
	.kind = "labels",
	.prepare = nothing,
	.commit = labels_commit,
	.undo = nothing,
	.invert = labels_invert,
	.fold = action_fold_oldest,
	.idle = labels_idle,
	.encode = labels_encode,
	.decode = labels_decode,
	.describe = labels_describe,
	.release = labels_release,
};
