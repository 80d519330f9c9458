/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/canary.h"

#include "docker/api.h"
#include "docker/unitfile.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/memfile.h"
#include "sys/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

#define SCRATCH "canary"
#define POLL_MS 50
#define PING_MS 1000
#define WORDS_MAX (256 * 1024)	/* bytes of output looked at */
#define CONTAINERD_SOCKET "/run/containerd/containerd.sock"
#define CONTAINERD_ROOT "/var/lib/containerd"
#define CONTAINERD_CONFIG "/run/sysboxup-canary.toml"
#define DATA_ROOT "/var/lib/docker"
#define CONFIG_FILE "/etc/docker/daemon.json"

struct canary {
	const struct host *h;
	const struct json *to;		/* the candidate */
	const char *candidate;
	size_t len;
	struct docker_flags flags;	/* of the next start */
	struct strv env;
	char *scratch;			/* scratch_dir/canary */
	int scratch_fd;
	struct sandbox_op *ops;
	size_t ops_n;
	char *containerd_socket;	/* NULL: dockerd starts a containerd of its own */
	char *ping_path;		/* inside; NULL: the socket that is passed on */
	char *listen_path;
	char *toml;
	int listen_fd, output;
};

static void canary_release(struct canary *c)
{
	for (size_t i = 0; i < c->ops_n; i++) {
		free(c->ops[i].at);
		free(c->ops[i].from);
	}
	free(c->ops);
	docker_flags_release(&c->flags);
	strv_release(&c->env);
	free(c->scratch);
	free(c->containerd_socket);
	free(c->ping_path);
	free(c->listen_path);
	free(c->toml);
	closep(&c->scratch_fd);
	closep(&c->listen_fd);
	closep(&c->output);
}

/* --- the command line and its environment --- */

static int env_from_unit(struct canary *c, struct err *err)
{
	struct unitfile u CLEANUP(unitfile_release) = { 0 };
	struct unit_env env CLEANUP(unit_env_release) = { 0 };

	if (unitfile_read(&u, c->h->root, c->h->docker.unit, err) ||
	    unitfile_env(&env, &u, c->h->root, err))
		return -1;
	strv_add(&c->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < env.n; i++)
		strv_addf(&c->env, "%s=%s", env.v[i].name, env.v[i].value.text.data);
	return 0;
}

static int env_from_pid(struct canary *c, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char *path CLEANUP(freep) = xasprintf("/proc/%d/environ", (int)c->h->docker.main_pid);

	if (root_read(c->h->root, path, 1024 * 1024, &text, err))
		return -1;
	for (size_t i = 0; i < text.len; i += strlen(text.data + i) + 1)
		if (!str_starts(text.data + i, "LISTEN_") &&
		    !str_starts(text.data + i, "NOTIFY_SOCKET="))
			strv_add(&c->env, text.data + i);
	return 0;
}

static int command_find(struct canary *c, struct err *err)
{
	const struct host *h = c->h;

	if (!h->running)
		return err_set(err, ERR_FAILED, "nothing runs in an image");
	if (h->docker.unit) {
		int r = docker_flags_from_unit(&c->flags, h->root, h->docker.unit, err);
		if (r > 0)
			err_set(err, ERR_FAILED, "'%s' has no command line", h->docker.unit);
		return r ? -1 : env_from_unit(c, err);
	}
	if (!h->docker.main_pid)
		return err_set(err, ERR_FAILED, "neither a unit nor a running daemon tells its command line");
	return docker_flags_from_pid(&c->flags, h->docker.main_pid, err) || env_from_pid(c, err) ?
		       -1 :
		       0;
}

/* What the flag says, else the candidate, else what is built in. */
static const char *setting(const struct canary *c, const char *name, const char *builtin)
{
	const struct docker_flag *f = docker_flag_find(&c->flags, name);
	const char *key = json_get_str(c->to, name);

	if (f && *f->value)
		return f->value;
	return str_empty(key) ? builtin : key;
}

/* --- operations --- */

static struct sandbox_op *op_add(struct canary *c, enum sandbox_kind kind, const char *at)
{
	c->ops = xreallocarray(c->ops, c->ops_n + 1, sizeof(*c->ops));
	c->ops[c->ops_n] = (struct sandbox_op){ .kind = kind, .at = xstrdup(at) };
	return &c->ops[c->ops_n++];
}

