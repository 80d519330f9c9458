/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/proc.h"
#include "sys/signals.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static struct buf logged = BUF_INIT;

static void note_line(struct report *r, const struct report_line *line)
{
	buf_addf(&logged, "<%s>", line->text);
}

static struct report log_report = { .emit = note_line };

static int sh(const char *script, struct proc p, int *ret_status, struct err *err)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	*err = (struct err)ERR_INIT;
	buf_clear(&logged);
	p.argv = argv;
	return proc_run(&p, ret_status, err);
}

TEST(outputs, "both outputs are captured, line by line into the log or whole")
{
	struct buf out CLEANUP(buf_release) = BUF_INIT, errout CLEANUP(buf_release) = BUF_INIT;
	struct err err;
	int status = -1;

	CHECK_INT(sh("echo one; echo two >&2; printf three",
		     (struct proc){ .keep_fd = -1, .log = &log_report }, &status, &err),
		  0);
	CHECK(strstr(logged.data, "<one>") && strstr(logged.data, "<two>") &&
	      strstr(logged.data, "<three>"));
	CHECK_INT(sh("echo one; echo two >&2; exit 4",
		     (struct proc){ .keep_fd = -1,
				    .log = &log_report,
				    .ret_out = &out,
				    .ret_errout = &errout },
		     &status, &err),
		  0);
	CHECK_INT(status, 4);
	CHECK_STR(out.data, "one\n");
	CHECK_STR(errout.data, "two\n");
	CHECK_STR(logged.data, "<two>");
}

TEST(failures, "an exit status, a signal and a missing program are told in words, with the last line of stderr")
{
	struct err err;
	int status = -1;

	CHECK_INT(sh("echo first >&2; echo 'no\x1bway' >&2; exit 3", (struct proc)PROC_INIT, NULL, &err), -1);
	CHECK(strstr(err.msg, "failed: exit status 3: no\\x1bway") != NULL);
	CHECK_INT(sh("kill -KILL $$", (struct proc)PROC_INIT, &status, &err), -1);
	CHECK_STR(err.msg, "'sh -c kill -KILL $$' failed: killed by SIGKILL");
	CHECK_INT(status, -1);
	err = (struct err)ERR_INIT;
	const char *const argv[] = { "no-such-program", "-x", NULL };
	struct proc p = PROC_INIT;
	p.argv = argv;
	CHECK_INT(proc_run(&p, &status, &err), -1);
	CHECK_STR(err.msg, "cannot start 'no-such-program -x': no such file or directory");
	CHECK(proc_available("sh") && !proc_available("no-such-program"));
}

TEST(environment, "the environment is clean, the additions win, stdin is what was given or empty")
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	static const char *const env[] = { "HOME=/elsewhere", "MORE=1", NULL };
	struct err err;
	int status;

	setenv("SECRET", "leaks", 1);
	CHECK_INT(sh("env | grep -v ^PWD= | sort; cat",
		     (struct proc){ .keep_fd = -1, .env = env, .ret_out = &out }, &status, &err),
		  0);
	CHECK_STR(out.data, "HOME=/elsewhere\nLC_ALL=C\nMORE=1\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
	CHECK_INT(sh("cat",
		     (struct proc){
			     .keep_fd = -1, .input = "in\0put", .input_len = 6, .ret_out = &out },
		     &status, &err),
		  0);
	CHECK(out.len == 6 && !memcmp(out.data, "in\0put", 6));
	mode_t ours = umask(077);
	CHECK_INT(sh("umask", (struct proc){ .keep_fd = -1, .ret_out = &out }, &status, &err), 0);
	umask(ours);
	CHECK_STR(out.data, "0022\n");
}

TEST(descriptors, "the child gets 0, 1, 2 and what is passed as 3; nothing else that we or our caller had open")
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct err err;
	int status, leak = open("/dev/null", O_RDONLY);		/* without O_CLOEXEC, as from a careless caller */
	int fds[2];

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	CHECK_INT(
		sh("for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do test -e /proc/$$/fd/$n && printf '%s ' $n; done; :",
		   (struct proc){ .keep_fd = -1, .ret_out = &out }, &status, &err),
		0);
	CHECK_STR(out.data, "0 1 2 ");
	CHECK_INT(sh("echo through >&3", (struct proc){ .keep_fd = fds[1], .timeout = 20 }, &status,
		     &err),
		  0);
	char got[16] = "";
	CHECK_INT(read(fds[0], got, sizeof got - 1), 8);
	CHECK_STR(got, "through\n");
	close(leak);
	close(fds[0]);
	close(fds[1]);
}

