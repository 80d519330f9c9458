/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/renewed.h"

#include "cli/background.h"
#include "cli/exit.h"
#include "cli/restart.h"
#include "pki/store.h"
#include "steps/api.h"
#include "steps/daemon.h"
#include "sys/clock.h"

enum { LOCK_SECONDS = 120, POLL_MS = 200 };

/* A link to what was renewed, or what makes a daemon start with it. */
static bool is_of_certificates(const struct action *a)
{
	static const char *const known[] = {
		"certificates", "listener", "halt", "reload", "units",
		"file:" API_CA, "file:" API_SERVER,
		"file:" CI_DIR "/" API_CA_NAME, "file:" CI_DIR "/" API_SERVER_NAME, NULL
	};
	const char *what = str_eq(a->ops->kind, "file") ? a->key : a->ops->kind;

	for (size_t i = 0; known[i]; i++)
		if (str_eq(what, known[i]))
			return str_eq(a->step, "api") || str_eq(a->step, "docker-ci");
	return false;
}

static bool is_all_of_certificates(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!is_of_certificates(p->v[i]))
			return false;
	return p->n > 0;
}

static int hand_over(struct session *s, struct plan *plan, struct err *err)
{
	if (background_run(s, plan, err) < 0)
		return -1;
	render_say(s->cli->out, PAINT_GOOD, "Docker was given the renewed certificates: transaction %u.",
		   s->cli->result.transaction);
	return 0;
}

static int attempt(struct cli *cli, struct gate *gate, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;

	s.gate = gate;
	if (session_open(&s, cli, SESSION_APPLIED | SESSION_LOCK | SESSION_HOST | SESSION_INSTALLED,
			 err) < 0)
		return -1;
	if (!s.host.running || !s.host.docker.main_pid)
		return EXIT_DONE;
	if (session_plan(&s, &plan, err) < 0)
		return -1;
	return is_all_of_certificates(&plan) ? hand_over(&s, &plan, err) : EXIT_DONE;
}

/* Without a lock: what comes of a wrong answer is a look that finds nothing, or the next one. */
static int look(struct cli *cli, bool *ret_waiting, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct pki pki CLEANUP(pki_release) = PKI_INIT;

	if (session_open(&s, cli, 0, err) < 0 || pki_open(&pki, &s.root, PKI_READ, 0, err))
		return -1;
	*ret_waiting = s.root.is_host && api_is_behind(&s.root, &pki);
	return 0;
}

static uint64_t lock_deadline(const struct cli *cli)
{
	const char *text = option_text(&cli->opts, "lock-wait");
	uint64_t seconds;

	if (!text || str_to_seconds(text, &seconds))
		seconds = LOCK_SECONDS;
	return clock_boot_ms() + 1000 * seconds;
}

static int run_waiting(struct cli *cli, struct err *err)
{
	uint64_t deadline = lock_deadline(cli);
	int code;

	while ((code = restart_run(cli, attempt, err)) < 0 && err->kind == ERR_LOCKED &&
	       clock_boot_ms() < deadline) {
		*err = (struct err)ERR_INIT;
		clock_pause_ms(POLL_MS);
	}
	return code;
}

/* Nothing of what those ask for would be done. */
static int check_options(const struct cli *cli, struct err *err)
{
	static const char *const others[] = { "package", "force", "image", "confirm-within",
					      "deadline", "stop-containers" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (option_given(&cli->opts, others[i]))
			return err_set(err, ERR_USAGE, "--renewed and --%s exclude each other",
				       others[i]);
	return 0;
}

int renewed_run(struct cli *cli, struct err *err)
{
	bool waiting;
	int code;

	if (check_options(cli, err) || look(cli, &waiting, err))
		return -1;
	code = waiting ? run_waiting(cli, err) : EXIT_DONE;
	if (code < 0 && err->kind == ERR_REFUSED) {
		report_warn(cli->rep, err->remedy,
			    "Docker is not given the renewed certificates now: %s", err->msg);
		return EXIT_DONE;
	}
	if (code >= 0 && !cli->result.changed)
		render_say(cli->out, PAINT_GOOD, "Nothing to do: %s.",
			   waiting ? "more than that is pending, and left to apply" :
				     "Docker was given the newest certificates");
	return code;
}
