/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promises (DESIGN.md section 5), and who keeps them:
 *
 *  1. No visible change happens before the record of its intent, with its before-image, is durable.	[write_prepared, commit_one]
 *  2. `prepare` of all actions succeeds before `commit` of the first.					[prepare_all]
 *  3. The transaction is committed at exactly one instant: when COMMITTED is durable. Before it
 *     recovery rolls back, after it recovery only cleans up.						[finish_committed, txn_recover]
 *  4. `undo` uses only the record and the disk. Twice equals once. It needs no free space of others.	[undo_from_records; journal/ballast.c, spares]
 *  5. Undo runs in reverse order and includes actions whose outcome is unknown.				[undo_actions]
 *  6. An undo that fails leads to FAILED: no new transaction starts, `status` names every path left
 *     and what to do, before-images are kept, `recover` tries again.					[undo_failed, txn_check_unfinished]
 *  7. What somebody else changed after us is never overwritten.						[each kind's undo and prepare]
 *  8. One transaction at a time: a lock that dies with the process, held from begin to end.		[journal/state.c]
 *  9. Any subset of unsynced effects may be lost in a power cut without breaking 1 to 8.			[journal/txnlog.c, sys/replace.c]
 * 10. Pruning makes what is still needed of old transactions durable in base/, the first
 *     before-image of each path among it, before the first of them goes; and each goes whole.		[engine/prune.c, journal/base.h]
 * 11. No undo deletes data born outside the transaction.						[kinds]
 * 12. Monotonic knowledge is never rolled back.							[outside txn/]
 *
 *	          prepare_all fails: discard
 *	  BEGIN ------------------------------> (gone)
 *	    | write_prepared
 *	    v                 commit_one fails, signal, verify or prove fails, crash
 *	PREPARED, INTENT n ----------------------------------------------------+
 *	    |      | leave_pending                                             |
 *	    |   PENDING ------- deadline, another boot (pending_over) ---------+
 *	    |      | txn_confirm                                               |
 *	    | finish_committed                                                 | undo_from_records
 *	    v                                                                  v
 *	COMMITTED --finish_all, clean--> done          ROLLED_BACK <--all undone-- undo --one fails--> FAILED
 *	                                                    |                       ^                    |
 *	                                                    +-- finish_all, clean   +---- recover -------+
 *
 * In the process that failed and in a later one undo takes the same path: the actions are decoded
 * from PREPARED again. UNDONE n, behind PREPARED, PENDING or FAILED, leads nowhere: n is not undone
 * again.
 *
 * PENDING holds no lock. Who confirms it, and who undoes it when its time is over, takes the lock
 * and reads the records first: so the first terminal record is the only one. What was pending is
 * undone with `force`, because nobody is there to ask: a stranger's version is kept beside.
 *
 * At boot recovery has two halves (sysboxup-recover.service, sysboxup-recover-late.service), both
 * in front of Docker and Sysbox, and both take this path. The order of undo is one and does not
 * bend: the first half stops in front of the first action that is `late` (packages: dpkg and
 * scripts of strangers, for minutes perhaps, which must not keep getty and ssh from starting),
 * and the second one, in a system that runs, goes on from there (UNDONE). Between the halves:
 *  - an interrupted apply has its daemon.json and units back, and a package too many: nothing
 *    refers to it any more;
 *  - an interrupted rollback has a package too few, and daemon.json, which comes after it, without
 *    the runtime. Docker would start, and fail containers of that runtime for good: so Docker waits
 *    for both halves. Nothing that starts before it reads what we change.
 * No proof through Docker's /info follows: Docker starts behind us, from files that are as before,
 * and says itself when it does not start. What the first half could not undo (FAILED) the second
 * tries again, and then Docker starts in any case.
 */
#include "engine/txn.h"

#include "engine/applied.h"
#include "engine/index.h"
#include "journal/ballast.h"
#include "sys/clock.h"
#include "sys/signals.h"
#include "sys/stamp.h"

#include <signal.h>
#include <stdio.h>

/* Never used up: a spare behind a terminal record says that cleaning up is not finished. */
enum { SPARES_LAST = 1, SPARES_TERMINAL = 1, SPARES_FAILED = 1, SPARES_PENDING = 1 };

/* INTENT and UNDONE of each action, PENDING, FAILED, the terminal record. */
static unsigned int spares_needed(size_t actions, bool confirm)
{
	return 2 * (unsigned int)actions + (confirm ? SPARES_PENDING : 0) + SPARES_FAILED +
	       SPARES_TERMINAL + SPARES_LAST;
}

static void ctx_at(struct action_ctx *ctx, struct txnlog *log, unsigned int index, char *tag,
		   size_t size)
{
	snprintf(tag, size, "%06u.%u", log->id, index);
	ctx->log = log;
	ctx->state = log->state;
	ctx->index = index;
	ctx->tag = tag;
}

static struct action_ctx ctx_for(const struct action_ctx *base, struct txnlog *log,
				 unsigned int index, char tag[32])
{
	struct action_ctx ctx = *base;

	ctx_at(&ctx, log, index, tag, 32);
	return ctx;
}

/* What an action did, or left alone, because of what it did not see counts only if it could see. */
static int seen(int r, struct err *err)
{
	struct err ignored = ERR_INIT;

	return root_looks_good(r ? &ignored : err) && !r ? -1 : r;
}

static int check_going(const struct txn_request *rq, struct err *err)
{
	int sig = signals_pending();

	if (sig)
		return err_set(err, ERR_FAILED, "stopped by %s",
			       sig == SIGINT ? "SIGINT" : "SIGTERM");
	if (!rq->ctx.deadline || clock_boot_ms() < rq->ctx.deadline)
		return 0;
	err_set(err, ERR_FAILED, "not done within %u s", rq->seconds);
	return err_remedy(err, "allow it more: --deadline");
}

static int prepare_all(struct txn_request *rq, struct txnlog *log, struct err *err)
{
	for (unsigned int i = 0; i < rq->plan->n; i++) {
		struct action *a = rq->plan->v[i];
		char tag[32];
		struct action_ctx ctx = ctx_for(&rq->ctx, log, i, tag);

		ctx.plan = rq->plan->v;
		if (check_going(rq, err))
			return -1;
		if (seen(a->ops->prepare(a, &ctx, err), err))
			return -1;
	}
	return 0;
}

static int write_prepared(const struct txn_request *rq, struct txnlog *log, struct err *err)
{
	const struct plan *plan = rq->plan;
	struct json *body CLEANUP(json_freep) = json_obj(), *actions = json_arr();

	for (size_t i = 0; i < plan->n; i++)
		json_add(actions, action_encode(plan->v[i]));
	json_set_str(body, "boot_id", stamp_boot_id());
	json_set(body, "actions", actions);
	if (applied_reserve(log, rq->begin, err) || ballast_set_aside(log, err) ||
	    txnlog_spare(log, spares_needed(plan->n, rq->confirm), err) || txnlog_sync(log, err))
		return -1;
	return txnlog_append(log, RECORD_PREPARED, body, err);
}

static int commit_one(struct txn_request *rq, struct txnlog *log, unsigned int i, struct err *err)
{
	struct json *intent CLEANUP(json_freep) = json_obj();
	struct action *a = rq->plan->v[i];
	char tag[32];
	struct action_ctx ctx = ctx_for(&rq->ctx, log, i, tag);

	if (check_going(rq, err))
		return -1;
	json_set_i64(intent, "action", i);
	if (txnlog_append(log, RECORD_INTENT, intent, err))
		return -1;
	return seen(a->ops->commit(a, &ctx, err), err);
}

static int verify_all(struct txn_request *rq, struct txnlog *log, struct err *err)
{
	for (unsigned int i = 0; i < rq->plan->n; i++) {
		struct action *a = rq->plan->v[i];
		char tag[32];
		struct action_ctx ctx = ctx_for(&rq->ctx, log, i, tag);

		if (a->ops->verify && seen(a->ops->verify(a, &ctx, err), err))
			return -1;
	}
	return rq->prove ? seen(rq->prove(rq->user, rq->ctx.rep, err), err) : 0;
}

static int commit_all(struct txn_request *rq, struct txnlog *log, struct err *err)
{
	rq->ctx.deadline = rq->seconds ? clock_boot_ms() + rq->seconds * 1000ULL : 0;
	for (unsigned int i = 0; i < rq->plan->n; i++)
		if (commit_one(rq, log, i, err))
			return -1;
	return verify_all(rq, log, err) || check_going(rq, err) ? -1 : 0;
}

static struct json *stamp(void)
{
	struct json *j = json_obj();
	char now[32];

	clock_iso(stamp_now(), now);
	json_set_str(j, "time", now);
	return j;
}

/* ---- undo: from the records alone ---- */

static int decode_all(const struct json *prepared, struct plan *ret, struct err *err)
{
	for json_each(j, json_get(prepared, "actions")) {
		struct action *a = NULL;

		if (action_decode(j, &a, err))
			return -1;
		ret->v = xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
		ret->v[ret->n++] = a;
	}
	return 0;
}

/* Text of a record that has to fit into a spare whatever is in it, twice: a quoted byte takes two
 * in JSON at most. */
static void set_quoted(struct json *body, const char *key, const char *text)
{
	char quoted[900];

	err_quote(quoted, sizeof(quoted), text);
	json_set_str(body, key, quoted);
}

/* Why; what is left is told by INTENT and UNDONE (txn_summary_left). */
static struct json *failed_body(const struct err *why)
{
	struct json *body = stamp();

	set_quoted(body, "reason", why->msg);
	set_quoted(body, "remedy", why->remedy);
	return body;
}

/*
 * Only for those who come after: without it the action is undone once more, which changes nothing
 * unless somebody has edited what is his own again by then. So a failure here is none of the undo;
 * and a transaction of an older version has no spares for it.
 */
static void mark_undone(struct txnlog *log, unsigned int i, enum txn_state was)
{
	struct json *body CLEANUP(json_freep) = json_obj();
	unsigned int kept = SPARES_TERMINAL + SPARES_LAST + (was == TXN_FAILED ? 0 : SPARES_FAILED);
	struct err ignored = ERR_INIT;

	json_set_i64(body, "action", i);
	if (log->spares > kept)
		(void)txnlog_append(log, RECORD_UNDONE, body, &ignored);
}

struct undoing {
	const struct action_ctx *base;
	struct txnlog *log;
	const struct plan *plan;
	const struct txn_summary *t;
};

static int undo_one(const struct undoing *u, unsigned int i, struct err *err)
{
	struct action *a = u->plan->v[i];
	char tag[32];
	struct action_ctx ctx = ctx_for(u->base, u->log, i, tag);

	if (seen(a->ops->undo(a, &ctx, err), err))
		return err_prefix(err, "cannot undo %s", a->key);
	return 0;
}

/* Behind the last that was begun, what may have come about all the same. *ret: there was any. */
static int undo_unbidden(const struct undoing *u, bool *ret, struct err *err)
{
	*ret = false;
	for (int i = (int)u->plan->n - 1; u->t->last_intent >= 0 && i > u->t->last_intent; i--) {
		if (!u->plan->v[i]->ops->unbidden)
			continue;
		if (undo_one(u, (unsigned int)i, err))
			return -1;
		*ret = true;
	}
	return 0;
}

/* 1: what is left is for the second half at boot. `unbidden`: those of that kind were undone once
 * more, so that those in front of them are as well, even if UNDONE. */
static int undo_actions(const struct undoing *u, bool unbidden, struct err *err)
{
	unsigned int left = txn_summary_left(u->t);

	for (unsigned int i = (unsigned int)(u->t->last_intent + 1); i-- > 0;) {
		const struct action_ops *ops = u->plan->v[i]->ops;

		if (i >= left && !(unbidden && ops->unbidden))
			continue;
		if (u->base->early && ops->late)
			return 1;
		if (undo_one(u, i, err))
			return -1;
		if (i < left)
			mark_undone(u->log, i, u->t->state);
	}
	return 0;
}

static int finish_one(const struct action_ctx *base, struct txnlog *log, const struct plan *plan,
		      unsigned int i, bool committed, struct err *err)
{
	struct action *a = plan->v[i];
	char tag[32];
	struct action_ctx ctx = ctx_for(base, log, i, tag);

	ctx.committed = committed;
	if (a->ops->finish && seen(a->ops->finish(a, &ctx, err), err))
		return err_prefix(err, "cannot clean up after %s", a->key);
	return 0;
}

/* Into the space that the way back needs no more. */
static int keep_profile(struct txnlog *log, struct err *err)
{
	return ballast_free(log->state, log->id, log->fd, err) || applied_follow(log->state, err) ?
		       -1 :
		       0;
}

static int finish_all(const struct action_ctx *base, struct txnlog *log, const struct plan *plan,
		      bool committed, struct err *err)
{
	if (committed && keep_profile(log, err))
		return -1;
	for (unsigned int i = 0; i < plan->n; i++)
		if (finish_one(base, log, plan, committed ? i : (unsigned int)plan->n - 1 - i,
			       committed, err))
			return -1;
	return txnlog_clean(log, err);
}

/* What to do about a failure of undo, said to its end. */
static int try_again(struct err *err)
{
	char what[sizeof(err->remedy)];

	snprintf(what, sizeof(what), "%s", err->remedy[0] ? err->remedy : "remove the cause");
	if (!strstr(what, "sysboxup recover"))
		err_remedy(err, "%.480s, then run: sysboxup recover", what);
	return -1;
}

/* A FAILED behind another one is written only if it says something else, and not into the
 * spares. */
static int undo_failed(struct txnlog *log, const struct txn_summary *t, struct err *err)
{
	struct json *body CLEANUP(json_freep) = NULL;
	struct err ignored = ERR_INIT;

	try_again(err);
	body = failed_body(err);
	if (t->state != TXN_FAILED)
		(void)txnlog_append(log, RECORD_FAILED, body, &ignored);
	else if (!str_eq(json_get_str(t->terminal, "reason"), json_get_str(body, "reason")))
		(void)txnlog_append_new(log, RECORD_FAILED, body, &ignored);
	return err_raise(err, ERR_UNDO);
}

/* After ROLLED_BACK: the host is as before, only what is ours lies about. ERR_INTERRUPTED. */
static int finish_rolled_back(const struct action_ctx *base, struct txnlog *log,
			      const struct plan *plan, struct err *err)
{
	if (!finish_all(base, log, plan, false, err))
		return 0;
	try_again(err);
	return err_raise(err, ERR_INTERRUPTED);
}

/* Its errors are ERR_UNDO, or of finish_rolled_back. */
static int undo_all(const struct action_ctx *base, struct txnlog *log, const struct txn_summary *t,
		    const char *reason, struct err *err)
{
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct json *body CLEANUP(json_freep) = stamp();
	struct undoing u = { base, log, &plan, t };
	bool unbidden = false;
	int r;

	signals_hold();
	set_quoted(body, "reason", reason);
	if (decode_all(t->prepared, &plan, err))
		return err_raise(err, ERR_UNDO);
	r = ballast_free(log->state, log->id, log->fd, err);
	if (!r)
		r = undo_unbidden(&u, &unbidden, err);
	if (!r)
		r = undo_actions(&u, unbidden, err);
	if (r)
		return r < 0 ? undo_failed(log, t, err) : r;
	if (txnlog_append(log, RECORD_ROLLED_BACK, body, err)) {
		try_again(err);
		return err_raise(err, ERR_UNDO);
	}
	return finish_rolled_back(base, log, &plan, err);
}

/* A torn record may have been the INTENT of the next action. It is taken for that, and is it from
 * now on: what was not begun is undone without effect. */
static int mend(struct txnlog *log, const struct txn_summary *t, struct err *err)
{
	struct json *intent CLEANUP(json_freep) = json_obj();
	int last = (int)json_len(json_get(t->prepared, "actions")) - 1;

	json_set_i64(intent, "action", t->last_intent < last ? t->last_intent + 1 : last);
	return txnlog_append_over(log, RECORD_INTENT, intent, err);
}

static int read_whole(struct txnlog *log, struct txn_summary *ret, struct err *err)
{
	int r = txnlog_read(log->state, log->id, ret, err);

	if (r || !ret->torn)
		return r;
	r = mend(log, ret, err);
	txn_summary_release(ret);
	return r ? r : txnlog_read(log->state, log->id, ret, err);
}

/* 1: as undo_actions. Its errors: as undo_all. */
static int undo_from_records(const struct action_ctx *base, struct txnlog *log, const char *reason,
			     struct err *err)
{
	struct txn_summary t;
	int r;

	if (read_whole(log, &t, err))
		return err_raise(err, ERR_UNDO);
	r = undo_all(base, log, &t, reason, err);
	txn_summary_release(&t);
	return r;
}

/* ---- forward ---- */

static int discard(struct txnlog *log, struct err *err)
{
	struct state *s = log->state;
	unsigned int id = log->id;

	txnlog_release(log);
	return txnlog_discard(s, id, err);
}

/* Gives back what the failed run said, or, if the way back failed too, both. */
static int roll_back(struct txn_request *rq, struct txnlog *log, struct err *err)
{
	struct err undo = ERR_INIT;
	char why[sizeof(err->msg)];

	rq->ctx.deadline = 0;
	report_info(rq->ctx.rep, "rolling back: %s", err->msg);
	if (!undo_from_records(&rq->ctx, log, err->msg, &undo))
		return err_raise(err, ERR_FAILED);
	if (undo.kind == ERR_INTERRUPTED) {
		report_warn(rq->ctx.rep, "sysboxup recover",
			    "rolled back, but not cleaned up yet: %s", undo.msg);
		return err_raise(err, ERR_FAILED);
	}
	snprintf(why, sizeof(why), "%s", err->msg);
	*err = undo;
	err_prefix(err, "%.400s; and the way back failed", why);
	err_remedy(err, "%s",
		   undo.remedy[0] ? undo.remedy : "remove the cause, then run: sysboxup recover");
	return err_raise(err, ERR_UNDO);
}

/* With COMMITTED perhaps in place, recovery would not undo what a way back had left half done: so
 * there is none, and recovery, which sees the record or does not, goes the one way or the other. */
static int leave_in_doubt(struct err *err)
{
	err_remedy(err, "remove the cause, then run: sysboxup recover");
	return err_raise(err, ERR_UNDO);
}

static int finish_committed(struct txn_request *rq, struct txnlog *log, struct err *err)
{
	struct err late = ERR_INIT;
	struct json *body CLEANUP(json_freep) = stamp();

	if (txnlog_append(log, RECORD_COMMITTED, body, err))
		return log->in_doubt ? leave_in_doubt(err) : roll_back(rq, log, err);
	if (finish_all(&rq->ctx, log, rq->plan, true, &late) || index_save(log->state, &late))
		report_warn(rq->ctx.rep, "sysboxup recover", "done, but not cleaned up yet: %s",
			    late.msg);
	return 0;
}

/* As finish_committed: a PENDING that may be in place could be confirmed, so there is no way
 * back. */
static int leave_pending(struct txn_request *rq, struct txnlog *log, struct err *err)
{
	if (!pending_write(log, rq->confirm, err))
		return 0;
	return log->in_doubt ? leave_in_doubt(err) : roll_back(rq, log, err);
}

static int proven(struct txn_request *rq, struct txnlog *log, struct err *err)
{
	return rq->confirm ? leave_pending(rq, log, err) : finish_committed(rq, log, err);
}

int txn_run(struct txn_request *rq, unsigned int *ret_id, struct err *err)
{
	struct txnlog log = TXNLOG_INIT;
	struct err gone = ERR_INIT;
	unsigned int id;
	int r;

	if (txnlog_begin(&log, rq->ctx.state, rq->begin, err))
		return -1;
	id = log.id;
	if (prepare_all(rq, &log, err) || write_prepared(rq, &log, err)) {
		discard(&log, &gone);
		return -1;
	}
	r = commit_all(rq, &log, err) ? roll_back(rq, &log, err) : proven(rq, &log, err);
	txnlog_release(&log);
	if (!r)
		*ret_id = id;
	return r;
}

/* ---- afterwards ---- */

/* The newest transaction; 1 if there is none. */
static int newest(const struct state *s, struct txn_summary *ret, struct err *err)
{
	unsigned int id;

	if (txnlog_newest(s, &id, err))
		return -1;
	return id ? txnlog_read(s, id, ret, err) : 1;
}

int txn_failed(const struct txn_summary *t, struct err *err)
{
	const char *reason = json_get_str(t->terminal, "reason");
	const char *remedy = json_get_str(t->terminal, "remedy");

	err_set(err, ERR_UNDO, "transaction %u could not be rolled back: %s", t->id,
		reason ? reason : "unknown");
	if (!str_empty(remedy))
		err_remedy(err, "%s", remedy);
	return try_again(err);
}

int txn_check_unfinished(const struct state *s, struct err *err)
{
	struct txn_summary t;
	int r = newest(s, &t, err);

	if (r)
		return r > 0 ? 0 : -1;
	if (t.state == TXN_FAILED)
		txn_failed(&t, err);
	else if (t.state == TXN_PENDING && !state_busy(s, err))
		pending_error(&t, err);
	else if ((t.state == TXN_PREPARED || t.state == TXN_NONE || !t.clean) &&
		 !state_busy(s, err))
		err_set(err, ERR_INTERRUPTED, "transaction %u was interrupted", t.id);
	r = err_is_set(err) ? -1 : 0;
	if (r && err->kind == ERR_INTERRUPTED)
		err_remedy(err, "run: sysboxup recover");
	txn_summary_release(&t);
	return r;
}

static int clean_terminal(const struct action_ctx *base, struct txnlog *log,
			  const struct txn_summary *t, struct err *err)
{
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;

	return decode_all(t->prepared, &plan, err) ||
			       finish_all(base, log, &plan, t->state == TXN_COMMITTED, err) ?
		       try_again(err) :
		       0;
}

static int undo_left(const struct action_ctx *base, struct txnlog *log, const struct txn_summary *t,
		     enum txn_recovered *ret, struct err *err)
{
	const char *reason = t->pending ? pending_reason(t) : "interrupted";
	struct action_ctx ctx = *base;
	int r;

	ctx.force = t->pending != NULL;
	report_info(base->rep, "transaction %u was %s: undoing it", t->id, reason);
	r = undo_from_records(&ctx, log, reason, err);
	if (r >= 0)
		*ret = r ? RECOVERED_PART : RECOVERED_DONE;
	return r;
}

static int recover_one(const struct action_ctx *base, const struct txn_summary *t,
		       enum txn_recovered *ret, struct err *err)
{
	struct txnlog log = TXNLOG_INIT;
	int r;

	if (t->state == TXN_PENDING && !pending_over(t))
		return pending_error(t, err);
	if (t->state == TXN_NONE)
		return txnlog_discard(base->state, t->id, err);
	if (txnlog_open(&log, base->state, t->id, err))
		return -1;
	if (t->state == TXN_COMMITTED || t->state == TXN_ROLLED_BACK) {
		r = t->clean ? 0 : clean_terminal(base, &log, t, err);
		if (r)
			err_raise(err, ERR_INTERRUPTED);
	} else {
		r = undo_left(base, &log, t, ret, err);
	}
	txnlog_release(&log);
	return r < 0 ? -1 : 0;
}

static bool is_left(const struct txn_summary *t)
{
	return !t->clean || (t->state != TXN_COMMITTED && t->state != TXN_ROLLED_BACK);
}

int txn_left(const struct state *s, bool *ret, struct err *err)
{
	struct txn_summary t;
	int r = newest(s, &t, err);

	if (r < 0)
		return -1;
	*ret = !r && is_left(&t);
	if (!r)
		txn_summary_release(&t);
	return 0;
}

int txn_recover(const struct action_ctx *ctx, enum txn_recovered *ret, struct err *err)
{
	struct action_ctx base = *ctx;
	enum txn_recovered came = RECOVERED_NOTHING;
	struct txn_summary t;
	struct err late = ERR_INIT;
	int r = newest(ctx->state, &t, err);

	if (r >= 0 && txnlog_sweep(ctx->state, err)) {
		if (!r)
			txn_summary_release(&t);
		return -1;
	}
	base.recovering = true;
	if (!r) {
		r = recover_one(&base, &t, &came, err);
		txn_summary_release(&t);
	}
	if (r < 0 || (came != RECOVERED_PART && state_mark_finished(ctx->state, err)))
		return -1;
	*ret = came;
	if (came != RECOVERED_PART && index_save(ctx->state, &late))	/* a cache: the next run catches up */
		report_warn(ctx->rep, NULL, "%s", late.msg);
	return 0;
}
