/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A STAND-IN for dockerd, put over it as meddle.c is put over tools: it runs the real one as its
 * child, passes on signals and what is asked over the socket, and lets down whoever counts on it.
 * The unit needs NotifyAccess=all. Events, with their lines in DIR/calls:
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
 *	dockerd VERB PATH	fail		answered with status 500, not asked
 *			die			the connection ends without an answer, not asked
 *			hang			no answer, not asked
 *			undone			asked, but the connection ends without the answer
 *			lie			answered with status 200 and nothing of what was
 *			asked for
 *
 * Called for anything but to serve a socket of systemd (--version, --validate), or in a sandbox,
 * the real one takes our place, uncounted.
 */
#include "meddle.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

enum { LISTEN_FD = 3 };		/* of sd_listen_fds(3) */

static const struct sockaddr_un real_address = { .sun_family = AF_UNIX,
						 .sun_path = DIR "/docker.sock" };
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

/* It gets a socket of ours as if it were that of systemd, which is for the process that LISTEN_PID
 * names. */
static void real_start(char **argv, const sigset_t *mask)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char pid[16];

	unlink(real_address.sun_path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&real_address, sizeof(real_address)) ||
	    listen(fd, 64) || (real_pid = fork()) < 0)
		_exit(125);
	if (real_pid) {
		close(fd);
		return;
	}
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	if (dup2(fd, LISTEN_FD) < 0)
		_exit(125);
	sigprocmask(SIG_SETMASK, mask, NULL);
	real_exec("dockerd", argv);
}

static int real_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&real_address, sizeof(real_address)))
		_exit(125);
	return fd;
}

/* Asks the daemon, and reads on until it says WORD. It takes its time: it may not serve yet. */
static bool ask(const char *path, const char *word)
{
	int fd = real_connect();
	char answer[65536] = "";
	size_t len = 0;
	ssize_t n = 1;

	if (dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path) < 0)
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

/* ---- what is asked ---- */

static _Noreturn void answer_with(int client, const char *status, const char *body)
{
	dprintf(client,
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n%s",
		status, strlen(body), body);
	_exit(0);
}

/* A request begins with its line; what else comes is more of the one before. Returns whether its
 * answer shall be lost. */
static bool on_request(int client, const char *data)
{
	static const char *const verbs[] = { "GET", "POST", "DELETE", "PUT", "HEAD" };
	char verb[16], path[1024];
	char *words[] = { NULL, verb, path, NULL };
	bool request = false;
	struct plan p;
	unsigned long n;

	if (sscanf(data, "%15s %1023s", verb, path) != 2)
		return false;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		request |= !strcmp(verb, verbs[i]);
	if (!request)
		return false;
	event("dockerd", words, &p, &n);
	if (!strcmp(p.how, "fail"))
		answer_with(client, "500 Internal Server Error", "{\"message\":\"on purpose\"}");
	if (!strcmp(p.how, "lie"))
		answer_with(client, "200 OK", "{}");
	if (!strcmp(p.how, "die"))
		_exit(0);
	if (!strcmp(p.how, "hang")) {
		char byte;
		hangs_lock();
		while (read(client, &byte, 1) > 0)
			;
		_exit(0);
	}
	return !strcmp(p.how, "undone");
}

/* Until either side has no more to say. */
static _Noreturn void connection(int client)
{
	struct pollfd p[] = { { .fd = client, .events = POLLIN },
			      { .fd = real_connect(), .events = POLLIN } };
	static char block[65536 + 1];
	bool lose = false;

	for (;;) {
		poll(p, 2, -1);
		for (size_t i = 0; i < 2; i++) {
			ssize_t n = p[i].revents ? read(p[i].fd, block, sizeof(block) - 1) : -1;
			if (!p[i].revents)
				continue;
			if (n <= 0)
				_exit(0);
			block[n] = '\0';
			if (i == 0)
				lose |= on_request(client, block);
			else if (lose)
				_exit(0);
			if (write(p[1 - i].fd, block, (size_t)n) != n)
				_exit(0);
		}
	}
}

static _Noreturn void api_serve(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0 && !fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			connection(client);
		}
		close(client);
	}
}

/* Dies with us, but is no child that anybody waits for. */
static void api_start(void)
{
	pid_t pid = fork();

	if (pid < 0)
		_exit(125);
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	api_serve();
}

/* ---- the daemon ---- */

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

	if (!argc || !serves(argv) || !getenv("LISTEN_PID") || access(DIR, W_OK))
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
	api_start();
	if (!strcmp(p.how, "undone")) {
		until_up();
		die_both();
	}
	return serve(&watched);
}