static bool op_has(const struct canary *c, enum sandbox_kind kind, const char *at)
{
	for (size_t i = 0; i < c->ops_n; i++)
		if (c->ops[i].kind == kind && str_eq(c->ops[i].at, at))
			return true;
	return false;
}

/* /run is ours from the start, by either name. */
static bool below_run(const char *path)
{
	return str_starts(path, "/run/") || str_starts(path, "/var/run/") || str_eq(path, "/run") ||
	       str_eq(path, "/var/run");
}

static bool is_dir(const struct canary *c, const char *path)
{
	struct stat st;

	return !root_stat(c->h->root, path, &st) && S_ISDIR(st.st_mode);
}

/* A directory in which names can be made without anybody seeing it. */
static int writable_dir(struct canary *c, const char *dir, struct err *err)
{
	char *at CLEANUP(freep) = xstrdup(dir);

	if (below_run(dir)) {
		op_add(c, SANDBOX_DIR, dir);
		return 0;
	}
	while (!is_dir(c, at)) {
		char *up = path_dirname(at);
		free(at);
		at = up;
	}
	if (str_eq(at, "/"))
		return err_set(err, ERR_FAILED, "'%s' cannot be made without touching '/'", dir);
	if (!op_has(c, SANDBOX_COVER, at))
		op_add(c, SANDBOX_COVER, at);
	if (!str_eq(at, dir) && !op_has(c, SANDBOX_DIR, dir))
		op_add(c, SANDBOX_DIR, dir);
	return 0;
}

/* An empty directory of our scratch space over one whose content must not be seen. */
static int empty_dir(struct canary *c, const char *dir, struct err *err)
{
	char *name CLEANUP(freep) = xasprintf("%zu", c->ops_n);

	if (op_has(c, SANDBOX_BIND, dir))
		return 0;
	if (*dir != '/')
		return err_set(err, ERR_FAILED, "'%s' is no absolute path", dir);
	struct stat st;
	if (!root_stat(c->h->root, dir, &st) && !S_ISDIR(st.st_mode))
		return 0;		/* dockerd finds out by itself, and nothing of the live daemon's is there */
	if (!is_dir(c, dir) && writable_dir(c, dir, err))
		return -1;
	if (fs_mkdir(c->scratch_fd, name, 0700, err))
		return -1;
	op_add(c, SANDBOX_BIND, dir)->from = path_join(c->scratch, name);
	return 0;
}

static int plan_roots(struct canary *c, struct err *err)
{
	const char *named = setting(c, "data-root", NULL);

	if (!named)
		named = json_get_str(c->to, "graph") ? json_get_str(c->to, "graph") : DATA_ROOT;
	const char *const roots[] = { DATA_ROOT, c->h->docker.data_root, named, CONTAINERD_ROOT };
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		if (roots[i] && (roots[i] == named || is_dir(c, roots[i])) &&
		    empty_dir(c, roots[i], err))
			return -1;
	const char *exec_root = setting(c, "exec-root", NULL);
	return exec_root && !below_run(exec_root) ? empty_dir(c, exec_root, err) : 0;
}

static int plan_parent(struct canary *c, const char *path, struct err *err)
{
	char *dir CLEANUP(freep) = path_dirname(path);

	if (*path != '/')
		return err_set(err, ERR_FAILED, "'%s' is no absolute path", path);
	return writable_dir(c, dir, err);
}

static int plan_config(struct canary *c, struct err *err)
{
	const char *path = setting(c, "config-file", CONFIG_FILE);

	if (plan_parent(c, path, err))
		return -1;
	struct sandbox_op *op = op_add(c, SANDBOX_FILE, path);
	op->data = c->candidate;
	op->len = c->len;
	return 0;
}

/* --- listeners --- */

static void host_add(struct strv *unix_paths, bool *fd, const char *host)
{
	if (str_starts(host, "fd://"))
		*fd = true;
	else if (str_starts(host, "unix://"))
		strv_add(unix_paths, host[7] ? host + 7 : "/var/run/docker.sock");
	else if (*host == '/')
		strv_add(unix_paths, host);
}

static void hosts_find(const struct canary *c, struct strv *unix_paths, bool *fd, bool *any)
{
	for (size_t i = 0; i < c->flags.n; i++)
		if (str_eq(c->flags.v[i].name, "host")) {
			*any = true;
			host_add(unix_paths, fd, c->flags.v[i].value);
		}
	for json_each(m, json_get(c->to, "hosts")) {
		*any = true;
		host_add(unix_paths, fd, json_string(m) ? json_string(m) : "");
	}
}

