/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/changed.h"

#include "backends/pkg/apt.h"
#include "backends/service/systemd.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/signals.h"

#define NOTE "changed.json"
#define NOTE_MAX 65536
#define WATCH "sysboxup-watch.path"

/* As long as sysboxup-watch.service gives it. */
enum { WAIT_MS = 60 * 60 * 1000, LOOK_MS = 200 };

/* ---- waiting ---- */

/* At boot, and behind an upgrade, they come later than we. NULL: all are where they will stay. */
static char *on_its_way(void)
{
	static const char *const units[] = { "docker.service", "containerd.service",
					     "sysbox-mgr.service", "sysbox-fs.service",
					     "sysbox.service", NULL };
	struct unit_status st[ARRAY_SIZE(units)];
	struct err ignored = ERR_INIT;

	if (unit_query_all(units, st, &ignored))
		return NULL;
	for (size_t i = 0; units[i]; i++)
		if (st[i].job)
			return xasprintf("what systemd does with %s", units[i]);
	return NULL;
}

/* Who is at work; NULL: nobody. */
static char *at_work(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct err busy = ERR_INIT;

	if (session_open(&s, cli, 0, err) < 0)
		return NULL;
	if (state_busy(&s.state, &busy) || txn_check_pending(&s.state, &busy))
		return xstrdup(busy.msg);
	char *who = frontend_holder(&s.root);

	return who ? who : on_its_way();
}

int changed_wait(struct cli *cli, struct err *err)
{
	uint64_t deadline = clock_boot_ms() + WAIT_MS;
	bool said = false;

	for (;; clock_pause_ms(LOOK_MS)) {
		char *who CLEANUP(freep) = at_work(cli, err);

		if (!who)
			return err_is_set(err) ? -1 : 0;
		if (!said)
			report_info(cli->rep, "waiting for the end of: %s", who);
		said = true;
		if (signals_pending() || clock_boot_ms() >= deadline)
			return err_set(err, ERR_FAILED, "gave up waiting for the end of: %s", who);
	}
}

/* ---- the note ---- */

static struct json *read_note(const struct session *s)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct json *j = NULL;

	if (s->state.txn_fd < 0 ||
	    fs_read_at(s->state.fd, NOTE, NOTE_MAX, &text, &ignored) ||
	    json_parse(text.data, text.len, JSON_STRICT, NOTE, &j, &ignored))
		return NULL;
	return j;
}

static int write_note(const struct session *s, const struct json *j, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	json_print_pretty(j, &text);
	return fs_put(s->state.fd, NOTE, 0600, text.data, text.len, err);
}

/* Where the look before found something bad, that was the change. */
static struct json *next_note(const struct session *s, const struct json *before, unsigned int bad)
{
	const char *then = json_get_str(before, json_get_i64(before, "bad", 0) ? "from" : "docker");
	const char *now = s->host.docker.version;
	struct json *j = json_obj();
	char time[32];

	clock_iso(clock_now(), time);
	json_set_str(j, "time", time);
	if (now)
		json_set_str(j, "docker", now);
	if (then)
		json_set_str(j, "from", then);
	json_set_i64(j, "bad", bad);
	return j;
}

static char *what_changed(const struct json *note)
{
	const char *from = json_get_str(note, "from"), *to = json_get_str(note, "docker");
	const char *time = json_get_str(note, "time");

	if (from && to && strcmp(from, to) != 0)
		return xasprintf("Docker changed from %s to %s (seen %s)", from, to, time);
	return xasprintf("a program of Docker or containerd changed (seen %s)", time);
}

static int complain(const struct json *note, unsigned int bad, struct err *err)
{
	char *what CLEANUP(freep) = what_changed(note);

	err_set(err, ERR_DRIFT, "%s, and since then %u proof%s", what, bad,
		bad > 1 ? "s fail" : " fails");
	return err_remedy(err, "do what the lines above say, or install the version of before again");
}

int changed_note(struct session *s, unsigned int bad, struct err *err)
{
	struct json *before CLEANUP(json_freep) = read_note(s);
	struct json *note CLEANUP(json_freep) = next_note(s, before, bad);

	if (write_note(s, note, err))
		return -1;
	return bad ? complain(note, bad, err) : 0;
}

static int complain_elsewhere(const struct session *s, unsigned int bad, struct err *err)
{
	err_set(err, ERR_DRIFT, "%u proof%s; '%s' is managed elsewhere", bad,
		bad > 1 ? "s fail" : " fails", s->host.docker.config_file);
	return err_remedy(err, "do what the lines above say");
}

/* A Docker that does not answer has the version of its package, which ends at the '-' that one that
 * does answer may have (20.10.25+azure-2). */
static bool is_same_version(const char *a, const char *b)
{
	size_t n = strcspn(a, "-");

	return n == strcspn(b, "-") && !strncmp(a, b, n);
}

/* The watch does not look back: what was changed while its look was killed, or a boot came before
 * it, nobody has looked at. Where the last look found something bad, status looks itself. */
static int check_looked(const struct session *s, const struct json *note, struct err *err)
{
	const char *then = json_get_str(note, "docker"), *now = s->host.docker.version;

	if (!s->host.running || !then || !now || is_same_version(then, now) ||
	    json_get_i64(note, "bad", 0) > 0)
		return 0;
	err_set(err, ERR_DRIFT,
		"Docker changed from %s to %s, and sysboxup-watch has not looked since whether everything still works",
		then, now);
	return err_remedy(err, "sysboxup verify --quick --changed");
}

/* Where others manage daemon.json the index knows nothing of it: it is the proofs that tell. */
int changed_check(struct session *s, struct err *err)
{
	struct json *note CLEANUP(json_freep) = read_note(s);
	struct session again CLEANUP(session_release) = SESSION_INIT;
	bool noted = s->host.running && json_get_i64(note, "bad", 0) > 0;
	unsigned int bad;

	if (!json_len(s->index))
		return 0;
	if (check_looked(s, note, err) < 0)
		return -1;
	again.quick = true;
	if (session_open(&again, s->cli, SESSION_APPLIED | SESSION_HOST, err) < 0)
		return -1;
	if (!noted && !again.profile.docker.elsewhere)
		return 0;
	if (session_verify(&again, &bad, err) < 0)
		return -1;
	if (!bad)
		return 0;
	return noted ? complain(note, bad, err) : complain_elsewhere(&again, bad, err);
}

static bool is_noted(const struct session *s)
{
	struct json *note CLEANUP(json_freep) = read_note(s);

	return note && !json_get_i64(note, "bad", 0) &&
	       str_eq(json_get_str(note, "docker"), s->host.docker.version);
}

/* The links that enable it count from the next boot on. */
static void start_watch(struct session *s)
{
	static const char *const units[] = { WATCH, NULL };
	struct err why = ERR_INIT;

	if (host_has_systemd(&s->host) && root_exists(&s->root, "/usr/lib/systemd/system/" WATCH) &&
	    units_start(units, 0, NULL, &why))
		report_warn(s->rep, "systemctl start " WATCH,
			    "upgrades of Docker are not watched: %s", why.msg);
}

void changed_begin(struct session *s)
{
	struct json *note CLEANUP(json_freep) = next_note(s, NULL, 0);
	struct err why = ERR_INIT;

	if (!s->host.running)
		return;
	if (!is_noted(s) && write_note(s, note, &why))
		report_warn(s->rep, NULL, "%s", why.msg);
	start_watch(s);
}
