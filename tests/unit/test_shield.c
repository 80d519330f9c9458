/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include "sys/shield.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static struct root host = ROOT_INIT;
static struct scratch s;
static char scratch_dir[128];
static pid_t started_pid;
static uint64_t started_time;

static int note_start(void *user, pid_t init, uint64_t starttime)
{
	started_pid = init;
	started_time = starttime;
	return 0;
}

static struct shield shield_open(void)
{
	struct err err = ERR_INIT;

	scratch_open(&s);
	if (host.fd < 0)
		CHECK_INT(root_open(&host, "/", &err), 0);
	snprintf(scratch_dir, sizeof scratch_dir, "%s/shield", s.path);
	started_pid = 0;
	return (struct shield){ .root = &host, .scratch = scratch_dir, .on_started = note_start };
}

/* What the script prints, run in the shield. */
static char *inside(const struct shield *sh, const char *script, int *ret_status)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	struct proc p = PROC_INIT;

	p.argv = argv;
	p.ret_out = &out;
	CHECK_INT(shield_run(sh, &p, ret_status, &err), 0);
	CHECK_STR(err.msg, "");
	return buf_detach(&out);
}

static void expect(const struct shield *sh, const char *script, const char *want)
{
	int status = -1;
	char *got CLEANUP(freep) = inside(sh, script, &status);

	CHECK_STR(got, want);
	CHECK_INT(status, 0);
}

TEST(alone, "inside there are only our own processes, with PIDs near pid_max, and no network")
{
	struct shield sh = shield_open();
	int status;

	expect(&sh, "set -- /proc/[0-9]*; echo $#", "2\n");	/* init and the shell */
	expect(&sh, "cat /proc/1/comm", "test_shield\n");
	expect(&sh, "ls /sys/class/net >/dev/null; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", "lo\n");
	char *pid CLEANUP(freep) = inside(&sh, "echo $$; cat /proc/sys/kernel/pid_max", &status);
	long max = strtol(strchr(pid, '\n'), NULL, 10);
	CHECK(strtol(pid, NULL, 10) > max / 2);
	CHECK(started_pid > 1 && started_time > 0);
	scratch_close(&s);
}

TEST(covered, "inside systemd looks booted and is dead, Docker's directory is a scratch one, /tmp is empty")
{
	struct shield sh = shield_open();
	struct stat st;
	bool systemd = !root_stat(&host, "/run/systemd", &st);

	expect(&sh, systemd ? "test -d /run/systemd/system && ls -A /run/systemd/system" : "test ! -e /run/systemd", "");
	expect(&sh, "ls -A /etc/docker /tmp", "/etc/docker:\ndaemon.json\n\n/tmp:\n");
	expect(&sh, "grep -c sysbox-runc /etc/docker/daemon.json; echo x >/etc/docker/daemon.json; echo y >/tmp/file", "2\n");
	expect(&sh, "env | grep -c -e ^SYSTEMD_OFFLINE=1 -e ^DEBIAN_FRONTEND=noninteractive -e ^DPKG_FRONTEND_LOCKED=true", "3\n");
	CHECK(!root_exists(&host, "/tmp/file"));
	char *left CLEANUP(freep) = tree(&s, "/shield", false);
	CHECK_STR(left, "");
	scratch_close(&s);
}

TEST(presets, "systemd's presets are as wanted, before anybody else's")
{
	struct shield sh = shield_open();
	struct stat st;
	bool systemd = !root_stat(&host, "/run/systemd", &st);

	sh.presets = "disable docker.service\n";
	expect(&sh, systemd ? "cat /run/systemd/system-preset/0-sysboxup.preset" : "test ! -e /run/systemd", systemd ? sh.presets : "");
	sh.presets = NULL;
	expect(&sh, "test ! -e /run/systemd/system-preset", "");
	char *left CLEANUP(freep) = tree(&s, "/shield", false);
	CHECK_STR(left, "");
	scratch_close(&s);
}

TEST(hidden, "the data-root is empty inside and a socket is no socket; outside nothing changed")
{
	struct shield sh = shield_open();
	char *data CLEANUP(freep) = xasprintf("%s/data", s.path),
		   *sock CLEANUP(freep) = xasprintf("%s/sock", s.path);
	const char *const sockets[] = { sock, "/does/not/exist.sock", NULL };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", sock);
	CHECK(!bind(fd, (struct sockaddr *)&addr, sizeof addr) && !mkdirat(s.fd, "data", 0711));
	put(&s, "data/image", "precious");
	sh.data_root = data;
	sh.sockets = sockets;
	char *script CLEANUP(freep) = xasprintf("ls -A %s; rm -rf %s/*; test -S %s || echo none; test -c %s && echo null", data, data, sock, sock);
	expect(&sh, script, "none\nnull\n");
	CHECK_STR(get(&s, "data/image"), "precious");
	close(fd);
	scratch_close(&s);
}

