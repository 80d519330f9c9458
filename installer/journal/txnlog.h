/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transaction's directory, txn/NNNNNN/:
 *
 *	0000, 0001 ...		records in order (journal/record.h)
 *	spare-NNNN		the next records' files, with their blocks: written, fsynced,
 *				renamed, directory fsynced, so that no later record of this
 *				transaction needs space. Their presence behind a terminal record
 *				means that cleaning up is not finished.
 *	before/N		content of the before-image of action N
 *	stage/			what commit puts in place; gone after cleaning
 *	ballast, ballast-dirs	space for undo (journal/ballast.h); gone after cleaning
 *
 * The last record of an unfinished transaction may be torn, by a disk that does not hold what it
 * has synced: then the journal is what comes before it, and it may have been whatever could follow
 * (txn_summary.torn). A torn one anywhere else is an error, for nothing certain can be said then.
 *
 * STATE_DIR/discarded is one that was thrown away and could not be removed whole: nothing reads it,
 * the next run removes it.
 *
 * The journal knows nothing of actions: bodies are JSON.
 */
#ifndef JOURNAL_TXNLOG_H
#define JOURNAL_TXNLOG_H

#include "journal/record.h"
#include "journal/state.h"

struct txnlog {
	struct state *state;		/* borrowed */
	unsigned int id;
	int fd;				/* the directory */
	unsigned int next;		/* number of the next record */
	unsigned int spares;		/* left */
	struct ballast *ballast;	/* journal/ballast.h: what the actions need; in prepare only */
	size_t ballast_n;
	bool in_doubt;			/* the last append failed, and its record may be there all the same */
};

#define TXNLOG_INIT { .fd = -1 }

enum txn_state {
	TXN_NONE,		/* directory without a whole PREPARED: nothing visible happened */
	TXN_PREPARED,		/* PREPARED, no terminal record: recover undoes it */
	TXN_PENDING,		/* PENDING is the newest record but for UNDONE: confirmed, or undone when its time is over */
	TXN_COMMITTED,
	TXN_ROLLED_BACK,
	TXN_FAILED,		/* FAILED is the newest record: recover tries again */
};

struct txn_summary {		/* read from the records */
	unsigned int id;
	enum txn_state state;
	bool clean;		/* no spares left */
	bool torn;		/* one more record is there, but it is torn */
	int last_intent;	/* -1: none */
	int undone_from;	/* this action and all behind it are undone; -1: none is */
	struct json *begin;	/* bodies, or NULL */
	struct json *prepared;
	struct json *pending;
	struct json *terminal;	/* of COMMITTED, ROLLED_BACK or FAILED */
};

/* Numbers ascend without gaps: only the newest is ever discarded, only the oldest are pruned; those
 * (journal/base.h) are not there, whether or not their directories still are. */
int txnlog_list(const struct state *s, unsigned int **ret_ids, size_t *ret_n, struct err *err);	/* ascending; caller frees */
/* Without listing them: its cost does not depend on how many there are. 0: there is none. */
int txnlog_newest(const struct state *s, unsigned int *ret, struct err *err);
bool txnlog_exists(const struct state *s, unsigned int id);
/* Bytes that its files have on the disk. */
int txnlog_usage(const struct state *s, unsigned int id, uint64_t *ret, struct err *err);
/* newest id + 1; marked as unfinished before */
int txnlog_begin(struct txnlog *ret, struct state *s, const struct json *begin, struct err *err);
int txnlog_open(struct txnlog *ret, struct state *s, unsigned int id, struct err *err);
void txnlog_release(struct txnlog *t);

/* Spares for n further records of at most 4 KiB each. Called before PREPARED. */
int txnlog_spare(struct txnlog *t, unsigned int n, struct err *err);
/* Durable when it returns 0. Uses a spare if there is one and it fits; PREPARED always takes a file
 * of its own size. */
int txnlog_append(struct txnlog *t, enum record_type type, const struct json *body,
		  struct err *err);
/* The same in a file of its own: needs space, leaves the spares to those who cannot do without. */
int txnlog_append_new(struct txnlog *t, enum record_type type, const struct json *body,
		      struct err *err);
/* The same in the place of the last record, which is torn. */
int txnlog_append_over(struct txnlog *t, enum record_type type, const struct json *body,
		       struct err *err);
int txnlog_read(const struct state *s, unsigned int id, struct txn_summary *ret, struct err *err);
void txn_summary_release(struct txn_summary *t);
/* The actions from 0 up to, not including, this one may still have effects on the host. */
unsigned int txn_summary_left(const struct txn_summary *t);
/* Removes the ballast, stage/ and the spares, spares last, and then the mark of an unfinished
 * transaction. Idempotent. */
int txnlog_clean(struct txnlog *t, struct err *err);
/* For a transaction in TXN_NONE: it goes as a whole, by one rename, before its files do. */
int txnlog_discard(struct state *s, unsigned int id, struct err *err);
/* What a crash left of such a one. */
int txnlog_sweep(struct state *s, struct err *err);

/* Content of the before-image of action n: kept from an open file (digest computed), durable with
 * txnlog_sync. Of the last pruned transaction it is the base's. */
int txnlog_before_put(struct txnlog *t, unsigned int n, int from_fd, char hex[65], struct err *err);
int txnlog_before_open(const struct state *s, unsigned int id, unsigned int n, int *ret_fd,
		       struct err *err);
/* stage/, made on first use; descriptor to be closed by the caller. */
int txnlog_stage(struct txnlog *t, int *ret_fd, struct err *err);
int txnlog_sync(struct txnlog *t, struct err *err);		/* before/, stage/ and the directory itself */

#endif
