/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/daemon.h"

#include "sys/clock.h"
#include "sys/io.h"
#include "sys/proc.h"
#include "sys/sock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define FIRST_POLL_MS 3
#define LAST_POLL_MS 1000
#define PING_MS 1000
#define SYSTEMCTL_TIMEOUT 30	/* seconds; every call is --no-block or a question */

/* --- systemd --- */

static bool has_unit(const struct host *h)
{
	return h->running && h->init == INIT_SYSTEMD && h->docker.unit;
}

static int systemctl(const char *const *args, struct buf *ret, int *ret_status, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	strv_add(&argv, "systemctl");
	strv_addv(&argv, args);
	const struct proc p = { .argv = (const char *const *)argv.v,
				.keep_fd = -1,
				.timeout = SYSTEMCTL_TIMEOUT,
				.ret_out = ret };
	return proc_run(&p, ret_status, err);
}

#define SYSTEMCTL(ret, ret_status, err, ...) \
	systemctl((const char *const[]){ __VA_ARGS__, NULL }, ret, ret_status, err)

struct unit_state {
	pid_t main_pid;
	char active[32];	/* "active", "activating", "failed" ... */
	bool loaded;
};

static void state_line(struct unit_state *s, const char *line)
{
	int64_t pid;

	if (str_starts(line, "MainPID=") && !str_to_i64(line + 8, 0, INT32_MAX, &pid))
		s->main_pid = (pid_t)pid;
	else if (str_starts(line, "ActiveState="))
		snprintf(s->active, sizeof(s->active), "%s", line + 12);
	else if (str_starts(line, "LoadState="))
		s->loaded = str_eq(line + 10, "loaded");
}

static int unit_state(const char *unit, struct unit_state *ret, struct err *err)
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	int status;

	if (SYSTEMCTL(&out, &status, err, "show", "-p", "MainPID,ActiveState,LoadState", unit))
		return -1;
	*ret = (struct unit_state){ 0 };
	str_split(&lines, out.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		state_line(ret, lines.v[i]);
	return 0;
}

/* dockerd's own last words of level error or fatal, for the end of a message; "" where there is no
 * journal. */
static void last_words(const struct host *h, time_t since, char *dst, size_t size)
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct err ignore = ERR_INIT;
	char when[32];
	int status;

	*dst = '\0';
	if (!has_unit(h))
		return;
	snprintf(when, sizeof(when), "@%lld", (long long)since);
	const char *const argv[] = { "journalctl", "-q",           "-o",      "cat", "-n", "50",
				     "-u",         h->docker.unit, "--since", when,  NULL };
	const struct proc p = {
		.argv = argv, .keep_fd = -1, .timeout = SYSTEMCTL_TIMEOUT, .ret_out = &out
	};
	if (proc_run(&p, &status, &ignore))
		return;
	str_split(&lines, out.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (strstr(lines.v[i], "level=error") || strstr(lines.v[i], "level=fatal") ||
		    strstr(lines.v[i], "failed to") || strstr(lines.v[i], "unable to")) {
			char quoted[400];
			err_quote(quoted, sizeof(quoted), lines.v[i]);
			snprintf(dst, size, "; its log: %s", quoted);
		}
}

/* --- which process --- */

/* Who serves the socket, if that is a daemon: SIGHUP would end a proxy. */
static pid_t socket_owner(const struct host *h)
{
	struct buf nothing CLEANUP(buf_release) = BUF_INIT;
	int fd CLEANUP(closep) = root_openat(h->root, h->docker.socket, O_PATH, 0);
	pid_t peer = 0;

	if (fd < 0 || sock_ask(fd, "", "", PING_MS, &nothing, &peer))
		return 0;
	return host_is_dockerd(h, peer) ? peer : 0;
}