TEST(status_out, "exit status and death by a signal come out as they were; a missing program is named")
{
	struct shield sh = shield_open();
	struct err err = ERR_INIT;
	int status = -1;

	free(inside(&sh, "exit 42", &status));
	CHECK_INT(status, 42);
	const char *const killed[] = { "sh", "-c", "kill -TERM $$", NULL }, *const missing[] = {
		"no-such-program", NULL
	};
	struct proc p = PROC_INIT;
	p.argv = killed;
	CHECK_INT(shield_run(&sh, &p, &status, &err), -1);
	CHECK(strstr(err.msg, "killed by SIGTERM") != NULL);
	p.argv = missing;
	CHECK_INT(shield_run(&sh, &p, &status, &err), -1);
	CHECK_STR(err.msg, "cannot start 'no-such-program': no such file or directory");
	scratch_close(&s);
}

TEST(no_leftovers, "what a command leaves running, even in a session of its own, is dead when it returns")
{
	struct shield sh = shield_open();
	int status;

	char *script CLEANUP(freep) = xasprintf("setsid sh -c 'echo >/tmp/up; while :; do sleep 1; done; : %s' >/dev/null 2>&1 &"
						" until test -e /tmp/up; do :; done", s.path);
	free(inside(&sh, script, &status));
	struct err err = ERR_INIT;
	struct strv pids CLEANUP(strv_release) = STRV_INIT;
	CHECK_INT(root_list(&host, "/proc", &pids, &err), 0);
	for (size_t i = 0; i < pids.n; i++) {
		char *path CLEANUP(freep) = xasprintf("/proc/%s/cmdline", pids.v[i]);
		struct buf line CLEANUP(buf_release) = BUF_INIT;
		err = (struct err)ERR_INIT;
		if (strspn(pids.v[i], "0123456789") == strlen(pids.v[i]) &&
		    !root_read_optional(&host, path, 65536, &line, &err))
			CHECK(!memmem(line.data, line.len, s.path, strlen(s.path)));
	}
	scratch_close(&s);
}

struct told {
	pid_t init;
	uint64_t starttime;
};

static int tell_start(void *user, pid_t init, uint64_t starttime)
{
	struct told t = { init, starttime };

	CHECK_INT(write(*(int *)user, &t, sizeof t), sizeof t);
	return 0;
}

static int run_for_ever(struct shield *sh, int tell)
{
	const char *const argv[] = { "/bin/sh", "-c",
				     "trap '' TERM HUP INT; (sleep 1000 &); echo >&3; sleep 1000",
				     NULL };
	struct proc p = { .argv = argv, .keep_fd = tell, .timeout = 500 };
	struct err err = ERR_INIT;

	sh->on_started = tell_start;
	sh->user = &tell;
	return shield_run(sh, &p, NULL, &err) ? 1 : 0;
}

