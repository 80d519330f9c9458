/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-in for sysbox-mgr and sysbox-fs; which of the two is told by the name it is called by.
 * Like the real ones it says READY=1 to systemd, listens in /run/sysbox, and as sysbox-mgr
 * refuses to start where a helper is missing or /var/lib/sysbox cannot be idmapped, and empties
 * that directory at start and stop.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "standin.h"

static const char *name;
static volatile sig_atomic_t stopping;

static void fail(const char *what, const char *subject)
{
	fprintf(stderr, "%s (stand-in): %s '%s': %s\n", name, what, subject, strerror(errno));
	exit(1);
}

static bool in_path(const char *program)
{
	char path[512];
	const char *dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
			       "/usr/bin",        "/sbin",          "/bin" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], program);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

static void need_helpers(void)
{
	const char *helpers[] = { "rsync", "modprobe", "iptables" };

	for (size_t i = 0; i < sizeof(helpers) / sizeof(*helpers); i++) {
		if (in_path(helpers[i]))
			continue;
		fprintf(stderr, "%s is not installed on host.\n", helpers[i]);
		exit(1);
	}
}

static int wipe_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	return ftw->level ? remove(path) : 0;
}

static void wipe_data(void) { nftw(STANDIN_DATA, wipe_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT); }

static void write_map(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0 100000 65536", 14) != 14)
		fail("cannot write", path);
	close(fd);
}

/* A user namespace to map through: it lives in a child until that is killed. */
static int userns_open(pid_t *ret_child)
{
	char path[64];
	int ready[2];

	if (pipe2(ready, O_CLOEXEC))
		fail("cannot make", "pipe");
	pid_t child = fork();
	if (child < 0)
		fail("cannot fork", name);
	if (!child) {
		if (unshare(CLONE_NEWUSER) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], path, 1) != 1)
		fail("cannot make", "user namespace");
	close(ready[0]);
	write_map(child, "uid_map");
	write_map(child, "gid_map");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", child);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("cannot open", path);
	*ret_child = child;
	return fd;
}

static void need_idmap(void)
{
	pid_t child;
	int userns = userns_open(&child);
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, STANDIN_DATA, OPEN_TREE_CLONE | O_CLOEXEC);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .userns_fd = (unsigned int)userns };
	long rc = tree < 0 ?
			  -1 :
			  syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr));
	int saved = errno;

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(userns);
	if (tree >= 0)
		close(tree);
	errno = saved;
	if (rc)
		fail("failed to create sysbox-mgr: ID-mapping check failed: create mapped mount",
		     STANDIN_DATA);
}

static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (!path || strlen(path) >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, strlen(path));
	if (addr.sun_path[0] == '@')
		addr.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (fd >= 0 && sendto(fd, state, strlen(state), 0, (struct sockaddr *)&addr, len) < 0)
		fprintf(stderr, "%s (stand-in): systemd does not hear: %s\n", name,
			strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int listen_on(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || chmod(path, 0600) ||
	    listen(fd, 64))
		fail("cannot listen on", path);
	return fd;
}

static void pid_file_write(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file))
		fail("cannot write", path);
}

static void on_stop(int sig)
{
	(void)sig;
	stopping = 1;
}

static void on_alarm(int sig)
{
	(void)sig;
	_exit(1);
}

/* Answers every connection with one line: that is all sysbox-runc asks for. */
static void serve(int listener)
{
	while (!stopping) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0)
			continue;
		if (send(client, "ready\n", 6, MSG_NOSIGNAL) < 0)
			fprintf(stderr, "%s (stand-in): client gone\n", name);
		close(client);
	}
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	struct sigaction stop = { .sa_handler = on_stop };

	name = slash ? slash + 1 : argv[0];
	bool is_mgr = !strcmp(name, "sysbox-mgr");
	const char *socket_path = is_mgr ? STANDIN_MGR_SOCKET : STANDIN_FS_SOCKET;
	const char *pid_path = is_mgr ? "/run/sysbox/sysmgr.pid" : "/run/sysbox/sysfs.pid";

	if (argc > 1 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-v"))) {
		standin_print_version(name, NULL);
		return 0;
	}
	if (standin_mode("no-start")) {
		fprintf(stderr, "%s (stand-in): built not to start\n", name);
		return 1;
	}
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	if (is_mgr) {
		need_helpers();
		if (mkdir(STANDIN_DATA, 0700) && errno != EEXIST)
			fail("cannot make", STANDIN_DATA);
		need_idmap();
		wipe_data();
	} else if (access(STANDIN_MOUNT, F_OK)) {
		fail("mountpoint missing", STANDIN_MOUNT);
	}
	if (mkdir("/run/sysbox", 0700) && errno != EEXIST)
		fail("cannot make", "/run/sysbox");
	int listener = listen_on(socket_path);
	pid_file_write(pid_path);
	fprintf(stderr, "Listening on %s\nReady ...\n", socket_path);
	notify("READY=1");
	if (is_mgr && standin_mode("dies")) {
		signal(SIGALRM, on_alarm);
		alarm(5);
	}
	serve(listener);
	notify("STOPPING=1");
	unlink(socket_path);
	unlink(pid_path);
	if (is_mgr)
		wipe_data();
	return 0;
}