static int plan_listeners(struct canary *c, struct err *err)
{
	struct strv paths CLEANUP(strv_release) = STRV_INIT;
	bool fd = false, any = false;

	hosts_find(c, &paths, &fd, &any);
	if (!any)
		strv_add(&paths, "/var/run/docker.sock");
	for (size_t i = 0; i < paths.n; i++)
		if (plan_parent(c, paths.v[i], err))
			return -1;
	if (fd) {
		c->listen_path = path_join(c->scratch, "s");
		c->listen_fd = sandbox_listen(c->listen_path, err);
		return c->listen_fd < 0 ? -1 : 0;
	}
	if (!paths.n)
		return err_set(err, ERR_FAILED, "the daemon would listen on no unix socket");
	c->ping_path = xstrdup(paths.v[0]);
	return 0;
}

/* --- containerd --- */

static int plan_containerd(struct canary *c, struct err *err)
{
	const char *path = setting(c, "containerd",
				   root_exists(c->h->root, CONTAINERD_SOCKET) ? CONTAINERD_SOCKET :
										NULL);

	if (!path)
		return 0;
	c->containerd_socket = xstrdup(path + (str_starts(path, "unix://") ? 7 : 0));
	if (plan_parent(c, c->containerd_socket, err) || empty_dir(c, CONTAINERD_ROOT, err))
		return -1;
	c->toml = xasprintf(
		"version = 2\nroot = \"%s\"\nstate = \"/run/sysboxup-canary\"\n"
		"disabled_plugins = [\"io.containerd.grpc.v1.cri\", "
		"\"io.containerd.internal.v1.opt\"]\n"
		"[grpc]\naddress = \"%s\"\n",
		CONTAINERD_ROOT, c->containerd_socket);
	struct sandbox_op *op = op_add(c, SANDBOX_FILE, CONTAINERD_CONFIG);
	op->data = c->toml;
	op->len = strlen(c->toml);
	return 0;
}

/* Covers before what is mounted in them, outer ones before inner ones. */
static int op_cmp(const void *a, const void *b)
{
	static const unsigned int rank[] = { [SANDBOX_TMPFS] = 0,
					     [SANDBOX_COVER] = 1,
					     [SANDBOX_DIR] = 2,
					     [SANDBOX_BIND] = 3,
					     [SANDBOX_FILE] = 4 };
	const struct sandbox_op *x = a, *y = b;

	if (x->kind != y->kind)
		return rank[x->kind] < rank[y->kind] ? -1 : 1;
	return strcmp(x->at, y->at);
}

static int canary_plan(struct canary *c, struct err *err)
{
	const char *pidfile = setting(c, "pidfile", NULL);

	op_add(c, SANDBOX_TMPFS, "/run");
	if (is_dir(c, "/run/systemd/system"))
		op_add(c, SANDBOX_DIR, "/run/systemd/system");
	op_add(c, SANDBOX_COVER, "/etc");
	if (plan_config(c, err) || plan_roots(c, err) || plan_listeners(c, err) ||
	    plan_containerd(c, err))
		return -1;
	if (pidfile && !below_run(pidfile)) {
		if (plan_parent(c, pidfile, err))
			return -1;
		op_add(c, SANDBOX_FILE, pidfile)->data = "";	/* the live daemon's number would name a process in here */
	}
	qsort(c->ops, c->ops_n, sizeof(*c->ops), op_cmp);
	return 0;
}

/* --- run --- */

static int canary_start(const struct canary *c, struct sandbox_run *run, struct err *err)
{
	const char *const containerd[] = { "containerd", "--config", CONTAINERD_CONFIG, NULL };
	struct sandbox_program programs[2];
	size_t n = 0;

	if (c->containerd_socket)
		programs[n++] = (struct sandbox_program){ containerd, (const char *const *)c->env.v,
							  -1, c->containerd_socket };
	programs[n++] = (struct sandbox_program){ (const char *const *)c->flags.argv.v,
						  (const char *const *)c->env.v, c->listen_fd,
						  NULL };
	const struct sandbox s = { c->ops, c->ops_n, programs, n, c->output };
	return sandbox_start(&s, run, err);
}

/* The value of msg="..." of dockerd's log, else the line. */
static char *line_words(const char *line)
{
	char quoted[700];
	const char *msg = strstr(line, "msg=\"");

	err_quote(quoted, sizeof(quoted), msg ? msg + 5 : line);
	char *end = msg ? strrchr(quoted, '"') : NULL;
	if (end)
		*end = '\0';
	return xstrdup(quoted);
}

