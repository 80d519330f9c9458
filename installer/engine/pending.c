/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pending.h"

#include "engine/txn.h"
#include "sys/clock.h"
#include "sys/stamp.h"

#include <stdio.h>

int pending_write(struct txnlog *log, const struct pending_request *rq, struct err *err)
{
	struct json *body CLEANUP(json_freep) = json_obj();
	uint64_t now = clock_boot_ms();
	char time[32];

	clock_iso(stamp_now(), time);
	json_set_str(body, "time", time);
	json_set_i64(body, "seconds", rq->seconds);
	json_set_str(body, "login", rq->login.id);
	json_set_str(body, "boot_id", clock_boot_id());
	json_set_i64(body, "since", (int64_t)now);
	json_set_i64(body, "deadline", (int64_t)(now + rq->seconds * 1000ULL));
	return txnlog_append(log, RECORD_PENDING, body, err);
}

static bool other_boot(const struct txn_summary *t)
{
	const char *boot = json_get_str(t->pending, "boot_id");

	return str_empty(boot) || !str_eq(boot, clock_boot_id());
}

/* What is undone in part, or may have been, is not there to be confirmed. */
static bool begun_to_go(const struct txn_summary *t) { return t->undone_from >= 0 || t->torn; }

uint64_t pending_left_ms(const struct txn_summary *t)
{
	uint64_t deadline = (uint64_t)json_get_i64(t->pending, "deadline", 0),
		 now = clock_boot_ms();

	return other_boot(t) || begun_to_go(t) || now >= deadline ? 0 : deadline - now;
}

bool pending_over(const struct txn_summary *t) { return !pending_left_ms(t); }

const char *pending_reason(const struct txn_summary *t)
{
	static char within[64];

	if (other_boot(t))
		return "not confirmed before the next boot";
	snprintf(within, sizeof(within), "not confirmed within %lld s",
		 (long long)json_get_i64(t->pending, "seconds", 0));
	return within;
}

int pending_error(const struct txn_summary *t, struct err *err)
{
	uint64_t left = pending_left_ms(t);

	if (!left) {
		err_set(err, ERR_INTERRUPTED, "transaction %u was %s, and is not undone yet", t->id,
			pending_reason(t));
		return err_remedy(err, "wait a moment, or run: sysboxup recover");
	}
	err_set(err, ERR_PENDING, "transaction %u waits to be confirmed, for %llu s more", t->id,
		(unsigned long long)(left + 999) / 1000);
	return err_remedy(err, "from a new login: sysboxup confirm; or wait until it is undone");
}

/* 1: there is none. */
static int newest(const struct state *s, struct txn_summary *ret, struct err *err)
{
	unsigned int id;

	if (txnlog_newest(s, &id, err))
		return -1;
	return id ? txnlog_read(s, id, ret, err) : 1;
}

int txn_check_pending(const struct state *s, struct err *err)
{
	struct txn_summary t;
	int r = newest(s, &t, err);

	if (r)
		return r > 0 ? 0 : -1;
	r = t.state == TXN_PENDING && !pending_over(&t) ? pending_error(&t, err) : 0;
	txn_summary_release(&t);
	return r;
}

static int due(const struct txn_summary *t, enum txn_due *ret, struct err *err)
{
	*ret = DUE_NEVER;
	if (!json_get(t->begin, "confirm_within"))
		return 0;
	if (t->state == TXN_FAILED)
		return txn_failed(t, err);
	if (t->state == TXN_PENDING && !pending_over(t))
		*ret = DUE_LATER;
	else if (!t->clean || t->state == TXN_NONE)
		*ret = DUE_NOW;
	return 0;
}

int txn_due(const struct state *s, enum txn_due *ret, struct err *err)
{
	struct txn_summary t;
	int r = newest(s, &t, err);

	*ret = DUE_NEVER;
	if (r)
		return r > 0 ? 0 : -1;
	r = due(&t, ret, err);
	txn_summary_release(&t);
	return r;
}

/* ---- confirm ---- */

static int check_login(const struct txn_summary *t, const struct login *login, struct err *err)
{
	if (!login)
		return 0;
	if (str_eq(login->id, json_get_str(t->pending, "login")))
		err_set(err, ERR_REFUSED,
			"this is the login that applied transaction %u: it does not show that a new one is possible",
			t->id);
	else if (login->since < (uint64_t)json_get_i64(t->pending, "since", 0))
		err_set(err, ERR_REFUSED,
			"this login began before transaction %u was in place: it does not show that a new one is possible",
			t->id);
	else
		return 0;
	return err_remedy(
		err,
		"log in anew, and there: sysboxup confirm; whoever knows better: sysboxup confirm --same-session");
}

/* Not pending: what became of it. */
static int nothing_to_confirm(const struct txn_summary *t, struct err *err)
{
	if (t->pending && t->state == TXN_COMMITTED)
		return 1;
	if (t->pending && t->state == TXN_ROLLED_BACK)
		err_set(err, ERR_DRIFT, "too late: transaction %u was %s, and is undone", t->id,
			json_get_str(t->terminal, "reason"));
	else if (t->state == TXN_FAILED)
		txn_failed(t, err);
	else
		return err_set(err, ERR_REFUSED, "nothing waits to be confirmed");
	return err_remedy(err, "sysboxup status");
}

static int confirm(const struct action_ctx *ctx, const struct txn_summary *t,
		   const struct login *login, const char *run, struct err *err)
{
	struct json *body CLEANUP(json_freep) = json_obj();
	struct txnlog log CLEANUP(txnlog_release) = TXNLOG_INIT;
	char time[32];

	if (t->state != TXN_PENDING)
		return nothing_to_confirm(t, err);
	if (pending_over(t)) {
		pending_error(t, err);
		err_prefix(err, "too late");
		return err_raise(err, ERR_DRIFT);
	}
	if (check_login(t, login, err) || txnlog_open(&log, ctx->state, t->id, err))
		return -1;
	clock_iso(stamp_now(), time);
	json_set_str(body, "time", time);
	json_set_str(body, "run", run);
	if (!txnlog_append(&log, RECORD_COMMITTED, body, err))
		return 0;
	if (!log.in_doubt)
		return err_remedy(err, "remove the cause, then try again: sysboxup confirm");
	err_remedy(err, "remove the cause, then run: sysboxup recover");
	return err_raise(err, ERR_UNDO);
}

int txn_confirm(const struct action_ctx *ctx, const struct login *login, const char *run,
		unsigned int *ret_id, struct err *err)
{
	struct txn_summary t;
	int r = newest(ctx->state, &t, err);

	if (r)
		return r < 0 ? -1 : err_set(err, ERR_REFUSED, "nothing waits to be confirmed");
	r = confirm(ctx, &t, login, run, err);
	if (r >= 0)
		*ret_id = t.id;
	txn_summary_release(&t);
	return r;
}
