/* SPDX-License-Identifier: Apache-2.0 */
/*
 * killat [--log FILE] [--at N ACTION [--hit FILE]] [--exact] [--own] [--one] [--] CMD ARG...
 *
 * Runs CMD and counts, from 1 and over its whole tree of processes, the calls that change
 * something; acts at the N-th. CMD is any binary: nothing has to be built in. Children are followed
 * into PID namespaces of their own. ptrace and seccomp; needs root.
 *
 *	kill	SIGKILL to every process of the tree; call N is not made
 *	after	the same, when call N has been made
 *	tear	the same, when half of write N has been made (any other call: after)
 *	ENOSPC EIO EROFS EMFILE EINTR	call N fails so and is not made, CMD goes on; a close is
 *					made
 *	ENOSPC+ and the like	call N and all later ones that can fail so
 *
 * --exact: N counts only the calls at which ACTION can be done: not waits, if it is kill, which may
 * come before or behind a call of who is waited for. It costs less, too. --own: only those of CMD's
 * own program. --one: kill ends only the process that makes call N. --log: a line for each call,
 *
 *	N PID PROGRAM CALL WHAT SUBJECT
 *
 * WHAT names by letters what can be done there: K kill, T tear, S ENOSPC, I EIO, R EROFS, M EMFILE,
 * E EINTR ("-": nothing). Counted are calls on files (not on pipes, sockets, /dev and /proc but
 * /proc/sys), mounts, signals, messages, exec. Opening for reading is counted, for it can fail, and
 * is not worth a kill; neither are waits, which EINTR alone concerns, and only in CMD's own
 * program. ENOSPC is for what needs space: a write inside a file is none. What the loader does is
 * left alone.
 * --hit: the line of call N, or nothing if it was never reached.
 *
 * Not seen: stores to mapped files, io_uring. Exit status: CMD's, 128 + signal when that ended it,
 * 125 for trouble of our own. No process of the tree outlives us.
 */
#include "onecpu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
int main(void)
{
	fputs("killat: knows the registers of x86-64 only\n", stderr);
	return 125;
}
#else

enum {
	KILL = 1, TEAR = 2, SPACE = 4, IO = 8, RO = 16, FDS = 32, INTR = 64,
	FILES = KILL | IO | RO,		/* any change in a file system */
	TROUBLE = 125,
};

static const struct { char letter; const char *name; int errnum; } faults[] = {
	{ 'K', "kill", 0 },	    { 'T', "tear", 0 },	      { 'S', "ENOSPC", ENOSPC },
	{ 'I', "EIO", EIO },	    { 'R', "EROFS", EROFS },  { 'M', "EMFILE", EMFILE },
	{ 'E', "EINTR", EINTR },
};

/* Where the subject is: which arguments are the directory's descriptor and the path. */
enum shape { NONE, FD, FD2, AT0, AT1, AT2, PATH0, PATH1, OPEN0, OPEN1, OPEN2 };