static bool is_last_word(const char *line)
{
	static const char *const marks[] = { "level=fatal", "failed to start daemon",
					     "unable to configure", "failed to load", "rror " };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(line, marks[i]))
			return true;
	return false;
}

static char *last_words(const struct canary *c, const char *otherwise)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct err ignore = ERR_INIT;
	const char *best = NULL;

	if (memfile_tail(c->output, WORDS_MAX, &text, &ignore))
		return xstrdup(otherwise);
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (is_last_word(lines.v[i]))
			best = lines.v[i];
	for (size_t i = lines.n; !best && i > 0; i--)
		if (*lines.v[i - 1])
			best = lines.v[i - 1];
	return best ? line_words(best) : xstrdup(otherwise);
}

static int canary_watch(const struct canary *c, struct sandbox_run *run, unsigned int timeout_s,
			char **ret_why, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	uint64_t deadline = clock_boot_ms() + timeout_s * 1000ull;
	char *path CLEANUP(freep) = c->listen_path ? xstrdup(c->listen_path) :
						     xasprintf("/proc/%d/root%s", (int)run->pid,
							       c->ping_path);

	if (docker_api_open(&api, path, err))
		return -1;
	for (;;) {
		if (docker_api_ping(api, PING_MS))
			return 0;
		if (sandbox_ended(run)) {
			if (WIFSIGNALED(run->status))
				return err_set(err, ERR_FAILED, "its sandbox was killed");
			*ret_why = last_words(c, "it ended without a word");
			return 1;
		}
		if (clock_boot_ms() >= deadline) {
			char *words CLEANUP(freep) = last_words(c, "nothing");
			*ret_why = xasprintf("it did not answer within %u seconds; its last words: %s", timeout_s, words);
			return 1;
		}
		clock_pause_ms(POLL_MS);
	}
}

static int canary_run(struct canary *c, unsigned int timeout_s, char **ret_why, struct err *err)
{
	struct sandbox_run run CLEANUP(sandbox_stop) = { 0 };

	c->output = memfile_new("canary", "", 0, err);
	if (c->output < 0 || canary_plan(c, err) || canary_start(c, &run, err))
		return -1;
	return canary_watch(c, &run, timeout_s, ret_why, err);
}

/* --- scratch --- */

static int scratch_make(struct canary *c, const char *dir, int dirfd, struct err *err)
{
	if (fs_remove_tree(dirfd, SCRATCH, err) || fs_mkdir(dirfd, SCRATCH, 0700, err))
		return -1;
	c->scratch = path_join(dir, SCRATCH);
	c->scratch_fd = root_openat(c->h->root, c->scratch, O_RDONLY | O_DIRECTORY, 0);
	return c->scratch_fd < 0 ? err_errno(err, errno, "cannot open '%s'", c->scratch) : 0;
}

/* What cannot be parsed has no settings: dockerd says what it thinks of it. */
static struct json *candidate_parse(const char *text, size_t len)
{
	struct err ignore = ERR_INIT;
	struct json *j = NULL;

	return json_parse(text, len, JSON_STRICT, "daemon.json", &j, &ignore) ? json_obj() : j;
}

int docker_canary(const struct host *h, const char *candidate, size_t len, const char *scratch_dir,
		  unsigned int timeout_s, char **ret_why, struct err *err)
{
	struct json *to CLEANUP(json_freep) = candidate_parse(candidate, len);
	int dirfd CLEANUP(closep) = root_openat(h->root, scratch_dir, O_RDONLY | O_DIRECTORY, 0);
	struct err cleaning = ERR_INIT;

	if (dirfd < 0)
		return err_errno(err, errno, "cannot open '%s'", scratch_dir);
	struct canary c CLEANUP(canary_release) = { .h = h,
						    .to = to,
						    .candidate = candidate,
						    .len = len,
						    .scratch_fd = -1,
						    .listen_fd = -1,
						    .output = -1 };
	int r = command_find(&c, err);
	if (!r)
		r = scratch_make(&c, scratch_dir, dirfd, err);
	if (!r)
		r = canary_run(&c, timeout_s, ret_why, err);
	fs_remove_tree(dirfd, SCRATCH, &cleaning);
	return r < 0 ? err_prefix(err, "the canary could not be tried") : r;
}
