/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host.h"

#include "docker/daemon.h"
#include "docker/flags.h"
#include "host/dpkg.h"
#include "sys/proc.h"

#include "fixture.h"
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define UNIT "[Service]\nExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock\n"

/* Gathered, or an empty one and a failed test. */
static struct host gather(struct fixture *f)
{
	struct host h = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(host_gather(&h, &f->root, &err), 0);
	CHECK_STR(err.msg, "");
	return h;
}

static void elf(struct fixture *f, const char *path, unsigned char class, unsigned char machine)
{
	unsigned char h[20] = { 0x7f, 'E', 'L', 'F', class, 1, 1 };

	h[16] = 3;
	h[18] = machine;
	fixture_put_bytes(f, path, h, sizeof(h));
}

TEST(real, "this machine's own facts are gathered, whatever it is")
{
	struct root root = ROOT_INIT;
	struct err err = ERR_INIT;
	struct host h = { 0 };

	CHECK_INT(root_open(&root, "/", &err), 0);
	CHECK_INT(host_gather(&h, &root, &err), 0);
	CHECK_STR(err.msg, "");
	CHECK(h.running && *h.kernel && *h.machine && *h.os.id);
	CHECK(*h.var_lib_fs && h.var_lib_free);
	CHECK(h.docker.socket && h.docker.config_file && h.docker.data_root);
	host_release(&h);
	root_release(&root);
}

TEST(nothing, "an empty directory is a host about which nothing is known")
{
	struct fixture f;

	for (int running = 0; running <= 1; running++) {
		fixture_open(&f, running);
		struct host h = gather(&f);
		CHECK_STR(h.os.id, "linux");
		CHECK(!h.distro && !h.distro_by);
		CHECK_STR(h.kernel, "");
		CHECK_INT(h.init, INIT_NONE);
		CHECK(!host_has_systemd(&h));
		CHECK(!h.docker.installed && !h.docker.main_pid && !h.docker.unit &&
		      !h.docker.version);
		CHECK_STR(h.docker.config_file, "/etc/docker/daemon.json");
		CHECK_STR(h.docker.data_root, "/var/lib/docker");
		CHECK_STR(h.docker.socket, "/var/run/docker.sock");
		host_release(&h);
		fixture_close(&f);
	}
}

static void debian_image(struct fixture *f)
{
	fixture_put(f, "/etc/os-release",
		    "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n");
	elf(f, "/usr/bin/dpkg", 2, 183);
	elf(f, "/bin/sh", 2, 62);
	fixture_put(f, "/usr/lib/systemd/systemd", "");
	fixture_put(f, "/lib/systemd/system/docker.service", UNIT);
	fixture_program(f, "/usr/bin/dockerd");
	fixture_put(f, "/var/lib/dpkg/status",
		    "Package: containerd\nStatus: install ok installed\nVersion: 1.6\n\n"
		    "Package: docker.io\nStatus: install ok installed\nArchitecture: amd64\nVersion: 20.10.24+dfsg1-1+b3\n");
}

TEST(image, "of an image only the tree is asked: its own architecture, its unit, its package's version")
{
	struct fixture f;

	fixture_open(&f, false);
	debian_image(&f);
	fixture_put(&f, "/proc/1/comm", "systemd\n");
	fixture_put(&f, "/proc/sys/kernel/osrelease", "6.1.0\n");
	fixture_put(&f, "/dev/fuse", "");
	struct host h = gather(&f);
	CHECK_STR(h.distro->id, "debian");
	CHECK_STR(h.distro_by, "id");
	CHECK_STR(h.arch, "arm64");
	CHECK_STR(h.machine, "aarch64");
	CHECK_STR(h.kernel, "");
	CHECK_INT(h.init, INIT_SYSTEMD);
	CHECK(!host_has_systemd(&h) && !h.dev_fuse && !h.running);
	CHECK(h.docker.installed && !h.docker.by_hand && !h.docker.main_pid);
	CHECK_STR(h.docker.binary, "/usr/bin/dockerd");
	CHECK_STR(h.docker.unit, "docker.service");
	CHECK_STR(h.docker.version, "20.10.24+dfsg1");
	CHECK(docker_flag_find(h.docker.flags, "containerd"));
	host_release(&h);
	fixture_close(&f);
}

