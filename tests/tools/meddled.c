/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A STAND-IN for dockerd, put over it as meddle.c is put over tools: it runs the real one as its
 * child, passes signals on to it, and lets down whoever counts on it. The unit needs
 * NotifyAccess=all. Events, with their lines in DIR/calls:
 *
 *	dockerd START	fail, die, hang		as there
 *			undone			the real one comes up, answers, and dies with us
 *	dockerd SIGHUP	fail			the real one is not told
 *			die			dies with us at once
 *			hang			is stopped, until SIGUSR2
 *			undone			takes up its file, and then dies with us
 *			stuck			takes up its file, and then is stopped, until
 *			SIGUSR2 late			is told at the next SIGHUP, and of that one
 *			too
 *
 * Called for anything but to serve (--version, --validate), the real one takes our place,
 * uncounted.
 */
#include "meddle.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static pid_t real_pid;
static int hangs = -1;

static bool serves(char **argv)
{
	for (int i = 1; argv[i]; i++)
		if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "-v") ||
		    !strcmp(argv[i], "--validate") || !strcmp(argv[i], "--help"))
			return false;
	return true;
}

/* The sockets of systemd are for the process that LISTEN_PID names. */
static void real_start(char **argv, const sigset_t *mask)
{
	char pid[16];

	real_pid = fork();
	if (real_pid < 0)
		_exit(125);
	if (real_pid)
		return;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (getenv("LISTEN_PID"))
		setenv("LISTEN_PID", pid, 1);
	sigprocmask(SIG_SETMASK, mask, NULL);
	real_exec("dockerd", argv);
}

/* Asks the daemon, and reads on until it says WORD. It takes its time: it may not serve yet. */
static bool ask(const char *path, const char *word)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/run/docker.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[65536] = "";
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path) < 0)
		_exit(125);
	while (n > 0 && !strstr(answer, word) && len < sizeof(answer) - 1) {
		n = read(fd, answer + len, sizeof(answer) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return strstr(answer, word);
}

static void until_up(void)
{
	while (!ask("/_ping", "OK"))
		;
}

/* It says so itself; the stream of its events has no end. */
static void until_reloaded(const struct timespec *since)
{
	char path[256];

	snprintf(path, sizeof(path), "/events?since=%lld.%09ld&filters=%%7B%%22event%%22%%3A%%5B%%22reload%%22%%5D%%7D",
		 (long long)since->tv_sec, since->tv_nsec);
	while (!ask(path, "\"reload\""))
		;
}

static _Noreturn void die_both(void)
{
	kill(real_pid, SIGKILL);
	waitpid(real_pid, NULL, 0);
	raise(SIGKILL);
	_exit(125);
}

static void stop_real(void)
{
	hangs = hangs_lock();
	kill(real_pid, SIGSTOP);
}

static void resume_real(void)
{
	kill(real_pid, SIGCONT);
	if (hangs >= 0)
		close(hangs);
	hangs = -1;
}

static void signal_real(int sig)
{
	resume_real();
	kill(real_pid, sig);
}

static void on_hangup(void)
{
	static bool owed;
	char *words[] = { NULL, (char *)"SIGHUP", NULL };
	struct timespec now;
	struct plan p;
	unsigned long n;

	clock_gettime(CLOCK_REALTIME, &now);
	event("dockerd", words, &p, &n);
	if (!strcmp(p.how, "fail"))
		return;
	if (!strcmp(p.how, "die"))
		die_both();
	if (!strcmp(p.how, "late")) {
		owed = true;
		hangs = hangs_lock();
		return;
	}
	if (!strcmp(p.how, "hang")) {
		stop_real();
		return;
	}
	if (owed)
		signal_real(SIGHUP);
	owed = false;
	kill(real_pid, SIGHUP);
	if (!strcmp(p.how, "undone") || !strcmp(p.how, "stuck"))
		until_reloaded(&now);
	if (!strcmp(p.how, "undone"))
		die_both();
	if (!strcmp(p.how, "stuck"))
		stop_real();
}

static int serve(const sigset_t *watched)
{
	int status = 0;

	for (;;) {
		int sig = sigwaitinfo(watched, NULL);
		if (sig == SIGHUP)
			on_hangup();
		else if (sig == SIGUSR2)
			resume_real();
		else if (sig == SIGCHLD && waitpid(real_pid, &status, WNOHANG) == real_pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		else if (sig == SIGTERM || sig == SIGINT)
			signal_real(sig);
	}
}

int main(int argc, char **argv)
{
	char *words[] = { NULL, (char *)"START", NULL };
	sigset_t watched, old;
	struct plan p;
	unsigned long n;

	if (!argc || !serves(argv))
		real_exec("dockerd", argv);
	event("dockerd", words, &p, &n);
	if (!strcmp(p.how, "fail"))
		return 1;
	if (!strcmp(p.how, "die"))
		raise(SIGKILL);
	if (!strcmp(p.how, "hang")) {
		hangs_lock();
		for (;;)
			pause();
	}
	sigemptyset(&watched);
	for (size_t i = 0; i < 5; i++)
		sigaddset(&watched, (int[]){ SIGHUP, SIGUSR2, SIGCHLD, SIGTERM, SIGINT }[i]);
	sigprocmask(SIG_BLOCK, &watched, &old);
	real_start(argv, &old);
	if (!strcmp(p.how, "undone")) {
		until_up();
		die_both();
	}
	return serve(&watched);
}