int docker_daemon_pid(const struct host *h, pid_t *ret, struct err *err)
{
	struct unit_state s;

	if (has_unit(h)) {
		if (unit_state(h->docker.unit, &s, err))
			return -1;
		if (!s.main_pid)
			return err_set(err, ERR_FAILED, "'%s' is not running (%s)", h->docker.unit,
				       s.active);
		*ret = s.main_pid;
		return 0;
	}
	pid_t pid = h->docker.main_pid;
	if (pid && proc_starttime(pid) == h->docker.main_starttime && h->docker.main_starttime) {
		*ret = pid;
		return 0;
	}
	pid = h->docker.socket ? socket_owner(h) : 0;
	if (!pid)
		return err_set(err, ERR_FAILED, "no Docker daemon serves '%s'",
			       h->docker.socket ? h->docker.socket : "");
	*ret = pid;
	return 0;
}

/* --- expectations --- */

char *docker_expect_unmet(const struct docker_expect *want, const struct json *info)
{
	const struct json *runtimes = json_get(info, "Runtimes");
	const char *name = json_get_str(info, "DefaultRuntime");

	for (size_t i = 0; i < want->present.n; i++)
		if (!json_get(runtimes, want->present.v[i]))
			return xasprintf("runtime '%s' is not there", want->present.v[i]);
	for (size_t i = 0; i < want->absent.n; i++)
		if (json_get(runtimes, want->absent.v[i]))
			return xasprintf("runtime '%s' is still there", want->absent.v[i]);
	if (want->default_runtime && !str_eq(name, want->default_runtime))
		return xasprintf("the default runtime is '%s', not '%s'", name ? name : "",
				 want->default_runtime);
	if (want->live_restore >= 0 &&
	    json_get_bool(info, "LiveRestoreEnabled", false) != !!want->live_restore)
		return xasprintf("live-restore is %s", want->live_restore ? "off" : "on");
	if (want->debug >= 0 && json_get_bool(info, "Debug", false) != !!want->debug)
		return xasprintf("debug is %s", want->debug ? "off" : "on");
	return NULL;
}

static int expect_check(struct docker_api *api, const struct docker_expect *want, char **ret_unmet,
			struct err *err)
{
	struct json *info CLEANUP(json_freep) = NULL;

	if (docker_info(api, &info, err))
		return -1;
	*ret_unmet = docker_expect_unmet(want, info);
	return 0;
}

/* --- what is waited for --- */

/* Most comes within milliseconds, a busy host may take minutes, and each look is a process or a
 * request: what took so long may take a sixteenth of it longer. */
static void pause_since(uint64_t began)
{
	uint64_t ms = (clock_boot_ms() - began) / 16;

	clock_pause_ms(ms < FIRST_POLL_MS ? FIRST_POLL_MS :
		       ms > LAST_POLL_MS  ? LAST_POLL_MS :
					    (unsigned int)ms);
}

static int wait_ping(struct docker_api *api, uint64_t deadline, struct err *err)
{
	uint64_t began = clock_boot_ms();

	while (!docker_api_ping(api, PING_MS)) {
		if (clock_boot_ms() >= deadline)
			return err_set(err, ERR_FAILED, "Docker does not answer");
		pause_since(began);
	}
	return 0;
}

/* --- reload --- */

/* Whether the daemon reported a reload after `since`. The events are JSON texts one after the
 * other, of this type and name only. */
static int reload_seen(struct docker_api *api, const struct timespec *since, bool *ret,
		       struct err *err)
{
	struct buf events CLEANUP(buf_release) = BUF_INIT;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	char *path CLEANUP(freep) = xasprintf(
		"/events?since=%lld.%09ld&until=%lld.%09ld&filters=%%7B%%22type%%22%%3A%%5B%%22daemon%%22%%5D%%2C"
		"%%22event%%22%%3A%%5B%%22reload%%22%%5D%%7D",
		(long long)since->tv_sec, since->tv_nsec, (long long)now.tv_sec, now.tv_nsec);
	if (docker_api_get_raw(api, path, 10, &events, err))
		return -1;
	*ret = events.len > 0;
	return 0;
}

struct reload {
	const struct host *h;
	struct docker_api *api;
	const struct docker_expect *want;
	pid_t pid;
	uint64_t starttime, deadline;
	struct timespec since;
};

