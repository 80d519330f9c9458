/* SPDX-License-Identifier: Apache-2.0 */
/* Kind "reload": see actions/kinds.h. Nothing of it survives in the index; its inverse stands on
 * the other side of the files. */
#include "actions/kinds.h"
#include "backends/service/systemd.h"
#include "sys/proc.h"

struct reload_data {
	enum reload_what what;
	char *argument;
	enum reload_when when;
};

extern const struct action_ops reload_ops;

static const char *const what_names[] = {
	[RELOAD_SYSTEMD] = "systemd", [RELOAD_FILTER] = "filter", [RELOAD_APPARMOR] = "apparmor"
};
static const char *const when_names[] = {
	[RELOAD_ON_UNDO] = "undo", [RELOAD_ON_COMMIT] = "commit"
};

static void reload_release(struct action *a)
{
	struct reload_data *d = a->data;

	free(d->argument);
	free(d);
}

struct action *action_reload(const char *step, enum reload_what what, const char *argument,
			     enum reload_when when)
{
	struct reload_data *d = xcalloc(1, sizeof(*d));
	bool whose = what != RELOAD_APPARMOR && argument;
	char *key CLEANUP(freep) = xasprintf("reload:%s:%s%s%s", what_names[what], when_names[when],
					     whose ? ":" : "", whose ? argument : "");

	d->what = what;
	d->argument = xstrdup(argument);
	d->when = when;
	return action_new(&reload_ops, key, step,
			  when == RELOAD_ON_UNDO ? RANK_RELOAD_UNDO : RANK_RELOAD, d);
}

static int reload_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	return 0;
}

static int reload_systemd(const struct action_ctx *ctx, struct err *err)
{
	return host_has_systemd(ctx->host) ? systemd_reload(ctx->rep, err) : 0;
}

/* Early at boot no socket is open yet, and units start. */
static int reload_filter(const struct action_ctx *ctx, struct err *err)
{
	if (reload_systemd(ctx, err))
		return -1;
	return host_has_systemd(ctx->host) && !ctx->early ? systemd_apply_filters(ctx->rep, err) :
							    0;
}

/*
 * The profile may be gone again (its package was removed meanwhile): then nothing is loaded from
 * it. Early at boot apparmor.service comes behind us.
 */
static int reload_apparmor(const struct action_ctx *ctx, const char *profile, struct err *err)
{
	const char *const argv[] = { "apparmor_parser", "-r", profile, NULL };
	struct proc p = PROC_INIT;

	if (!ctx->host->running || !ctx->host->apparmor_enabled || ctx->early ||
	    !root_exists(ctx->root, profile))
		return 0;
	p.argv = argv;
	p.log = ctx->rep;
	return proc_run(&p, NULL, err);
}

static int reload_run(const struct reload_data *d, const struct action_ctx *ctx, struct err *err)
{
	switch (d->what) {
	case RELOAD_SYSTEMD:
		return reload_systemd(ctx, err);
	case RELOAD_FILTER:
		return reload_filter(ctx, err);
	case RELOAD_APPARMOR:
		return reload_apparmor(ctx, d->argument, err);
	}
	return 0;
}

static int reload_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct reload_data *d = a->data;

	return d->when == RELOAD_ON_COMMIT ? reload_run(d, ctx, err) : 0;
}

static int reload_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct reload_data *d = a->data;

	return d->when == RELOAD_ON_UNDO ? reload_run(d, ctx, err) : 0;
}

enum reload_when reload_when_inverted(const struct record *oldest, const struct record *newest)
{
	int rank = oldest->action->rank;
	bool in_front = rank == RANK_RELOAD_UNDO || rank == -RANK_RELOAD;

	return in_front == records_come_again(oldest, newest) ? RELOAD_ON_UNDO : RELOAD_ON_COMMIT;
}

static int reload_invert(const struct record *oldest, const struct record *newest,
			 struct action **ret, struct err *err)
{
	const struct reload_data *d = oldest->action->data;

	*ret = action_reload("rollback", d->what, d->argument,
			     reload_when_inverted(oldest, newest));
	return 0;
}

static int reload_encode(const struct action *a, struct json *j)
{
	const struct reload_data *d = a->data;

	json_set_str(j, "what", what_names[d->what]);
	json_set_str(j, "when", when_names[d->when]);
	if (d->argument)
		json_set_str(j, "argument", d->argument);
	return 0;
}

static int reload_decode(struct action *a, const struct json *j, struct err *err)
{
	struct reload_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	for (size_t i = 0; i < ARRAY_SIZE(what_names); i++)
		if (str_eq(json_get_str(j, "what"), what_names[i]))
			d->what = (enum reload_what)i;
	d->when = str_eq(json_get_str(j, "when"), when_names[RELOAD_ON_COMMIT]) ? RELOAD_ON_COMMIT :
										  RELOAD_ON_UNDO;
	d->argument = xstrdup(json_get_str(j, "argument"));
	if (d->what == RELOAD_APPARMOR && !d->argument)
		return err_set(err, ERR_FAILED, "no profile");
	return 0;
}

static void reload_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct reload_data *d = a->data;

	if (d->when == RELOAD_ON_COMMIT && ctx->host->running)
		report_change(r,
			      what_names[d->what == RELOAD_FILTER ? RELOAD_SYSTEMD : d->what],
			      "reads %s again",
			      d->argument ? d->argument : "its unit files");
}

const struct action_ops reload_ops = {
	.kind = "reload",
	.prepare = reload_prepare,
	.commit = reload_commit,
	.undo = reload_undo,
	.invert = reload_invert,
	.fold = action_fold_oldest,
	.encode = reload_encode,
	.decode = reload_decode,
	.describe = reload_describe,
	.release = reload_release,
};
