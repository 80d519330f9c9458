/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker/ against a real dockerd, in namespaces of its own on throw-away roots (run by
 * tests/docker.bats). The binaries are the distribution's: those in build/docker-bin
 * (tests/tools/docker-bin fetches and unpacks them there; nothing is installed), or in PATH.
 */
#include "test.h"

#include "docker/canary.h"
#include "docker/daemon.h"
#include "docker/impact.h"
#include "docker/probe.h"
#include "sys/clock.h"
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/live_docker.XXXXXX";
static char config[128], sock[128], data_root[128], group[64];
static struct root root = ROOT_INIT;
static struct docker_flags flags;
static struct host h;
static struct docker_api *api;
static pid_t daemon_pid;

static char *in_dir(const char *name)
{
	static char paths[8][128];
	static unsigned int next;
	char *p = paths[next++ % 8];

	snprintf(p, 128, "%s/%s", dir, name);
	return p;
}

static void put(const char *text)
{
	FILE *f = fopen(config, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

static struct json *info(void)
{
	struct json *j = NULL;
	struct err err = ERR_INIT;

	if (docker_info(api, &j, &err))
		printf("# %s\n", err.msg);
	return j;
}

static const char *default_runtime(void)
{
	static char name[64];
	struct json *j CLEANUP(json_freep) = info();
	const char *s = json_get_str(j, "DefaultRuntime");

	snprintf(name, sizeof(name), "%s", s ? s : "");
	return name;
}

static bool has_runtime(const char *name)
{
	struct json *j CLEANUP(json_freep) = info();

	return json_get(json_get(j, "Runtimes"), name) != NULL;
}

/* From one text to the other, as the action does it: 0 or the failed stage, from 1. */
static size_t go(const char *from, const char *to, size_t *ret_n)
{
	struct docker_stage *s = NULL;
	struct err err = ERR_INIT;
	struct buf a CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;
	size_t n = 0, failed = 0;

	buf_adds(&a, from);
	buf_adds(&b, to);
	struct docker_way way = { .flags = h.docker.flags };
	CHECK_INT(docker_config_stages(&way, &a, &b, &s, &n, &err), 0);
	for (size_t i = 0; !failed && i < n; i++) {
		put(s[i].text.data);
		if (docker_stage_takeup(&h, &s[i], NULL, &err)) {
			printf("# stage %zu: %s\n", i + 1, err.msg);
			failed = i + 1;
		}
	}
	docker_stages_free(s, n);
	*ret_n = n;
	return failed;
}

static size_t count(const char *path)
{
	struct json *list CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	return docker_api_call(api, "GET", path, NULL, 10, NULL, &list, &err) ? 999 :
										json_len(list);
}

#define ALL_CONTAINERS count("/containers/json?all=1")
#define ALL_IMAGES count("/images/json?all=1")
#define WITH \
	"{\n  \"runtimes\": {\"myrunc\": {\"path\": \"runc\"}},\n  \"default-runtime\": " \
	"\"myrunc\", \"debug\": true\n}\n"

TEST(ping, "the API answers, names its version, and an unknown path is an error in Docker's words")
{
	struct err err = ERR_INIT;
	char *version CLEANUP(freep) = NULL;
	long status = 0;

	CHECK(docker_api_ping(api, 1000));
	CHECK_INT(docker_version(api, &version, &err), 0);
	CHECK(version && version[0] >= '1' && version[0] <= '9');
	CHECK_INT(docker_api_call(api, "GET", "/containers/none/json", NULL, 10, NULL, NULL, &err),
		  -1);
	CHECK(strstr(err.msg, "No such container: none"));
	CHECK_INT(docker_api_call(api, "GET", "/containers/none/json", NULL, 10, &status, NULL,
				  &err),
		  0);
	CHECK_INT(status, 404);
}

TEST(reload_there_and_back, "a runtime and the default come by reload, and go by an interim reload; the daemon is the same process")
{
	size_t n = 0;
	pid_t pid = 0;
	struct err err = ERR_INIT;

	CHECK_INT(go("{}", WITH, &n), 0);
	CHECK_INT(n, 1);
	CHECK(has_runtime("myrunc"));
	CHECK_STR(default_runtime(), "myrunc");
	CHECK_INT(go(WITH, "{}", &n), 0);
	CHECK_INT(n, 2);
	CHECK(!has_runtime("myrunc"));
	CHECK_STR(default_runtime(), "runc");
	CHECK_INT(docker_daemon_pid(&h, &pid, &err), 0);
	CHECK_INT(pid, daemon_pid);
}

TEST(reload_rejected, "a file that the daemon rejects is an error within the deadline, and the daemon goes on")
{
	static const char *const bad[] = { "{bad", "{\"nokey\": 1}",
					   "{\"default-runtime\": \"none\"}",
					   "{\"bridge\": \"none\"}" };
	struct docker_expect want = DOCKER_EXPECT_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;
		put(bad[i]);
		CHECK_INT(docker_reload(&h, &want, 2, NULL, &err), -1);
		CHECK(strstr(err.msg, "reported no reload"));
		CHECK(docker_api_ping(api, 1000));
	}
	put("{}");
	struct err err = ERR_INIT;
	CHECK_INT(docker_reload(&h, &want, 10, NULL, &err), 0);
}

TEST(reload_unproven, "a reload that happened but does not show what was expected is an error")
{
	struct docker_expect want = DOCKER_EXPECT_INIT;
	struct err err = ERR_INIT;

	want.default_runtime = xstrdup("sysbox-runc");
	CHECK_INT(docker_reload(&h, &want, 1, NULL, &err), -1);
	CHECK(strstr(err.msg, "the default runtime is 'runc', not 'sysbox-runc'"));
	docker_expect_release(&want);
}

TEST(restart_by_hand, "a daemon that no unit started is not restarted but refused with a remedy")
{
	struct err err = ERR_INIT;

	CHECK_INT(docker_restart(&h, NULL, 5, NULL, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(*err.remedy);
}

TEST(probe_runs, "a container really runs under runc and under a runtime added by reload; nothing is left")
{
	struct docker_probe p = { 0 };
	struct err err = ERR_INIT;
	size_t n;

	CHECK_INT(docker_probe_runtime(api, "runc", &p, NULL, &err), 0);
	CHECK_STR(err.msg, "");
	CHECK(p.ran && !p.userns);
	CHECK_INT(p.uid_start, 0);
	CHECK_INT(p.uid_count, 4294967295);
	CHECK_INT(go("{}", WITH, &n), 0);
	p = (struct docker_probe){ 0 };
	CHECK_INT(docker_probe_runtime(api, NULL, &p, NULL, &err), 0);
	CHECK(p.ran);
	CHECK_INT(go(WITH, "{}", &n), 0);
	CHECK_INT(ALL_CONTAINERS, 0);
	CHECK_INT(ALL_IMAGES, 0);
}

TEST(probe_broken, "a runtime whose binary is missing or fails is listed by /info and refused by the probe; nothing is left")
{
	struct docker_probe p = { 0 };
	struct err err = ERR_INIT;
	size_t n;
	const char *text =
		"{\"runtimes\": {\"gone\": {\"path\": \"/usr/bin/gone\"}, \"bad\": {\"path\": "
		"\"/bin/false\"}}}";

	CHECK_INT(go("{}", text, &n), 0);
	CHECK(has_runtime("gone"));
	CHECK_INT(docker_probe_runtime(api, "gone", &p, NULL, &err), -1);
	CHECK(strstr(err.msg, "no container runs under runtime 'gone'"));
	CHECK_INT(docker_probe_runtime(api, "bad", &p, NULL, &err), -1);
	CHECK_INT(docker_probe_runtime(api, "unknown", &p, NULL, &err), -1);
	CHECK(!p.ran);
	CHECK_INT(ALL_CONTAINERS, 0);
	CHECK_INT(ALL_IMAGES, 0);
	CHECK_INT(go(text, "{}", &n), 0);
}

/* An image of our own, as any user's. */
static void image_make_with(const char *name, const char *changes)
{
	struct buf tar CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	char *path CLEANUP(freep) = xasprintf("/images/create?fromSrc=-&repo=%s&tag=latest%s", name,
					      changes);

	docker_probe_tar(&tar);
	CHECK_INT(docker_api_post_raw(api, path, "application/x-tar", tar.data, tar.len, 30, NULL,
				      &err),
		  0);
}

static void image_make(const char *name) { image_make_with(name, ""); }

static void container_make(const char *name, const char *image, const char *policy, bool rm)
{
	struct err err = ERR_INIT;
	char *path CLEANUP(freep) = xasprintf("/containers/create?name=%s", name);
	char *text CLEANUP(freep) = xasprintf(
		"{\"Image\":\"%s\",\"Cmd\":[\"/probe\"],"
		"\"HostConfig\":{\"NetworkMode\":\"none\",\"AutoRemove\":%s,"
		"\"RestartPolicy\":{\"Name\":\"%s\"}}}",
		image, rm ? "true" : "false", policy);
	struct json *body CLEANUP(json_freep) = NULL;

	CHECK_INT(json_parse(text, strlen(text), JSON_STRICT, "body", &body, &err), 0);
	CHECK_INT(docker_api_call(api, "POST", path, body, 30, NULL, NULL, &err), 0);
	if (*err.msg)
		printf("# %s\n", err.msg);
}

static void remove_all(const char *path)
{
	struct err err = ERR_INIT;

	CHECK_INT(docker_api_call(api, "DELETE", path, NULL, 30, NULL, NULL, &err), 0);
}

TEST(leftovers, "what a killed probe left goes at the next one; a user's container and image stay")
{
	struct docker_probe p = { 0 };
	struct err err = ERR_INIT;

	/* a container has the labels of its image; the first process started with the machine, not
	 * then */
	image_make_with("left", "&changes=LABEL%20sysboxup.probe%3D1-999999999");
	char *changes CLEANUP(freep) = xasprintf("&changes=LABEL%%20sysboxup.probe%%3D%d-%llu", (int)getpid(),
						 (unsigned long long)proc_starttime(getpid()));
	image_make_with("at-work", changes);
	image_make("sysboxup-probe-1");
	container_make("left", "left", "no", false);
	container_make("at-work", "at-work", "no", false);
	container_make("sysboxup-probe-1", "sysboxup-probe-1", "no", false);
	CHECK_INT(docker_probe_runtime(api, NULL, &p, NULL, &err), 0);
	CHECK_INT(ALL_CONTAINERS, 2);
	CHECK_INT(ALL_IMAGES, 2);
	remove_all("/containers/at-work?force=1");
	remove_all("/images/at-work?force=1");
	remove_all("/containers/sysboxup-probe-1?force=1");
	remove_all("/images/sysboxup-probe-1?force=1");
}

TEST(impact, "a stopped container with restart=always is named, and refused without leave")
{
	struct docker_impact i = { 0 };
	struct err err = ERR_INIT;
	struct json *to CLEANUP(json_freep) = json_obj();

	image_make("impact");
	container_make("sleeper", "impact", "always", false);
	container_make("other", "impact", "unless-stopped", false);
	json_set_str(to, "bip", "10.9.0.1/24");
	json_set_str(to, "data-root", "/x");
	CHECK_INT(docker_restart_impact(&h, api, NULL, to, &i, &err), 0);
	CHECK_INT(i.stopped.n, 1);
	CHECK_STR(i.stopped.n ? i.stopped.v[0] : "", "sleeper");
	CHECK_INT(i.bridge_keys.n, 1);
	CHECK_INT(i.refused_keys.n, 1);
	CHECK(!i.swarm && !i.keep_containers);
	CHECK_INT(docker_impact_refuse(&i, true, &err), 0);
	CHECK_INT(docker_impact_refuse(&i, false, &err), -1);
	CHECK_STR(err.msg, "a restart of Docker starts stopped containers with restart=always: sleeper");
	CHECK_INT(err.kind, ERR_REFUSED);
	docker_impact_release(&i);
	remove_all("/containers/sleeper?force=1");
	remove_all("/containers/other?force=1");
	remove_all("/images/impact?force=1");
}

/* --- canary --- */

/* Everything of the live daemon that a canary must not touch: its files with times, mounts,
 * sockets' directory. */
static struct buf *picture;

static int picture_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (!strstr(path, "/scratch") && !strstr(path, "/log"))
		buf_addf(picture, "%s %o %lld %lld.%ld\n", path, st->st_mode,
			 (long long)(S_ISDIR(st->st_mode) ? 0 : st->st_size),
			 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	return 0;
}

static void picture_file(const char *path)
{
	char data[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	for (ssize_t n; fd >= 0 && (n = read(fd, data, sizeof(data))) > 0;)
		buf_add(picture, data, (size_t)n);
	close(fd);
}

static void picture_take(struct buf *ret)
{
	picture = ret;
	CHECK_INT(nftw(dir, picture_one, 16, FTW_PHYS), 0);
	CHECK_INT(nftw("/run", picture_one, 16, FTW_PHYS), 0);
	CHECK_INT(nftw("/etc", picture_one, 16, FTW_PHYS), 0);
	picture_file("/proc/self/mounts");
	picture_file("/proc/self/net/dev_mcast");
	picture_file("/proc/sys/net/ipv4/ip_forward");
}

static int canary(const char *text, char **why)
{
	struct err err = ERR_INIT;

	int r = docker_canary(&h, text, strlen(text), in_dir("scratch"), 30, why, &err);
	if (r < 0)
		printf("# %s\n", err.msg);
	return r;
}

TEST(canary_good, "a candidate that would start is found good, the live daemon and the host see nothing of it")
{
	static const char *const good[] = {
		"{}",
		WITH,
		"{\"log-opts\": {\"max-size\": \"10m\"}, \"live-restore\": true, \"labels\": "
		"[\"a=b\"]}",
		"{\"default-address-pools\": [{\"base\": \"10.200.0.0/16\", \"size\": 24}], "
		"\"max-concurrent-downloads\": 7}",
	};
	struct buf before CLEANUP(buf_release) = BUF_INIT, after CLEANUP(buf_release) = BUF_INIT;

	picture_take(&before);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char *why CLEANUP(freep) = NULL;
		CHECK_INT(canary(good[i], &why), 0);
		CHECK_STR(why, NULL);
	}
	picture_take(&after);
	CHECK(buf_equal(&before, &after));
	CHECK(docker_api_ping(api, 1000));
	CHECK_INT(access(in_dir("scratch/canary"), F_OK), -1);
}

TEST(canary_bad, "a candidate that would not start is found bad, in dockerd's own words, and nothing is touched")
{
	static const struct { const char *text, *words; } bad[] = {
		{ "{bad", "invalid character" },
		{ "", "EOF" },
		{ "{\"nokey\": 1}", "nokey" },
		{ "{\"debug\": \"yes\"}", "cannot unmarshal" },
		{ "{\"bridge\": \"none\"}", "bridge" },
		{ "{\"data-root\": \"/x\"}", "data-root" },
		{ "{\"default-runtime\": \"none\"}", "none" },
		{ "{\"runtimes\": {\"runc\": {\"path\": \"/x\"}}}", "runc" },
		{ "{\"storage-opts\": [\"bogus=1\"]}", "" },
		{ "{\"exec-opts\": [\"native.cgroupdriver=bogus\"]}", "bogus" },
		{ "{\"seccomp-profile\": \"/none.json\"}", "none.json" },
		{ "{\"registry-mirrors\": [\"ftp://x\"]}", "mirror" },
		{ "{\"log-opts\": {\"bogus\": \"1\"}}", "bogus" },
		{ "{\"tlsverify\": true, \"tlscacert\": \"/none\"}", "" },
	};
	struct buf before CLEANUP(buf_release) = BUF_INIT, after CLEANUP(buf_release) = BUF_INIT;

	picture_take(&before);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *why CLEANUP(freep) = NULL;
		int r = canary(bad[i].text, &why);
		if (r != 1 || !why || !strstr(why, bad[i].words))
			printf("# %s: %d %s\n", bad[i].text, r, why ? why : "");
		CHECK_INT(r, 1);
		CHECK(why && strstr(why, bad[i].words));
	}
	picture_take(&after);
	CHECK(buf_equal(&before, &after));
	CHECK(docker_api_ping(api, 1000));
}

TEST(canary_containerd, "a daemon that shares the system's containerd gets a private one at the same address")
{
	struct docker_flags *old = h.docker.flags;
	pid_t pid = h.docker.main_pid;
	char *why CLEANUP(freep) = NULL;

	/* as if containerd ran beside the daemon; in the canary's own /run something must answer
	 * there */
	CHECK(!mkdir("/run/containerd", 0700) || errno == EEXIST);	/* shims make it too */
	int fd = open("/run/containerd/containerd.sock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(canary("{}", &why), 0);
	CHECK_INT(unlink("/run/containerd/containerd.sock"), 0);
	CHECK(h.docker.flags == old && h.docker.main_pid == pid);
}

TEST(canary_cannot, "without a scratch directory nothing is started")
{
	struct err err = ERR_INIT;
	char *why CLEANUP(freep) = NULL;

	CHECK_INT(docker_canary(&h, "{}", 2, in_dir("nowhere"), 10, &why, &err), -1);
	CHECK(*err.msg);
}

/* --- the daemon --- */

static bool find_docker(void)
{
	char self[512], path[2048];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	char *build = strstr(self, "/build/");
	if (build)
		build[6] = '\0';
	snprintf(
		path, sizeof(path),
		"%s/docker-bin/usr/sbin:%s/docker-bin/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		self, self);
	setenv("PATH", path, 1);
	struct strv dirs CLEANUP(strv_release) = STRV_INIT;
	str_split(&dirs, path, ':');
	for (size_t i = 0; i < dirs.n; i++) {
		char *file CLEANUP(freep) = path_join(dirs.v[i], "dockerd");
		if (!access(file, X_OK))
			return true;
	}
	return false;
}

static void daemon_start(void)
{
	char data[160], exec_root[160], pidfile[160], host[160];

	snprintf(data, sizeof(data), "--data-root=%s/data", dir);
	snprintf(exec_root, sizeof(exec_root), "--exec-root=%s/exec", dir);
	snprintf(pidfile, sizeof(pidfile), "--pidfile=%s/pid", dir);
	snprintf(host, sizeof(host), "--host=unix://%s", sock);
	snprintf(group, sizeof(group), "--cgroup-parent=/sysboxup-test-%s", dir + strlen(dir) - 6);
	daemon_pid = fork();
	if (daemon_pid)
		return;
	int log = open(in_dir("log"), O_CREAT | O_WRONLY, 0600);
	dup2(log, 1);
	dup2(log, 2);
	execlp("dockerd", "dockerd", "--config-file", config, data, exec_root, pidfile, host, group,
	       "--bridge=none", "--iptables=false", "--ip-masq=false", "--storage-driver=vfs",
	       (char *)NULL);
	_exit(127);
}

static void host_fill(void)
{
	struct err err = ERR_INIT;

	if (root_open(&root, "/", &err) || docker_flags_from_pid(&flags, daemon_pid, &err) ||
	    docker_api_open(&api, sock, &err))
		abort();
	h.root = &root;
	h.running = true;
	h.init = INIT_OTHER;
	h.docker.installed = true;
	h.docker.main_pid = daemon_pid;
	h.docker.main_starttime = proc_starttime(daemon_pid);
	h.docker.socket = sock;
	h.docker.config_file = config;
	h.docker.data_root = data_root;
	h.docker.flags = &flags;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

/* The empty groups that containers had in each hierarchy. */
static int remove_group(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type == FTW_DP && strstr(path, group + strlen("--cgroup-parent=")))
		rmdir(path);
	return 0;
}

static void daemon_stop(void)
{
	kill(daemon_pid, SIGTERM);
	waitpid(daemon_pid, NULL, 0);
	nftw("/sys/fs/cgroup", remove_group, 16, FTW_DEPTH | FTW_PHYS);
	umount2(in_dir("data"), MNT_DETACH);
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS))
		perror(dir);
}

static int inside(void)
{
	int r = 1;

	if (!mkdtemp(dir) || mount("none", "/run", "tmpfs", 0, NULL) ||
	    mkdir(in_dir("scratch"), 0700))
		return 1;
	snprintf(config, sizeof(config), "%s/etc/daemon.json", dir);
	snprintf(sock, sizeof(sock), "%s/s", dir);
	snprintf(data_root, sizeof(data_root), "%s/data", dir);
	if (mkdir(in_dir("etc"), 0755))
		return 1;
	put("{}");
	daemon_start();
	for (int i = 0; i < 6000 && access(sock, F_OK); i++)
		clock_pause_ms(50);
	host_fill();
	for (int i = 0; i < 200 && !docker_api_ping(api, 1000); i++)
		clock_pause_ms(50);
	r = test_main();
	daemon_stop();
	docker_api_close(api);
	docker_flags_release(&flags);
	root_release(&root);
	return r;
}

int main(int argc, char **argv)
{
	if (!find_docker() || geteuid() != 0) {
		printf("Bail out! dockerd is not there (tests/tools/docker-bin fetches it), or not root\n");
		return 1;
	}
	if (argc > 1)
		return inside();
	execlp("unshare", "unshare", "-n", "-m", "-p", "-f", "--mount-proc", "--kill-child",
	       argv[0], "inside", (char *)NULL);
	perror("unshare");
	return 1;
}
