/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "docker-config": daemon.json and the daemon that has to take it up, as one action, because
 * going back needs both hands: a reload adds but does not subtract, so that some ways (there or
 * back) lead over interim texts (docker/config.h, stages).
 *
 * The file is exchanged once, tag TAG, and the original inode waits under its temporary name until
 * the end. Interim texts are put over ours with tags of their own. PREPARED holds the digest of
 * every text that we may leave in place, so that recovery tells our own interim states from a
 * stranger's edit; that edit is kept and only our keys are taken back. On the way back each text is
 * put over the very text that was read or put before it: what somebody writes in between, while
 * Docker takes one up, is kept in the same way, without the keys that were there in passing. What
 * theirs is to become is noted in stage/way-back before a text of ours goes over it.
 *
 * stage/taken-up exists, durably, from before the daemon first hears of a new text until undo has
 * brought it back: only then undo has to speak to the daemon. It holds the boot id: a daemon of a
 * later boot that does not run was stopped by somebody else, one that runs has read the file.
 */
#ifndef ACTIONS_DOCKER_CONFIG_H
#define ACTIONS_DOCKER_CONFIG_H

#include "actions/kinds.h"
#include "docker/config.h"

#define DOCKER_CONFIG_MAX (1024 * 1024)

struct docker_config_data {
	char *path;
	struct json *patch;		/* what this transaction changes (merge patch); of an inverted one from prepare on */
	struct json *reset;		/* of a folded record: what goes before that (json_patch_fold); or NULL */
	struct json *ours, *was;	/* all that is ours afterwards, and what was there before us: for the index */
	struct strv planned_paths;	/* binaries that actions before this one put there */

	/* made by invert: taking back the patches of transactions from_txn (before-image
	 * from_index) on, oldest first */
	bool inverted;
	struct json *patches;
	unsigned int from_txn, from_index;
	struct node expected;		/* the after-image of the newest of them */
	bool edited_between;
	bool folded_edit;		/* the same, between two that are folded into this record */
	bool was_absent;

	/* filled by prepare */
	struct node before, after;
	struct buf before_text, after_text;
	struct strv known;		/* digests of every text of ours */
	bool was_running;
	char *boot_id;			/* in which daemon and containers were looked at */
	struct json *containers;	/* [{ id, name, pid }] that ran before a restart */
	struct json *stopped;		/* the same of stopped ones that a restart starts */
	bool restarts, keep_containers;
	bool tls_idle;			/* as in struct docker_way: a listener (actions/listener.c) opens behind it */
	char *bridge;			/* docker0's address before bip was in the file, of the oldest record; NULL: not known */
};

extern const struct action_ops docker_config_ops;

struct docker_config_data *docker_config_data_new(const char *path);
struct docker_way docker_config_way(const struct docker_config_data *d,
				    const struct action_ctx *ctx);
/* actions/docker_config_prepare.c */
int docker_config_prepare(struct action *a, struct action_ctx *ctx, struct err *err);
/* The text wanted from what is there today: splice of the patch, or the way back of an inverted
 * one. *ret_absent: no file. */
int docker_config_candidate(struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct buf *today, bool today_absent, struct buf *ret,
			    bool *ret_absent, struct err *err);
/* The file is what the newest of the transactions that an inverted one takes back made of it. */
bool docker_config_as_left(const struct docker_config_data *d, const struct buf *today,
			   bool today_absent);
/* All of fd into ret. */
int docker_config_read_fd(int fd, struct buf *ret, struct err *err);
/* -1. err, of a look at the path that found nothing (ENOENT), says which link leads nowhere, if the
 * path or its directory is one: that is not "no file". */
int docker_config_nowhere(const struct docker_config_data *d, const struct root *root,
			  struct err *err);
/* The tree of a text as dockerd takes it (empty, BOM). */
int docker_config_tree(const struct buf *text, const char *path, struct json **ret,
		       struct err *err);
/*
 * actions/docker_config_trial.c: a reload that works must not hide a start that will not, nor a
 * file that others broke make a reload of ours fail, and that of the way back with it. Where either
 * may be, the next start is tried by the canary (docker/canary.h) before anything is written;
 * refused if it fails, with whose fault it is. from, to: the trees of before and after, NULL
 * without a file.
 */
int docker_config_try_start(struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct json *from, const struct json *to, struct err *err);
/* actions/docker_config_run.c */
int docker_config_commit(struct action *a, struct action_ctx *ctx, struct err *err);
int docker_config_finish(struct action *a, struct action_ctx *ctx, struct err *err);
int docker_config_verify(struct action *a, struct action_ctx *ctx, struct err *err);
/* actions/docker_config_undo.c */
int docker_config_undo(struct action *a, struct action_ctx *ctx, struct err *err);

#endif
