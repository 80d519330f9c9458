/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "apparmor": Ubuntu 25.04 and later confine fusermount3 so that Sysbox's mounts fail
 * (facts/sysbox.md 9). A marked block goes behind whatever the administrator has in the profile's
 * local file.
 */
#include "actions/kinds.h"
#include "base/embedded.h"
#include "engine/rollback.h"
#include "steps/sysbox.h"

#define STEP "apparmor"
#define PROFILE "/etc/apparmor.d/fusermount3"
#define LOCAL "/etc/apparmor.d/local/fusermount3"
#define LOCAL_MAX (256 * 1024)

static bool wanted(const struct step_ctx *ctx)
{
	return sysbox_unwanted(ctx) || (sysbox_wanted(ctx) && ctx->host->apparmor_fusermount3);
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	const struct embedded *block = embedded_find("templates/apparmor-fusermount3");
	struct buf text CLEANUP(buf_release) = BUF_INIT, profile CLEANUP(buf_release) = BUF_INIT;

	if (sysbox_unwanted(ctx))
		return take_back_plan(p, ctx->state, STEP, err);
	if (root_read(ctx->host->root, PROFILE, LOCAL_MAX, &profile, err) ||
	    root_read_optional(ctx->host->root, LOCAL, LOCAL_MAX, &text, err) < 0)
		return -1;
	if (!strstr(profile.data, "local/fusermount3")) {
		err_set(err, ERR_REFUSED, "'%s' does not include its local file", PROFILE);
		return err_remedy(err, "add this line before its last brace: include if exists <local/fusermount3>");
	}
	if (strstr(text.data, block->data))
		return 0;
	if (text.len && text.data[text.len - 1] != '\n')
		buf_addc(&text, '\n');
	buf_add(&text, block->data, block->len);
	if (!root_exists(ctx->host->root, "/etc/apparmor.d/local"))
		plan_add(p, action_dir(STEP, "/etc/apparmor.d/local", 0755));
	plan_add(p, action_reload(STEP, RELOAD_APPARMOR, PROFILE, RELOAD_ON_UNDO));
	plan_add(p, action_file(STEP, LOCAL, 0644, text.data, text.len));
	plan_add(p, action_reload(STEP, RELOAD_APPARMOR, PROFILE, RELOAD_ON_COMMIT));
	return 0;
}

const struct step step_apparmor = {
	.name = STEP,
	.summary = "AppArmor: fusermount3 may mount below /var/lib/sysboxfs",
	.wanted = wanted,
	.plan = plan,
};
