/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/proc.h"

#include "base/str.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/spawn.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

enum {
	OUT_MAX = 16 * 1024 * 1024,
	ERROUT_MAX = 1024 * 1024,
	LINE_MAX_LEN = 4096,
	POLL_MS = 100,			/* only where pidfd_open (Linux 5.3) is missing */
	FIRST_FREE_FD = 10,		/* above every number that the child is given */
	CHUNKS_AT_ONCE = 8,		/* of 16 KiB: more than a pipe holds (64 KiB) */
};

static const char *const search_path[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin", NULL };
static const char *const base_env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/",
					NULL };

struct spawn_word {
	int errnum;			/* 0: the command ended with wait_status */
	int wait_status;
	char what[200];
};

/* One of the child's outputs. */
struct stream {
	int fd;
	struct buf line;		/* begun, not ended yet */
	char last[256];			/* the last line that was not empty */
	struct buf *keep;
	size_t keep_max;
	bool strict;			/* more than keep_max is an error */
	bool log;
};

struct child {
	const struct spawn *spawn;
	struct strv env, files;		/* files: argv[0] in each directory of the path */
	int in, go[2], word[2];
	int out_w, err_w;		/* the child's ends */
	struct stream out, errout;
	pid_t pid;
	int pidfd;
	bool too_much, too_late;
};

static struct {
	void (*note)(void *user, pid_t pid, uint64_t starttime);
	void *user;
} watcher;

void proc_set_watcher(void (*note)(void *user, pid_t pid, uint64_t starttime), void *user)
{
	watcher.note = note;
	watcher.user = user;
}

static void tell_watcher(const struct spawn *s, pid_t pid)
{
	if (watcher.note && !s->started)
		watcher.note(watcher.user, pid, pid ? proc_starttime(pid) : 0);
}

/* ---- in the child ---- */

static _Noreturn void child_fail(int word_fd, int errnum, const char *what)
{
	struct spawn_word w = { .errnum = errnum };

	snprintf(w.what, sizeof w.what, "%s", what);
	ssize_t n = write(word_fd, &w, sizeof w);
	_exit(n == (ssize_t)sizeof w ? 127 : 126);
}

/* Die with the parent. getppid() is always 0 in a new PID namespace: a pipe tells whether it died
 * before the prctl. */
static void child_tie_to_parent(int go)
{
	struct pollfd p = { .fd = go };
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(go, &byte, 1) != 1)
		if (errno != EINTR)
			_exit(125);
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		_exit(125);
}