static const struct call {
	long nr;
	const char *name;
	enum shape shape;
	unsigned int what;
} calls[] = {
#define CALL(name, shape, what) { SYS_##name, #name, shape, what }
	CALL(open, OPEN0, FILES | FDS | INTR),
	CALL(creat, PATH0, FILES | FDS | INTR | SPACE),
	CALL(openat, OPEN1, FILES | FDS | INTR),
	CALL(openat2, OPEN2, FILES | FDS | INTR),
	CALL(write, FD, FILES | INTR),
	CALL(pwrite64, FD, FILES | INTR),
	CALL(writev, FD, FILES | INTR | SPACE),
	CALL(pwritev, FD, FILES | INTR | SPACE),
	CALL(pwritev2, FD, FILES | INTR | SPACE),
	CALL(copy_file_range, FD2, FILES | SPACE),
	CALL(sendfile, FD, FILES | SPACE),
	CALL(splice, FD2, FILES | SPACE),
	CALL(truncate, PATH0, FILES | INTR),
	CALL(ftruncate, FD, FILES | INTR),
	CALL(fallocate, FD, FILES | INTR | SPACE),
	CALL(fsync, FD, FILES | INTR),
	CALL(fdatasync, FD, FILES | INTR),
	CALL(sync_file_range, FD, FILES),
	CALL(syncfs, FD, FILES),
	CALL(sync, NONE, KILL),
	CALL(rename, PATH1, FILES),
	CALL(renameat, AT2, FILES),
	CALL(renameat2, AT2, FILES),
	CALL(link, PATH1, FILES | SPACE),
	CALL(linkat, AT2, FILES | SPACE),
	CALL(symlink, PATH1, FILES | SPACE),
	CALL(symlinkat, AT1, FILES | SPACE),
	CALL(unlink, PATH0, FILES),
	CALL(unlinkat, AT0, FILES),
	CALL(mkdir, PATH0, FILES | SPACE),
	CALL(mkdirat, AT0, FILES | SPACE),
	CALL(rmdir, PATH0, FILES),
	CALL(mknod, PATH0, FILES | SPACE),
	CALL(mknodat, AT0, FILES | SPACE),
	CALL(chmod, PATH0, FILES),
	CALL(fchmod, FD, FILES),
	CALL(fchmodat, AT0, FILES),
	CALL(chown, PATH0, FILES),
	CALL(lchown, PATH0, FILES),
	CALL(fchown, FD, FILES),
	CALL(fchownat, AT0, FILES),
	CALL(utime, PATH0, FILES),
	CALL(utimes, PATH0, FILES),
	CALL(utimensat, AT0, FILES),
	CALL(setxattr, PATH0, FILES | SPACE),
	CALL(lsetxattr, PATH0, FILES | SPACE),
	CALL(fsetxattr, FD, FILES | SPACE),
	CALL(removexattr, PATH0, FILES),
	CALL(lremovexattr, PATH0, FILES),
	CALL(fremovexattr, FD, FILES),
	CALL(close, FD, IO | INTR),
	CALL(mount, PATH1, KILL),
	CALL(umount2, PATH0, KILL),
	CALL(move_mount, AT2, KILL),
	CALL(mount_setattr, AT0, KILL),
	CALL(pivot_root, PATH0, KILL),
	CALL(execve, PATH0, KILL),
	CALL(kill, NONE, KILL),
	CALL(tgkill, NONE, KILL),
	CALL(pidfd_send_signal, NONE, KILL),
	CALL(connect, NONE, KILL | INTR),
	CALL(sendto, NONE, KILL | INTR),
	CALL(sendmsg, NONE, KILL | INTR),
	CALL(recvmsg, NONE, INTR),
	CALL(flock, FD, INTR),
	CALL(poll, NONE, INTR),
	CALL(ppoll, NONE, INTR),
	CALL(wait4, NONE, INTR),
	CALL(waitid, NONE, INTR),
	CALL(rt_sigtimedwait, NONE, INTR),
	CALL(socket, NONE, FDS),
	CALL(pipe2, NONE, FDS),
	CALL(memfd_create, NONE, FDS),
	CALL(pidfd_open, NONE, FDS),
	CALL(open_tree, AT0, FDS),
#undef CALL
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* One call that is about to be made. */
struct event {
	pid_t pid;
	struct user_regs_struct regs;
	unsigned long args[6];
	const struct call *call;
	unsigned int what;
	char subject[4096];
};

static struct {
	unsigned long at;		/* 0: only count */
	int fault;			/* an index of faults[] */
	bool after, from, one, own, exact;
	FILE *log, *hit;
	char *const *argv;
} options;

static struct {
	pid_t *pids;			/* of the tree, as far as seen */
	size_t n;
	pid_t root, leaving;		/* leaving: makes the call after which all are killed */
	struct stat program;
	unsigned long count;
	int status;			/* of root */
	bool killed, ended, hit;
} tree;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
	exit(TROUBLE);	/* PTRACE_O_EXITKILL takes the tree along */
}

/* ---- the child ---- */

