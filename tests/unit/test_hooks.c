/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/hooks.h"
#include "journal/txnlog.h"
#include "scratch.h"
#include "sys/proc.h"

static struct scratch s;
static struct state state;

/* Below /etc/sysboxup/hooks.d; a script of one line that finds its directory in $d. */
static void script(const char *name, mode_t mode, const char *line)
{
	char *path CLEANUP(freep) = xasprintf("etc/sysboxup/hooks.d/%s", name);
	char *text CLEANUP(freep) = xasprintf("#!/bin/sh\nd=%s\n%s\n", s.path, line);

	put(&s, path, text);
	CHECK(!fchmodat(s.fd, path, mode, 0));
}

static void begin(void)
{
	struct err err = ERR_INIT;

	scratch_open(&s);
	state = (struct state)STATE_INIT;
	CHECK(!fs_mkdir_path(&s.root, "/etc/sysboxup/hooks.d/pre-restart", 0755, &err));
	CHECK(!fs_mkdir_path(&s.root, "/etc/sysboxup/hooks.d/post-restart", 0755, &err));
	CHECK(!state_open(&state, &s.root, STATE_CREATE, &err));
}

static void end(void)
{
	state_release(&state);
	scratch_close(&s);
}

static char *listed(const char *name)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;

	if (hooks_list(&s.root, name, &names, &err))
		return xstrdup(err.msg);
	return strv_join(&names, " ");
}

static void check_listed(const char *want)
{
	char *got CLEANUP(freep) = listed("pre-restart");

	CHECK_STR(got, want);
}

TEST(which, "of a directory those are run whose names run-parts takes and that are executable, in the order of the C locale")
{
	begin();
	script("pre-restart/20-b", 0755, "");
	script("pre-restart/10_A", 0700, "");
	script("pre-restart/B", 0755, "");
	script("pre-restart/b.dpkg-old", 0755, "");
	script("pre-restart/c~", 0755, "");
	script("pre-restart/not-executable", 0644, "");
	check_listed("/etc/sysboxup/hooks.d/pre-restart/10_A /etc/sysboxup/hooks.d/pre-restart/20-b "
		     "/etc/sysboxup/hooks.d/pre-restart/B");
	end();
}

TEST(single, "a single program in place of the directory; without any there is nothing to run")
{
	begin();
	CHECK(!unlinkat(s.fd, "etc/sysboxup/hooks.d/pre-restart", AT_REMOVEDIR));
	check_listed("");
	script("pre-restart", 0755, "");
	check_listed("/etc/sysboxup/hooks.d/pre-restart");
	CHECK(!fchmodat(s.fd, "etc/sysboxup/hooks.d/pre-restart", 0644, 0));
	check_listed("");
	end();
}

TEST(others, "what somebody else than root could write is refused by name, and a link too")
{
	static const char path[] = "etc/sysboxup/hooks.d/pre-restart/a";

	begin();
	script("pre-restart/a", 0775, "");
	check_listed("'/etc/sysboxup/hooks.d/pre-restart/a' is not run: others may write it");
	CHECK(!fchmodat(s.fd, path, 0755, 0) && !fchownat(s.fd, path, 1, 0, 0));
	check_listed("'/etc/sysboxup/hooks.d/pre-restart/a' is not run: its owner is not root");
	CHECK(!unlinkat(s.fd, path, 0) && !symlinkat("/bin/true", s.fd, path));
	check_listed("'/etc/sysboxup/hooks.d/pre-restart/a' is not run: it is a symbolic link");
	CHECK(!unlinkat(s.fd, path, 0));
	CHECK(!fchmodat(s.fd, "etc/sysboxup/hooks.d/pre-restart", 0777, 0));
	check_listed("'/etc/sysboxup/hooks.d/pre-restart' is not run: others may write it");
	CHECK(!fchmodat(s.fd, "etc/sysboxup/hooks.d/pre-restart", 0755, 0));
	CHECK(!fchmodat(s.fd, "etc/sysboxup/hooks.d", 0757, 0));
	check_listed("'/etc/sysboxup/hooks.d' is not run: others may write it");
	end();
}

static int marks(void)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;
	int n = 0;

	CHECK(!root_list(&s.root, STATE_DIR, &names, &err));
	for (size_t i = 0; i < names.n; i++)
		n += str_starts(names.v[i], "hooks");
	return n;
}

