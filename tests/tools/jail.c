/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail --rw DIR... [--scratch DIR]... [--proc DIR] -- CMD ARG...
 *
 * Runs CMD in a mount namespace of its own in which every mount is read-only, but DIR of --rw and
 * what is mounted below it. --scratch: an empty tmpfs there; --proc: a procfs there (its own mount
 * below --rw). Before CMD begins it is checked that it is so: every line of mountinfo, and by
 * trying to write in directories of the machine and in DIR. Exit status: CMD's, 125 for trouble of
 * our own. Needs root. Nothing is left: the mounts go with the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TROUBLE = 125, PLACES = 8 };

static char rw[PLACES][PATH_MAX], proc[PATH_MAX], scratch[PLACES][PATH_MAX];
static int rw_n, scratch_n;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "jail: %s: %s\n", what, strerror(errno));
	exit(TROUBLE);
}

static void real(const char *path, char ret[PATH_MAX])
{
	if (!realpath(path, ret) || !strcmp(ret, "/"))
		die(path);
}

static char **options(char **argv)
{
	for (argv++; *argv && strcmp(*argv, "--"); argv += 2) {
		if (!argv[1])
			break;
		if (!strcmp(*argv, "--rw") && rw_n < PLACES)
			real(argv[1], rw[rw_n++]);
		else if (!strcmp(*argv, "--proc"))
			real(argv[1], proc);
		else if (!strcmp(*argv, "--scratch") && scratch_n < PLACES)
			real(argv[1], scratch[scratch_n++]);
		else
			break;
	}
	if (!rw_n || !*argv || strcmp(*argv, "--") || !argv[1]) {
		fputs("usage: jail --rw DIR... [--scratch DIR]... [--proc DIR] -- CMD ARG...\n", stderr);
		exit(TROUBLE);
	}
	return argv + 1;
}

static void set_readonly(const char *at, int on)
{
	struct mount_attr attr = { 0 };

	*(on ? &attr.attr_set : &attr.attr_clr) = MOUNT_ATTR_RDONLY;
	if (syscall(SYS_mount_setattr, AT_FDCWD, at, AT_RECURSIVE, &attr, sizeof(attr)))
		die(at);
}

static void build(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("a namespace of mounts");
	for (int i = 0; i < scratch_n; i++)
		if (mount("tmpfs", scratch[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"))
			die(scratch[i]);
	for (int i = 0; i < rw_n; i++)
		if (mount(rw[i], rw[i], NULL, MS_BIND | MS_REC, NULL))
			die(rw[i]);
	if (*proc && mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		die(proc);
	set_readonly("/", 1);
	for (int i = 0; i < rw_n; i++)
		set_readonly(rw[i], 0);
	for (int i = 0; i < scratch_n; i++)
		set_readonly(scratch[i], 0);
}

static int below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(path, top, n) && (!path[n] || path[n] == '/');
}

static int may_write(const char *path)
{
	int yes = 0;

	for (int i = 0; i < rw_n; i++)
		yes |= below(path, rw[i]);
	for (int i = 0; i < scratch_n; i++)
		yes |= below(path, scratch[i]);
	return yes;
}

/* Mounts that others cover cannot be reached; they are read-only too. */
static void check_mounts(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4 * PATH_MAX], at[PATH_MAX], flags[256];
	int lines = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %*s %*s %4095s %255s", at, flags) != 2)
			die("mountinfo");
		lines++;
		if (!may_write(at) && strncmp(flags, "ro", 2)) {
			fprintf(stderr, "jail: '%s' can be written\n", at);
			exit(TROUBLE);
		}
	}
	if (!f || lines < 2)
		die("mountinfo");
	fclose(f);
}

static int writable(const char *dir)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/.jail.%d", dir, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return 0;
	close(fd);
	unlink(path);
	return 1;
}

static void check_dirs(void)
{
	static const char *const dirs[] = { "/", "/etc", "/tmp", "/var", "/usr", "/root", "/dev/shm" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (!may_write(dirs[i]) && writable(dirs[i]))
			die(dirs[i]);
	for (int i = 0; i < rw_n; i++) {
		char *up = NULL;

		if (asprintf(&up, "%s/..", rw[i]) < 0)
			die(rw[i]);
		if (writable(up) || !writable(rw[i])) {
			fprintf(stderr, "jail: '%s' is not the only place that can be written\n", rw[i]);
			exit(TROUBLE);
		}
		free(up);
	}
}

int main(int argc, char **argv)
{
	char **cmd = options(argv);

	(void)argc;
	build();
	check_mounts();
	check_dirs();
	/* the working directory is from before: enter it once more */
	if (chdir("/"))
		die("/");
	execvp(*cmd, cmd);
	die(*cmd);
}
