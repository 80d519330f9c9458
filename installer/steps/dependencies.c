/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "dependencies": where Sysbox comes as files, the distribution's packages with the programs
 * that it calls, if they are missing and the package manager is one that we can drive. Through dpkg
 * they come with Sysbox's own package.
 */
#include "steps/dependencies.h"

#include "actions/dependencies.h"
#include "steps/preflight.h"
#include "steps/sysbox.h"

#define STEP "dependencies"

struct action *dependencies_want(struct plan *p, const char *step, const struct strv *names)
{
	struct action *a = plan_find(p, DEPENDENCIES_KEY);

	if (a)
		dependencies_add(a, names);
	else
		plan_add(p, a = action_dependencies(step, names));
	return a;
}

static bool wanted(const struct step_ctx *ctx)
{
	return sysbox_wanted(ctx) && dep_backend(ctx->host) &&
	       preflight_method(ctx->host, ctx->profile) == METHOD_FILES;
}

static void missing_tools(const struct step_ctx *ctx, struct strv *ret)
{
	host_missing_tools(ctx->host, ctx->entry ? ctx->entry->version : NULL, ret);
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct strv tools CLEANUP(strv_release) = STRV_INIT,
			  names CLEANUP(strv_release) = STRV_INIT;

	missing_tools(ctx, &tools);
	for (size_t i = 0; i < tools.n; i++) {
		const char *name = distro_package(ctx->host->distro, tools.v[i]);
		if (!strv_has(&names, name))
			strv_add(&names, name);
	}
	if (names.n)
		dependencies_want(p, STEP, &names);
	return 0;
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct strv tools CLEANUP(strv_release) = STRV_INIT;

	missing_tools(ctx, &tools);
	for (size_t i = 0; i < tools.n; i++)
		report_check(rep, tools.v[i], STATE_BAD, "Sysbox calls it", "sysboxup apply",
			     "missing");
	if (!tools.n)
		report_check(rep, STEP, STATE_OK, NULL, NULL, "all there");
	return 0;
}

const struct step step_dependencies = {
	.name = STEP,
	.summary = "what Sysbox calls: rsync, fusermount3 and the like, where it comes as files",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
