/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "first-boot": an image is complete, but nobody has seen it work. The mark makes
 * sysboxup-firstboot.service and sysboxup-firstboot-late.service (templates/) do so on the machine
 * that boots it; the transaction that proves it takes the mark away again. The image itself can be
 * copied again: cloud-init calls `seal --fix` then.
 */
#include "steps/firstboot.h"

#include "actions/kinds.h"
#include "base/embedded.h"
#include "pki/ca.h"
#include "steps/firewall.h"

#define STEP "first-boot"
#define CLOUD_CLEAN "/etc/cloud/clean.d"
#define HOOK CLOUD_CLEAN "/50-sysboxup"

static bool wanted(const struct step_ctx *ctx)
{
	return !ctx->host->running || root_exists(ctx->host->root, FIRST_BOOT_MARK);
}

static bool owes(const struct profile *p)
{
	return p->api.present || p->clients.n || firewall_on(p);
}

/* What only has a certificate here, its key elsewhere, may be in as many machines as one likes. */
static int refuse_authority(const struct step_ctx *ctx, struct err *err)
{
	struct pki pki CLEANUP(pki_release) = PKI_INIT;
	enum pki_guard guard = GUARD_ELSEWHERE;
	char *path CLEANUP(freep) = root_outside(ctx->host->root, PKI_DIR);

	if (pki_open(&pki, ctx->host->root, PKI_READ, 0, err) ||
	    (pki.ledger.cas_n && pki_ca_guard(&pki, &guard, err)))
		return err_raise(err, ERR_REFUSED);
	if (guard == GUARD_ELSEWHERE)
		return 0;
	err_set(err, ERR_REFUSED,
		"the key of a certificate authority is in '%s': every machine made from this image would have it",
		path);
	return err_remedy(err, "rm -r %s, if nobody relies on what was issued by it", path);
}

int firstboot_leave(const struct step_ctx *ctx, struct err *err)
{
	const struct root *root = ctx->host->root;

	/* behind a first boot that failed the authority is the machine's own */
	if (firstboot_possible(ctx->host))
		return root_exists(root, FIRST_BOOT_MARK) ? 0 : refuse_authority(ctx, err);
	err_set(err, ERR_REFUSED,
		"the API of an image is opened, and its keys are made, by its first boot, and sysboxup is not in it for that");
	return err_remedy(err, "make install%s%s, before", root->is_host ? "" : " DESTDIR=",
			  root->is_host ? "" : root->path);
}

/* Where nothing of ours is, or will be, there is nothing to prove. */
static bool has_work(const struct plan *p, const struct step_ctx *ctx)
{
	return p->n || json_len(ctx->index) || owes(ctx->profile);
}

/* Where cloud-init makes a machine ready to be copied, it calls what is in this directory. */
static void plan_hook(struct plan *p, const struct step_ctx *ctx)
{
	const struct embedded *hook = embedded_find("templates/cloud-init-clean");

	if (root_exists(ctx->host->root, CLOUD_CLEAN) && !root_exists(ctx->host->root, HOOK))
		plan_add(p, action_file(STEP, HOOK, 0755, hook->data, hook->len));
}

static void plan_image(struct plan *p, const struct step_ctx *ctx)
{
	plan_hook(p, ctx);
	if (!root_exists(ctx->host->root, FIRST_BOOT_MARK))
		plan_add(p, action_file(STEP, FIRST_BOOT_MARK, 0600, "", 0));
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	if (ctx->host->running)
		plan_add(p, action_remove(STEP, FIRST_BOOT_MARK));
	else if (has_work(p, ctx) && firstboot_possible(ctx->host))
		plan_image(p, ctx);
	return 0;
}

const struct step step_firstboot = {
	.name = STEP,
	.summary = "an image proves itself on the machine that boots it",
	.wanted = wanted,
	.plan = plan,
};
