/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "dependencies": packages of the distribution (Docker, and what Sysbox's files need beside
 * them), through whatever package manager is here (backends/pkg/deps.h), as one reversible action.
 * Only new ones: what is installed already is left alone, and a plan that would upgrade, replace or
 * remove anything is refused.
 *
 * A plan has one of them, whoever wants what, and all transactions are one chain: the manager
 * resolves, installs and removes everything at once, so nobody has to know which of two would need
 * a package of the other.
 *
 *	prepare		downloaded and looked into; the installation tried without effect. Files of
 *			the packages that are there already are before-images below /etc, and
 *			refusals elsewhere: rpm would overwrite them without a word
 *	commit		exactly these files, in the shield, without a network
 *	undo		what a kill left is completed over itself, then removed; what it was not
 *			able to complete is swept by the packages' own lists of files
 *
 * What their scripts do elsewhere (caches, triggers) is not undone: the plan's line calls it
 * compensating.
 */
#ifndef ACTIONS_DEPENDENCIES_H
#define ACTIONS_DEPENDENCIES_H

#include "actions/action.h"
#include "backends/pkg/deps.h"

struct dependencies {
	char *manager;			/* dep_ops.name; filled in prepare */
	struct strv names;		/* asked for */
	struct strv must_go;		/* of these: their way back is refused where they would stay */
	bool remove;			/* inverted: these go, where nobody else needs them */
	struct dep_list deps;		/* what comes, or goes; each with its file. Not empty before prepare: inverted */
	/*
	 *	{ "paths": { PATH: { "node", "data": hex } },	there before, kept
	 *	  "new": [ PATH ... ],				not there before
	 *	  "litter": [ PATH ... ] }			there before, looks like left by a
	 *							kill
	 */
	struct json *before;
	struct json *give_back;		/* inverted: "paths" of the installation that goes; or NULL */
};

#define DEPENDENCIES_KEY "dependencies"
struct action *action_dependencies(const char *step, const struct strv *names);
void dependencies_add(struct action *a, const struct strv *names);	/* more, before it is prepared */
/*
 * One that is not there for the sake of others: a way back that left it, because it was upgraded
 * since or somebody needs it, would be none. It is refused then, with what to do.
 */
void dependencies_must_go(struct action *a, const char *name);

/* ---- dependencies_prepare.c, dependencies_run.c, dependencies_paths.c ---- */

#define DEPS_DIR STATE_DIR "/debs"

int dependencies_prepare(struct action *a, struct action_ctx *ctx, struct err *err);
int dependencies_commit(struct action *a, struct action_ctx *ctx, struct err *err);
int dependencies_undo(struct action *a, struct action_ctx *ctx, struct err *err);
int dependencies_verify(struct action *a, struct action_ctx *ctx, struct err *err);

/* Of the packages' files: what is there; ERR_REFUSED for what an installation would overwrite. */
int deps_paths_take(struct dependencies *d, const struct dep_ops *ops, const struct action_ctx *ctx,
		    struct err *err);
bool deps_paths_any_new(const struct dependencies *d, const struct root *r);
/* After the packages went, or came again: what is new goes, what was there is as it was; not what
 * belongs to a package that stays. */
int deps_paths_restore(const struct dependencies *d, const struct dep_ops *ops,
		       const struct action_ctx *ctx, struct err *err);
/* Of what was there before an installation: what its removal took. */
int deps_paths_give_back(const struct dependencies *d, const struct dep_ops *ops,
			 const struct action_ctx *ctx, struct err *err);

#endif
