/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction that waits to be confirmed: one file, on a root of its own, killed and failed at
 * every call; before or after, and nothing that is both. */
#include "actions/kinds.h"
#include "engine/txn.h"
#include "scratch.h"
#include "sys/clock.h"
#include "sys/fault.h"

enum { LONG = 600 };

struct waiting {
	struct report rep;	/* first: what is reported finds the rest */
	struct scratch s;
	struct state state;
	struct host host;
	struct buf warned;
	unsigned int seconds, id;
	const struct login *login;
	int n;			/* the call that is hit */
};

static void take_warning(struct report *r, const struct report_line *l)
{
	struct waiting *w = (struct waiting *)r;

	if (l->kind == REPORT_WARN)
		buf_addf(&w->warned, "%s\n", l->text);
}

static void waiting_open(struct waiting *w)
{
	struct err err = ERR_INIT;

	*w = (struct waiting){ .seconds = LONG, .warned = BUF_INIT };
	w->rep = (struct report){ .emit = take_warning };
	scratch_open(&w->s);
	CHECK_INT(mkdirat(w->s.fd, "etc", 0755), 0);
	put(&w->s, "etc/x", "old\n");
	CHECK_INT(state_open(&w->state, &w->s.root, STATE_CREATE, &err), 0);
}

static void waiting_close(struct waiting *w)
{
	fault_set(NULL);
	buf_release(&w->warned);
	state_release(&w->state);
	scratch_close(&w->s);
}

static struct action_ctx ctx_of(struct waiting *w)
{
	return (struct action_ctx){ .host = &w->host, .root = &w->s.root, .state = &w->state,
				    .rep = &w->rep };
}

static int apply(struct waiting *w, struct err *err)
{
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct json *begin CLEANUP(json_freep) = json_obj();
	struct pending_request confirm = { .seconds = w->seconds,
					   .login = { "login 1", 0 } };
	struct txn_request rq = { .plan = &plan, .begin = begin, .ctx = ctx_of(w),
				  .confirm = &confirm };

	json_set_i64(begin, "confirm_within", w->seconds);
	plan_add(&plan, action_file("test", "/etc/x", 0, "new\n", 4));
	return txn_run(&rq, &w->id, err);
}

static int recover(struct waiting *w, enum txn_recovered *ret, struct err *err)
{
	struct action_ctx ctx = ctx_of(w);

	return txn_recover(&ctx, ret, err);
}

/* And the cleaning up behind it. */
static int confirm(struct waiting *w, struct err *err)
{
	struct action_ctx ctx = ctx_of(w);
	enum txn_recovered came;
	int r = txn_confirm(&ctx, w->login, "run", &w->id, err);

	return r < 0 ? r : recover(w, &came, err) ? -1 : r;
}

static enum txn_state state_now(struct waiting *w, bool *ret_clean)
{
	struct txn_summary t = { .id = 0 };
	struct err err = ERR_INIT;
	unsigned int id;

	CHECK_INT(txnlog_newest(&w->state, &id, &err), 0);
	if (!id)
		return TXN_NONE;
	CHECK_INT(txnlog_read(&w->state, id, &t, &err), 0);
	CHECK_STR(err.msg, "");
	*ret_clean = t.clean;
	txn_summary_release(&t);
	return t.state;
}

static void check_state(struct waiting *w, enum txn_state state, const char *text)
{
	bool clean = false;

	CHECK_INT(state_now(w, &clean), state);
	CHECK_INT(clean, state == TXN_COMMITTED || state == TXN_ROLLED_BACK);
	CHECK_STR(get(&w->s, "etc/x"), text);
}