static void child_reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Each descriptor first out of the way of the numbers that are given. */
static int child_descriptors(const struct child *c, int *word_fd)
{
	int keep_fd = c->spawn->proc->keep_fd;
	int from[] = { c->in, c->out_w, c->err_w, keep_fd };
	int n = keep_fd < 0 ? 3 : 4;

	*word_fd = fcntl(*word_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	for (int i = 0; i < n; i++)
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	for (int i = 0; i < n; i++)
		if (dup2(from[i], i) < 0)
			return -1;
	/* what our own caller left open; ours close on exec anyway, so failure (Linux < 5.11) costs
	 * nothing */
	syscall(SYS_close_range, (unsigned int)n, ~0U, CLOSE_RANGE_CLOEXEC);
	return *word_fd < 0 ? -1 : 0;
}

static _Noreturn void child_exec(const struct child *c, int word_fd)
{
	const char *const *argv = c->spawn->proc->argv;
	int errnum = ENOENT;

	for (size_t i = 0; i < c->files.n; i++) {
		execve(c->files.v[i], (char *const *)argv, c->env.v);
		if (errno != ENOENT && errno != ENOTDIR)
			errnum = errno;
	}
	child_fail(word_fd, errnum, "");
}

/* PID 1 of the namespace: reaps what the command leaves; all of it dies when it exits. */
static _Noreturn void child_init(const struct child *c, int word_fd)
{
	pid_t command = fork();

	if (command < 0)
		child_fail(word_fd, errno, "cannot fork");
	if (!command)
		child_exec(c, word_fd);
	for (;;) {
		struct spawn_word w = { 0 };
		pid_t got = wait(&w.wait_status);
		if (got == command) {
			ssize_t n = write(word_fd, &w, sizeof w);
			_exit(n == (ssize_t)sizeof w ? 0 : 126);
		}
		if (got < 0 && errno != EINTR)
			_exit(126);
	}
}

static _Noreturn void child_main(const struct child *c)
{
	const struct spawn *s = c->spawn;
	int word_fd = c->word[1];
	const char *what = "";

	close(c->go[1]);
	child_tie_to_parent(c->go[0]);
	child_reset_signals();
	umask(022);	/* ours may be stricter: what scripts and apt make is for everybody */
	setsid();
	if (s->inside && s->inside(s->user, &what))
		child_fail(word_fd, errno, what);
	if (s->chroot_to && (chroot(s->chroot_to) || chdir("/")))
		child_fail(word_fd, errno, s->chroot_to);
	if (child_descriptors(c, &word_fd))
		child_fail(word_fd, errno, "cannot arrange its descriptors");
	if (s->namespaces & CLONE_NEWPID)
		child_init(c, word_fd);
	child_exec(c, word_fd);
}

/* ---- in the parent ---- */

static void child_release(struct child *c)
{
	strv_release(&c->env);
	strv_release(&c->files);
	buf_release(&c->out.line);
	buf_release(&c->errout.line);
	int *fds[] = { &c->in, &c->go[0], &c->go[1], &c->word[0], &c->word[1],
		       &c->out_w, &c->err_w, &c->out.fd, &c->errout.fd, &c->pidfd };
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		closep(fds[i]);
}

static bool env_has(const char *const *env, const char *assignment)
{
	size_t len = strcspn(assignment, "=") + 1;

	for (; env && *env; env++)
		if (!strncmp(*env, assignment, len))
			return true;
	return false;
}

static void child_strings(struct child *c)
{
	const struct proc *p = c->spawn->proc;

	for (size_t i = 0; base_env[i]; i++)
		if (!env_has(p->env, base_env[i]))
			strv_add(&c->env, base_env[i]);
	if (p->env)
		strv_addv(&c->env, p->env);
	if (strchr(p->argv[0], '/'))
		strv_add(&c->files, p->argv[0]);
	else
		for (size_t i = 0; search_path[i]; i++)
			strv_addf(&c->files, "%s/%s", search_path[i], p->argv[0]);
}

/* Input is a file in memory: nothing to feed while the command runs. */
static int open_input(const struct proc *p)
{
	if (!p->input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("input", MFD_CLOEXEC);
	for (size_t at = 0; fd >= 0 && at < p->input_len;) {
		ssize_t n = pwrite(fd, p->input + at, p->input_len - at, (off_t)at);
		if (n <= 0 && errno != EINTR)
			closep(&fd);
		at += n > 0 ? (size_t)n : 0;
	}
	return fd;
}

static int open_pipes(struct child *c)
{
	int out[2], errout[2];

	if (pipe2(c->go, O_CLOEXEC) || pipe2(c->word, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -1;
	c->out.fd = out[0];
	c->out_w = out[1];
	if (pipe2(errout, O_CLOEXEC))
		return -1;
	c->errout.fd = errout[0];
	c->err_w = errout[1];
	if (fcntl(c->out.fd, F_SETFL, O_NONBLOCK) || fcntl(c->errout.fd, F_SETFL, O_NONBLOCK) ||
	    fcntl(c->word[0], F_SETFL, O_NONBLOCK))
		return -1;
	return (c->in = open_input(c->spawn->proc)) < 0 ? -1 : 0;
}

static int child_start(struct child *c)
{
	const struct spawn *s = c->spawn;

	child_strings(c);
	if (open_pipes(c))
		return -1;
	/* fork() where it will do: it knows about locks that other threads hold */
	c->pid = s->namespaces ? (pid_t)syscall(SYS_clone, s->namespaces | SIGCHLD, 0, 0, 0, 0) :
				 fork();
	if (!c->pid)
		child_main(c);
	if (c->pid < 0)
		return -1;
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	closep(&c->word[1]);
	closep(&c->in);
	closep(&c->out_w);
	closep(&c->err_w);
	tell_watcher(s, c->pid);
	if (s->started && s->started(s->user, c->pid)) {
		errno = ECANCELED;
		return -1;
	}
	/* both ends stay open: that the write end closes tells the child of our death, the other
	 * spares us a SIGPIPE */
	return write(c->go[1], "", 1) == 1 ? 0 : -1;
}

static void line_end(struct stream *s, struct report *log)
{
	if (s->line.len) {
		err_quote(s->last, sizeof s->last, s->line.data);
		if (s->log)
			report_log(log, "%s", s->line.data);
	}
	buf_clear(&s->line);
}

static void stream_take(struct child *c, struct stream *s, const char *data, size_t len)
{
	struct report *log = c->spawn->proc->log;

	if (s->keep) {
		size_t room = s->keep_max - s->keep->len;
		buf_add(s->keep, data, len < room ? len : room);
		c->too_much |= s->strict && len > room;
	}
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n' || data[i] == '\r')
			line_end(s, log);
		else if (data[i] && s->line.len < LINE_MAX_LEN)
			buf_addc(&s->line, data[i]);
	}
}

/* What is there now; closes at the end of file. Who prints faster than we read must not keep us
 * from looking at the clock. */
static void stream_read(struct child *c, struct stream *s)
{
	char chunk[16384];

	for (int i = 0; i < CHUNKS_AT_ONCE && s->fd >= 0 && !c->too_much; i++) {
		ssize_t n = read(s->fd, chunk, sizeof chunk);
		if (n > 0)
			stream_take(c, s, chunk, (size_t)n);
		else if (!n || (errno != EAGAIN && errno != EINTR))
			closep(&s->fd);
		else if (errno == EAGAIN)
			return;
	}
}

static bool child_ended(const struct child *c)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid == c->pid;
}

static int time_left(const struct child *c, uint64_t deadline)
{
	uint64_t now = clock_boot_ms(), most = c->pidfd < 0 ? POLL_MS : 60 * 1000;

	if (!c->spawn->proc->timeout)
		return (int)most;
	return now >= deadline ? 0 : (int)(deadline - now < most ? deadline - now : most);
}

/* Until the child ends, is past its deadline, or prints too much. What its own children still print
 * is not waited for. */
static void child_watch(struct child *c)
{
	uint64_t deadline = clock_boot_ms() + (uint64_t)c->spawn->proc->timeout * 1000;

	while (!child_ended(c) && !c->too_much) {
		struct pollfd p[] = { { .fd = c->out.fd, .events = POLLIN },
				      { .fd = c->errout.fd, .events = POLLIN },
				      { .fd = c->pidfd, .events = POLLIN } };
		int ms = time_left(c, deadline);
		c->too_late = !ms;
		if (c->too_late)
			break;
		poll(p, ARRAY_SIZE(p), ms);
		stream_read(c, &c->out);
		stream_read(c, &c->errout);
	}
	stream_read(c, &c->out);
	stream_read(c, &c->errout);
	line_end(&c->out, c->spawn->proc->log);
	line_end(&c->errout, c->spawn->proc->log);
}

/* The group while its leader is not reaped yet: its number cannot be anybody else's. */
static int child_reap(struct child *c)
{
	int status = 0;

	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void command_words(const struct proc *p, char *ret, size_t size)
{
	struct strv args CLEANUP(strv_release) = STRV_INIT;

	strv_addv(&args, p->argv);
	char *words CLEANUP(freep) = strv_join(&args, " ");
	if (strlen(words) > 120)
		memcpy(words + 117, "...", 4);
	err_quote(ret, size, words);
}

/* 1 and *status (waitpid's) when the command ran to an end; else -1. */
static int child_outcome(const struct child *c, int *status, const char *cmd, struct err *err)
{
	struct spawn_word w;
	bool word = read(c->word[0], &w, sizeof w) == (ssize_t)sizeof w;
	unsigned int seconds = c->spawn->proc->timeout;

	if (word && w.errnum) {
		char what[256];
		err_quote(what, sizeof what, w.what);
		return err_errno(err, w.errnum,
				 *what ? "cannot start '%s': %s" : "cannot start '%s'", cmd, what);
	}
	if (c->too_late) {
		err_set(err, ERR_FAILED, "'%s' took longer than %u s and was killed", cmd, seconds);
		err->errnum = ETIMEDOUT;
		return -1;
	}
	if (c->too_much)
		return err_set(err, ERR_FAILED, "'%s' printed more than %d bytes and was killed", cmd, OUT_MAX);
	if (word)
		*status = w.wait_status;
	else if (c->spawn->namespaces & CLONE_NEWPID)
		return err_set(err, ERR_FAILED, "'%s' was killed with the namespaces it ran in", cmd);
	return 0;
}

static int tell_failure(const struct child *c, int status, const char *cmd, struct err *err)
{
	char words[64];

	proc_status_words(status, words, sizeof words);
	if (!*c->errout.last)
		return err_set(err, ERR_FAILED, "'%s' failed: %s", cmd, words);
	return err_set(err, ERR_FAILED, "'%s' failed: %s: %s", cmd, words, c->errout.last);
}

int spawn_run(const struct spawn *s, int *ret_status, struct err *err)
{
	const struct proc *p = s->proc;
	struct child c CLEANUP(child_release) = {
		.spawn = s,
		.env = STRV_INIT,
		.files = STRV_INIT,
		.in = -1,
		.go = { -1, -1 },
		.word = { -1, -1 },
		.out_w = -1,
		.err_w = -1,
		.pidfd = -1,
		.out = { .fd = -1,
			 .line = BUF_INIT,
			 .keep = p->ret_out,
			 .keep_max = OUT_MAX,
			 .strict = true,
			 .log = p->log && !p->ret_out },
		.errout = { .fd = -1,
			    .line = BUF_INIT,
			    .keep = p->ret_errout,
			    .keep_max = ERROUT_MAX,
			    .log = p->log },
	};
	char cmd[512];

	command_words(p, cmd, sizeof cmd);
	if (p->ret_out)
		buf_clear(p->ret_out);
	if (p->ret_errout)
		buf_clear(p->ret_errout);
	/* PR_SET_PDEATHSIG is per thread (facts/dpkg-tried.md 3): the child would die with a helper
	 * thread */
	if (syscall(SYS_gettid) != getpid())
		return err_set(err, ERR_FAILED, "cannot start '%s': not in the main thread", cmd);
	if (child_start(&c)) {
		err_errno(err, errno, "cannot start '%s'", cmd);
		if (c.pid > 0)
			child_reap(&c);
		return -1;
	}
	child_watch(&c);
	int status = child_reap(&c);
	tell_watcher(s, 0);
	if (child_outcome(&c, &status, cmd, err) < 0)
		return -1;
	if (WIFSIGNALED(status) || (!ret_status && WEXITSTATUS(status)))
		return tell_failure(&c, status, cmd, err);
	if (ret_status)
		*ret_status = WEXITSTATUS(status);
	return 0;
}

int proc_run(const struct proc *p, int *ret_status, struct err *err)
{
	struct spawn s = { .proc = p, .chroot_to = p->chroot_to };

	return spawn_run(&s, ret_status, err);
}

bool proc_available(const char *program)
{
	for (size_t i = 0; search_path[i]; i++) {
		char *file CLEANUP(freep) = path_join(search_path[i], program);
		if (!access(file, X_OK))
			return true;
	}
	return false;
}
