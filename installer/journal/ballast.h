/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Space for undo, set aside before the first effect and given free before anything is undone: a
 * disk that fills up meanwhile does not stop the way back.
 *
 *	txn/NNNNNN/ballast		the space, on the file system of the state
 *	DIR/.sysboxup-NNNNNN.ballast	on each other one that an action named
 *	txn/NNNNNN/ballast-dirs		these directories as a JSON array, durable before the first
 *					of those files is made
 *
 * Each need is met once for every file system that its directories lie on; the needs of several
 * actions add up. File systems that cannot allocate get zeros written.
 */
#ifndef JOURNAL_BALLAST_H
#define JOURNAL_BALLAST_H

#include "journal/txnlog.h"

/* In prepare. dirs: inside the root, NULL-terminated; one that is not there counts as its nearest
 * parent that is. */
int ballast_need(struct txnlog *t, const char *const *dirs, uint64_t bytes, struct err *err);
/* Durable when it returns 0. ERR_REFUSED where the space is not there. */
int ballast_set_aside(struct txnlog *t, struct err *err);
/* Idempotent; durable. txn_fd: the transaction's directory. */
int ballast_free(const struct state *s, unsigned int id, int txn_fd, struct err *err);
void ballast_release(struct txnlog *t);		/* the needs, in memory */

#endif