/* All that a call may ever be: a write can be torn, a write and an open may need space. */
static unsigned int what_ever(const struct call *c)
{
	bool writes = c->nr == SYS_write || c->nr == SYS_pwrite64;

	return c->what | (writes ? TEAR | SPACE : 0) | (c->shape >= OPEN0 ? SPACE : 0);
}

/* Where only calls that ACTION can be done at are counted, nobody stops at others, which are most
 * of all: at a close, nor at an open for reading. */
static bool stops_at(unsigned int what)
{
	return options.log || !options.exact || what & 1u << options.fault;
}

static void filter_install(void)
{
	enum { WRITES = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC };
	struct sock_filter f[6 * COUNT(calls)];
	unsigned short n = 0;

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT(calls); i++) {
		unsigned int flags = calls[i].shape == OPEN0 ? 1 : 2;
		bool looks = (calls[i].shape == OPEN0 || calls[i].shape == OPEN1) &&
			     !stops_at(IO | FDS | INTR);

		if (!stops_at(what_ever(&calls[i])))
			continue;
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						      (unsigned int)calls[i].nr, 0, looks ? 4 : 1);
		if (looks) {	/* the low half of the argument: little endian */
			f[n++] = (struct sock_filter)BPF_STMT(
				BPF_LD | BPF_W | BPF_ABS,
				offsetof(struct seccomp_data, args) + flags * sizeof(uint64_t));
			f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, WRITES,
							      1, 0);
			f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		}
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { n, f };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		die("cannot install the filter");
}

static _Noreturn void child_main(int go)
{
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(TROUBLE);
	close(go);
	filter_install();
	execv(options.argv[0], options.argv);
	fprintf(stderr, "killat: cannot start '%s': %s\n", options.argv[0], strerror(errno));
	_exit(TROUBLE);
}

static void start(void)
{
	int go[2];

	if (stat(options.argv[0], &tree.program))
		die(options.argv[0]);
	if (pipe2(go, O_CLOEXEC) || (tree.root = fork()) < 0)
		die("cannot start");
	if (!tree.root)
		child_main(go[0]);
	close(go[0]);
	if (ptrace(PTRACE_SEIZE, tree.root, 0,
		   PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			   PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD))
		die("cannot trace");
	if (write(go[1], "", 1) != 1)
		die("cannot start");
	close(go[1]);
}

/* ---- what a call is about ---- */

/* Up to the end of the string; across pages only as far as they are there. */
static void read_text(pid_t pid, unsigned long at, char *ret, size_t size)
{
	size_t first = 4096 - at % 4096;
	struct iovec to = { ret, size - 1 };
	struct iovec from[2] = { { (void *)at, first < size - 1 ? first : size - 1 } };

	from[1] = (struct iovec){ (void *)(at + from[0].iov_len), size - 1 - from[0].iov_len };
	ssize_t n = at ? process_vm_readv(pid, &to, 1, from, 2, 0) : 0;
	ret[n > 0 ? n : 0] = '\0';
}

static void proc_link(pid_t pid, const char *what, char *ret, size_t size)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d/%s", pid, what);
	ssize_t n = readlink(link, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
}

static void fd_link(pid_t pid, int fd, char *ret, size_t size)
{
	char what[32];

	snprintf(what, sizeof(what), "fd/%d", fd);
	proc_link(pid, fd == AT_FDCWD ? "cwd" : what, ret, size);
}

/* No path behind a descriptor's call on itself (utimensat, AT_EMPTY_PATH): the descriptor's own.
 * In a root that is a directory (openat2), nothing is absolute. */
static void set_subject(struct event *e, int dirfd, unsigned long path, bool rooted)
{
	char text[2048];
	size_t len;

	read_text(e->pid, path, text, sizeof(text));
	if (*text == '/' && !rooted) {
		snprintf(e->subject, sizeof(e->subject), "%s", text);
		return;
	}
	fd_link(e->pid, dirfd, e->subject, sizeof(e->subject) / 2);
	len = strlen(e->subject);
	if (*text)
		snprintf(e->subject + len, sizeof(e->subject) - len, "/%s",
			 text + strspn(text, "/"));
}

