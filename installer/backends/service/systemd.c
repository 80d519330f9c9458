/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/service/systemd.h"

#include "base/str.h"
#include "sys/clock.h"
#include "sys/proc.h"
#include "sys/signals.h"

#include <stdio.h>

#define POLL_MS 20
#define WATCH_MS 100

static int systemctl(const char *const argv[], struct report *log, struct buf *out, int *status,
		     struct err *err)
{
	struct proc p = PROC_INIT;

	p.argv = argv;
	p.log = log;
	p.ret_out = out;
	return proc_run(&p, status, err);
}

static void take_property(struct unit_status *st, const char *line)
{
	const struct { const char *name; char *dst; } fields[] = {
		{ "LoadState=", st->load }, { "ActiveState=", st->active },
		{ "Result=", st->result }, { "UnitFileState=", st->enabled },
	};
	int64_t pid;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (str_starts(line, fields[i].name))
			snprintf(fields[i].dst, sizeof(st->load), "%s",
				 line + strlen(fields[i].name));
	if (str_starts(line, "MainPID=") &&
	    !str_to_i64(line + strlen("MainPID="), 0, INT32_MAX, &pid))
		st->main_pid = (pid_t)pid;
	if (str_starts(line, "InvocationID="))
		snprintf(st->invocation, sizeof(st->invocation), "%s",
			 line + strlen("InvocationID="));
	if (str_starts(line, "FragmentPath="))
		snprintf(st->fragment, sizeof(st->fragment), "%s", line + strlen("FragmentPath="));
	if (str_starts(line, "Job="))	/* left out or empty where there is none */
		st->job = line[strlen("Job=")] > '0';
	if (str_starts(line, "NRestarts="))
		(void)str_to_u64(line + strlen("NRestarts="), UINT64_MAX, &st->restarts);
}

/* One block of lines per unit, in the order asked, an empty line between two. */
static int take_blocks(const char *out, struct unit_status *ret, size_t n, struct err *err)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	size_t at = 0;

	str_split(&lines, out, '\n');
	for (size_t i = 0; i < lines.n && at < n; i++) {
		take_property(&ret[at], lines.v[i]);
		at += !*lines.v[i];
	}
	return at + 1 < n ? err_set(err, ERR_FAILED, "systemctl show said too little") : 0;
}

int systemd_reload(struct report *log, struct err *err)
{
	const char *const argv[] = { "systemctl", "daemon-reload", NULL };

	return systemctl(argv, log, NULL, NULL, err);
}

int systemd_apply_filters(struct report *log, struct err *err)
{
	const char *const argv[] = { "systemd-run", "--quiet", "--collect", "--no-block",
				     "--property=DefaultDependencies=no",
				     "--description=filters of sockets take effect", "true", NULL };

	return proc_available(argv[0]) ? systemctl(argv, log, NULL, NULL, err) : 0;
}

int unit_listens(const char *unit, char **ret, struct err *err)
{
	const char *const argv[] = { "systemctl", "show", "-P", "Listen", "--", unit, NULL };
	struct buf out CLEANUP(buf_release) = BUF_INIT;

	if (systemctl(argv, NULL, &out, NULL, err))
		return err_prefix(err, "cannot ask systemd about %s", unit);
	*ret = xstrdup(out.len ? out.data : "");
	return 0;
}

int unit_query_all(const char *const *units, struct unit_status *ret, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	size_t n = 0;

	strv_addv(
		&argv,
		(const char *const[]){
			"systemctl", "show", "-p",
			"LoadState,ActiveState,Result,UnitFileState,MainPID,InvocationID,NRestarts,FragmentPath,Job",
			"--", NULL });
	strv_addv(&argv, units);
	for (; units[n]; n++)
		ret[n] = (struct unit_status){ .main_pid = 0 };
	if (systemctl((const char *const *)argv.v, NULL, &out, NULL, err) ||
	    take_blocks(out.data, ret, n, err))
		return err_prefix(err, "cannot ask systemd about %s", units[0]);
	return 0;
}

static int systemctl_all(const char *const *words, const char *const *units, struct report *log,
			 int *status, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	strv_add(&argv, "systemctl");
	strv_addv(&argv, words);
	strv_add(&argv, "--");
	strv_addv(&argv, units);
	return systemctl((const char *const *)argv.v, log, NULL, status, err);
}

/* What a unit is on its way to: 1 there, 0 not yet, -1 it never will. */
typedef int settled_fn(const char *unit, const struct unit_status *st, struct err *err);

