/* SPDX-License-Identifier: Apache-2.0 */
/* Journal and engine below the commands: what a crash or a failed call leaves in the records. */
#include "actions/kinds.h"
#include "engine/txn.h"
#include "scratch.h"
#include "sys/clock.h"
#include "sys/fault.h"
#include "sys/proc.h"

/* ---- the journal ---- */

struct journal {
	struct scratch s;
	struct state state;
	struct txnlog log;
};

static struct json *body(const char *key, const char *text)
{
	struct json *j = json_obj();

	json_set_str(j, key, text);
	return j;
}

static void journal_open(struct journal *j)
{
	struct json *begin CLEANUP(json_freep) = body("command", "test");
	struct err err = ERR_INIT;

	scratch_open(&j->s);
	j->log = (struct txnlog)TXNLOG_INIT;
	CHECK_INT(state_open(&j->state, &j->s.root, STATE_CREATE, &err), 0);
	CHECK_INT(txnlog_begin(&j->log, &j->state, begin, &err), 0);
	CHECK_STR(err.msg, "");
}

static void journal_close(struct journal *j)
{
	fault_set(NULL);
	txnlog_release(&j->log);
	state_release(&j->state);
	scratch_close(&j->s);
}

static int append(struct journal *j, enum record_type type, const char *text)
{
	struct json *b CLEANUP(json_freep) = body("reason", text);
	struct err err = ERR_INIT;

	return txnlog_append(&j->log, type, b, &err);
}

static enum txn_state state_on_disk(const struct journal *j)
{
	struct txn_summary t = { .id = 0 };
	struct err err = ERR_INIT;

	CHECK_INT(txnlog_read(&j->state, j->log.id, &t, &err), 0);
	CHECK_STR(err.msg, "");
	txn_summary_release(&t);
	return t.state;
}

static int append_long(void *arg)
{
	fault_set("die-before:4");	/* open, write, fsync, rename */
	return append(arg, RECORD_FAILED,
		      "a reason that is longer than the one which is written over it afterwards");
}

TEST(spare_torn, "a record is whole in a spare into which a longer one was written before a crash")
{
	struct journal j;
	struct err err = ERR_INIT;

	journal_open(&j);
	CHECK_INT(txnlog_spare(&j.log, 2, &err), 0);
	CHECK_INT(in_child(append_long, &j), 128 + SIGKILL);
	CHECK_INT(append(&j, RECORD_ROLLED_BACK, "short"), 0);
	CHECK_INT(state_on_disk(&j), TXN_ROLLED_BACK);
	journal_close(&j);
}

TEST(not_synced, "a record that could not be made durable is not there, and the next one finds its spare")
{
	struct journal j;
	struct err err = ERR_INIT;

	journal_open(&j);
	CHECK_INT(txnlog_spare(&j.log, 2, &err), 0);
	fault_set("fail:5:EIO");	/* open, write, fsync, rename, fsync of the directory */
	CHECK_INT(append(&j, RECORD_COMMITTED, ""), -1);
	fault_set(NULL);
	CHECK_INT(state_on_disk(&j), TXN_NONE);
	CHECK_INT(append(&j, RECORD_ROLLED_BACK, ""), 0);
	CHECK_INT(state_on_disk(&j), TXN_ROLLED_BACK);
	CHECK_INT(j.log.spares, 1);
	journal_close(&j);
}

static int begin_again(struct journal *j, const char *fault)
{
	struct json *begin CLEANUP(json_freep) = body("command", "test");
	struct txnlog log CLEANUP(txnlog_release) = TXNLOG_INIT;
	struct err err = ERR_INIT;

	fault_set(fault);
	int got = txnlog_begin(&log, &j->state, begin, &err);
	fault_set(NULL);
	return got;
}

TEST(begin_fails, "a transaction that could not begin leaves no directory behind")
{
	struct journal j;
	char fault[32];
	int n = 1;

	journal_open(&j);
	for (;; n++) {
		unsigned int *ids CLEANUP(freep) = NULL;
		struct err err = ERR_INIT;
		size_t found;

		snprintf(fault, sizeof(fault), "fail:%d:ENOSPC", n);
		if (!begin_again(&j, fault))
			break;
		CHECK_INT(txnlog_list(&j.state, &ids, &found, &err), 0);
		CHECK_INT(found, 1);
	}
	CHECK(n > 8);
	journal_close(&j);
}

static int discard_killed(void *arg)
{
	struct journal *j = arg;
	struct err err = ERR_INIT;

	return txnlog_discard(&j->state, j->log.id, &err);
}

