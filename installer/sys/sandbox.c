/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sandbox.h"

#include "base/str.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/sandboxmount.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define SOCKET_WAIT_MS 15000
#define SOCKET_POLL_MS 20

/* --- in the child --- */

/* The parent takes a text for a failure. A zero byte before the end of the pipe is a start: without
 * it init is gone before its work was done, and nothing was tried. */
static _Noreturn void fail(int word, const char *what, const char *subject)
{
	char text[512];

	snprintf(text, sizeof(text), "%s '%s': %s", what, subject, strerror(errno));
	ssize_t len = (ssize_t)strlen(text);	/* a long subject is cut */
	_exit(write(word, text, (size_t)len) == len ? 125 : 126);
}

static int loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd CLEANUP(closep) = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &req);
}

static int unix_address(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

static bool accepts(const char *path)
{
	struct sockaddr_un addr;
	int fd CLEANUP(closep) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !unix_address(path, &addr) &&
	       !connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static int wait_socket(const char *path, pid_t pid)
{
	uint64_t deadline = clock_boot_ms() + SOCKET_WAIT_MS;

	while (!accepts(path)) {
		errno = ETIMEDOUT;
		if (clock_boot_ms() >= deadline || waitpid(pid, NULL, WNOHANG) == pid)
			return -1;
		clock_pause_ms(SOCKET_POLL_MS);
	}
	return 0;
}

static const char *env_path(const char *const *env)
{
	for (; *env; env++)
		if (str_starts(*env, "PATH="))
			return *env + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* execvpe() with the PATH of env, which is what systemd does too. */
static void exec_search(const struct sandbox_program *p, char *const *env)
{
	struct strv dirs CLEANUP(strv_release) = STRV_INIT;

	if (strchr(p->argv[0], '/')) {
		execve(p->argv[0], (char *const *)p->argv, env);
		return;
	}
	str_split(&dirs, env_path(p->env), ':');
	for (size_t i = 0; i < dirs.n; i++) {
		char *path CLEANUP(freep) = path_join(dirs.v[i], p->argv[0]);
		execve(path, (char *const *)p->argv, env);
	}
}

static _Noreturn void program_exec(const struct sandbox_program *p, int output, int word)
{
	struct strv env = STRV_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	strv_addv(&env, p->env);
	if (dup2(null, 0) < 0 || dup2(output >= 0 ? output : null, 1) < 0 ||
	    dup2(output >= 0 ? output : null, 2) < 0)
		fail(word, "cannot redirect", p->argv[0]);
	if (p->listen_fd >= 0) {
		int copy = fcntl(p->listen_fd, F_DUPFD_CLOEXEC, 10);
		int word_copy = fcntl(word, F_DUPFD_CLOEXEC, 10);
		if (copy < 0 || word_copy < 0 || dup2(copy, 3) < 0)
			fail(word, "cannot pass a socket to", p->argv[0]);
		word = word_copy;
		strv_add(&env, "LISTEN_FDS=1");
		strv_add(&env, "LISTEN_FDNAMES=docker.socket");
		strv_addf(&env, "LISTEN_PID=%d", (int)getpid());
	}
	exec_search(p, env.v);
	fail(word, "cannot run", p->argv[0]);
}

static pid_t program_start(const struct sandbox_program *p, int output, int word)
{
	pid_t pid = fork();

	if (pid < 0)
		fail(word, "cannot fork for", p->argv[0]);
	if (!pid)
		program_exec(p, output, word);
	if (p->socket && wait_socket(p->socket, pid))
		fail(word, "no answer on the socket", p->socket);
	return pid;
}

/* Die with the parent; the pipe tells whether it died before the prctl (getppid() is 0 in here). */
static void tie_to_parent(int alive)
{
	struct pollfd p = { .fd = alive };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		_exit(125);
	close(alive);
}

static _Noreturn void init_run(const struct sandbox *s, int alive, int word)
{
	pid_t last = 0;
	int status = 0;
	sigset_t none;

	tie_to_parent(alive);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(022);
	if (chdir("/") || sandbox_mount_private())
		fail(word, "cannot make private", "/");
	for (size_t i = 0; i < s->ops_n; i++)
		if (sandbox_mount_op(&s->ops[i]))
			fail(word, "cannot cover", s->ops[i].at);
	if (loopback_up())
		fail(word, "cannot switch on", "lo");
	for (size_t i = 0; i < s->programs_n; i++)
		last = program_start(&s->programs[i], i + 1 == s->programs_n ? s->output : -1,
				     word);
	if (write(word, "", 1) != 1)
		_exit(126);
	close(word);
	for (pid_t pid = 0; pid != last;) {
		pid = wait(&status);
		if (pid < 0 && errno != EINTR)
			break;
	}
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* --- in the parent --- */

static int start_failed(struct sandbox_run *r, const char *words, struct err *err)
{
	sandbox_stop(r);
	return err_set(err, ERR_FAILED, "cannot start the sandbox: %s", words);
}

static int wait_started(struct sandbox_run *r, int word, struct err *err)
{
	char text[512];
	bool up = false;
	size_t n = 0;

	for (;;) {
		ssize_t got = read(word, text + n, sizeof(text) - 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		for (size_t end = n + (size_t)got, i = n; i < end; i++) {
			up |= !text[i];
			if (text[i])
				text[n++] = text[i];
		}
	}
	text[n] = '\0';
	if (n || !up)
		return start_failed(r, n ? text : "its init died", err);
	return 0;
}

int sandbox_start(const struct sandbox *s, struct sandbox_run *ret, struct err *err)
{
	int alive[2], word[2];

	if (pipe2(alive, O_CLOEXEC))
		return err_errno(err, errno, "cannot make a pipe");
	if (pipe2(word, O_CLOEXEC)) {
		close(alive[0]);
		close(alive[1]);
		return err_errno(err, errno, "cannot make a pipe");
	}
	struct sandbox_run r = { .pid = (pid_t)syscall(SYS_clone, SIGCHLD | NAMESPACES, 0, 0, 0,
						       0) };
	if (!r.pid) {
		close(alive[1]);
		close(word[0]);
		init_run(s, alive[0], word[1]);
	}
	int errnum = errno;
	close(alive[0]);
	close(word[1]);
	int rc = r.pid < 0 ? err_errno(err, errnum, "cannot make namespaces") :
			     wait_started(&r, word[0], err);
	close(word[0]);
	close(alive[1]);
	if (!rc)
		*ret = r;
	return rc;
}

bool sandbox_ended(struct sandbox_run *r)
{
	if (r->pid > 0 && waitpid(r->pid, &r->status, WNOHANG) == r->pid)
		r->pid = 0;
	return r->pid <= 0;
}

void sandbox_stop(struct sandbox_run *r)
{
	if (r->pid <= 0)
		return;
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
		;
	r->pid = 0;
}

int sandbox_listen(const char *path, struct err *err)
{
	struct sockaddr_un addr;
	int fd CLEANUP(closep) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || unix_address(path, &addr) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 16))
		return err_errno(err, errno, "cannot listen on '%s'", path);
	int ret = fd;
	fd = -1;
	return ret;
}