/* The way an expiry takes it: the engine is asked, and told to recover if it says so. */
static void expire(struct waiting *w)
{
	struct err err = ERR_INIT;
	enum txn_due due;
	enum txn_recovered came;

	CHECK_INT(txn_due(&w->state, &due, &err), 0);
	CHECK_INT(due, DUE_NOW);
	CHECK_INT(recover(w, &came, &err), 0);
	CHECK_STR(err.msg, "");
	CHECK_INT(came, RECOVERED_DONE);
	CHECK_INT(txn_due(&w->state, &due, &err), 0);
	CHECK_INT(due, DUE_NEVER);
}

static void pend(struct waiting *w)
{
	struct err err = ERR_INIT;

	CHECK_INT(apply(w, &err), 0);
	CHECK_STR(err.msg, "");
	check_state(w, TXN_PENDING, "new\n");
}

/* ---- who and when ---- */

TEST(waits, "what waits is not recovered, not due, and says so with the time that is left")
{
	struct waiting w;
	struct err err = ERR_INIT, said = ERR_INIT;
	enum txn_recovered came = RECOVERED_PART;
	enum txn_due due;

	waiting_open(&w);
	pend(&w);
	CHECK_INT(txn_due(&w.state, &due, &err), 0);
	CHECK_INT(due, DUE_LATER);
	CHECK_INT(recover(&w, &came, &err), -1);
	CHECK_INT(err.kind, ERR_PENDING);
	CHECK_INT(txn_check_unfinished(&w.state, &said), -1);
	CHECK_INT(said.kind, ERR_PENDING);
	CHECK(strstr(said.msg, "transaction 1 waits to be confirmed, for "));
	check_state(&w, TXN_PENDING, "new\n");
	waiting_close(&w);
}

TEST(logins, "only a login that began when everything was in place confirms")
{
	const struct login same = { "login 1", UINT64_MAX }, older = { "login 2", 0 },
			   newer = { "login 2", clock_boot_ms() + 1000000 };
	struct waiting w;
	struct err one = ERR_INIT, two = ERR_INIT, err = ERR_INIT;

	waiting_open(&w);
	pend(&w);
	w.login = &same;
	CHECK_INT(confirm(&w, &one), -1);
	CHECK_INT(one.kind, ERR_REFUSED);
	CHECK(strstr(one.msg, "this is the login that applied transaction 1"));
	w.login = &older;
	CHECK_INT(confirm(&w, &two), -1);
	CHECK_INT(two.kind, ERR_REFUSED);
	CHECK(strstr(two.msg, "this login began before transaction 1 was in place"));
	check_state(&w, TXN_PENDING, "new\n");
	w.login = &newer;
	CHECK_INT(confirm(&w, &err), 0);
	CHECK_STR(err.msg, "");
	check_state(&w, TXN_COMMITTED, "new\n");
	CHECK_INT(confirm(&w, &err), 1);	/* again: it was, and that is no error */
	waiting_close(&w);
}

TEST(too_late, "behind the deadline confirm refuses, and the old state comes back; then it is still too late")
{
	struct waiting w;
	struct err err = ERR_INIT, after = ERR_INIT;

	waiting_open(&w);
	w.seconds = 0;
	pend(&w);
	CHECK_INT(confirm(&w, &err), -1);
	CHECK_INT(err.kind, ERR_DRIFT);
	CHECK(strstr(err.msg, "too late: transaction 1 was not confirmed within 0 s"));
	expire(&w);
	check_state(&w, TXN_ROLLED_BACK, "old\n");
	CHECK_INT(confirm(&w, &after), -1);
	CHECK_INT(after.kind, ERR_DRIFT);
	check_state(&w, TXN_ROLLED_BACK, "old\n");
	waiting_close(&w);
}

/* The same record, but of another boot. */
static void move_to_other_boot(struct waiting *w)
{
	struct json *body CLEANUP(json_freep) = json_obj();
	struct txnlog log = TXNLOG_INIT;
	struct err err = ERR_INIT;

	json_set_str(body, "boot_id", "00000000-0000-0000-0000-000000000000");
	json_set_i64(body, "seconds", LONG);
	json_set_i64(body, "deadline", INT64_C(1) << 50);
	CHECK_INT(txnlog_open(&log, &w->state, w->id, &err), 0);
	CHECK_INT(txnlog_append(&log, RECORD_PENDING, body, &err), 0);
	txnlog_release(&log);
}

