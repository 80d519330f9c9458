/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/NNNNNN/: what is left of transactions 1 to N after they were pruned. As a transaction's
 * directory it has
 *
 *	record			RECORD_BASE; its body is the engine's (engine/prune.h)
 *	before/K		content of the before-image of its action K: hard links to those of
 *				the transactions pruned
 *
 * It comes into being whole, by one rename that is synced before anything else happens: that is the
 * instant at which the transactions are pruned. From there on they are not there for any reader
 * (state.pruned says so, from the name alone), and their directories are mere rubbish, taken out
 * one by one: each is renamed away, these renames are synced, and then their files go. So no crash
 * leaves a transaction that is half there, nor one that is gone without what it is still needed
 * for; and an older program, which knows no base, sees whole transactions too. (To delete inside
 * the directory, terminal record last, would be as safe for the order of records, but leaves
 * transactions without before-images for whoever looks.) Rubbish that a crash left is found by
 * base_tidy.
 */
#ifndef JOURNAL_BASE_H
#define JOURNAL_BASE_H

#include "journal/state.h"

/* N of the newest base, 0 if there is none. */
int base_find(const struct state *s, unsigned int *ret, struct err *err);
/* The directory of base `id`; -1 and errno. */
int base_open(const struct state *s, unsigned int id);
/* The body of the base in force; *ret NULL if nothing is pruned. */
int base_read(const struct state *s, struct json **ret, struct err *err);
int base_usage(const struct state *s, uint64_t *ret, struct err *err);

/* A new base begins, in *ret_fd; what an earlier one that did not come to its end has left goes. */
int base_begin(struct state *s, int *ret_fd, struct err *err);
/* before/`as` of the new base: that of action `index` of transaction `txn`; none if it has none. */
int base_keep(struct state *s, int fd, unsigned int txn, unsigned int index, unsigned int as,
	      struct err *err);
/* THE instant: the transactions up to `id` are pruned. */
int base_publish(struct state *s, int fd, unsigned int id, const struct json *body,
		 struct err *err);
/* Rubbish: the directories of the transactions from `first` up to s->pruned, and older bases. */
int base_drop(struct state *s, unsigned int first, struct err *err);
/* The same, for whatever number a crash has left. */
int base_tidy(struct state *s, struct err *err);

#endif