TEST(discard, "a transaction that is thrown away, killed at any call, is whole or not there, and nothing stays in the end")
{
	struct journal j;
	struct stat st;
	char fault[32];
	int n = 1, got;

	journal_open(&j);
	do {
		unsigned int *ids CLEANUP(freep) = NULL;
		struct err err = ERR_INIT;
		struct json *begin CLEANUP(json_freep) = body("command", "test");
		size_t found;

		CHECK_INT(append(&j, RECORD_PREPARED, ""), 0);
		snprintf(fault, sizeof(fault), "die-before:%d", n++);
		fault_set(fault);
		got = in_child(discard_killed, &j);
		fault_set(NULL);
		CHECK_INT(txnlog_list(&j.state, &ids, &found, &err), 0);
		if (found)
			CHECK_INT(state_on_disk(&j), TXN_PREPARED);
		CHECK_INT(txnlog_discard(&j.state, j.log.id, &err), 0);
		txnlog_release(&j.log);
		CHECK_INT(fstatat(j.state.fd, "discarded", &st, 0), -1);
		CHECK_INT(txnlog_begin(&j.log, &j.state, begin, &err), 0);
		CHECK_STR(err.msg, "");
	} while (got);
	CHECK(n > 6);
	journal_close(&j);
}

TEST(state_link, "a symlink in place of the journal is not followed")
{
	struct scratch s;
	struct state state = STATE_INIT;
	struct err err = ERR_INIT;

	scratch_open(&s);
	CHECK_INT(fs_mkdir_path(&s.root, STATE_DIR, 0700, &err), 0);
	CHECK_INT(mkdirat(s.fd, "elsewhere", 0700), 0);
	CHECK_INT(symlinkat("../../../elsewhere", s.fd, "var/lib/sysboxup/txn"), 0);
	CHECK_INT(state_open(&state, &s.root, STATE_CREATE, &err), -1);
	CHECK_INT(state_open(&state, &s.root, STATE_READ, &err), 0);
	CHECK_INT(state.txn_fd, -1);
	state_release(&state);
	scratch_close(&s);
}

/* ---- children of a holder that was killed ---- */

/* A child that does not die with us: as one that hangs in the kernel for a while. */
static int hold_and_leave(void *arg)
{
	static const char *const argv[] = { "setpriv", "--pdeathsig", "clear", "sh", "-c",
					    "echo $$ >pid.new && mv pid.new pid; while ! [ -e go ]; do sleep 0.01; done",
					    NULL };
	struct scratch *s = arg;
	struct state state = STATE_INIT;
	struct err err = ERR_INIT;
	struct proc p = PROC_INIT;

	p.argv = argv;
	if (fchdir(s->fd) || state_open(&state, &s->root, STATE_CREATE, &err) ||
	    state_lock(&state, "holder", &err))
		return 1;
	return proc_run(&p, NULL, &err) ? 2 : 0;
}

static int lock_now(void *arg)
{
	struct scratch *s = arg;
	struct state state = STATE_INIT;
	struct err err = ERR_INIT;
	int64_t pid;

	if (state_open(&state, &s->root, STATE_CREATE, &err) ||
	    state_lock(&state, "recover", &err))
		return 1;
	if (str_to_i64(str_trim((char *)get(s, "pid")), 1, INT32_MAX, &pid))
		return 2;
	return proc_wait_gone((pid_t)pid, proc_starttime((pid_t)pid), 0) ? 3 : 0;
}

/* It waits for a process: a pidfd is among its descriptors. */
static bool waits_for_somebody(pid_t pid)
{
	char *dir CLEANUP(freep) = xasprintf("/proc/%d/fd", (int)pid);
	int fd CLEANUP(closep) = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (fd < 0 || fs_list_fd(fd, &names, &ignored))
		return false;
	for (size_t i = 0; i < names.n; i++) {
		char target[64] = "";

		if (readlinkat(fd, names.v[i], target, sizeof(target) - 1) > 0 &&
		    str_eq(target, "anon_inode:[pidfd]"))
			return true;
	}
	return false;
}

TEST(left_child, "who takes the lock after kill -9 of its holder waits for the child that the holder left")
{
	struct scratch s;
	int status;

	scratch_open(&s);
	pid_t holder = fork();
	if (!holder)
		_exit(hold_and_leave(&s));
	while (faccessat(s.fd, "pid", F_OK, 0) && waitpid(holder, &status, WNOHANG) == 0)
		clock_pause_ms(5);
	kill(holder, SIGKILL);
	CHECK_INT(waitpid(holder, &status, 0), holder);
	CHECK(WIFSIGNALED(status));
	pid_t next = fork();
	if (!next)
		_exit(lock_now(&s));
	pid_t ended = 0;
	while (!waits_for_somebody(next) && !(ended = waitpid(next, &status, WNOHANG)))
		clock_pause_ms(5);
	put(&s, "go", "");
	CHECK_INT(ended ? ended : waitpid(next, &status, 0), next);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
	scratch_close(&s);
}

/* ---- inverting ---- */