static const struct {
	unsigned char class, machine;
	const char *arch;
} elfs[] = {
	{ 2, 62, "amd64" }, { 1, 62, "x32" },	{ 2, 183, "arm64" },   { 1, 3, "i386" },
	{ 1, 40, "armhf" }, { 2, 243, "riscv64" }, { 2, 22, "" },
};

TEST(archs, "the user land's architecture is its programs', else dpkg's list's")
{
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(elfs) - 1; i++) {
		fixture_open(&f, true);
		elf(&f, "/usr/bin/env", elfs[i].class, elfs[i].machine);
		struct host h = gather(&f);
		CHECK_STR(h.arch, elfs[i].arch);
		host_release(&h);
		fixture_close(&f);
	}
	fixture_open(&f, false);
	fixture_put(&f, "/bin/sh", "\x7f" "EL");
	fixture_put(&f, "/var/lib/dpkg/arch", "arm64\namd64\n");
	struct host h = gather(&f);
	CHECK_STR(h.arch, "arm64");
	host_release(&h);
	fixture_close(&f);
	CHECK_STR(host_arch_of_machine("x86_64"), "amd64");
	CHECK_STR(host_arch_of_machine("aarch64"), "arm64");
	CHECK_STR(host_arch_of_machine("riscv64"), "");
}

/* What is found of virtualisation with one file there, as "KIND NAME". */
static char *virt_with(const char *path, const char *text, size_t len)
{
	static const char *const kinds[] = { "none", "vm", "container", "wsl" };
	struct fixture f;

	fixture_open(&f, true);
	fixture_put_bytes(&f, path, text, len);
	struct host h = gather(&f);
	char *ret = xasprintf("%s %s", kinds[h.virt], h.virt_name);
	host_release(&h);
	fixture_close(&f);
	return ret;
}

static const struct {
	const char *path, *text;
	size_t len;
	const char *want;
} virts[] = {
	{ "/etc/motd", "", 0, "none " },
	{ "/run/systemd/container", "lxc\n", 4, "container lxc" },
	{ "/proc/1/environ", "A=b\0container=systemd-nspawn\0", 29, "container systemd-nspawn" },
	{ "/proc/1/environ", "container=\0", 11, "none " },
	{ "/proc/1/environ", "XX=container=lxc\0", 17, "none " },
	{ "/proc/1/cgroup", "1:cpu:/docker/0123\n", 19, "container docker" },
	{ "/proc/1/cgroup", "1:cpu:/lxc.payload.x\n", 21, "container lxc" },
	{ "/proc/1/cgroup", "0::/kubepods.slice/x\n", 21, "container kubernetes" },
	{ "/proc/1/cgroup", "0::/init.scope\n", 15, "none " },
	{ "/.dockerenv", "", 0, "container docker" },
	{ "/run/.containerenv", "", 0, "container podman" },
	{ "/proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", 34, "wsl wsl" },
	{ "/sys/class/dmi/id/sys_vendor", "QEMU\n", 5, "vm qemu" },
	{ "/sys/class/dmi/id/product_name", "KVM\n", 4, "vm kvm" },
	{ "/proc/cpuinfo", "flags\t\t: fpu hypervisor lahf\n", 29, "vm vm" },
	{ "/proc/cpuinfo", "flags\t\t: fpu lahf\n", 18, "none " },
};

