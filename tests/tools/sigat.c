/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigat [-w PATH] [-n TIMES] HOW -- CMD...: run CMD and do HOW to it at a moment that the test
 * chose: when one of its processes has stopped itself (SYSBOXUP_FAULT=stop-before:N), which goes on
 * afterwards, or with -w when PATH is there. CMD's exit status is ours (128 + N for a signal). If
 * the moment never comes nothing is done, and "sigat: too late" is said on stderr.
 *
 *	first:SIG	SIG to the first process, as `kill` from elsewhere does
 *	group:SIG	SIG to the whole process group, as ^C in a terminal does
 *	hangup		CMD has a terminal of its own, which goes away: SIGHUP, and EIO from then on
 *	intr		CMD has a terminal of its own, in which ^C is typed
 *	run:PROGRAM	PROGRAM is run and waited for; it must succeed
 *
 * -n: that often, each as soon as the one before was delivered.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const char *how, *path;
static int sig, times = 1, master = -1;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "sigat: %s: %s\n", what, strerror(errno));
	exit(125);
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: sigat [-w PATH] [-n TIMES] first:SIG|group:SIG|hangup|intr|run:PROGRAM -- CMD...\n");
	exit(125);
}

static int signal_named(const char *name)
{
	for (int i = 1; i < 32; i++)
		if (sigabbrev_np(i) && !strcmp(sigabbrev_np(i), name))
			return i;
	usage();
}

static bool is_signal(void) { return !strncmp(how, "first:", 6) || !strncmp(how, "group:", 6); }

static bool is_program(void) { return !strncmp(how, "run:", 4); }

static bool has_terminal(void) { return !strcmp(how, "hangup") || !strcmp(how, "intr"); }

static void open_terminal(char *ret_name, size_t size)
{
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, ret_name, size))
		fail("no terminal");
}

static _Noreturn void be_command(char **argv, const char *terminal)
{
	if (has_terminal()) {
		setsid();
		int fd = open(terminal, O_RDWR);
		if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) || dup2(fd, 0) < 0 || dup2(fd, 1) < 0 ||
		    dup2(fd, 2) < 0)
			fail("cannot take the terminal");
	} else {
		setpgid(0, 0);
	}
	execvp(argv[0], argv);
	fail(argv[0]);
}

/* The state letter and parent of a process; 0 when it is gone. */
static char state_of(int pid, int *ret_parent)
{
	char name[64], text[1024], state = 0;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	FILE *f = fopen(name, "re");
	if (!f)
		return 0;
	char *close = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	if (!close || sscanf(close + 1, " %c %d", &state, ret_parent) != 2)
		return 0;
	return state;
}

/* The child of pid that has stopped itself, or pid; 0: none has. */
static int stopped(int pid)
{
	char name[64], text[4096];
	int parent, found = state_of(pid, &parent) == 'T' ? pid : 0;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", pid, pid);
	FILE *f = fopen(name, "re");
	if (!f)
		return found;
	if (fgets(text, sizeof(text), f))
		for (char *word = strtok(text, " "); word && !found; word = strtok(NULL, " "))
			found = state_of(atoi(word), &parent) == 'T' ? atoi(word) : 0;
	fclose(f);
	return found;
}

static void run_program(void)
{
	const char *program = strchr(how, ':') + 1;
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl(program, program, NULL);
		fail(program);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail(program);
}

static void do_it(pid_t pid)
{
	if (!strncmp(how, "first:", 6))
		kill(pid, sig);
	else if (!strncmp(how, "group:", 6))
		kill(-pid, sig);
	else if (is_program())
		run_program();
	else if (!strcmp(how, "intr") && write(master, "\003", 1) != 1)
		fail("cannot type");
	else if (!strcmp(how, "hangup") && master >= 0) {
		close(master);
		master = -1;
	}
}

/* What it prints must not fill the terminal. */
static void drain(void)
{
	char buf[4096];

	while (master >= 0 && read(master, buf, sizeof(buf)) > 0)
		;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 500 * 1000 }, NULL);
}

static int watch(pid_t pid)
{
	int status, done = 0;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		int who = path ? 0 : stopped(pid);
		if (who || (path && !access(path, F_OK)) || (done && done < times)) {
			if (done++ < times)
				do_it(pid);
			if (who)
				kill(who, SIGCONT);
		}
		drain();
		nap();
	}
	if (!done)
		fprintf(stderr, "sigat: too late\n");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char terminal[64] = "";
	int opt;

	while ((opt = getopt(argc, argv, "+w:n:")) != -1) {
		if (opt == 'w')
			path = optarg;
		else if (opt != 'n' || (times = atoi(optarg)) < 1)
			usage();
	}
	if (argc - optind < 3 || strcmp(argv[optind + 1], "--"))
		usage();
	how = argv[optind];
	if (!has_terminal() && !is_signal() && !is_program())
		usage();
	if (is_signal())
		sig = signal_named(strchr(how, ':') + 1);
	if (has_terminal()) {
		open_terminal(terminal, sizeof(terminal));
		fcntl(master, F_SETFL, O_NONBLOCK);
	}
	pid_t pid = fork();
	if (pid < 0)
		fail("cannot fork");
	if (!pid)
		be_command(argv + optind + 2, terminal);
	return watch(pid);
}
