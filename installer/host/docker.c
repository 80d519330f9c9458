/* SPDX-License-Identifier: Apache-2.0 */
#include "host/gather.h"

#include "docker/flags.h"
#include "host/dpkg.h"
#include "sys/io.h"
#include "sys/proc.h"
#include "sys/sock.h"

#include <ctype.h>

#define DEFAULT_UNIT "docker.service"
#define DEFAULT_CONFIG "/etc/docker/daemon.json"
#define DEFAULT_SOCKET "/var/run/docker.sock"
#define DEFAULT_DATA_ROOT "/var/lib/docker"
#define DEFAULT_PIDFILE "/var/run/docker.pid"
/* The snap keeps everything elsewhere: facts/dockerd.md 1.11. */
#define SNAP_UNIT "snap.docker.dockerd.service"
#define SNAP_CONFIG "/var/snap/docker/current/config/daemon.json"
#define SNAP_DATA_ROOT "/var/snap/docker/common/var-lib-docker"
#define SNAP_PIDFILE "/run/snap.docker/docker.pid"
#define CONFIG_MAX (1024 * 1024)	/* bytes */
#define PING_MS 10000			/* a daemon that has just started answers its first question late */

static const char *const binaries[] = { "/usr/bin/dockerd", "/usr/sbin/dockerd",
					"/usr/local/bin/dockerd", NULL };
static const char *const docker_packages[] = { "docker-ce", "docker.io", "moby-engine", NULL };

/* ---- processes ---- */

static char *proc_file(const struct root *root, pid_t pid, const char *name)
{
	char *path CLEANUP(freep) = xasprintf("/proc/%d/%s", (int)pid, name);

	return read_line(root, path);
}

static char *proc_link(const struct root *root, pid_t pid, const char *name)
{
	char *path CLEANUP(freep) = xasprintf("/proc/%d/%s", (int)pid, name);
	char *target = NULL;

	return root_readlink(root, path, &target) < 0 ? NULL : target;
}

/* A dockerd inside of a container of this host is seen in /proc too. Where nothing can be read, it
 * counts as ours. */
static bool in_our_pid_namespace(const struct root *root, pid_t pid)
{
	char *its CLEANUP(freep) = proc_link(root, pid, "ns/pid");
	char *ours CLEANUP(freep) = NULL;

	return !its || root_readlink(root, "/proc/self/ns/pid", &ours) < 0 || str_eq(its, ours);
}

static bool is_dockerd(const struct root *root, pid_t pid)
{
	char *comm CLEANUP(freep) = pid > 1 ? proc_file(root, pid, "comm") : NULL;

	return str_eq(comm, "dockerd") && in_our_pid_namespace(root, pid);
}

/* "Uid: REAL EFFECTIVE ...": rootless daemons are root in their own user namespace only. */
static bool runs_as_root(const struct root *root, pid_t pid)
{
	char *path CLEANUP(freep) = xasprintf("/proc/%d/status", (int)pid);
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	const char *uid = read_some(root, path, &text) ? strstr(text.data, "\nUid:") : NULL;

	return !uid || strtoul(uid + 5, NULL, 10) == 0;
}

bool host_is_dockerd(const struct host *h, pid_t pid)
{
	return is_dockerd(h->root, pid) && runs_as_root(h->root, pid);
}

/* A line of /proc/PID/cgroup ends in "/system.slice/docker.service", or a cgroup below it. */
static bool runs_in_unit(const struct root *root, pid_t pid, const char *unit)
{
	char *path CLEANUP(freep) = xasprintf("/proc/%d/cgroup", (int)pid);
	char *want CLEANUP(freep) = xasprintf("/%s", unit);
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (!read_some(root, path, &text))
		return false;
	for (const char *at = text.data; (at = strstr(at, want)); at++)
		if (strchr("/\n", at[strlen(want)]))
			return true;
	return false;
}