TEST(virt, "containers, WSL and virtual machines are told apart")
{
	for (size_t i = 0; i < ARRAY_SIZE(virts); i++) {
		char *got CLEANUP(freep) = virt_with(virts[i].path, virts[i].text, virts[i].len);
		CHECK_STR(got, virts[i].want);
	}
}

TEST(left_over, "/.dockerenv left behind in a machine that boots on its own makes it no container")
{
	struct fixture f;

	fixture_open(&f, true);
	fixture_put(&f, "/.dockerenv", "");
	fixture_link(&f, "/proc/self/ns/pid", "pid:[4026531836]");
	fixture_link(&f, "/proc/self/ns/uts", "uts:[4026531838]");
	fixture_link(&f, "/proc/self/ns/cgroup", "cgroup:[4026531835]");
	fixture_link(&f, "/proc/self/ns/user", "user:[4026531837]");
	struct host h = gather(&f);
	CHECK_INT(h.virt, VIRT_NONE);
	host_release(&h);
	fixture_unlink(&f, "/proc/self/ns/pid");
	fixture_link(&f, "/proc/self/ns/pid", "pid:[4026532000]");
	h = gather(&f);
	CHECK_INT(h.virt, VIRT_CONTAINER);
	host_release(&h);
	fixture_close(&f);
}

TEST(marks, "security modules, kernel, init, FUSE, pending reboot and Kubernetes are seen where they say so")
{
	struct fixture f;

	fixture_open(&f, true);
	fixture_put(&f, "/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n");
	fixture_put(&f, "/proc/1/comm", "systemd\n");
	fixture_mkdir(&f, "/run/systemd/system");
	fixture_put(&f, "/run/systemd/private", "");
	fixture_put(&f, "/sys/fs/selinux/enforce", "1");
	fixture_put(&f, "/sys/module/apparmor/parameters/enabled", "Y\n");
	fixture_put(&f, "/etc/apparmor.d/fusermount3", "");
	fixture_put(&f, "/dev/fuse", "");
	fixture_put(&f, "/run/reboot-required", "");
	fixture_put(&f, "/var/lib/kubelet/config.yaml", "");
	fixture_program(&f, "/bin/fusermount");
	struct host h = gather(&f);
	CHECK_STR(h.kernel, "6.1.0-13-amd64");
	CHECK_INT(h.init, INIT_SYSTEMD);
	CHECK(host_has_systemd(&h));
	CHECK(h.selinux_enabled && h.selinux_enforcing && h.apparmor_enabled &&
	      h.apparmor_fusermount3);
	CHECK(h.dev_fuse && h.reboot_pending && h.kubernetes_node);
	CHECK_STR(h.fusermount, "/bin/fusermount");
	host_release(&h);
	fixture_program(&f, "/usr/bin/fusermount3");
	fixture_put(&f, "/sys/fs/selinux/enforce", "0");
	fixture_put(&f, "/proc/1/comm", "init\n");
	h = gather(&f);
	CHECK_STR(h.fusermount, "/usr/bin/fusermount3");
	CHECK(h.selinux_enabled && !h.selinux_enforcing);
	CHECK_INT(h.init, INIT_OTHER);
	host_release(&h);
	fixture_close(&f);
}

TEST(tools, "missing tools are named, fusermount by the release of Sysbox")
{
	struct strv old CLEANUP(strv_release) = STRV_INIT, new CLEANUP(strv_release) = STRV_INIT;
	struct fixture f;

	fixture_open(&f, false);
	fixture_program(&f, "/usr/sbin/iptables");
	fixture_program(&f, "/usr/bin/fusermount");
	fixture_put(&f, "/usr/bin/rsync", "cannot be executed");
	struct host h = gather(&f);
	host_missing_tools(&h, "0.6.7", &old);
	host_missing_tools(&h, "0.7.0", &new);
	char *olds CLEANUP(freep) = strv_join(&old, " "),
		   *news CLEANUP(freep) = strv_join(&new, " ");
	CHECK_STR(olds, "rsync modprobe");
	CHECK_STR(news, "rsync modprobe fusermount3");
	host_release(&h);
	fixture_close(&f);
}