TEST(other_boot, "in another boot the time is over, whatever the clock says")
{
	struct waiting w;
	struct err err = ERR_INIT;

	waiting_open(&w);
	pend(&w);
	move_to_other_boot(&w);
	CHECK_INT(confirm(&w, &err), -1);
	CHECK_INT(err.kind, ERR_DRIFT);
	CHECK(strstr(err.msg, "not confirmed before the next boot"));
	expire(&w);
	check_state(&w, TXN_ROLLED_BACK, "old\n");
	waiting_close(&w);
}

TEST(in_part, "what is undone in part cannot be confirmed, though the time is not over")
{
	struct json *body CLEANUP(json_freep) = json_obj();
	struct txnlog log = TXNLOG_INIT;
	struct waiting w;
	struct err err = ERR_INIT;

	waiting_open(&w);
	pend(&w);
	json_set_i64(body, "action", 0);
	CHECK_INT(txnlog_open(&log, &w.state, w.id, &err), 0);
	CHECK_INT(txnlog_append(&log, RECORD_UNDONE, body, &err), 0);
	txnlog_release(&log);
	CHECK_INT(confirm(&w, &err), -1);
	CHECK_INT(err.kind, ERR_DRIFT);
	waiting_close(&w);
}

TEST(torn, "a torn record behind it may have been the first of the way back: it is over")
{
	struct waiting w;
	struct err err = ERR_INIT;

	waiting_open(&w);
	pend(&w);
	put(&w.s, "var/lib/sysboxup/txn/000001/0004", "sysboxup-rec");
	CHECK_INT(confirm(&w, &err), -1);
	CHECK_INT(err.kind, ERR_DRIFT);
	expire(&w);
	check_state(&w, TXN_ROLLED_BACK, "old\n");
	waiting_close(&w);
}

TEST(beside, "a stranger's edit stops no expiry: it is kept beside, and the old state is back")
{
	struct waiting w;

	waiting_open(&w);
	w.seconds = 0;
	pend(&w);
	put(&w.s, "etc/x", "theirs\n");
	expire(&w);
	check_state(&w, TXN_ROLLED_BACK, "old\n");
	CHECK_STR(get(&w.s, "etc/x.sysboxup-kept-1"), "theirs\n");
	CHECK(strstr(w.warned.data, "'/etc/x' was changed by somebody else"));
	waiting_close(&w);
}

TEST(taken_away, "what a stranger took away comes back at expiry")
{
	struct waiting w;

	waiting_open(&w);
	w.seconds = 0;
	pend(&w);
	CHECK_INT(unlinkat(w.s.fd, "etc/x", 0), 0);
	expire(&w);
	check_state(&w, TXN_ROLLED_BACK, "old\n");
	CHECK(!get(&w.s, "etc/x.sysboxup-kept-1"));
	waiting_close(&w);
}

/* ---- hit at every call ---- */

static void hit(const struct waiting *w, const char *how)
{
	char fault[40];

	snprintf(fault, sizeof(fault), "%s:%d%s", how, w->n, str_eq(how, "fail") ? ":EIO" : "");
	fault_set(fault);
}

static int child_apply(void *arg)
{
	struct err err = ERR_INIT;

	hit(arg, "die-before");
	return apply(arg, &err) ? 1 : 0;
}

static int child_confirm(void *arg)
{
	struct err err = ERR_INIT;

	hit(arg, "die-before");
	return confirm(arg, &err) < 0 ? 1 : 0;
}

static int child_recover(void *arg)
{
	struct err err = ERR_INIT;
	enum txn_recovered came;

	hit(arg, "die-before");
	return recover(arg, &came, &err) ? 1 : 0;
}

