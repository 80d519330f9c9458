/* SPDX-License-Identifier: Apache-2.0 */
/* A Sysbox that others installed becomes ours, and goes when the profile wants none. */
#include "actions/kinds.h"
#include "actions/packages.h"
#include "steps/installed.h"
#include "steps/sysbox.h"

void sysbox_adopt(struct plan *p, const struct sysbox_here *here)
{
	char *words CLEANUP(freep) = sysbox_words(here);
	struct json *package CLEANUP(json_freep) = json_obj(),
			     *units CLEANUP(json_freep) = json_obj();
	struct action *a = action_adopt(SYSBOX_STEP, SYSBOX_STEP, words);

	json_set_str(package, "name", SYSBOX_PACKAGE);
	if (here->deb)
		adopt_target(a, "packages", "packages", package);
	for (size_t i = 0; i < here->files.n; i++) {
		char *key CLEANUP(freep) = xasprintf("file:%s", here->files.v[i]);

		adopt_target(a, "file", key, NULL);
	}
	json_set(units, "units", json_arr());
	for (size_t i = 0; sysbox_units[i]; i++)
		json_add_str(json_get_mut(units, "units"), sysbox_units[i]);
	adopt_target(a, "units", SYSBOX_UNITS_KEY, units);
	a->origin = json_dup(here->origin);
	plan_add(p, a);
}

/* Minus the rank: it goes in front of what is put there, and behind what refers to it. */
static void add_going(struct plan *p, const struct sysbox_here *here, struct action *a, int rank)
{
	a->rank = rank;
	a->back = true;
	a->origin = json_dup(here->origin);
	plan_add(p, a);
}

static struct action *remove_path(const struct step_ctx *ctx, const char *path)
{
	char *target CLEANUP(freep) = NULL;

	return root_readlink(ctx->host->root, path, &target) ?
		       action_remove(SYSBOX_STEP, path) :
		       action_remove_link(SYSBOX_STEP, path, target);
}

static void drop_target(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here,
			const struct json *entry)
{
	const char *key = json_key(entry);

	if (!sysbox_adopted(json_get(entry, "origin")))
		return;
	if (str_starts(key, "file:"))
		add_going(p, here, remove_path(ctx, key + strlen("file:")), -RANK_FILES);
	else if (str_eq(key, "packages"))
		add_going(p, here,
			  action_packages(SYSBOX_STEP, NULL, SYSBOX_PACKAGE, NULL, ctx->host->arch,
					  true),
			  -RANK_FILES);
}

void sysbox_drop(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here)
{
	add_going(p, here, action_units_stop(SYSBOX_STEP, sysbox_units, SYSBOX_RUNTIME),
		  -RANK_UNITS);
	add_going(p, here, action_reload(SYSBOX_STEP, RELOAD_SYSTEMD, NULL, RELOAD_ON_UNDO),
		  -RANK_RELOAD);
	add_going(p, here, action_reload(SYSBOX_STEP, RELOAD_SYSTEMD, NULL, RELOAD_ON_COMMIT),
		  -RANK_RELOAD_UNDO);
	for json_each(entry, ctx->index)
		drop_target(p, ctx, here, entry);
}
