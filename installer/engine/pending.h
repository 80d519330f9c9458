/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commit-confirm. A transaction may be left PENDING: everything is in place and proven, but it is
 * undone unless somebody confirms it in time, from a login that began only then: that one could
 * still be made is what is to be proven. The record has the boot and a deadline on its clock, and
 * nothing else has: whoever ticks (cli/confirm.h) only asks txn_due.
 *
 * In another boot its time is over: a host on which the change keeps people out is a host that they
 * start again.
 */
#ifndef ENGINE_PENDING_H
#define ENGINE_PENDING_H

#include "actions/action.h"
#include "sys/proc.h"

struct pending_request {
	unsigned int seconds;
	struct login login; /* of who asks for it */
};

/* The record; for txn_run. */
int pending_write(struct txnlog *log, const struct pending_request *rq, struct err *err);
/* Of one in TXN_PENDING: can it not be confirmed any more? Once true it stays true. */
bool pending_over(const struct txn_summary *t);
uint64_t pending_left_ms(const struct txn_summary *t); /* 0: it is over */
/* ERR_PENDING with the time that is left; ERR_INTERRUPTED if it is over. */
int pending_error(const struct txn_summary *t, struct err *err);
/* Why it is undone: "not confirmed within 60 s". */
const char *pending_reason(const struct txn_summary *t);
/* ERR_PENDING if the newest transaction can still be confirmed, else 0. Without the lock. */
int txn_check_pending(const struct state *s, struct err *err);

enum txn_due {
	DUE_NEVER, /* nothing is pending; ERR_UNDO for what could not be undone */
	DUE_LATER, /* it can still be confirmed */
	DUE_NOW,   /* txn_recover, with the lock; whoever holds it may be at work still */
};

/* Of the newest transaction, where it is one that waits or was to wait (`confirm_within` in its
 * BEGIN): one whose run died on the way is due too. */
int txn_due(const struct state *s, enum txn_due *ret, struct err *err);

/*
 * The terminal record; cleaning up is txn_recover's. The state is locked. `login`: of who confirms;
 * NULL: not asked. `run` goes into the record. 1: it was confirmed before. ERR_REFUSED: nothing to
 * confirm, or not from here; ERR_DRIFT: too late.
 */
int txn_confirm(const struct action_ctx *ctx, const struct login *login, const char *run,
		unsigned int *ret_id, struct err *err);

#endif