static int reload_failed(const struct reload *r, const char *what, struct err *err)
{
	char words[512];

	last_words(r->h, r->since.tv_sec, words, sizeof(words));
	return err_set(err, ERR_FAILED, "Docker did not take up its configuration: %s%s", what, words);
}

/* 0: proven. 1: not yet (what is missing in *ret_unmet). */
static int reload_look(const struct reload *r, char **ret_unmet, struct err *err)
{
	bool seen = false;

	if (proc_starttime(r->pid) != r->starttime)
		return reload_failed(r, "the daemon ended at the reload", err);
	if (reload_seen(r->api, &r->since, &seen, err))
		return -1;
	if (!seen)
		*ret_unmet = xstrdup("it reported no reload, so it rejected the file");
	else if (expect_check(r->api, r->want, ret_unmet, err))
		return -1;
	return *ret_unmet ? 1 : 0;
}

static int reload_wait(const struct reload *r, struct err *err)
{
	for (uint64_t began = clock_boot_ms();; pause_since(began)) {
		char *unmet CLEANUP(freep) = NULL;
		int rc = reload_look(r, &unmet, err);
		if (rc <= 0)
			return rc;
		if (clock_boot_ms() >= r->deadline)
			return reload_failed(r, unmet, err);
	}
}

int docker_reload(const struct host *h, const struct docker_expect *want, unsigned int timeout_s,
		  struct report *rep, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct reload r = { .h = h,
			    .want = want,
			    .deadline = clock_boot_ms() + timeout_s * 1000ull };

	if (docker_api_open(&api, h->docker.socket, err) || wait_ping(api, r.deadline, err) ||
	    docker_daemon_pid(h, &r.pid, err))
		return err_prefix(err, "cannot reload Docker");
	r.api = api;
	r.starttime = proc_starttime(r.pid);
	clock_gettime(CLOCK_REALTIME, &r.since);
	report_log(rep, "reload of Docker (SIGHUP to pid %d)", (int)r.pid);
	if (proc_signal(r.pid, SIGHUP))
		return err_errno(err, errno, "cannot signal Docker (pid %d)", (int)r.pid);
	return reload_wait(&r, err);
}

/* --- restart --- */

bool docker_answers(const struct host *h)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct err ignored = ERR_INIT;

	return !docker_api_open(&api, h->docker.socket, &ignored) && docker_api_ping(api, PING_MS);
}

int docker_restart_possible(const struct host *h, struct err *err)
{
	if (has_unit(h))
		return 0;
	err_set(err, ERR_REFUSED, "this change needs a restart of Docker, which was not started by systemd");
	err_remedy(err, "stop the daemon, run this again, and start the daemon as you started it before");
	return -1;
}

static char *socket_unit(const char *service)
{
	const char *dot = strrchr(service, '.');

	return xasprintf("%.*s.socket", (int)(dot ? dot - service : (ptrdiff_t)strlen(service)),
			 service);
}

/* Without this the fourth restart within a minute, also of a healthy Docker, stops it for good. */
static int limits_reset(const char *service, const char *sock, bool start_socket, struct err *err)
{
	int status;

	if (SYSTEMCTL(NULL, &status, err, "reset-failed", service, sock))
		return -1;
	return start_socket ? SYSTEMCTL(NULL, &status, err, "--no-block", "start", sock) : 0;
}

static int restart_begin(const struct host *h, pid_t *ret_old, struct err *err)
{
	char *sock CLEANUP(freep) = socket_unit(h->docker.unit);
	struct unit_state service, listener;

	if (unit_state(h->docker.unit, &service, err) || unit_state(sock, &listener, err))
		return -1;
	if (limits_reset(h->docker.unit, sock, listener.loaded && str_eq(listener.active, "failed"),
			 err))
		return -1;
	*ret_old = service.main_pid;
	return SYSTEMCTL(NULL, NULL, err, "--no-block", "restart", h->docker.unit);
}