TEST(sysctl, "a sysctl is read by its dotted name, an absent one is said to be absent")
{
	struct fixture f;
	char *value CLEANUP(freep) = NULL, *real CLEANUP(freep) = NULL;

	fixture_open(&f, true);
	fixture_put(&f, "/proc/sys/fs/inotify/max_user_watches", "8192\n");
	struct host h = gather(&f);
	CHECK_INT(host_proc_sys(&h, "fs.inotify.max_user_watches", &value), 0);
	CHECK_STR(value, "8192");
	CHECK_INT(host_proc_sys(&h, "kernel.unprivileged_userns_clone", &value), -1);
	CHECK_INT(host_sysctl("kernel.ostype", &real), 0);
	CHECK_STR(real, "Linux");
	host_release(&h);
	fixture_close(&f);
}

TEST(dpkg, "dpkg's database gives versions of what is installed, and of nothing else")
{
	struct dpkg_status s CLEANUP(dpkg_status_release) = { BUF_INIT };
	struct err err = ERR_INIT;
	struct fixture f;

	fixture_open(&f, false);
	CHECK_INT(dpkg_status_read(&s, &f.root, &err), 0);
	CHECK(!dpkg_version(&s, "bash"));
	fixture_put(&f, "/var/lib/dpkg/status",
		    "Package: a\nStatus: install ok installed\nDescription: x\n Package: hidden\nVersion: 1\n\n"
		    "Package: b\nStatus: deinstall ok config-files\nVersion: 2\n\n"
		    "Package: c\nStatus: install ok half-configured\nVersion: 3\n\n"
		    "Package: d\nStatus: install ok triggers-pending\nVersion: 4\n\n"
		    "Package: e\nStatus: install reinstreq half-installed\n");
	CHECK_INT(dpkg_status_read(&s, &f.root, &err), 0);
	char *a CLEANUP(freep) = dpkg_version(&s, "a");
	CHECK_STR(a, "1");
	CHECK(!dpkg_version(&s, "b") && !dpkg_version(&s, "c") && !dpkg_version(&s, "hidden") &&
	      !dpkg_version(&s, "z"));
	fixture_close(&f);
}

/* ---- Docker ---- */

