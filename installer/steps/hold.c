/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "hold": docker.hold of the profile. Months later an upgrade of Docker, containerd or runc
 * must not break what works here: their packages are on hold until the profile says otherwise. A
 * hold of the administrator's own is as good, and stays theirs.
 */
#include "actions/kinds.h"
#include "backends/pkg/pkg.h"
#include "engine/rollback.h"
#include "engine/step.h"
#include "steps/engine.h"

#define STEP "hold"
#define KEY "hold:docker"

/* What the engine consists of: Debian's and Ubuntu's packages, Docker's own, Microsoft's. */
static const char *const engine[] = {
	"docker.io", "docker-cli",      "containerd",    "runc",
	"docker-ce", "docker-ce-cli",   "containerd.io", "moby-engine",
	"moby-cli",  "moby-containerd", "moby-runc",     NULL,
};

static bool wanted(const struct step_ctx *ctx)
{
	return ctx->profile->docker.hold || json_get(ctx->index, KEY);
}

/* Those that are installed, and of these those that the next upgrade would replace. */
static int look(const struct step_ctx *ctx, struct strv *installed, struct strv *loose,
		struct err *err)
{
	const struct pkg_ops *ops = pkg_backend(ctx->host);

	for (size_t i = 0; ops && engine[i]; i++) {
		struct pkg_status st = { 0 };

		if (ops->status(ctx->host, engine[i], &st, err))
			return -1;
		bool is_there = st.known && str_eq(st.state, "installed");
		if (is_there)
			strv_add(installed, engine[i]);
		if (is_there && str_eq(st.want, "install"))
			strv_add(loose, engine[i]);
		pkg_status_release(&st);
	}
	return 0;
}

/* What the distribution's engine consists of, which this plan installs. */
static void add_to_come(struct strv *installed, struct strv *loose)
{
	static const char *const to_come[] = { "docker.io", "containerd", "runc" };

	for (size_t i = 0; i < ARRAY_SIZE(to_come); i++) {
		if (strv_has(installed, to_come[i]))
			continue;
		strv_add(installed, to_come[i]);
		strv_add(loose, to_come[i]);
	}
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct strv installed CLEANUP(strv_release) = STRV_INIT,
			      loose CLEANUP(strv_release) = STRV_INIT,
			      ours CLEANUP(strv_release) = STRV_INIT;

	if (!ctx->profile->docker.hold)
		return take_back_plan(p, ctx->state, STEP, err);
	if (look(ctx, &installed, &loose, err))
		return -1;
	if (pkg_backend(ctx->host) && !installed.n)
		plan_warn(
			p,
			"docker.hold: no package of Docker is installed here that dpkg knows: nothing is put on hold");
	json_strv(json_get(json_get(ctx->index, KEY), "packages"), &ours);
	if (plan_has_docker_io(p))
		add_to_come(&installed, &loose);
	if (loose.n)
		plan_add(p, action_hold(STEP, &loose, &ours));
	return 0;
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct strv installed CLEANUP(strv_release) = STRV_INIT,
			      loose CLEANUP(strv_release) = STRV_INIT;

	if (!ctx->profile->docker.hold)
		return 0;
	if (look(ctx, &installed, &loose, err))
		return -1;
	char *list CLEANUP(freep) = strv_join(loose.n ? &loose : &installed, ", ");
	if (installed.n)
		report_check(rep, STEP, loose.n ? STATE_BAD : STATE_OK,
			     "an upgrade could put a version here that does not work with the rest",
			     "sysboxup apply", "%s: %s", loose.n ? "not on hold" : "on hold", list);
	return 0;
}

const struct step step_hold = {
	.name = STEP,
	.summary = "Docker's packages on hold",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