/* A job that was queued shows as "inactive" until systemd gets to it: only `failed` ends the wait
 * early. */
static int is_active(const char *unit, const struct unit_status *st, struct err *err)
{
	if (!str_eq(st->active, "failed"))
		return str_eq(st->active, "active");
	err_set(err, ERR_FAILED, "%s did not start: %s", unit, st->result);
	return err_remedy(err, "see: journalctl -b -u %s", unit);
}

static int is_down(const char *unit, const struct unit_status *st, struct err *err)
{
	return !str_eq(st->active, "active") && !str_eq(st->active, "activating") &&
	       !str_eq(st->active, "deactivating") && !str_eq(st->active, "reloading");
}

static size_t count(const char *const *units)
{
	size_t n = 0;

	while (units[n])
		n++;
	return n;
}

static int wait_for(const char *const *units, settled_fn *settled, unsigned int seconds,
		    struct err *err)
{
	uint64_t end = clock_boot_ms() + seconds * 1000ULL;
	struct unit_status *st CLEANUP(freep) = xcalloc(count(units) + 1, sizeof(*st));

	for (;;) {
		size_t at = 0;
		int r = 1;

		if (unit_query_all(units, st, err))
			return -1;
		while (units[at] && (r = settled(units[at], &st[at], err)) > 0)
			at++;
		if (r < 0 || !units[at])
			return r < 0 ? -1 : 0;
		if (clock_boot_ms() >= end)
			return err_set(err, ERR_FAILED, "%s is still %s after %u s", units[at],
				       st[at].active, seconds);
		clock_pause_ms(POLL_MS);
	}
}

int units_start(const char *const *units, unsigned int seconds, struct report *log, struct err *err)
{
	const char *const reset[] = { "reset-failed", NULL }, *const start[] = { "start",
										 "--no-block",
										 NULL };
	int ignored;

	if (systemctl_all(reset, units, NULL, &ignored, err) ||
	    systemctl_all(start, units, log, NULL, err))
		return err_prefix(err, "cannot start %s", units[0]);
	return seconds ? wait_for(units, is_active, seconds, err) : 0;
}

int units_stop(const char *const *units, unsigned int seconds, struct report *log, struct err *err)
{
	const char *const stop[] = { "stop", "--no-block", NULL },
			  *const forget[] = { "reset-failed", NULL };
	int ignored;

	if (systemctl_all(stop, units, NULL, &ignored, err))
		return err_prefix(err, "cannot stop %s", units[0]);
	if (!seconds)
		return 0;
	return wait_for(units, is_down, seconds, err) ||
			       systemctl_all(forget, units, NULL, &ignored, err) ?
		       -1 :
		       0;
}

/* One of them is not, or not any more, what it was at the first look. */
static int check_steady(const char *unit, const struct unit_status *first,
			const struct unit_status *now, struct err *err)
{
	bool up = str_eq(now->active, "active"),
	     same = str_eq(now->invocation, first->invocation) && !now->restarts;

	if (up && same)
		return 0;
	err_set(err, ERR_FAILED, "%s did not stay up: %s%s%s%s", unit,
		up ? "systemd had to start it again" : "it is ", up ? "" : now->active,
		up ? "" : ", ", up ? "" : now->result);
	return err_remedy(err, "see: journalctl -b -u %s", unit);
}

static int all_steady(const char *const *units, const struct unit_status *first,
		      const struct unit_status *now, struct err *err)
{
	for (size_t i = 0; units[i]; i++)
		if (check_steady(units[i], &first[i], &now[i], err))
			return -1;
	return 0;
}

int units_watch(const char *const *units, unsigned int seconds, struct err *err)
{
	struct unit_status *first CLEANUP(freep) = xcalloc(count(units) + 1, sizeof(*first)),
				  *now CLEANUP(freep) = xcalloc(count(units) + 1, sizeof(*now));
	uint64_t end = clock_boot_ms() + seconds * 1000ULL;

	if (unit_query_all(units, first, err) || all_steady(units, first, first, err))
		return -1;
	while (clock_boot_ms() < end) {
		if (signals_pending())
			return err_set(err, ERR_FAILED, "stopped while looking at %s", units[0]);
		clock_pause_ms(WATCH_MS);
		if (unit_query_all(units, now, err) || all_steady(units, first, now, err))
			return -1;
	}
	return 0;
}