static int restart_failed(const struct host *h, time_t since, const char *what, struct err *err)
{
	char words[512];

	last_words(h, since, words, sizeof(words));
	return err_set(err, ERR_FAILED, "Docker did not come up after a restart: %s%s", what, words);
}

static int restart_wait(const struct host *h, struct docker_api *api, pid_t old, time_t since,
			uint64_t deadline, struct err *err)
{
	for (uint64_t began = clock_boot_ms();; pause_since(began)) {
		struct unit_state s;
		if (unit_state(h->docker.unit, &s, err))
			return -1;
		if (str_eq(s.active, "active") && s.main_pid && s.main_pid != old &&
		    docker_api_ping(api, PING_MS))
			return 0;
		if (str_eq(s.active, "failed"))
			return restart_failed(h, since, "the unit has failed", err);
		if (clock_boot_ms() >= deadline)
			return restart_failed(h, since, "it did not answer in time", err);
	}
}

int docker_restart(const struct host *h, const struct docker_expect *want, unsigned int timeout_s,
		   struct report *rep, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	char *unmet CLEANUP(freep) = NULL;
	uint64_t deadline = clock_boot_ms() + timeout_s * 1000ull;
	time_t since = (time_t)clock_now();
	pid_t old = 0;

	if (docker_restart_possible(h, err) || docker_api_open(&api, h->docker.socket, err))
		return -1;
	report_info(rep, "restarting '%s'", h->docker.unit);
	if (restart_begin(h, &old, err))
		return err_prefix(err, "cannot restart '%s'", h->docker.unit);
	if (restart_wait(h, api, old, since, deadline, err) ||
	    (want && expect_check(api, want, &unmet, err)))
		return -1;
	return unmet ? restart_failed(h, since, unmet, err) : 0;
}

static int stop_wait(const struct host *h, uint64_t deadline, struct err *err)
{
	for (uint64_t began = clock_boot_ms();; pause_since(began)) {
		struct unit_state s;
		if (unit_state(h->docker.unit, &s, err))
			return -1;
		if (str_eq(s.active, "inactive") || str_eq(s.active, "failed"))
			return 0;
		if (clock_boot_ms() >= deadline)
			return err_set(err, ERR_FAILED, "'%s' did not stop in time",
				       h->docker.unit);
	}
}

int docker_cycle(const struct host *h, unsigned int timeout_s, struct report *rep, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	char *sock CLEANUP(freep) = NULL;
	uint64_t deadline = clock_boot_ms() + timeout_s * 1000ull;
	time_t since = (time_t)clock_now();
	struct unit_state service;
	int status;

	if (docker_restart_possible(h, err) || docker_api_open(&api, h->docker.socket, err) ||
	    unit_state(h->docker.unit, &service, err))
		return -1;
	report_info(rep, "restarting '%s'", h->docker.unit);
	sock = socket_unit(h->docker.unit);
	if (SYSTEMCTL(NULL, NULL, err, "--no-block", "stop", h->docker.unit) ||
	    stop_wait(h, deadline, err) ||
	    SYSTEMCTL(NULL, &status, err, "reset-failed", h->docker.unit, sock) ||
	    SYSTEMCTL(NULL, NULL, err, "--no-block", "start", h->docker.unit))
		return err_prefix(err, "cannot restart '%s'", h->docker.unit);
	return restart_wait(h, api, service.main_pid, since, deadline, err);
}

int docker_stage_takeup(const struct host *h, const struct docker_stage *s, struct report *rep,
			struct err *err)
{
	if (!h->running || (!h->docker.main_pid && !has_unit(h)))
		return 0;
	switch (s->takeup) {
	case TAKEUP_NONE:
		return 0;
	case TAKEUP_RELOAD:
		return docker_reload(h, &s->expect, DOCKER_RELOAD_TIMEOUT, rep, err);
	case TAKEUP_RESTART:
		return docker_restart(h, &s->expect, DOCKER_RESTART_TIMEOUT, rep, err);
	}
	return err_set(err, ERR_FAILED, "unknown takeup %d", (int)s->takeup);
}