/* The inverse of a chain of records of one kind, given as their data, as data. */
static char *inverted(const char *kind, const char *const data[])
{
	const struct action_ops *ops = action_kind(kind);
	struct record r[4] = { { .action = NULL } };
	struct action *made[4] = { NULL }, *inverse = NULL;
	struct json *j CLEANUP(json_freep) = json_obj();
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	unsigned int n = 0;

	for (; data[n]; n++) {
		struct json *d CLEANUP(json_freep) = NULL;

		CHECK_INT(json_parse(data[n], strlen(data[n]), JSON_STRICT, "test", &d, &err), 0);
		made[n] = action_new(ops, "key", "step", 0, NULL);
		CHECK_INT(ops->decode(made[n], d, &err), 0);
		r[n] = (struct record){ made[n], n + 1, 0, NULL };
		if (n)
			r[n - 1].next = &r[n];
	}
	CHECK_INT(ops->invert(&r[0], &r[n - 1], &inverse, &err), 0);
	if (inverse)
		ops->encode(inverse, j);
	json_print(j, &b);
	action_free(inverse);
	for (unsigned int i = 0; i < n; i++)
		action_free(made[i]);
	return buf_detach(&b);
}

TEST(units_back, "units that were active before the oldest of several transactions are started again, the others stopped")
{
	static const char *const chain[] = {
		"{\"units\":[\"a\",\"b\"],\"up\":[\"a\",\"b\"],\"before\":[\"a\"]}",
		"{\"units\":[\"a\",\"b\"],\"up\":[],\"before\":[\"a\",\"b\"]}", NULL };
	char *got CLEANUP(freep) = inverted("units", chain);

	CHECK_STR(got, "{\"units\":[\"a\",\"b\"],\"up\":[\"a\"],\"before\":[],"
		       "\"invocations\":[],\"restart\":false}");
}

TEST(units_elsewhere, "units of a root whose services do not run are left alone")
{
	static const char *const units[] = { "a.service", NULL };
	struct host host = { .running = false };
	struct action_ctx ctx = { .host = &host };
	struct action *a CLEANUP(action_freep) = action_units("test", units, NULL, false);
	struct err err = ERR_INIT;

	CHECK_INT(a->ops->prepare(a, &ctx, &err), 0);
	CHECK_INT(a->ops->commit(a, &ctx, &err), 0);
	CHECK_INT(a->ops->verify(a, &ctx, &err), 0);
	CHECK_INT(a->ops->undo(a, &ctx, &err), 0);
	CHECK_STR(err.msg, "");
}

#define SYSCTL(boot, want, before, skip)                                        \
	"{\"name\":\"kernel.x\",\"want\":" want ",\"before\":" before             \
	",\"boot_id\":\"" boot "\",\"skip\":" skip "}"

TEST(sysctl_back, "a live value goes back to what it was before us in the last boot in which we set it")
{
	static const char *const reboot[] = { SYSCTL("one", "9", "1", "false"),
					      SYSCTL("two", "9", "2", "false"),
					      SYSCTL("two", "9", "9", "true"), NULL };
	static const char *const late[] = { SYSCTL("one", "9", "9", "true"),
					    SYSCTL("one", "9", "3", "false"), NULL };
	static const char *const never[] = { SYSCTL("one", "9", "9", "true"), NULL };
	char *a CLEANUP(freep) = inverted("sysctl", reboot), *b CLEANUP(freep) = inverted("sysctl", late),
	     *c CLEANUP(freep) = inverted("sysctl", never);

	CHECK_STR(a, SYSCTL("two", "2", "0", "false"));
	CHECK_STR(b, SYSCTL("one", "3", "0", "false"));
	CHECK_STR(c, "{}");
}

#define HELD(name, from, to) "\"" name "\":{\"from\":\"" from "\",\"to\":\"" to "\"}"
#define HOLDS(changes) "{\"changes\":{" changes "},\"ours\":[]}"

TEST(hold_back, "a way back over several transactions expects the last word of a package, and gives it the first")
{
	static const char *const again[] = { HOLDS(HELD("a", "install", "hold") "," HELD("b", "install", "hold")),
					     HOLDS(HELD("b", "install", "hold") "," HELD("c", "install", "hold")),
					     NULL };
	static const char *const lifted[] = { HOLDS(HELD("a", "install", "hold")),
					      HOLDS(HELD("a", "hold", "install")), NULL };
	static const char *const release[] = { HOLDS(HELD("a", "hold", "install")), NULL };
	char *a CLEANUP(freep) = inverted("hold", again), *b CLEANUP(freep) = inverted("hold", lifted),
	     *c CLEANUP(freep) = inverted("hold", release);

	CHECK_STR(a, HOLDS(HELD("a", "hold", "install") "," HELD("b", "hold", "install") "," HELD("c", "hold", "install")));
	CHECK_STR(b, "{}");
	CHECK_STR(c, HOLDS(HELD("a", "install", "hold")));
}

RUN_TESTS()