static int pre(struct buf *why, struct err *err)
{
	return hooks_pre_restart(&state, "apply", why, NULL, err);
}

TEST(around, "pre-restart is asked until one does not agree, post-restart follows once, with what came of it")
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	begin();
	script("pre-restart/1", 0755, "echo pre $# $SYSBOXUP_COMMAND ${SYSBOXUP_RESULT-none} >>$d/log");
	script("pre-restart/2", 0755, "[ -e $d/ready ] || exit 75");
	script("pre-restart/3", 0755, "echo third >>$d/log");
	script("post-restart/1", 0755, "echo post $SYSBOXUP_COMMAND $SYSBOXUP_RESULT >>$d/log; exit 1");
	script("post-restart/2", 0755, "echo last >>$d/log");
	CHECK_INT(pre(&why, &err), 1);
	CHECK_STR(why.data, "'/etc/sysboxup/hooks.d/pre-restart/2' says: not now");
	CHECK_STR(get(&s, "log"), "pre 0 apply none\n");
	put(&s, "ready", "");
	CHECK_INT(pre(&why, &err), 0);
	hooks_post_restart(&state, HOOK_DONE, NULL);
	hooks_post_restart(&state, HOOK_DONE, NULL);
	CHECK_STR(get(&s, "log"), "pre 0 apply none\npre 0 apply none\nthird\npost apply done\nlast\n");
	CHECK_INT(marks(), 0);
	end();
}