static pid_t parse_pid(const char *s)
{
	int64_t pid;

	return s && !str_to_i64(s, 2, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

static pid_t pid_of_file(const struct root *root, const char *path)
{
	char *line CLEANUP(freep) = read_line(root, path);
	pid_t pid = parse_pid(line);

	return is_dockerd(root, pid) ? pid : 0;
}

/* What systemd would say as MainPID, without asking it. */
static pid_t pid_of_unit(const struct root *root, const char *unit)
{
	static const char *const trees[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/systemd",
					     "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		char *path CLEANUP(freep) = xasprintf("%s/system.slice/%s/cgroup.procs", trees[i],
						      unit);
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		struct strv pids CLEANUP(strv_release) = STRV_INIT;
		if (read_some(root, path, &text))
			str_words(&pids, text.data);
		for (size_t n = 0; n < pids.n; n++)
			if (is_dockerd(root, parse_pid(pids.v[n])))
				return parse_pid(pids.v[n]);
	}
	return 0;
}

/* The last resort: a daemon started by hand with a pid file of its own. *ret_rootless: there are
 * only such. */
static pid_t pid_of_scan(const struct root *root, bool *ret_rootless)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (root_list(root, "/proc", &names, &ignored) != 0)
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		pid_t pid = isdigit((unsigned char)names.v[i][0]) ? parse_pid(names.v[i]) : 0;
		if (!is_dockerd(root, pid))
			continue;
		if (runs_as_root(root, pid)) {
			*ret_rootless = false;
			return pid;
		}
		*ret_rootless = true;
	}
	return 0;
}

static const char *flag_value(const struct host *h, const char *name)
{
	const struct docker_flag *f = h->docker.flags ? docker_flag_find(h->docker.flags, name) :
							NULL;

	return f && !str_empty(f->value) ? f->value : NULL;
}

static void find_daemon(struct host *h)
{
	const char *pidfile = flag_value(h, "pidfile");
	const char *by_default = h->docker.snap ? SNAP_PIDFILE : DEFAULT_PIDFILE;
	pid_t pid = pid_of_file(h->root, pidfile ? pidfile : by_default);

	if (!pid && h->docker.unit && h->init == INIT_SYSTEMD)
		pid = pid_of_unit(h->root, h->docker.unit);
	if (pid && !runs_as_root(h->root, pid)) {
		h->docker.rootless = true;
		pid = 0;
	}
	if (!pid)
		pid = pid_of_scan(h->root, &h->docker.rootless);
	h->docker.main_pid = pid;
}

/* ---- what is installed ---- */

static void find_binary(struct host *h)
{
	const char *of_unit = h->docker.flags ? h->docker.flags->binary : NULL;

	if (of_unit && *of_unit == '/' && root_exists(h->root, of_unit))
		h->docker.binary = xstrdup(of_unit);
	for (size_t i = 0; !h->docker.binary && binaries[i]; i++)
		if (root_exists(h->root, binaries[i]))
			h->docker.binary = xstrdup(binaries[i]);
	h->docker.installed = h->docker.binary;
}

/* Its files are no sign of a running snap once a native Docker is there. */
static bool is_snap(const struct host *h)
{
	return !h->docker.installed && (root_exists(h->root, "/snap/bin/docker") ||
					root_exists(h->root, "/var/snap/docker"));
}

static int read_unit_flags(struct host *h, const char *unit, struct err *err)
{
	struct docker_flags *flags = xcalloc(1, sizeof(*flags));
	int got = docker_flags_from_unit(flags, h->root, unit, err);

	if (got) {
		free(flags);
		return got < 0 ? err_prefix(err, "cannot understand the unit '%s'", unit) : 0;
	}
	h->docker.flags = flags;
	h->docker.unit = xstrdup(unit);
	return 0;
}

/* The daemon that runs was not started by the unit: what counts is its own command line. */
static int take_process_flags(struct host *h, struct err *err)
{
	struct docker_flags *flags = xcalloc(1, sizeof(*flags));

	if (docker_flags_from_pid(flags, h->docker.main_pid, err) < 0) {
		free(flags);
		return -1;
	}
	docker_flags_free(h->docker.flags);
	h->docker.flags = flags;
	free(STEAL(h->docker.unit));
	h->docker.by_hand = true;
	if (flags->binary && *flags->binary == '/')
		str_replace(&h->docker.binary, flags->binary);
	h->docker.installed = true;
	return 0;
}

