/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "first-boot": an image is complete, but nobody has seen it work. The mark makes
 * sysboxup-firstboot.service and sysboxup-firstboot-late.service (templates/) do so on the machine
 * that boots it; the transaction that proves it takes the mark away again.
 */
#include "steps/firstboot.h"

#include "actions/kinds.h"

#define STEP "first-boot"

static bool wanted(const struct step_ctx *ctx)
{
	return !ctx->host->running || root_exists(ctx->host->root, FIRST_BOOT_MARK);
}

/* Where nothing of ours is, there is nothing to prove. */
static bool has_work(const struct plan *p, const struct step_ctx *ctx)
{
	return p->n || json_len(ctx->index);
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	bool there = root_exists(ctx->host->root, FIRST_BOOT_MARK);

	if (ctx->host->running)
		plan_add(p, action_remove(STEP, FIRST_BOOT_MARK));
	else if (!there && has_work(p, ctx) && firstboot_possible(ctx->host))
		plan_add(p, action_file(STEP, FIRST_BOOT_MARK, 0600, "", 0));
	return 0;
}

const struct step step_firstboot = {
	.name = STEP,
	.summary = "an image proves itself on the machine that boots it",
	.wanted = wanted,
	.plan = plan,
};
