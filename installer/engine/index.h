/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is ours by now: key -> { "txn", "kind", "origin", entry of action_ops.index }. A cache of
 * the committed records: it remembers up to which transaction it was made and catches up by itself;
 * deleting it is harmless.
 */
#ifndef ENGINE_INDEX_H
#define ENGINE_INDEX_H

#include "journal/txnlog.h"
#include "actions/action.h"

int index_load(const struct state *s, struct json **ret, struct err *err);	/* object of keys; catches up in memory */
int index_save(struct state *s, struct err *err);				/* after a commit */

#endif