/* Is it the unit's, and if not, what is its command line? One that ends while we look is none. */
static int settle_daemon(struct host *h, struct err *err)
{
	char *exe CLEANUP(freep) = proc_link(h->root, h->docker.main_pid, "exe");
	struct err gone = ERR_INIT;

	h->docker.main_starttime = proc_starttime(h->docker.main_pid);
	h->docker.snap = h->docker.snap || (exe && str_starts(exe, "/snap/"));
	if (h->docker.snap ||
	    (h->docker.unit && runs_in_unit(h->root, h->docker.main_pid, h->docker.unit)))
		return 0;
	if (!take_process_flags(h, &gone))
		return 0;
	if (proc_starttime(h->docker.main_pid)) {
		*err = gone;
		return -1;
	}
	h->docker.main_pid = 0;
	h->docker.main_starttime = 0;
	return 0;
}

/* ---- where its things are ---- */

static struct json *read_config(const struct host *h)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct json *j = NULL;
	struct err ignored = ERR_INIT;	/* whoever changes the file complains about it */

	if (!root_read_optional(h->root, h->docker.config_file, CONFIG_MAX, &text, &ignored))
		json_parse(text.data, text.len, JSON_STRICT, "", &j, &ignored);
	return j;
}

static const char *unix_path(const char *host)
{
	return host && str_starts(host, "unix:///") ? host + strlen("unix://") : NULL;
}

/* The default one if it is among several: others are for others. */
static const char *socket_of_flags(const struct host *h)
{
	const char *found = NULL;

	for (size_t i = 0; h->docker.flags && i < h->docker.flags->n; i++) {
		const struct docker_flag *f = &h->docker.flags->v[i];
		const char *path = str_eq(f->name, "host") ? unix_path(f->value) : NULL;
		if (path && (str_eq(path, DEFAULT_SOCKET) || str_eq(path, "/run/docker.sock")))
			return DEFAULT_SOCKET;
		if (path && !found)
			found = path;
	}
	return found;
}

static const char *socket_of_config(const struct json *config)
{
	const char *found = NULL;

	for json_each(m, json_get(config, "hosts"))
		if (!found)
			found = unix_path(json_string(m));
	return found;
}

static const char *first_of(const char *a, const char *b, const char *c)
{
	return a ? a : b ? b : c;
}

static void find_places(struct host *h)
{
	const struct distro *d = h->distro;
	const char *of_distro = d ? d->docker.config : DEFAULT_CONFIG;
	const char *by_default = h->docker.snap ? SNAP_CONFIG : of_distro;
	struct json *config CLEANUP(json_freep) = NULL;

	free(h->docker.config_file);
	free(h->docker.data_root);
	free(h->docker.socket);
	h->docker.config_file = xstrdup(first_of(flag_value(h, "config-file"), NULL, by_default));
	config = read_config(h);
	h->docker.data_root =
		xstrdup(first_of(first_of(flag_value(h, "data-root"), flag_value(h, "graph"), NULL),
				 json_get_str(config, "data-root"),
				 h->docker.snap ? SNAP_DATA_ROOT : DEFAULT_DATA_ROOT));
	h->docker.socket = xstrdup(first_of(socket_of_flags(h), socket_of_config(config),
					    DEFAULT_SOCKET));
}

/* ---- what it says ---- */

/* "Server: Docker/20.10.24+dfsg1 (linux)": every answer of the Engine API has it. /_ping costs the
 * daemon nothing, whereas /version and /info start runc and docker-init. */
static void read_server(struct host *h, const char *reply)
{
	const char *server = strcasestr(reply, "\nServer: ");

	h->docker.answers = str_starts(reply, "HTTP/1.");
	if (!server)
		return;
	server += strlen("\nServer: ");
	h->docker.podman = str_starts(server, "Libpod/");
	if (str_starts(server, "Docker/"))
		h->docker.version = xstrndup(server + 7, strcspn(server + 7, " \r\n"));
}