static struct open_how open_how(const struct event *e)
{
	struct open_how how = { .flags = O_RDWR };
	struct iovec to = { &how, sizeof(how) }, from = { (void *)e->args[2], sizeof(how) };

	process_vm_readv(e->pid, &to, 1, &from, 1, 0);
	return how;
}

static void find_subject(struct event *e)
{
	const unsigned long *a = e->args;

	switch (e->call->shape) {
	case NONE:
		return;
	case FD:
		fd_link(e->pid, (int)a[0], e->subject, sizeof(e->subject));
		return;
	case FD2:
		fd_link(e->pid, (int)a[2], e->subject, sizeof(e->subject));
		return;
	case AT0:
	case AT1:
	case AT2: {
		unsigned int i = e->call->shape - AT0;
		set_subject(e, (int)a[i], a[i + 1], false);
		return;
	}
	case OPEN1:
		set_subject(e, (int)a[0], a[1], false);
		return;
	case OPEN2:
		set_subject(e, (int)a[0], a[1], open_how(e).resolve & RESOLVE_IN_ROOT);
		return;
	case PATH0:
	case OPEN0:
		set_subject(e, AT_FDCWD, a[0], false);
		return;
	case PATH1:
		set_subject(e, AT_FDCWD, a[1], false);
		return;
	}
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Something that outlives the process. */
static bool lasts(const char *subject)
{
	if (starts(subject, "/dev/shm/") || starts(subject, "/proc/sys/"))
		return true;
	return *subject == '/' && !starts(subject, "/dev/") && !starts(subject, "/memfd:") &&
	       !starts(subject, "/proc/");
}

static uint64_t open_flags(const struct event *e)
{
	if (e->call->shape == OPEN2)
		return open_how(e).flags;
	return e->args[e->call->shape == OPEN0 ? 1 : 2];
}

static bool subject_exists(const struct event *e)
{
	char path[5000];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/root%s", e->pid, e->subject);
	return !lstat(path, &st);
}

static unsigned int what_of_open(const struct event *e)
{
	uint64_t flags = open_flags(e);
	bool changes = flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
	unsigned int what = e->call->what;

	if (strstr(e->subject, ".so"))	/* the loader's, or a module: not a program's to answer for */
		return 0;
	if (!changes || (flags & O_PATH) || !lasts(e->subject))
		return FDS | IO | INTR;
	return (flags & O_CREAT) && !subject_exists(e) ? what | SPACE : what;
}

static off_t fd_position(const struct event *e)
{
	char path[64], text[256] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", e->pid, (int)e->args[0]);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && starts(text, "pos:") ? strtoll(text + 4, NULL, 10) : 0;
}

static unsigned int what_of_write(const struct event *e)
{
	char path[64];
	struct stat st = { 0 };
	unsigned int what = e->call->what | (e->args[2] > 1 ? TEAR : 0);
	off_t at = e->call->nr == SYS_pwrite64 ? (off_t)e->args[3] : fd_position(e);

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", e->pid, (int)e->args[0]);
	if (stat(path, &st) || at + (off_t)e->args[2] > st.st_size)
		what |= SPACE;
	return what;
}

static bool is_writable(const struct event *e)
{
	char path[64];
	struct stat st = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", e->pid, (int)e->args[0]);
	return !lstat(path, &st) && (st.st_mode & S_IWUSR);
}

static bool is_program(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return !stat(path, &st) && st.st_ino == tree.program.st_ino &&
	       st.st_dev == tree.program.st_dev;
}

static unsigned int what_of(const struct event *e)
{
	unsigned int what = e->call->what;

	if (e->call->shape >= OPEN0)
		what = what_of_open(e);
	else if ((what & IO) && !lasts(e->subject))
		return 0;
	else if (e->call->nr == SYS_write || e->call->nr == SYS_pwrite64)
		what = what_of_write(e);
	else if (e->call->nr == SYS_close && !is_writable(e))
		return 0;
	/* interrupted is who has a handler, and nobody else's handlers are known here */
	return (what & INTR) && !is_program(e->pid) ? what & ~(unsigned int)INTR : what;
}

/* ---- what is done ---- */

static void event_print(const struct event *e, FILE *to)
{
	char program[256], *slash;

	if (!to)
		return;
	proc_link(e->pid, "exe", program, sizeof(program));
	slash = strrchr(program, '/');
	fprintf(to, "%lu %d %s %s ", tree.count, e->pid, slash ? slash + 1 : "?", e->call->name);
	for (size_t i = 0; i < COUNT(faults); i++)
		if (e->what & 1u << i)
			fputc(faults[i].letter, to);
	fprintf(to, " %s\n", *e->subject ? e->subject : "-");
	fflush(to);
}

static void go_on(pid_t pid, enum __ptrace_request how, int sig)
{
	/* ESRCH: killed by somebody meanwhile; waitpid tells */
	if (ptrace(how, pid, 0, sig) && errno != ESRCH)
		die("cannot continue");
}

static void kill_all(void)
{
	tree.killed = true;
	for (size_t i = 0; i < tree.n; i++)
		kill(tree.pids[i], SIGKILL);
}

static void registers_set(struct event *e)
{
	if (ptrace(PTRACE_SETREGS, e->pid, 0, &e->regs))
		die("cannot set registers");
}

/* Not made, but for a close: its descriptor is gone even when it fails. */
static void fail_call(struct event *e)
{
	if (e->call->nr == SYS_close) {
		tree.leaving = e->pid;
		go_on(e->pid, PTRACE_SYSCALL, 0);
		return;
	}
	e->regs.orig_rax = (unsigned long)-1;
	e->regs.rax = (unsigned long)-(long)faults[options.fault].errnum;
	registers_set(e);
	go_on(e->pid, PTRACE_CONT, 0);
}

static void kill_now(const struct event *e)
{
	if (options.one)
		kill(e->pid, SIGKILL);
	else
		kill_all();
}

static void act(struct event *e)
{
	if (!tree.hit)
		event_print(e, options.hit);
	tree.hit = true;
	if (faults[options.fault].errnum) {
		fail_call(e);
	} else if (options.after) {
		if (e->what & TEAR && options.fault == 1) {
			e->regs.rdx /= 2;
			registers_set(e);
		}
		tree.leaving = e->pid;
		go_on(e->pid, PTRACE_SYSCALL, 0);
	} else {
		kill_now(e);
	}
}

static void on_left(struct event *e)
{
	tree.leaving = 0;
	if (!faults[options.fault].errnum) {
		kill_now(e);
		return;
	}
	e->regs.rax = (unsigned long)-(long)faults[options.fault].errnum;
	registers_set(e);
	go_on(e->pid, PTRACE_CONT, 0);
}

/* ---- the loop ---- */

static void event_read(struct event *e, pid_t pid)
{
	*e->subject = '\0';
	e->pid = pid;
	e->call = NULL;
	if (ptrace(PTRACE_GETREGS, pid, 0, &e->regs))
		return;
	unsigned long args[] = { e->regs.rdi, e->regs.rsi, e->regs.rdx,
				 e->regs.r10, e->regs.r8,  e->regs.r9 };
	memcpy(e->args, args, sizeof(args));
	for (size_t i = 0; i < COUNT(calls) && !e->call; i++)
		if (calls[i].nr == (long)e->regs.orig_rax)
			e->call = &calls[i];
}

/* Where processes run side by side, call N may be another one this time: then it is the next that
 * can fail so. */
static bool is_the_one(const struct event *e)
{
	if (!options.at || tree.count < options.at || !(e->what & 1u << options.fault))
		return false;
	return options.from || !tree.hit;
}

static void on_call(pid_t pid)
{
	static struct event e;

	if (tree.hit && !options.from && !options.log) {
		go_on(pid, PTRACE_CONT, 0);
		return;
	}
	event_read(&e, pid);
	if (e.call) {
		find_subject(&e);
		e.what = what_of(&e);
	}
	if (!e.call || !e.what) {
		go_on(pid, PTRACE_CONT, 0);
		return;
	}
	bool counted = (!options.own || is_program(pid)) &&
		       (!options.exact || e.what & 1u << options.fault);
	tree.count += counted;
	event_print(&e, options.log);
	if (counted && is_the_one(&e))
		act(&e);
	else
		go_on(pid, PTRACE_CONT, 0);
}

static void on_stop(pid_t pid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (tree.killed)
		kill(pid, SIGKILL);
	else if (event == PTRACE_EVENT_SECCOMP)
		on_call(pid);
	else if (pid == tree.leaving && sig == (SIGTRAP | 0x80)) {
		static struct event e;
		event_read(&e, pid);
		on_left(&e);
	} else if (event == PTRACE_EVENT_STOP && sig != SIGTRAP)
		go_on(pid, PTRACE_LISTEN, 0);	/* SIGSTOP of somebody: stays stopped until SIGCONT */
	else
		go_on(pid, PTRACE_CONT, event ? 0 : sig);
}

static void tree_add(pid_t pid)
{
	for (size_t i = 0; i < tree.n; i++)
		if (tree.pids[i] == pid)
			return;
	if (!(tree.n & (tree.n - 1)) &&
	    !(tree.pids = reallocarray(tree.pids, tree.n ? 2 * tree.n : 1, sizeof(*tree.pids))))
		die("no memory");
	tree.pids[tree.n++] = pid;
}

static void tree_remove(pid_t pid, int status)
{
	for (size_t i = 0; i < tree.n; i++)
		if (tree.pids[i] == pid)
			tree.pids[i--] = tree.pids[--tree.n];
	if (pid != tree.root)
		return;
	tree.ended = true;
	tree.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	/* What it leaves behind ends with it; but after --one it has to end by itself. */
	if (!options.one)
		kill_all();
}

static int run(void)
{
	int status;
	pid_t pid;

	start();
	tree_add(tree.root);
	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid < 0)
			continue;
		if (!WIFSTOPPED(status)) {
			tree_remove(pid, status);
			continue;
		}
		tree_add(pid);
		on_stop(pid, status);
	}
	return tree.ended ? tree.status : TROUBLE;
}

