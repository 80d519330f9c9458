/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "selinux": a tree is baked by a kernel that knows nothing of its policy, so what is new in
 * it has no label. setfiles sets them by the policy in the tree; where one of the two is missing,
 * the image is asked to label itself at its first boot. The last step: it labels what all others
 * make.
 */
#include "engine/step.h"

#include "actions/kinds.h"
#include "sys/proc.h"

#define STEP "selinux"
#define AUTORELABEL "/.autorelabel"

static bool wanted(const struct step_ctx *ctx)
{
	return ctx->host->selinux_enabled && !ctx->host->root->is_host;
}

/* The file_contexts of the policy that the image is to boot with; NULL: it is not there. */
static char *policy(const struct step_ctx *ctx)
{
	char *type CLEANUP(freep) = host_selinux_config(ctx->host->root, "SELINUXTYPE");
	char *spec = xasprintf("/etc/selinux/%s/contexts/files/file_contexts", type ? type : "targeted");

	if (strchr(type ? type : "", '/') || !root_exists(ctx->host->root, spec))
		free(STEAL(spec));
	return spec;
}

static void new_paths(const struct plan *p, const struct root *r, struct strv *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		const char *path = strstr(p->v[i]->key, ":/");

		if (path && !root_exists(r, path + 1))
			strv_add(ret, path + 1);
	}
	strv_add(ret, STATE_DIR);
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct strv paths CLEANUP(strv_release) = STRV_INIT;
	char *spec CLEANUP(freep) = policy(ctx);

	if (!p->n)
		return 0;
	new_paths(p, ctx->host->root, &paths);
	if (spec && proc_available("setfiles")) {
		plan_add(p, action_labels(STEP, spec, &paths));
	} else if (!root_exists(ctx->host->root, AUTORELABEL)) {
		plan_warn(
			p,
			"SELinux labels are not set here (%s): the image labels itself at its first boot, which takes its time",
			spec ? "there is no setfiles on this machine" : "no policy is in the tree");
		plan_add(p, action_file(STEP, AUTORELABEL, 0644, "", 0));
	}
	return 0;
}

const struct step step_selinux = {
	.name = STEP,
	.summary = "SELinux: what is new in an image has its label",
	.wanted = wanted,
	.plan = plan,
};