static int listen_at(struct fixture *f, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fixture_parent(f, path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s%s", f->dir, path);
	if (s < 0 || bind(s, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(s, 4) < 0)
		fixture_fail(path);
	return s;
}

/* A child that answers each question on path with these bytes, until it is stopped; seen as a
 * dockerd through the fixture's /proc. */
static pid_t serve(struct fixture *f, const char *path, const char *answer, const char *cgroup)
{
	char file[64];
	int ready[2];
	char c;

	if (pipe(ready) < 0)
		fixture_fail("pipe");
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int s = listen_at(f, path);
		close(ready[0]);
		close(ready[1]);
		for (;;) {
			char request[512];
			int conn = accept(s, NULL, NULL);
			if (read(conn, request, sizeof(request)) > 0 &&
			    write(conn, answer, strlen(answer)) < 0)
				_exit(1);
			close(conn);
		}
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) < 0)
		fixture_fail("pipe");
	close(ready[0]);
	snprintf(file, sizeof(file), "/proc/%d/comm", (int)pid);
	fixture_put(f, file, "dockerd\n");
	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	fixture_put(f, file, cgroup);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#define ANSWER "HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\nServer: Docker/20.10.24+dfsg1 (linux)\r\n\r\nOK"

TEST(by_hand, "a daemon started by hand is found, asked for its version, and has no unit though one is installed")
{
	struct fixture f;

	fixture_open(&f, true);
	debian_image(&f);
	pid_t pid = serve(&f, "/var/run/docker.sock", ANSWER, "0::/user.slice\n");
	struct host h = gather(&f);
	CHECK_INT(h.docker.main_pid, pid);
	CHECK(h.docker.main_starttime && h.docker.main_starttime == proc_starttime(pid));
	CHECK(h.docker.by_hand && h.docker.answers && h.docker.installed);
	CHECK_STR(h.docker.unit, NULL);
	CHECK_STR(h.docker.version, "20.10.24+dfsg1");
	CHECK(h.docker.flags && h.docker.flags->argv.n > 0);
	host_release(&h);
	stop(pid);
	fixture_close(&f);
}

TEST(proxy, "who serves the socket is signalled as the daemon only if it is one")
{
	struct err err = ERR_INIT;
	struct fixture f;
	char file[64];
	pid_t got = 0;

	fixture_open(&f, true);
	debian_image(&f);
	pid_t pid = serve(&f, "/var/run/docker.sock", ANSWER, "0::/user.slice\n");
	struct host h = gather(&f);
	h.docker.main_pid = 0;	/* as after a restart by hand */
	CHECK_INT(docker_daemon_pid(&h, &got, &err), 0);
	CHECK_INT(got, pid);
	snprintf(file, sizeof(file), "/proc/%d/comm", (int)pid);
	fixture_put(&f, file, "haproxy\n");
	CHECK_INT(docker_daemon_pid(&h, &got, &err), -1);
	CHECK(strstr(err.msg, "no Docker daemon serves") != NULL);
	host_release(&h);
	stop(pid);
	fixture_close(&f);
}

TEST(in_unit, "a daemon in its unit's control group keeps the unit and its flags; a refresh sees it go")
{
	struct err err = ERR_INIT;
	struct fixture f;
	char file[64];

	fixture_open(&f, true);
	debian_image(&f);
	pid_t pid = serve(&f, "/var/run/docker.sock", ANSWER,
			  "12:cpu:/\n0::/system.slice/docker.service\n");
	snprintf(file, sizeof(file), "%d\n", (int)pid);
	fixture_put(&f, "/var/run/docker.pid", file);
	struct host h = gather(&f);
	CHECK_INT(h.docker.main_pid, pid);
	CHECK(!h.docker.by_hand && h.docker.answers);
	CHECK_STR(h.docker.unit, "docker.service");
	CHECK_STR(h.docker.binary, "/usr/bin/dockerd");
	stop(pid);
	snprintf(file, sizeof(file), "/proc/%d/comm", (int)pid);
	fixture_unlink(&f, file);
	CHECK_INT(host_docker_refresh(&h, &err), 0);
	CHECK(!h.docker.main_pid && !h.docker.answers);
	CHECK_STR(h.docker.version, "20.10.24+dfsg1");
	host_release(&h);
	fixture_close(&f);
}

TEST(cgroup, "under systemd the main process is found in the unit's control group, without asking systemd")
{
	static const char *const trees[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/systemd",
					     "/sys/fs/cgroup/unified" };
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		char *procs CLEANUP(freep) = xasprintf("%s/system.slice/docker.service/cgroup.procs", trees[i]);
		fixture_open(&f, true);
		debian_image(&f);
		fixture_put(&f, "/proc/1/comm", "systemd\n");
		fixture_mkdir(&f, "/run/systemd/system");
		fixture_put(&f, "/proc/500001/comm", "docker-proxy\n");
		fixture_put(&f, "/proc/500002/comm", "dockerd\n");
		fixture_put(&f, "/proc/500002/cgroup",
			    "1:name=systemd:/system.slice/docker.service\n");
		fixture_put(&f, procs, "500001\n500002\n");
		struct host h = gather(&f);
		CHECK_INT(h.docker.main_pid, 500002);
		CHECK(!h.docker.by_hand && !h.docker.answers);
		host_release(&h);
		fixture_close(&f);
	}
}