TEST(refuses, "any other exit status refuses, a signal too, and so does one of post-restart that must not be run")
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	begin();
	script("pre-restart/1", 0755, "exit 3");
	CHECK_INT(pre(&why, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK_STR(err.msg, "'/etc/sysboxup/hooks.d/pre-restart/1' does not agree to a restart of Docker: exit status 3");
	err = (struct err)ERR_INIT;
	script("pre-restart/1", 0755, "kill -9 $$");
	CHECK_INT(pre(&why, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	err = (struct err)ERR_INIT;
	script("pre-restart/1", 0755, ">$d/called");
	script("post-restart/1", 0722, "");
	CHECK_INT(pre(&why, &err), -1);
	CHECK_STR(err.msg, "'/etc/sysboxup/hooks.d/post-restart/1' is not run: others may write it");
	CHECK(!root_exists(&s.root, "/called"));
	end();
}

static int pre_and_die(void *arg)
{
	struct err err = ERR_INIT;

	return pre(arg, &err);
}

TEST(settle, "post-restart of processes that died is called by the next, of one that lives it is not, nor that of another boot with its numbers")
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	char *name CLEANUP(freep) = xasprintf("var/lib/sysboxup/hooks.%d-%llu", (int)getpid(),
					      (unsigned long long)proc_starttime(getpid()));

	begin();
	script("post-restart/1", 0755, "echo $SYSBOXUP_COMMAND $SYSBOXUP_RESULT >>$d/log");
	CHECK_INT(pre(&why, &err), 0);
	hooks_settle(&state, NULL);
	CHECK(!root_exists(&s.root, "/log"));
	CHECK(!hooks_left(&state));
	CHECK_INT(in_child(pre_and_die, &why), 0);
	CHECK_INT(in_child(pre_and_die, &why), 0);
	CHECK_INT(marks(), 3);
	char *left CLEANUP(freep) = hooks_left(&state);
	CHECK_STR(left, "apply");
	hooks_settle(&state, NULL);
	hooks_settle(&state, NULL);
	CHECK_STR(get(&s, "log"), "apply undone\napply undone\n");
	hooks_post_restart(&state, HOOK_NOTHING, NULL);
	CHECK_STR(get(&s, "log"), "apply undone\napply undone\napply nothing\n");
	put(&s, "var/lib/sysboxup/hooks.4194305-1", "{ torn");
	put(&s, name, "{ \"boot_id\": \"another\", \"command\": \"rollback\" }");
	hooks_settle(&state, NULL);
	CHECK(strstr(get(&s, "log"), "apply nothing\n"));
	CHECK(strstr(get(&s, "log"), "? undone\n"));
	CHECK(strstr(get(&s, "log"), "rollback undone\n"));
	CHECK_INT(marks(), 0);
	end();
}

/* Waits for a byte between its pre-restart and its post-restart. */
static int pre_and_post(void *arg)
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	int *ends = arg;
	char byte;

	if (pre(&why, &err) || write(ends[1], "x", 1) != 1 || read(ends[2], &byte, 1) != 1)
		return 1;
	hooks_post_restart(&state, HOOK_DONE, NULL);
	return 0;
}

TEST(two, "two processes at a time: each calls post-restart once, for itself")
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	int ends[4], status;
	char byte;

	begin();
	script("post-restart/1", 0755, "echo $SYSBOXUP_RESULT >>$d/log");
	CHECK(!pipe(ends) && !pipe(ends + 2));
	int to_them = ends[3];
	pid_t pid = fork();
	if (!pid)
		_exit(pre_and_post(ends));
	CHECK(read(ends[0], &byte, 1) == 1);
	CHECK_INT(pre(&why, &err), 0);
	hooks_settle(&state, NULL);
	hooks_post_restart(&state, HOOK_NOTHING, NULL);
	CHECK_STR(get(&s, "log"), "nothing\n");
	CHECK(write(to_them, "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK_STR(get(&s, "log"), "nothing\ndone\n");
	CHECK_INT(marks(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		close(ends[i]);
	end();
}

TEST(purged, "a purge of somebody else takes the mark away: post-restart is called all the same")
{
	static const char *const none[] = { NULL };
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	begin();
	script("post-restart/1", 0755, "echo $SYSBOXUP_RESULT >>$d/log");
	CHECK_INT(pre(&why, &err), 0);
	CHECK(!state_purge(&state, none, &err));
	state_release(&state);
	CHECK(!state_open(&state, &s.root, STATE_READ, &err));
	hooks_post_restart(&state, HOOK_NOTHING, NULL);
	CHECK_STR(get(&s, "log"), "nothing\n");
	end();
}

/* pre-restart in the midst of preparing a transaction, which comes to this end. */
struct ending {
	enum record_type last;
	const char *run;
};

static int prepare_and_die(void *arg)
{
	const struct ending *e = arg;
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct json *begin_body CLEANUP(json_freep) = json_obj(),
				*body CLEANUP(json_freep) = json_obj();
	struct txnlog log CLEANUP(txnlog_release) = TXNLOG_INIT;
	struct err err = ERR_INIT;

	json_set_str(begin_body, "run", e->run);
	json_set(body, "actions", json_arr());
	if (state_lock(&state, "apply", &err) || txnlog_begin(&log, &state, begin_body, &err) ||
	    pre(&why, &err))
		return 1;
	return txnlog_append(&log, RECORD_PREPARED, body, &err) ||
	       txnlog_append(&log, e->last, body, &err);
}

TEST(result, "of a process that died post-restart says 'done' where its transaction stands, or waits to be confirmed, else 'undone'")
{
	static const struct { struct ending e; const char *want; } cases[] = {
		{ { RECORD_COMMITTED, "a" }, "done\n" },
		{ { RECORD_PENDING, "b" }, "done\n" },
		{ { RECORD_ROLLED_BACK, "c" }, "undone\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin();
		script("post-restart/1", 0755, "echo $SYSBOXUP_RESULT >>$d/log");
		struct ending e = cases[i].e;
		CHECK_INT(in_child(prepare_and_die, &e), 0);
		hooks_settle(&state, NULL);
		CHECK_STR(get(&s, "log"), cases[i].want);
		end();
	}
}

/* The number is another run's by now. */
static int prepare_and_discard(void *arg)
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct json *body CLEANUP(json_freep) = json_obj();
	struct txnlog log CLEANUP(txnlog_release) = TXNLOG_INIT;
	struct err err = ERR_INIT;

	json_set_str(body, "run", arg);
	if (state_lock(&state, "apply", &err) || txnlog_begin(&log, &state, body, &err) ||
	    pre(&why, &err))
		return 1;
	return txnlog_discard(&state, log.id, &err);
}

TEST(discarded, "a transaction of the same number that another run committed is none of his who died")
{
	struct ending other = { RECORD_COMMITTED, "other" };

	begin();
	script("post-restart/1", 0755, "echo $SYSBOXUP_RESULT >>$d/log");
	CHECK_INT(in_child(prepare_and_discard, (void *)"first"), 0);
	CHECK_INT(in_child(prepare_and_die, &other), 0);
	hooks_settle(&state, NULL);
	CHECK(!strcmp(get(&s, "log"), "undone\ndone\n") || !strcmp(get(&s, "log"), "done\nundone\n"));
	end();
}

RUN_TESTS()