TEST(signals_reset, "a child blocks and ignores nothing, whatever we do")
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct err err;
	int status;
	sigset_t all, old;

	signals_init();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	CHECK_INT(sh("grep -E '^Sig(Blk|Ign)' /proc/self/status",
		     (struct proc){ .keep_fd = -1, .ret_out = &out }, &status, &err),
		  0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK_STR(out.data, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

/* 0 when pid (of this test) is gone; waits for it. */
static bool gone(const struct buf *pid_text)
{
	pid_t pid = (pid_t)strtol(pid_text->data, NULL, 10);
	uint64_t started = proc_starttime(pid);

	return pid > 1 && (!started || !proc_wait_gone(pid, started, 20));
}

TEST(deadline, "past the deadline the whole process group is killed and reaped")
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct err err;
	uint64_t before = clock_boot_ms();

	CHECK_INT(sh("sleep 1000 & echo $!; wait",
		     (struct proc){ .keep_fd = -1, .timeout = 5, .ret_out = &out }, NULL, &err),
		  -1);
	CHECK(strstr(err.msg, "took longer than 5 s and was killed") != NULL);
	CHECK(clock_boot_ms() - before >= 5000);
	CHECK(gone(&out));
}

static void read_slowly(struct report *r, const struct report_line *line)
{
	clock_pause_ms(1);
}

TEST(flood, "who prints without end is killed at the deadline all the same")
{
	struct report slow = { .emit = read_slowly };
	struct proc p = { .keep_fd = -1, .timeout = 1, .log = &slow };
	struct err err;

	alarm(600);
	CHECK_INT(sh("l=$(printf %02000d 0); yes $l & exec yes $l", p, NULL, &err), -1);
	CHECK(strstr(err.msg, "took longer than 1 s and was killed") != NULL);
	p.timeout = 50;
	CHECK_INT(sh("yes $(printf %02000d 0) & exec sleep 0.1", p, NULL, &err), 0);
	alarm(0);
}

TEST(stragglers, "what a command leaves in the background is not waited for, and killed")
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct err err;

	CHECK_INT(sh("sleep 1000 & echo $!", (struct proc){ .keep_fd = -1, .ret_out = &out }, NULL,
		     &err),
		  0);
	CHECK(gone(&out));
}

TEST(too_much, "more output than the limit stops the command")
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct err err;

	CHECK_INT(sh("yes", (struct proc){ .keep_fd = -1, .timeout = 60, .ret_out = &out }, NULL,
		     &err),
		  -1);
	CHECK(strstr(err.msg, "printed more than 16777216 bytes") != NULL);
}

/* Runs a long command whose pid it tells through the pipe; killed from outside while it waits. */
static int run_sleep(void *arg)
{
	struct err err;

	return sh("echo $$ >&3; exec sleep 1000",
		  (struct proc){ .keep_fd = *(int *)arg, .timeout = 500 }, NULL, &err);
}

TEST(dies_with_us, "a child dies with us, even by kill -9")
{
	struct buf pid_text CLEANUP(buf_release) = BUF_INIT;
	char got[32] = "";
	int fds[2];

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (!pid)
		_exit(run_sleep(&fds[1]) ? 1 : 0);
	CHECK(read(fds[0], got, sizeof got - 1) > 0);
	CHECK_INT(proc_signal(pid, SIGKILL), 0);
	waitpid(pid, NULL, 0);
	buf_adds(&pid_text, got);
	CHECK(gone(&pid_text));
	close(fds[0]);
	close(fds[1]);
}

static int waits_for_signal(void *arg)
{
	pid_t parent = getppid();

	signals_init();
	CHECK_INT(write(*(int *)arg, &parent, sizeof parent), sizeof parent);
	while (!signals_pending())
		clock_pause_ms(5);
	return signals_pending();
}

static int no_rescue(void *arg, int wait_status)
{
	return 99;
}

static int supervises(void *arg)
{
	return child_supervise(waits_for_signal, arg, no_rescue, NULL);
}