TEST(activation, "a socket behind which systemd waits is never connected to")
{
	struct fixture f;

	fixture_open(&f, true);
	debian_image(&f);
	fixture_put(&f, "/proc/1/comm", "systemd\n");
	fixture_mkdir(&f, "/run/systemd/system");
	int s = listen_at(&f, "/var/run/docker.sock");
	fcntl(s, F_SETFL, O_NONBLOCK);
	struct host h = gather(&f);
	CHECK(!h.docker.answers && !h.docker.main_pid && h.docker.installed);
	CHECK(accept(s, NULL, NULL) < 0 && errno == EAGAIN);
	host_release(&h);
	close(s);
	fixture_close(&f);
}

TEST(dead_socket, "a socket nobody listens on is no running Docker, a stale pid file neither")
{
	struct fixture f;

	fixture_open(&f, true);
	debian_image(&f);
	close(listen_at(&f, "/var/run/docker.sock"));
	fixture_put(&f, "/var/run/docker.pid", "500001");
	fixture_put(&f, "/proc/500001/comm", "bash\n");
	struct host h = gather(&f);
	CHECK(!h.docker.answers && !h.docker.main_pid && !h.docker.by_hand);
	CHECK_STR(h.docker.unit, "docker.service");
	host_release(&h);
	fixture_close(&f);
}

