/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying out a plan. The promises are listed on top of txn.c.
 */
#ifndef ENGINE_TXN_H
#define ENGINE_TXN_H

#include "engine/pending.h"
#include "engine/plan.h"

struct txn_request {
	struct plan *plan;
	/* who, command, arguments, profile digest, version, class ("apply", "rollback",
	 * "background") */
	struct json *begin;
	struct action_ctx ctx;		/* host, root, profile, state (locked), rep, switches; the engine fills in the rest */
	unsigned int seconds;		/* for all commits and proofs, else it is undone; 0: as long as it takes */
	int (*prove)(void *user, struct report *rep, struct err *err);	/* after all commits: the steps' verify; or NULL */
	void *user;
	const struct pending_request *confirm;	/* it is not committed but left to wait for txn_confirm; or NULL */
};

/*
 * 0: committed, or left pending; *ret_id is its number. Negative: err says why, and the host is as
 * before (ERR_FAILED, ERR_REFUSED) or, with ERR_UNDO, what is left. The state must be locked and
 * nothing unfinished.
 */
int txn_run(struct txn_request *rq, unsigned int *ret_id, struct err *err);

/* What a FAILED transaction came to and what to do about it, as ERR_UNDO. */
int txn_failed(const struct txn_summary *t, struct err *err);

/* ERR_INTERRUPTED if the newest transaction is unfinished (ERR_UNDO if it is FAILED, ERR_PENDING if
 * it waits to be confirmed, ERR_LOCKED if another run is at work on it); 0 otherwise. */
int txn_check_unfinished(const struct state *s, struct err *err);
enum txn_recovered {
	RECOVERED_NOTHING,	/* there was nothing to undo; cleaned up, if that was left */
	RECOVERED_DONE,		/* undone */
	RECOVERED_PART,		/* ctx->early: the rest is for the second half at boot */
};

/* Is there anything for txn_recover to do? Whoever holds the lock may ask. */
int txn_left(const struct state *s, bool *ret, struct err *err);
/* Undo what a crash left or nobody confirmed, or only clean up after a terminal record. Idempotent.
 * ERR_UNDO where the host is neither before nor after, ERR_INTERRUPTED where only cleaning up
 * failed, ERR_PENDING where it can still be confirmed. */
int txn_recover(const struct action_ctx *ctx, enum txn_recovered *ret, struct err *err);

#endif