TEST(forwards, "SIGTERM to the supervising parent reaches the worker, whose exit code is ours")
{
	int fds[2], status = 0;
	pid_t told = 0;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (!pid)
		_exit(supervises(&fds[1]));
	CHECK_INT(read(fds[0], &told, sizeof told), sizeof told);
	CHECK_INT(told, pid);
	CHECK_INT(proc_signal(pid, SIGTERM), 0);
	waitpid(pid, &status, 0);
	CHECK_INT(WEXITSTATUS(status), SIGTERM);
	close(fds[0]);
	close(fds[1]);
}

TEST(describes, "a process is named by pid and command line, start times tell pids apart")
{
	char *me CLEANUP(freep) = proc_describe(getpid()),
		 *none CLEANUP(freep) = proc_describe(0x7ffffff);
	char *start CLEANUP(freep) = xasprintf("%d: ", getpid());
	char words[64];

	CHECK(str_starts(me, start) && strstr(me, "test_proc"));
	CHECK_STR(none, "pid 134217727");
	CHECK(proc_starttime(getpid()) > 0);
	CHECK_INT(proc_starttime(0x7ffffff), 0);
	CHECK_INT(proc_wait_gone(getpid(), proc_starttime(getpid()), 0), -1);
	CHECK_INT(proc_wait_gone(getpid(), proc_starttime(getpid()) + 1, 0), 0);
	proc_status_words(2 << 8, words, sizeof words);
	CHECK_STR(words, "exit status 2");
}

/* ---- logins ---- */

/* As pam_loginuid does for who logs in; false: not allowed here. */
static bool log_in(void)
{
	int fd CLEANUP(closep) = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "0", 1) == 1;
}

struct seen {
	struct login first;
	bool again, session;
};

static int child_of_login(void *arg)
{
	struct seen *seen = arg;
	struct login now;

	if ((seen->session && setsid() < 0) || (seen->again && !log_in()))
		return 3;
	proc_login(&now);
	return (strcmp(now.id, seen->first.id) ? 1 : 0) | (now.since == seen->first.since ? 0 : 2);
}

/* Bits: 1 another login, 2 begun at another time; 8: nobody numbers logins here. */
static int someone(void *arg)
{
	struct seen *seen = arg;

	if (!log_in())
		return 8;
	proc_login(&seen->first);
	return in_child(child_of_login, seen);
}

TEST(login, "a login is the same in a session of its own, another one has another number")
{
	struct seen same = { .session = true }, other = { .again = true };
	int got = in_child(someone, &same);

	CHECK(got == 0 || got == 8);
	CHECK(in_child(someone, &other) & (got ? 8 : 1));
}

TEST(login_session, "where nobody numbers logins it is the session, and began with its leader")
{
	struct login one, two;

	proc_login(&one);
	proc_login(&two);
	CHECK_STR(one.id, two.id);
	CHECK_INT(one.since, two.since);
	CHECK(one.since <= clock_boot_ms());
}

static void die_at(int *gate)
{
	char c;

	close(gate[1]);
	_exit(read(gate[0], &c, 1) == 0 ? 0 : 1);
}

TEST(dying, "who was killed is dying until it is gone, and so is who goes with its parent")
{
	struct { pid_t child; uint64_t started; } told;
	int gate[2], tell[2];

	CHECK(!proc_is_dying(getpid()));
	for (int i = 0; i < 100; i++) {
		CHECK(!pipe2(gate, O_CLOEXEC) && !pipe2(tell, O_CLOEXEC));
		pid_t parent = fork();

		if (!parent) {
			told.child = fork();
			if (!told.child) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				told.child = getpid();
				told.started = proc_starttime(getpid());
				(void)!write(tell[1], &told, sizeof(told));
				die_at(gate);
			}
			die_at(gate);
		}
		CHECK_INT(read(tell[0], &told, sizeof(told)), sizeof(told));
		CHECK(!proc_is_dying(told.child));
		kill(parent, SIGKILL);
		bool dying, gone;
		do {
			dying = proc_is_dying(told.child);
			gone = !proc_wait_gone(told.child, told.started, 0);
			CHECK(dying || gone);
		} while (!gone && dying);
		CHECK_INT(waitpid(parent, NULL, 0), parent);
		for (int k = 0; k < 2; k++)
			close(gate[k]), close(tell[k]);
	}
}

RUN_TESTS()