/* ---- options ---- */

static bool take_action(const char *text)
{
	size_t len = strlen(text);

	options.from = len && text[len - 1] == '+';
	options.after = !strcmp(text, "after") || !strcmp(text, "tear");
	if (!strcmp(text, "after"))
		return true;
	for (int i = 0; i < (int)COUNT(faults); i++)
		if (!strncmp(text, faults[i].name, len - options.from) &&
		    strlen(faults[i].name) == len - options.from) {
			options.fault = i;
			return !options.from || faults[i].errnum;
		}
	return false;
}

static FILE *open_output(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die(path);
	return f;
}

/* The number of words that were options, or -1. */
static int take_options(char **argv)
{
	int i = 1;

	for (; argv[i] && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--"))
			return i + 1;
		bool *flag = !strcmp(argv[i], "--one")	 ? &options.one :
			     !strcmp(argv[i], "--own")	 ? &options.own :
			     !strcmp(argv[i], "--exact") ? &options.exact :
							   NULL;
		if (flag) {
			*flag = true;
			continue;
		}
		if (!argv[i + 1])
			return -1;
		if (!strcmp(argv[i], "--log"))
			options.log = open_output(argv[++i]);
		else if (!strcmp(argv[i], "--hit"))
			options.hit = open_output(argv[++i]);
		else if (strcmp(argv[i], "--at") || !(options.at = strtoul(argv[++i], NULL, 10)) ||
			 !argv[i + 1] || !take_action(argv[++i]))
			return -1;
	}
	return i;
}

int main(int argc, char **argv)
{
	int words = argc ? take_options(argv) : -1;

	if (words < 0 || words >= argc) {
		fputs("usage: killat [--log FILE] [--at N ACTION [--hit FILE]] [--exact] [--own] [--one] [--] CMD ARG...\n"
		      "ACTION: kill after tear ENOSPC EIO EROFS EMFILE EINTR, or ENOSPC+ and the like\n",
		      stderr);
		return TROUBLE;
	}
	options.argv = argv + words;
	stay_on_one_cpu();
	return run();
}
#endif
