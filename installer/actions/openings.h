/* SPDX-License-Identifier: Apache-2.0 */
/* Kind "openings" and the files of the manager. Inside of actions/ only. */
#ifndef ACTIONS_OPENINGS_H
#define ACTIONS_OPENINGS_H

#include "actions/kinds.h"

#define PUT "put"
#define TAKE "take"

struct openings {
	const struct manager_ops *ops;
	struct json *changes;		/* OPENING: PUT or TAKE */
	struct strv ours;		/* before that */
	bool reload;			/* some of ours are not at work */
	/* PATH: node, of those that were there, and of those that are ours to make; their bytes are
	 * one content, before/INDEX */
	struct json *files;
	/* inverted: whose before-images to return to */
	unsigned int from_txn, from_index;
	struct json *from_files;
};

static inline bool opening_is_put(const struct json *change)
{
	return str_eq(json_string(change), PUT);
}

/* The files as they are: nodes into d->files, bytes into before/INDEX. Refused: one that is cut
 * short. */
int openings_keep_before(struct openings *d, struct action_ctx *ctx, struct err *err);
/* The bytes that were so kept, of all of them. */
int openings_read_before(const struct action_ctx *ctx, unsigned int txn, unsigned int index,
			 struct buf *ret, struct err *err);
/*
 * Each of `files`, whose bytes are `all`: whole again, and with `undo` without our changes; without
 * it, without the rules that they take. As before to the byte, with its time, where only the way it
 * is written differs. *ret_changed (not reset): the text of one is another one now.
 */
int openings_files_back(const struct openings *d, const struct action_ctx *ctx,
			const struct json *files, const struct buf *all, bool undo,
			bool *ret_changed, struct err *err);
/* For a manager with text_add: the changes done in each of its files, by one rename. */
int openings_files_write(const struct openings *d, const struct action_ctx *ctx, struct err *err);
int openings_sync_files(const struct openings *d, const struct action_ctx *ctx, struct err *err);

#endif
