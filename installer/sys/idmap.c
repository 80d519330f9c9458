/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/idmap.h"

#include "base/mem.h"
#include "sys/io.h"

#include <errno.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP "0 100000 65536\n"

static int give_up(char **ret_why, int ret, const char *what)
{
	*ret_why = xasprintf("%s: %s", what, strerror(errno));
	return ret;
}

/* A child in a user namespace of its own that waits until it is killed, or we are gone. */
static pid_t start_waiter(void)
{
	pid_t parent = getpid();
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid)
		return (pid_t)pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)	/* else it died before the line above */
		pause();
	_exit(0);
}

static void stop_waiter(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int write_map(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd CLEANUP(closep) = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, MAP, strlen(MAP)) != (ssize_t)strlen(MAP) ? -1 : 0;
}

/* The namespace outlives its only process as long as the descriptor is open. */
static int open_userns(char **ret_why)
{
	pid_t pid = start_waiter();
	char path[64];
	int fd = -1;

	if (pid < 0)
		return give_up(ret_why, -1, "cannot make a user namespace");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (write_map(pid, "uid_map") < 0 || write_map(pid, "gid_map") < 0 ||
	    (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		give_up(ret_why, -1, "cannot map the ids of a user namespace");
	stop_waiter(pid);
	return fd;
}

static bool refuses(int errnum)
{
	return errnum == EINVAL || errnum == EOPNOTSUPP || errnum == ENOSYS;
}

int idmap_try(int dirfd, char **ret_why)
{
	int userns CLEANUP(closep) = -1, tree CLEANUP(closep) = -1;

	tree = (int)syscall(SYS_open_tree, dirfd, "",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return give_up(ret_why, errno == ENOSYS ? 1 : -1, "cannot copy the mount");
	userns = open_userns(ret_why);
	if (userns < 0)
		return -1;

	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .userns_fd = (unsigned int)userns };
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return give_up(ret_why, refuses(errno) ? 1 : -1, "cannot map the ids of the mount");
	return 0;
}