/* Nobody connects to a socket behind which systemd waits: that would start Docker. */
static bool may_connect(const struct host *h)
{
	return h->docker.main_pid || h->init != INIT_SYSTEMD;
}

/* Who answers: the daemon's pid, or 0 if nobody does or it is systemd that listens. */
static pid_t ask_daemon(struct host *h)
{
	static const char request[] = "GET /_ping HTTP/1.0\r\nHost: docker\r\nConnection: close\r\n\r\n";
	struct buf reply CLEANUP(buf_release) = BUF_INIT;
	pid_t peer = 0;
	struct stat st;

	if (!may_connect(h))
		return 0;
	int fd CLEANUP(closep) = root_openat(h->root, h->docker.socket, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    sock_ask(fd, request, "\r\n\r\n", PING_MS, &reply, &peer) < 0)
		return 0;
	read_server(h, reply.data);
	return host_is_dockerd(h, peer) ? peer : 0;
}

/* Pid file, unit and scan are guesses; who serves the socket is certain. */
static int gather_running(struct host *h, struct err *err)
{
	find_daemon(h);
	if (h->docker.main_pid && settle_daemon(h, err) < 0)
		return -1;
	find_places(h);
	pid_t peer = ask_daemon(h);
	if (!peer || peer == h->docker.main_pid)
		return 0;
	h->docker.main_pid = peer;
	if (settle_daemon(h, err) < 0)
		return -1;
	find_places(h);
	return 0;
}

/* "5:26.1.3-1~debian.12~bookworm" is 26.1.3, as the API would say. */
static char *upstream_version(const char *version)
{
	const char *colon = strchr(version, ':');
	const char *begin = colon ? colon + 1 : version;

	return xstrndup(begin, strcspn(begin, "-"));
}

static void find_package_version(struct host *h)
{
	struct dpkg_status status CLEANUP(dpkg_status_release) = { BUF_INIT };
	struct err ignored = ERR_INIT;

	if (dpkg_status_read(&status, h->root, &ignored) < 0)
		return;
	for (size_t i = 0; !h->docker.version && docker_packages[i]; i++) {
		char *version CLEANUP(freep) = dpkg_version(&status, docker_packages[i]);
		h->docker.version = version ? upstream_version(version) : NULL;
	}
}

/* The engine's own record of its membership; gone when it leaves (moby: daemon/cluster). */
static bool is_swarm_member(const struct host *h)
{
	char *path CLEANUP(freep) = path_join(h->docker.data_root, "swarm/docker-state.json");
	struct stat st;

	return !root_stat(h->root, path, &st) && st.st_size > 0;
}

static bool is_podman_link(const struct host *h)
{
	char *target CLEANUP(freep) = NULL;

	return root_readlink(h->root, h->docker.socket, &target) >= 0 && strstr(target, "podman");
}

int gather_docker(struct host *h, struct err *err)
{
	const char *unit = h->distro ? h->distro->docker.unit : DEFAULT_UNIT;

	if (read_unit_flags(h, unit, err) < 0)
		return -1;
	find_binary(h);
	h->docker.snap = is_snap(h);
	if (h->docker.snap && !h->docker.unit)
		h->docker.unit = xstrdup(SNAP_UNIT);
	find_places(h);
	if (h->running && gather_running(h, err) < 0)
		return -1;
	if (!h->docker.version && h->docker.installed)
		find_package_version(h);
	h->docker.podman = h->docker.podman || is_podman_link(h);
	h->docker.swarm = is_swarm_member(h);
	h->docker.from_desktop = !h->docker.installed &&
				 root_exists(h->root, "/opt/docker-desktop");
	return 0;
}

void release_docker(struct host *h)
{
	free(h->docker.binary);
	free(h->docker.version);
	free(h->docker.unit);
	free(h->docker.socket);
	free(h->docker.config_file);
	free(h->docker.data_root);
	if (h->docker.flags)
		docker_flags_free(h->docker.flags);
	h->docker = (__typeof__(h->docker)){ 0 };
}