/* kill -9 of a shield's parent while the command runs; what was inside must be gone soon. */
static void killed_while_running(struct shield *sh)
{
	struct told t = { 0, 0 };
	int fds[2];
	char ready = 0;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (!pid)
		_exit(run_for_ever(sh, fds[1]));
	CHECK_INT(read(fds[0], &t, sizeof t), sizeof t);
	CHECK_INT(read(fds[0], &ready, 1), 1);
	int pidfd CLEANUP(closep) = (int)syscall(SYS_pidfd_open, t.init, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	CHECK(pidfd >= 0 && poll(&p, 1, 0) == 0 && proc_starttime(t.init) == t.starttime);
	proc_signal(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_INT(poll(&p, 1, 20000), 1);
	CHECK_INT(proc_wait_gone(t.init, t.starttime, 0), 0);
	close(fds[0]);
	close(fds[1]);
}

TEST(parent_killed, "kill -9 of the parent ends everything inside; the recorded init tells when")
{
	struct shield sh = shield_open();
	struct err err = ERR_INIT;

	killed_while_running(&sh);
	CHECK_INT(shield_cleanup(&sh, &err), 0);
	char *left CLEANUP(freep) = tree(&s, "/shield", false);
	CHECK_STR(left, "");
	scratch_close(&s);
}

/* An image with a static shell, and links that try to lead the mounts out of it. */
static struct root make_image(void)
{
	struct root image = ROOT_INIT;
	struct err err = ERR_INIT;
	static const char *const dirs[] = { "img/bin", "img/etc", "img/proc", "img/dev",
					    "img/run", "img/tmp", "outside" };
	static const char *const tools[] = { "sh", "ls", "cat", "test", "sleep" };

	mkdirat(s.fd, "img", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		CHECK(!mkdirat(s.fd, dirs[i], 0755));
	int from = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	int to = openat(s.fd, "img/bin/busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	CHECK_INT(fs_copy_fd(from, to, 1 << 26, NULL, &err), 0);
	close(from);
	close(to);
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		char *link CLEANUP(freep) = xasprintf("img/bin/%s", tools[i]);
		CHECK(!symlinkat("busybox", s.fd, link));
	}
	char *path CLEANUP(freep) = xasprintf("%s/img", s.path);
	CHECK_INT(root_open(&image, path, &err), 0);
	return image;
}

TEST(image, "in an image: its own root, a booted-looking /run, devices, nothing left behind, no way out by links")
{
	struct shield sh = shield_open();
	struct root image CLEANUP(root_release) = make_image();
	char *outside CLEANUP(freep) = xasprintf("%s/outside", s.path);

	CHECK(!symlinkat(outside, s.fd, "img/data"));
	sh.root = &image;
	sh.data_root = "/data";
	char *before CLEANUP(freep) = tree(&s, "/img", false);
	expect(&sh,
	       "ls /; ls -A /run/systemd/system /etc/docker; echo gone >/dev/null; test -c /dev/null && test -d /proc/1 && echo ok",
	       "bin\ndata\ndev\netc\nproc\nrun\ntmp\n/etc/docker:\ndaemon.json\n\n/run/systemd/system:\nok\n");
	char *now CLEANUP(freep) = tree(&s, "/img", false);
	CHECK_STR(now, before);
	CHECK(!root_exists(&image, "/etc/docker") && !root_exists(&image, "/run/systemd") &&
	      !root_exists(&image, "/dev/null"));
	scratch_close(&s);
}

TEST(docker_data, "/var/lib/docker is empty inside, wherever the data-root is")
{
	struct shield sh = shield_open();
	struct root image CLEANUP(root_release) = make_image();

	for (const char *const *dir = (const char *const[]){ "img/var", "img/var/lib", "img/var/lib/docker", "img/data", NULL }; *dir; dir++)
		CHECK(!mkdirat(s.fd, *dir, 0755));
	put(&s, "img/var/lib/docker/kept", "");
	put(&s, "img/data/kept", "");
	sh.root = &image;
	sh.data_root = "/data";
	expect(&sh, "ls -A /var/lib/docker /data", "/data:\n\n/var/lib/docker:\n");
	scratch_close(&s);
}

static int refuse_start(void *user, pid_t init, uint64_t starttime)
{
	return -1;
}

TEST(not_noted, "what cannot be noted does not run")
{
	struct shield sh = shield_open();
	struct err err = ERR_INIT;
	char *script CLEANUP(freep) = xasprintf("echo >%s/ran", s.path);
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct proc p = { .argv = argv, .keep_fd = -1, .timeout = 20 };

	sh.on_started = refuse_start;
	CHECK_INT(shield_run(&sh, &p, NULL, &err), -1);
	CHECK(strstr(err.msg, "cannot start '/bin/sh") != NULL);
	CHECK(!root_exists(&s.root, "/ran"));
	scratch_close(&s);
}

TEST(made_directory, "an /etc/docker made for the mount is removed by cleanup after a kill, but not with somebody's file in it")
{
	struct shield sh = shield_open();
	struct root image CLEANUP(root_release) = make_image();
	struct err err = ERR_INIT;

	sh.root = &image;
	killed_while_running(&sh);
	CHECK(root_exists(&image, "/etc/docker"));
	CHECK_INT(shield_cleanup(&sh, &err), 0);
	CHECK(!root_exists(&image, "/etc/docker"));

	killed_while_running(&sh);
	put(&s, "img/etc/docker/daemon.json", "{}");
	CHECK_INT(shield_cleanup(&sh, &err), 0);
	CHECK_STR(get(&s, "img/etc/docker/daemon.json"), "{}");
	sh.on_started = note_start;
	expect(&sh, "cat /etc/docker/other 2>/dev/null; read x </etc/docker/daemon.json; echo $x", "{\n");
	CHECK_STR(get(&s, "img/etc/docker/daemon.json"), "{}");
	scratch_close(&s);
}

TEST(no_mount, "a mount that fails stops it before the command runs")
{
	struct shield sh = shield_open();
	struct root image CLEANUP(root_release) = make_image();
	struct err err = ERR_INIT;
	const char *const argv[] = { "/bin/sh", "-c", "echo ran >/ran", NULL };
	struct proc p = { .argv = argv, .keep_fd = -1, .timeout = 20 };

	/* a file where the mount of a directory must go */
	put(&s, "img/etc/docker", "");
	sh.root = &image;
	CHECK_INT(shield_run(&sh, &p, NULL, &err), -1);
	CHECK(strstr(err.msg, "covering /etc/docker") != NULL);
	CHECK(!root_exists(&image, "/ran"));
	scratch_close(&s);
}

/* test_shield CMD...: that command in the shield of this machine, for tests/shield.bats in a guest
 * with Docker. */
static int run_command(char **argv)
{
	static const char *const sockets[] = { "/run/docker.sock", NULL };
	struct shield sh = shield_open();
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	struct proc p = PROC_INIT;
	int status = 0;

	sh.data_root = "/var/lib/docker";
	sh.sockets = sockets;
	p.argv = (const char *const *)argv;
	p.ret_out = &out;
	if (shield_run(&sh, &p, &status, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		status = 125;
	}
	fputs(out.data, stdout);
	buf_release(&out);
	scratch_close(&s);
	return status;
}

int main(int argc, char **argv)
{
	return argc > 1 ? run_command(argv + 1) : test_main();
}
