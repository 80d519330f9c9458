/* SPDX-License-Identifier: Apache-2.0 */
/* prepare of kind "packages", of what goes: the package, and what nobody else needs without it.
 * Nothing goes that could not come back. */
#include "actions/packages_data.h"

extern const struct action_ops packages_ops;

static struct pkg_op *remove_op(struct pkg_plan *p, const char *name, const struct pkg_status *st)
{
	struct pkg_op op = { .what = PKG_REMOVE,
			     .name = (char *)name,
			     .old_version = st->version,
			     .arch = st->arch };

	plan_copy_op(p, &op);
	return &p->v[p->n - 1];
}

/* The file of what was installed then, if it is that which is there now. */
static bool take_recorded(const struct packages *d, const struct action_ctx *ctx,
			  struct pkg_op *op)
{
	const struct pkg_op *recorded = packages_op(d, op->name);

	if (!recorded || !str_eq(recorded->new_version, op->old_version) ||
	    !packages_file_is(ctx->root, recorded->file, recorded->sha256))
		return false;
	op->file = xstrdup(recorded->file);
	memcpy(op->sha256, recorded->sha256, sizeof(op->sha256));
	op->rebuilt = recorded->rebuilt;
	return true;
}

/* A dependency goes too if apt still calls it automatic and it can come back: by its file, or by
 * one made of it, which may be another version by now. */
static int add_dependency(const struct packages *d, struct action_ctx *ctx,
			  const struct pkg_ops *ops, const char *name, struct pkg_plan *plan,
			  struct err *err)
{
	const struct pkg_op *recorded = packages_op(d, name);
	struct pkg_status st = { 0 };
	struct err why = ERR_INIT;

	if (ops->status(ctx->host, name, &st, err))
		return -1;
	if (st.known && str_eq(st.state, "installed") && st.automatic) {
		struct pkg_op *op = remove_op(plan, name, &st);
		op->batch = recorded ? recorded->batch : 0;
		if (!take_recorded(d, ctx, op) && packages_rebuild(ctx, op, &why)) {
			plan_drop(plan, name);
			report_info(ctx->rep,
				    "'%s' stays: its package is neither here nor rebuilt: %s (apt-get autoremove takes it out)",
				    name, why.msg);
		}
	}
	pkg_status_release(&st);
	return 0;
}

static int main_file(const struct packages *d, struct action_ctx *ctx, struct pkg_op *op,
		     struct err *err)
{
	const struct pkg_op *recorded = packages_op(d, d->name);
	struct catalog own CLEANUP(catalog_release) = { 0 };
	const struct catalog *c = NULL;
	struct err why = ERR_INIT;

	if (take_recorded(d, ctx, op))
		return 0;
	if (recorded && str_eq(recorded->new_version, op->old_version))
		memcpy(op->sha256, recorded->sha256, sizeof(op->sha256));
	if (packages_catalog(ctx, &own, &c, &why))	/* it would have been one way only to get it */
		report_warn(ctx->rep, NULL, "%s", why.msg);
	return packages_find_old(d, ctx, c, op, err);
}

static int add_main(const struct packages *d, struct action_ctx *ctx, const struct pkg_ops *ops,
		    struct pkg_plan *plan, struct err *err)
{
	struct pkg_status st = { 0 };
	int got = 0;

	if (!d->name)
		return 0;
	if (ops->status(ctx->host, d->name, &st, err))
		return -1;
	if (st.known && str_eq(st.want, "hold") && !d->inverted)
		got = err_set(err, ERR_REFUSED, "package '%s' is on hold", d->name);
	else if (st.known && (str_eq(st.state, "installed") || str_eq(st.state, "config-files"))) {
		struct pkg_op *op = remove_op(plan, d->name, &st);
		op->batch = 1000;	/* behind all its dependencies */
		got = main_file(d, ctx, op, err);
	}
	pkg_status_release(&st);
	return got;
}

/* What actions in front of this one take out does not need anything any more. */
static void gone_by_then(const struct packages *d, const struct action_ctx *ctx, struct strv *names)
{
	for (unsigned int i = 0; ctx->plan && i < ctx->index; i++) {
		const struct packages *other = ctx->plan[i]->data;

		if (ctx->plan[i]->ops != &packages_ops || !other->remove)
			continue;
		for (size_t k = 0; k < other->plan.n; k++)
			if (!strv_has(names, other->plan.v[k].name))
				strv_add(names, other->plan.v[k].name);
	}
}

/* Only what nobody else needs by now; the package itself must go, or we refuse. */
static int drop_needed(struct packages *d, struct action_ctx *ctx, struct pkg_plan *plan,
		       struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < plan->n; i++)
		strv_add(&names, plan->v[i].name);
	gone_by_then(d, ctx, &names);
	if (dpkg_purgeable(ctx, &names, d->name, err))
		return -1;
	pkg_plan_release(&d->plan);
	for (size_t i = 0; i < plan->n; i++)
		if (strv_has(&names, plan->v[i].name))
			plan_copy_op(&d->plan, &plan->v[i]);
	return 0;
}

int packages_prepare_remove(struct packages *d, struct action_ctx *ctx, const struct pkg_ops *ops,
			    struct err *err)
{
	struct pkg_plan plan CLEANUP(pkg_plan_release) = { 0 };

	for (size_t i = 0; i < d->names.n; i++)
		if (add_dependency(d, ctx, ops, d->names.v[i], &plan, err))
			return -1;
	if (add_main(d, ctx, ops, &plan, err) || drop_needed(d, ctx, &plan, err))
		return -1;
	return d->plan.n ? packages_record(d, ctx, err) : 0;
}

int packages_find_surplus(const struct packages *d, struct action_ctx *ctx,
			  const struct pkg_ops *ops, struct pkg_plan *ret, struct err *err)
{
	struct pkg_plan all CLEANUP(pkg_plan_release) = { 0 };
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; d->inverted && i < d->plan.n; i++)
		if (d->plan.v[i].what == PKG_REMOVE &&
		    add_dependency(d, ctx, ops, d->plan.v[i].name, &all, err))
			return -1;
	if (!all.n)
		return 0;
	for (size_t i = 0; i < all.n; i++)
		strv_add(&names, all.v[i].name);
	strv_add(&names, d->name);
	gone_by_then(d, ctx, &names);
	if (dpkg_purgeable(ctx, &names, NULL, err))
		return -1;
	for (size_t i = 0; i < all.n; i++)
		if (strv_has(&names, all.v[i].name))
			plan_copy_op(ret, &all.v[i]);
	return 0;
}
