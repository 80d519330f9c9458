/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/service/systemd.h"

#include "base/str.h"
#include "sys/clock.h"
#include "sys/proc.h"

#include <stdio.h>

#define POLL_MS 20

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

int unit_query_all(const char *const *units, struct unit_status *ret, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	size_t n = 0;

	strv_addv(&argv,
		  (const char *const[]){ "systemctl", "show", "-p",
					 "LoadState,ActiveState,Result,UnitFileState,MainPID", "--",
					 NULL });
	strv_addv(&argv, units);
	for (; units[n]; n++)
		ret[n] = (struct unit_status){ .main_pid = 0 };
	if (systemctl((const char *const *)argv.v, NULL, &out, NULL, err) ||
	    take_blocks(out.data, ret, n, err))
		return err_prefix(err, "cannot ask systemd about %s", units[0]);
	return 0;
}

int unit_query(const char *unit, struct unit_status *ret, struct err *err)
{
	const char *const units[] = { unit, NULL };
	struct unit_status st;

	if (unit_query_all(units, &st, err))
		return -1;
	*ret = st;
	return 0;
}

static bool is_changing(const struct unit_status *st)
{
	return str_eq(st->active, "activating") || str_eq(st->active, "deactivating") ||
	       str_eq(st->active, "reloading");
}

/* A job that was queued with --no-block shows as "inactive" until systemd gets to it: only `failed`
 * ends the wait early. */
static int wait_active(const char *unit, unsigned int seconds, struct err *err)
{
	uint64_t end = clock_boot_ms() + seconds * 1000ULL;
	struct unit_status st;

	for (;;) {
		if (unit_query(unit, &st, err))
			return -1;
		if (str_eq(st.active, "active"))
			return 0;
		if (str_eq(st.active, "failed"))
			break;
		if (clock_boot_ms() >= end)
			return err_set(err, ERR_FAILED, "%s is still %s after %u s", unit,
				       st.active, seconds);
		clock_pause_ms(POLL_MS);
	}
	err_set(err, ERR_FAILED, "%s did not start: %s", unit, st.result);
	return err_remedy(err, "see: journalctl -b -u %s", unit);
}

int unit_start(const char *unit, unsigned int seconds, struct report *log, struct err *err)
{
	const char *const reset[] = { "systemctl", "reset-failed", "--", unit, NULL };
	const char *const start[] = { "systemctl", "start", "--no-block", "--", unit, NULL };
	int ignored;

	if (systemctl(reset, NULL, NULL, &ignored, err) || systemctl(start, log, NULL, NULL, err))
		return err_prefix(err, "cannot start %s", unit);
	return seconds ? wait_active(unit, seconds, err) : 0;
}

int unit_stop(const char *unit, unsigned int seconds, struct report *log, struct err *err)
{
	const char *const stop[] = { "systemctl", "stop", "--no-block", "--", unit, NULL };
	uint64_t end = clock_boot_ms() + seconds * 1000ULL;
	struct unit_status st;
	int status;

	if (systemctl(stop, NULL, NULL, &status, err))
		return err_prefix(err, "cannot stop %s", unit);
	while (seconds) {
		if (unit_query(unit, &st, err))
			return -1;
		if (!str_eq(st.active, "active") && !is_changing(&st))
			return 0;
		if (clock_boot_ms() >= end)
			return err_set(err, ERR_FAILED, "%s is still %s after %u s", unit,
				       st.active, seconds);
		clock_pause_ms(POLL_MS);
	}
	return 0;
}
