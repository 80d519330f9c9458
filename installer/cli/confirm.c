/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/confirm.h"

#include "backends/service/systemd.h"
#include "cli/show.h"

enum { SECONDS_MAX = 30 * 60, TIMER_SECONDS = 60 };

static const char *const timer[] = { "sysboxup-pending.timer", NULL };

int confirm_read_option(const struct cli *cli, unsigned int *ret, struct err *err)
{
	const char *text = option_text(&cli->opts, "confirm-within");
	uint64_t seconds = 0;

	if (text && (str_to_seconds(text, &seconds) || !seconds || seconds > SECONDS_MAX))
		return err_set(
			err, ERR_USAGE,
			"--confirm-within '%.32s' is no time from 1s to 30m, such as 60s or 5m",
			text);
	if (text && option_given(&cli->opts, "image"))
		return err_set(
			err, ERR_USAGE,
			"--confirm-within is for a host that runs, --image for one that does not");
	*ret = (unsigned int)seconds;
	return 0;
}

int confirm_arm(struct session *s, struct err *err)
{
	if (!s->root.is_host)
		return 0;
	if (!host_has_systemd(&s->host))
		return err_set(
			err, ERR_REFUSED,
			"--confirm-within needs systemd: nothing else would take it back in time");
	if (!units_start(timer, TIMER_SECONDS, s->rep, err))
		return 0;
	err_remedy(err, "install sysboxup with `make install`, which brings its units");
	return err_raise(err, ERR_REFUSED);
}

static unsigned long long seconds_left(const struct txn_summary *t)
{
	return (pending_left_ms(t) + 999) / 1000;
}

void confirm_event(struct session *s, const struct txn_summary *t)
{
	struct json *j;

	if (!s->cli->out->json)
		return;
	j = json_obj();
	json_set_i64(j, "id", t->id);
	json_set_i64(j, "seconds_left", (int64_t)seconds_left(t));
	json_set_i64(j, "confirm_within", json_get_i64(t->pending, "seconds", 0));
	render_row(s->cli->out, "pending", j, "%u", t->id);
}

int confirm_say(struct session *s, struct err *err)
{
	struct txn_summary t;
	unsigned int id;

	if (txnlog_newest(&s->state, &id, err) < 0 || txnlog_read(&s->state, id, &t, err) < 0)
		return -1;
	confirm_event(s, &t);
	render_say(
		s->cli->out, PAINT_GOOD,
		"Transaction %u is in place, and undone in %llu s unless it is confirmed. From a new login: sysboxup confirm",
		t.id, seconds_left(&t));
	txn_summary_release(&t);
	return 0;
}

int confirm_disarm(struct session *s, struct err *err)
{
	if (!s->root.is_host || !host_has_systemd(&s->host))
		return 0;
	return units_stop(timer, 0, s->rep, err);
}

/* ---- ticks ---- */

static int look(struct cli *cli, enum txn_due *ret, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct err failed = ERR_INIT;

	*ret = DUE_NEVER;
	if (session_open(&s, cli, 0, err) < 0)
		return -1;
	if (!txn_due(&s.state, ret, &failed) || failed.kind == ERR_UNDO)
		return 0;
	*err = failed;
	return -1;
}

/* With the lock, so that what is seen here is still so when the timer is told. */
static int act(struct cli *cli, enum txn_recovered *ret, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	enum txn_due due = DUE_NEVER;
	struct err left = ERR_INIT;

	if (session_open(&s, cli, SESSION_HOST, err) < 0 || session_lock(&s, "recover", err) < 0)
		return -1;
	if (!txn_due(&s.state, &due, &left) && due == DUE_NOW &&
	    (session_recover_locked(&s, ret, err) < 0 || txn_due(&s.state, &due, err) < 0))
		return -1;
	if (due != DUE_NEVER)
		return 0;
	if (confirm_disarm(&s, err) < 0)
		return -1;
	if (err_is_set(&left))
		*err = left;
	return err_is_set(&left) ? -1 : 0;
}

int confirm_tick(struct cli *cli, enum txn_recovered *ret, struct err *err)
{
	enum txn_due due;
	struct err why = ERR_INIT;

	*ret = RECOVERED_NOTHING;
	if (look(cli, &due, err) < 0)
		return -1;
	if (due == DUE_LATER || !act(cli, ret, &why) || why.kind == ERR_LOCKED ||
	    why.kind == ERR_PENDING)
		return 0;
	*err = why;
	return -1;
}