TEST(sockets, "the sockets of every dockerd are found, a second one's too; what others listen on is not")
{
	static const char table[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 101 /run/docker.sock\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 102 /run/second docker.sock\n"
		"0000000000000000: 00000003 00000000 00000000 0001 03 103 /run/containerd/containerd.sock\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 104 @abstract\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 105\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 999 /run/somebody.sock\n";
	static const char *const links[][2] = {
		{ "/proc/500001/fd/3", "socket:[101]" }, { "/proc/500001/fd/4", "/dev/null" },
		{ "/proc/500002/fd/5", "socket:[102]" }, { "/proc/500002/fd/6", "socket:[103]" },
		{ "/proc/500002/fd/7", "socket:[104]" }, { "/proc/500002/fd/8", "socket:[105]" },
		{ "/proc/500003/fd/3", "socket:[999]" },
	};
	struct fixture f;
	struct strv got CLEANUP(strv_release) = STRV_INIT;

	fixture_open(&f, true);
	fixture_put(&f, "/proc/500001/comm", "dockerd\n");
	fixture_put(&f, "/proc/500001/net/unix", table);
	fixture_put(&f, "/proc/500002/comm", "dockerd\n");
	fixture_put(&f, "/proc/500002/net/unix", table);
	fixture_put(&f, "/proc/500003/comm", "sshd\n");
	fixture_put(&f, "/proc/500003/net/unix", table);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		fixture_link(&f, links[i][0], links[i][1]);
	struct host h = { .root = &f.root, .running = true };
	host_docker_sockets(&h, &got);
	strv_sort(&got);
	char *list CLEANUP(freep) = strv_join(&got, ",");
	CHECK_STR(list, "/run/docker.sock,/run/second docker.sock");
	fixture_close(&f);
}

TEST(contained, "a dockerd inside of a container of this host is not ours")
{
	struct fixture f;

	fixture_open(&f, true);
	fixture_put(&f, "/proc/500001/comm", "dockerd\n");
	fixture_link(&f, "/proc/500001/ns/pid", "pid:[4026532999]");
	fixture_link(&f, "/proc/self/ns/pid", "pid:[4026531836]");
	struct host h = gather(&f);
	CHECK(!h.docker.main_pid && !h.docker.rootless);
	host_release(&h);
	fixture_close(&f);
}

TEST(rootless, "a daemon that does not run as root is rootless, and not the one we work with")
{
	struct fixture f;

	fixture_open(&f, true);
	fixture_put(&f, "/proc/500001/comm", "dockerd\n");
	fixture_put(&f, "/proc/500001/status", "Name:\tdockerd\nUid:\t1000\t1000\t1000\t1000\n");
	struct host h = gather(&f);
	CHECK(h.docker.rootless && !h.docker.main_pid);
	host_release(&h);
	fixture_close(&f);
}

TEST(snap, "the snap is seen, with its places; beside a native Docker it does not count")
{
	struct fixture f;

	fixture_open(&f, true);
	fixture_mkdir(&f, "/var/snap/docker/current");
	struct host h = gather(&f);
	CHECK(h.docker.snap && !h.docker.installed);
	CHECK_STR(h.docker.unit, "snap.docker.dockerd.service");
	CHECK_STR(h.docker.config_file, "/var/snap/docker/current/config/daemon.json");
	host_release(&h);
	fixture_program(&f, "/usr/bin/dockerd");
	h = gather(&f);
	CHECK(!h.docker.snap && h.docker.installed);
	CHECK_STR(h.docker.config_file, "/etc/docker/daemon.json");
	host_release(&h);
	fixture_close(&f);
}

TEST(podman, "Podman behind Docker's socket is recognised by what it says, and by where the link leads")
{
	struct fixture f;

	fixture_open(&f, true);
	pid_t pid = serve(&f, "/var/run/docker.sock",
			  "HTTP/1.0 200 OK\r\nServer: Libpod/4.3.1 (linux)\r\n\r\n", "");
	char file[64];
	snprintf(file, sizeof(file), "/proc/%d/comm", (int)pid);
	fixture_put(&f, file, "podman\n");
	struct host h = gather(&f);
	CHECK(h.docker.podman && h.docker.answers && !h.docker.version && !h.docker.main_pid);
	host_release(&h);
	stop(pid);
	fixture_unlink(&f, "/var/run/docker.sock");
	fixture_link(&f, "/var/run/docker.sock", "/run/podman/podman.sock");
	h = gather(&f);
	CHECK(h.docker.podman && !h.docker.answers);
	host_release(&h);
	fixture_close(&f);
}

TEST(places, "config file, data-root and socket follow the flags, then the file, then the defaults")
{
	struct fixture f;

	fixture_open(&f, false);
	debian_image(&f);
	fixture_put(
		&f, "/etc/docker/daemon.json",
		"{ \"data-root\": \"/data\", \"hosts\": [\"tcp://1:2\", \"unix:///run/x.sock\"] }");
	fixture_put(&f, "/data/swarm/docker-state.json", "{}");
	struct host h = gather(&f);
	CHECK_STR(h.docker.data_root, "/data");
	CHECK_STR(h.docker.socket, "/run/x.sock");
	CHECK(h.docker.swarm);
	host_release(&h);
	fixture_put(&f, "/lib/systemd/system/docker.service",
		    "[Service]\nExecStart=/usr/bin/dockerd --config-file /srv/d.json -H tcp://1:2 -H unix:///run/y.sock\n");
	fixture_put(&f, "/srv/d.json", "{ \"data-root\": \"/srv/docker\" ");
	h = gather(&f);
	CHECK_STR(h.docker.config_file, "/srv/d.json");
	CHECK_STR(h.docker.data_root, "/var/lib/docker");
	CHECK_STR(h.docker.socket, "/run/y.sock");
	CHECK(!h.docker.swarm);
	host_release(&h);
	fixture_close(&f);
}

TEST(idmap, "mapped ids are tried: proc does not take them, and nothing is left behind")
{
	struct root proc = ROOT_INIT;
	struct err err = ERR_INIT;
	char *why CLEANUP(freep) = NULL;

	CHECK_INT(root_open(&proc, "/proc", &err), 0);
	struct host h = { .root = &proc };
	int got = host_try_idmap(&h, "/var/lib/sysbox", &why);
	CHECK_INT(got, geteuid() ? -1 : 1);
	CHECK(why && *why);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	root_release(&proc);
}

RUN_TESTS()
