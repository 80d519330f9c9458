/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/gate.h"

#include "docker/api.h"
#include "docker/hooks.h"
#include "sys/clock.h"

#define SOCKETS "/proc/net/unix"
#define SOCKETS_MAX (64 * 1024 * 1024)
#define CONNECTED "03"			/* SS_CONNECTED; a listening one has 01 */

/* Docker notices that we have hung up a moment later; on a busy host, whole seconds. */
enum { HANG_UP_MS = 5000, HANG_UP_POLL_MS = 20, ASK_TIMEOUT = 10, NAMES_SHOWN = 5 };

/* ---- clients ---- */

static const char *without_var(const char *path)
{
	return str_starts(path, "/var/run/") ? path + strlen("/var") : path;
}

/* "Num: RefCount Protocol Flags Type St Inode Path": one that was accepted has the path of the one
 * that listened. */
static bool is_client(const char *line, const char *socket)
{
	enum { STATE = 5, PATH = 7 };
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	str_words(&words, line);
	return words.n > PATH && str_eq(words.v[STATE], CONNECTED) &&
	       str_eq(without_var(words.v[PATH]), without_var(socket));
}

static int count_clients(const struct host *h, size_t *ret, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (root_read(h->root, SOCKETS, SOCKETS_MAX, &text, err))
		return -1;
	str_split(&lines, text.data, '\n');
	*ret = 0;
	for (size_t i = 0; i < lines.n; i++)
		*ret += is_client(lines.v[i], h->docker.socket);
	return 0;
}

static int clients(const struct host *h, struct buf *ret_why, struct err *err)
{
	uint64_t deadline = clock_boot_ms() + HANG_UP_MS;
	size_t n;

	for (;;) {
		if (count_clients(h, &n, err))
			return -1;
		if (!n || clock_boot_ms() >= deadline)
			break;
		clock_pause_ms(HANG_UP_POLL_MS);
	}
	if (n)
		buf_addf(ret_why, "%zu client%s connected to '%s'", n, n == 1 ? " is" : "s are",
			 h->docker.socket);
	return n > 0;
}

/* ---- containers ---- */

static int exec_runs(struct docker_api *api, const char *id, bool *ret, struct err *err)
{
	char *path CLEANUP(freep) = xasprintf("/exec/%s/json", id);
	struct json *j CLEANUP(json_freep) = NULL;
	long status = 0;

	/* it may have ended, and be forgotten by now */
	if (docker_api_call(api, "GET", path, NULL, ASK_TIMEOUT, &status, &j, err))
		return -1;
	*ret = status == 200 && json_get_bool(j, "Running", false);
	return 0;
}

static int any_exec(struct docker_api *api, const char *id, bool *ret, struct err *err)
{
	char *path CLEANUP(freep) = xasprintf("/containers/%s/json", id);
	struct json *j CLEANUP(json_freep) = NULL;
	long status = 0;

	*ret = false;
	if (docker_api_call(api, "GET", path, NULL, ASK_TIMEOUT, &status, &j, err))
		return -1;
	if (status != 200)
		return 0;
	for json_each(e, json_get(j, "ExecIDs"))
		if (!*ret && json_string(e) && exec_runs(api, json_string(e), ret, err))
			return -1;
	return 0;
}

static bool is_service(const struct docker_container *c)
{
	return !str_empty(c->restart_policy) && !str_eq(c->restart_policy, "no");
}

static int find_jobs(struct docker_api *api, const struct docker_container *c, size_t n,
		     struct strv *jobs, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		bool job = !is_service(&c[i]);

		if (!job && any_exec(api, c[i].id, &job, err))
			return -1;
		if (job && is_service(&c[i]))
			strv_take(jobs, xasprintf("an exec in %s", c[i].name));
		else if (job)
			strv_add(jobs, c[i].name);
	}
	return 0;
}

static void say_jobs(const struct strv *jobs, struct buf *ret_why)
{
	buf_addf(ret_why, "%zu job%s: ", jobs->n, jobs->n == 1 ? " runs" : "s run");
	for (size_t i = 0; i < jobs->n && i < NAMES_SHOWN; i++)
		buf_addf(ret_why, "%s%s", i ? ", " : "", jobs->v[i]);
	if (jobs->n > NAMES_SHOWN)
		buf_adds(ret_why, " ...");
}

static int containers(const struct host *h, struct buf *ret_why, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct strv jobs CLEANUP(strv_release) = STRV_INIT;
	struct docker_container *c = NULL;
	size_t n = 0;
	int r;

	if (docker_api_open(&api, h->docker.socket, err) ||
	    docker_containers(api, false, &c, &n, err))
		return -1;
	r = find_jobs(api, c, n, &jobs, err);
	docker_containers_free(c, n);
	if (!r && jobs.n)
		say_jobs(&jobs, ret_why);
	return r ? -1 : jobs.n > 0;
}

/* Clients first: we are none then. */
static int idle(const struct host *h, struct buf *ret_why, struct err *err)
{
	int r;

	if (!h->docker.socket || !h->docker.main_pid)
		return 0;
	r = clients(h, ret_why, err);
	return r ? r : containers(h, ret_why, err);
}

/* ---- the gate ---- */

int gate_ask(struct gate *g, const struct host *h, const struct state *s, struct buf *ret_why,
	     struct report *rep, struct err *err)
{
	struct strv hooks CLEANUP(strv_release) = STRV_INIT;
	int r = hooks_list(s->root, "pre-restart", &hooks, err);

	if (!r)
		r = hooks_pre_restart(s, g->command, ret_why, rep, err);
	if (!r && !hooks.n && g->when_idle)
		r = idle(h, ret_why, err);
	g->closed = r > 0;
	return r;
}

int gate_pass(struct gate *g, const struct host *h, const struct state *s, struct report *rep,
	      struct err *err)
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	int r = gate_ask(g, h, s, &why, rep, err);

	if (r <= 0)
		return r;
	err_set(err, ERR_REFUSED, "Docker has to be restarted, but %s", why.data);
	return err_remedy(err, "wait for it: sysboxup %s --when-idle 45m", g->command);
}
