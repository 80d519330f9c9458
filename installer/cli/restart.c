/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/restart.h"

#include "docker/hooks.h"
#include "sys/clock.h"
#include "sys/signals.h"

enum { LOOK_MS = 2000, WAKE_MS = 100, SECONDS_MAX = 7 * 24 * 3600 };

static int read_option(const struct cli *cli, struct gate *gate, uint64_t *ret_deadline,
		       struct err *err)
{
	const char *text = option_text(&cli->opts, "when-idle");
	uint64_t seconds = 0;

	if (text && (str_to_seconds(text, &seconds) || seconds > SECONDS_MAX))
		return err_set(err, ERR_USAGE, "--when-idle '%s' is no time such as 90, 45m or 2h", text);
	gate->command = cli->cmd->name;
	gate->when_idle = text != NULL;
	*ret_deadline = clock_boot_ms() + seconds * 1000;
	return 0;
}

/* Nothing is locked. A Docker that does not answer now may be on its way back. */
static int look(struct cli *cli, struct gate *gate, struct buf *why, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct err failed = ERR_INIT;
	int r;

	if (session_open(&s, cli, SESSION_HOST, err) < 0)
		return -1;
	/* a purge has taken away what the hooks are noted in */
	if (s.state.fd < 0 && state_open(&s.state, &s.root, STATE_CREATE, err) < 0)
		return -1;
	r = gate_ask(gate, &s.host, &s.state, why, cli->rep, &failed);
	if (r < 0 && failed.kind == ERR_FAILED) {
		buf_adds(why, failed.msg);
		return 1;
	}
	if (r < 0)
		*err = failed;
	return r;
}

static int pause_until(uint64_t then, struct err *err)
{
	while (clock_boot_ms() < then) {
		if (signals_pending())
			return err_set(err, ERR_FAILED, "stopped while waiting to restart Docker");
		clock_pause_ms(WAKE_MS);
	}
	return 0;
}

static int too_late(const struct cli *cli, const char *why, struct err *err)
{
	err_set(err, ERR_REFUSED, "Docker could not be restarted within %s: %s",
		option_text(&cli->opts, "when-idle"), why);
	return err_remedy(err, "try again later, or give more time");
}

static int wait_open(struct cli *cli, struct gate *gate, uint64_t deadline, struct err *err)
{
	char *said CLEANUP(freep) = NULL;

	for (;;) {
		struct buf why CLEANUP(buf_release) = BUF_INIT;
		uint64_t now = clock_boot_ms();
		int r = look(cli, gate, &why, err);

		if (r <= 0)
			return r;
		if (!str_eq(said, why.data)) {
			report_info(cli->rep, "waiting to restart Docker: %s", why.data);
			str_replace(&said, why.data);
		}
		if (now >= deadline)
			return too_late(cli, why.data, err);
		if (pause_until(now + LOOK_MS < deadline ? now + LOOK_MS : deadline, err))
			return -1;
	}
}

/* What a failed way back left is not yet the end of it: `recover` calls them. */
static void call_post(struct cli *cli, int code, const struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct err ignored = ERR_INIT;
	enum hook_result result = HOOK_DONE;

	if (code < 0 && (err->kind == ERR_UNDO || err->kind == ERR_INTERRUPTED))
		return;
	if (code < 0)
		result = err->kind == ERR_FAILED ? HOOK_UNDONE : HOOK_NOTHING;
	if (!session_open(&s, cli, 0, &ignored))
		hooks_post_restart(&s.state, result, cli->rep);
}

int restart_run(struct cli *cli,
		int (*attempt)(struct cli *cli, struct gate *gate, struct err *err),
		struct err *err)
{
	struct gate gate = { 0 };
	uint64_t deadline = 0;
	int code;

	if (read_option(cli, &gate, &deadline, err))
		return -1;
	for (;;) {
		struct err why = ERR_INIT;

		gate.closed = false;
		code = attempt(cli, &gate, &why);
		if (code < 0 && gate.closed && gate.when_idle) {
			why = (struct err)ERR_INIT;
			if (!wait_open(cli, &gate, deadline, &why))
				continue;
		}
		call_post(cli, code, &why);
		if (code < 0)
			*err = why;
		return code;
	}
}
