/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is ours by now, and what else would have to be looked up in every transaction:
 *
 *	{ "keys": { KEY: { "txn", "kind", "origin", entry of action_ops.index } },
 *	  "last": the transaction up to which it was made, "base": the last one pruned by then,
 *	  "size": bytes on the disk of txn/ and base/, "spans": [[TARGET, ID] of each rollback] }
 *
 * A cache of the records: `last` and `base` say whether it is current, it catches up by itself,
 * and deleting it is harmless: then every transaction is read once more.
 */
#ifndef ENGINE_INDEX_H
#define ENGINE_INDEX_H

#include "journal/txnlog.h"
#include "actions/action.h"

int index_load(const struct state *s, struct json **ret, struct err *err);	/* object of keys; catches up in memory */
/* After a commit, and after recovery; finishes a pruning that did not come to its end. */
int index_save(struct state *s, struct err *err);

/* For pruning: all of it; the keys as they were before transaction `before`; written. */
int index_open(const struct state *s, struct json **ret, bool *ret_changed, struct err *err);
int index_before(const struct state *s, unsigned int before, struct json **ret, struct err *err);
int index_write(struct state *s, const struct json *index, struct err *err);

#endif