/* Afterwards: what can still be confirmed is, anything else is before. */
static void end_somehow(struct waiting *w, unsigned int *confirmed)
{
	struct err err = ERR_INIT;
	enum txn_recovered came;
	bool clean;

	if (!recover(w, &came, &err)) {
		CHECK_STR(err.msg, "");
		if (state_now(w, &clean) == TXN_COMMITTED)
			check_state(w, TXN_COMMITTED, "new\n");
		else
			CHECK_STR(get(&w->s, "etc/x"), "old\n");
		return;
	}
	CHECK_INT(err.kind, ERR_PENDING);
	check_state(w, TXN_PENDING, "new\n");
	err = (struct err)ERR_INIT;
	CHECK_INT(confirm(w, &err), 0);
	check_state(w, TXN_COMMITTED, "new\n");
	++*confirmed;
}

TEST(apply_killed, "killed at any call it is undone, or waits and can be confirmed")
{
	unsigned int confirmed = 0;
	int got = -1, n = 1;

	for (; got; n++) {
		struct waiting w;

		waiting_open(&w);
		w.n = n;
		got = in_child(child_apply, &w);
		CHECK(!got || got == 128 + SIGKILL);
		end_somehow(&w, &confirmed);
		waiting_close(&w);
	}
	CHECK(n > 30);
	CHECK(confirmed > 1);	/* the untouched run at the end is one */
}

TEST(confirm_killed, "confirm killed at any call leaves it waiting, or committed; never undone")
{
	unsigned int again = 0;
	int got = -1, n = 1;

	for (; got; n++) {
		struct waiting w;

		waiting_open(&w);
		pend(&w);
		w.n = n;
		got = in_child(child_confirm, &w);
		CHECK(!got || got == 128 + SIGKILL);
		end_somehow(&w, &again);
		check_state(&w, TXN_COMMITTED, "new\n");
		waiting_close(&w);
	}
	CHECK(n > 8);
	CHECK(again > 0);
	CHECK((int)again < n - 2);
}

/* theirs: a stranger has edited the file meanwhile. */
static void expire_killed(bool theirs)
{
	int got = -1, n = 1;

	for (; got; n++) {
		struct waiting w;
		struct err err = ERR_INIT;
		enum txn_recovered came;

		waiting_open(&w);
		w.seconds = 0;
		pend(&w);
		if (theirs)
			put(&w.s, "etc/x", "theirs\n");
		w.n = n;
		got = in_child(child_recover, &w);
		CHECK(!got || got == 128 + SIGKILL);
		CHECK_INT(confirm(&w, &err), -1);	/* from here it cannot be had back */
		CHECK_INT(recover(&w, &came, &err), 0);
		check_state(&w, TXN_ROLLED_BACK, "old\n");
		if (theirs)
			CHECK_STR(get(&w.s, "etc/x.sysboxup-kept-1"), "theirs\n");
		waiting_close(&w);
	}
	CHECK(n > 10);
}

TEST(expiry_killed, "expiry killed at any call cannot be confirmed any more, and the next tick ends it")
{
	expire_killed(false);
}

TEST(expiry_killed_beside, "expiry over a stranger's edit, killed at any call, loses neither version")
{
	expire_killed(true);
}

TEST(confirm_failed, "confirm failed at any call says so and can be tried again, or has committed")
{
	int r = -1, n = 1;

	for (; r; n++) {
		struct waiting w;
		struct err err = ERR_INIT, ignored = ERR_INIT;
		enum txn_recovered came;

		waiting_open(&w);
		pend(&w);
		w.n = n;
		hit(&w, "fail");
		r = confirm(&w, &err);
		fault_set(NULL);
		CHECK(r >= 0 || err_is_set(&err));
		if (recover(&w, &came, &ignored))
			CHECK_INT(confirm(&w, &ignored), 0);
		check_state(&w, TXN_COMMITTED, "new\n");
		waiting_close(&w);
	}
	CHECK(n > 8);
}

RUN_TESTS()
