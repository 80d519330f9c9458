/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include "sys/fault.h"
#include "sys/replace.h"

#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

/* An access ACL: user::rw- user:7:rw- group::r-- mask::rw- other::--- */
static const unsigned char acl[] = {
	2, 0, 0,    0,    1,    0,    6,    0, 0xff, 0xff, 0xff, 0xff, 2,    0,    6,
	0, 7, 0,    0,    0,    4,    0,    4, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
	6, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff,
};

static const struct timespec long_ago = { 1000000000, 123456789 };

static void old_file(const struct scratch *s, const char *name)
{
	struct timespec times[2] = { long_ago, long_ago };

	put(s, name, "old content\n");
	int fd = openat(s->fd, name, O_RDWR | O_CLOEXEC);
	if (fchown(fd, 1, 2) || fsetxattr(fd, "user.note", "kept", 4, 0) || fchmod(fd, 04750) ||
	    fsetxattr(fd, "system.posix_acl_access", acl, sizeof acl, 0) || futimens(fd, times))
		abort();
	close(fd);
}

static void old_link(const struct scratch *s, const char *name, const char *target)
{
	struct timespec times[2] = { long_ago, long_ago };

	if (symlinkat(target, s->fd, name) || fchownat(s->fd, name, 3, 4, AT_SYMLINK_NOFOLLOW) ||
	    utimensat(s->fd, name, times, AT_SYMLINK_NOFOLLOW))
		abort();
}

static void setup_nothing(const struct scratch *s)
{
	put(s, "neighbour", "x");
}

static void setup_file(const struct scratch *s)
{
	old_file(s, "f");
}

static void setup_link(const struct scratch *s)
{
	old_link(s, "f", "old-target");
}

static void setup_file_behind_link(const struct scratch *s)
{
	old_file(s, "real");
	old_link(s, "f", "/real");
}

static void setup_dangling(const struct scratch *s)
{
	old_link(s, "f", "made-later");
}

/* What can be done to /f, and to what before. */
static const struct scenario {
	const char *name;
	void (*setup)(const struct scratch *s);
	enum node_type after;
	bool nofollow;
	bool keep_meta;		/* owner, mode, xattrs as before */
} scenarios[] = {
	{ "a new file", setup_nothing, NODE_FILE, false, false },
	{ "an existing file, its metadata kept", setup_file, NODE_FILE, false, true },
	{ "an existing file, plain metadata", setup_file, NODE_FILE, false, false },
	{ "a file taken away", setup_file, NODE_ABSENT, false, false },
	{ "a new link", setup_nothing, NODE_LINK, true, false },
	{ "a link to somewhere else", setup_link, NODE_LINK, true, false },
	{ "a link taken away", setup_link, NODE_ABSENT, true, false },
	{ "a file where a link was", setup_link, NODE_FILE, true, false },
	{ "the file behind a link", setup_file_behind_link, NODE_FILE, false, true },
	{ "the file a dangling link points to", setup_dangling, NODE_FILE, false, false },
};

struct trial {
	const struct scenario *sc;
	struct scratch s;
	struct replace rp;
	char *before;
	const char *fault;
};

static void trial_open(struct trial *t, const struct scenario *sc)
{
	struct err err = ERR_INIT;

	*t = (struct trial){ .sc = sc };
	scratch_open(&t->s);
	sc->setup(&t->s);
	t->before = tree(&t->s, "/", true);
	t->rp = (struct replace)REPLACE_INIT;
	t->rp.root = &t->s.root;
	t->rp.path = "/f";
	t->rp.tag = "7.2";
	t->rp.nofollow = sc->nofollow;
	if (replace_check(&t->rp, &err) && sc->after != NODE_ABSENT) {
		printf("# %s: %s\n", sc->name, err.msg);
		test_failed = true;
	}
	if (sc->keep_meta)
		node_copy(&t->rp.after, &t->rp.before);
	t->rp.after.type = sc->after;
	t->rp.after.mode = sc->keep_meta ? t->rp.before.mode : 0600;
	if (sc->after == NODE_LINK)
		t->rp.after.target = xstrdup("new-target");
	if (sc->after == NODE_FILE) {
		t->rp.content = "the new content, longer than the old one\n";
		t->rp.content_len = strlen(t->rp.content);
		t->rp.after.digest[0] = '\0';
	}
	CHECK_INT(replace_check(&t->rp, &err), 0);
	CHECK_STR(err.msg, "");
}

static void trial_close(struct trial *t)
{
	replace_release(&t->rp);
	free(t->before);
	scratch_close(&t->s);
}

static bool is_as_before(struct trial *t)
{
	char *now CLEANUP(freep) = tree(&t->s, "/", true);

	return !strcmp(now, t->before);
}

static int commit_faulty(void *arg)
{
	struct trial *t = arg;
	struct err err = ERR_INIT;

	fault_set(t->fault);
	return replace_commit(&t->rp, &err) ? 1 : 0;
}

static int undo_faulty(void *arg)
{
	struct trial *t = arg;
	struct err err = ERR_INIT;

	fault_set(t->fault);
	return replace_undo(&t->rp, &err) ? 1 : 0;
}

/* The old bytes, as a journal would have them. */
static void give_old_content(struct trial *t)
{
	t->rp.content = "old content\n";
	t->rp.content_len = strlen(t->rp.content);
}

static void undo_must_restore(struct trial *t, const char *fault)
{
	struct err err = ERR_INIT;
	int got = replace_undo(&t->rp, &err);

	if (got || !is_as_before(t) || replace_undo(&t->rp, &err) || replace_finish(&t->rp, &err) ||
	    !is_as_before(t)) {
		char *now CLEANUP(freep) = tree(&t->s, "/", true);
		printf("# %s, %s: undo %d %s\n# was: %s# now: %s", t->sc->name, fault, got, err.msg, t->before, now);
		test_failed = true;
	}
}

/* Every n until a run is not hit: 128 + SIGKILL or an error at each, before again after each.
 * Returns the points hit. */
static int loop_commit(const char *pattern, int *ret_dirty)
{
	int hit = 0;

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		for (int n = 1, more = 1; more && n < 200; n++) {
			char *fault CLEANUP(freep) = xasprintf("%s:%d", pattern, n);
			struct trial t;
			trial_open(&t, &scenarios[i]);
			t.fault = fault;
			more = in_child(commit_faulty, &t) == 128 + SIGKILL;
			hit += more;
			*ret_dirty += more && !is_as_before(&t);
			undo_must_restore(&t, fault);
			trial_close(&t);
		}
	}
	return hit;
}

TEST(commit_shows, "commit leaves exactly what was asked for, and the old file beside it until finish")
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		struct trial t;
		struct err err = ERR_INIT;
		struct node now CLEANUP(node_release) = NODE_INIT;
		trial_open(&t, &scenarios[i]);
		CHECK_INT(replace_commit(&t.rp, &err), 0);
		CHECK_STR(err.msg, "");
		char *real CLEANUP(freep) = NULL, *name CLEANUP(freep) = NULL;
		int dirfd CLEANUP(closep) = -1;
		CHECK_INT(root_parent(&t.s.root, "/f", !t.rp.nofollow, &dirfd, &name, &real, &err),
			  0);
		CHECK_INT(node_read_at(&now, dirfd, name, NODE_DIGEST, &err), 0);
		CHECK(node_equal(&now, &t.rp.after, NODE_CMP_PLAIN));
		char *temp CLEANUP(freep) = xasprintf(".%s.sysboxup-7.2", name);
		CHECK_INT(!faccessat(t.s.fd, temp, F_OK, AT_SYMLINK_NOFOLLOW),
			  t.rp.before.type != NODE_ABSENT);
		CHECK_INT(replace_finish(&t.rp, &err), 0);
		CHECK(faccessat(t.s.fd, temp, F_OK, AT_SYMLINK_NOFOLLOW));
		trial_close(&t);
	}
}

TEST(undo_whole, "undo after a whole commit gives back the same inode, times, ACL and attributes")
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		struct trial t;
		struct err err = ERR_INIT;
		trial_open(&t, &scenarios[i]);
		CHECK_INT(replace_commit(&t.rp, &err), 0);
		CHECK(!is_as_before(&t));
		undo_must_restore(&t, "no fault");
		trial_close(&t);
	}
}

TEST(killed_commit, "killed before, after or in the middle of any call of commit, undo gives the tree of before")
{
	int dirty = 0;

	CHECK(loop_commit("die-before", &dirty) > 60);
	CHECK(loop_commit("die-after", &dirty) > 60);
	CHECK(loop_commit("tear", &dirty) > 60);
	CHECK(dirty > 60);	/* the control: without undo most of these trees were different */
}

static int loop_fail(const char *errname, bool for_ever)
{
	int refused = 0;

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		for (unsigned long n = 1, last = 2; n < last; n++) {
			char *fault CLEANUP(freep) = xasprintf("%s:%lu:%s",
							       for_ever ? "fail-from" : "fail", n,
							       errname);
			struct trial t;
			struct err err = ERR_INIT;
			trial_open(&t, &scenarios[i]);
			fault_set(fault);
			refused += replace_commit(&t.rp, &err) != 0;
			last = fault_count() + 1;
			fault_set(NULL);
			undo_must_restore(&t, fault);
			trial_close(&t);
		}
	}
	return refused;
}

TEST(failing_commit, "whichever call of commit fails, undo gives the tree of before")
{
	CHECK(loop_fail("ENOSPC", false) > 40);
	CHECK(loop_fail("ENOSPC", true) > 40);
	CHECK(loop_fail("EIO", false) > 40);
}

TEST(no_exchange, "where the file system has no exchange, killed or not, undo gives the same inode back")
{
	int killed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		for (int refuse = 1; refuse < 14; refuse++) {
			for (int n = 1, more = 1; more && n < 40; n++) {
				char *fault CLEANUP(freep) =
					xasprintf("fail:%d:EINVAL,die-before:%d", refuse, n);
				struct trial t;
				trial_open(&t, &scenarios[i]);
				t.fault = fault;
				more = in_child(commit_faulty, &t) == 128 + SIGKILL;
				killed += more;
				undo_must_restore(&t, fault);
				trial_close(&t);
			}
		}
	}
	CHECK(killed > 300);
}

TEST(killed_undo, "undo killed or failing at any call and run again gives the tree of before")
{
	static const struct { const char *what, *how;
	} kinds[] = {
		{ "die-before", "" },
		{ "die-after", "" },
		{ "fail", ":EIO" },
		{ "fail", ":EINVAL" },
	};
	int hit = 0;

	for (size_t i = 0; i < ARRAY_SIZE(scenarios) * ARRAY_SIZE(kinds); i++) {
		for (int n = 1, got = 1; got && n < 40; n++) {
			size_t k = i % ARRAY_SIZE(kinds);
			char *fault CLEANUP(freep) = xasprintf("%s:%d%s", kinds[k].what, n,
							       kinds[k].how);
			struct trial t;
			struct err err = ERR_INIT;
			trial_open(&t, &scenarios[i / ARRAY_SIZE(kinds)]);
			t.fault = fault;
			CHECK_INT(replace_commit(&t.rp, &err), 0);
			got = in_child(undo_faulty, &t);
			hit += got != 0;
			undo_must_restore(&t, fault);
			trial_close(&t);
		}
	}
	CHECK(hit > 100);
}

TEST(from_copy, "where the old inode is gone the copy comes back with content, owner, attributes and time, also after kills")
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		for (int n = 1, more = 1; more && n < 40; n++) {
			char *fault CLEANUP(freep) = xasprintf("die-before:%d", n);
			struct trial t;
			struct err err = ERR_INIT;
			trial_open(&t, &scenarios[i]);
			char *want CLEANUP(freep) = tree(&t.s, "/", false);
			CHECK_INT(replace_commit(&t.rp, &err), 0);
			CHECK_INT(replace_finish(&t.rp, &err), 0);
			give_old_content(&t);
			t.fault = fault;
			more = in_child(undo_faulty, &t) == 128 + SIGKILL;
			CHECK_INT(replace_undo(&t.rp, &err), 0);
			CHECK_STR(err.msg, "");
			char *now CLEANUP(freep) = tree(&t.s, "/", false);
			CHECK_STR(now, want);
			trial_close(&t);
		}
	}
}

TEST(copy_checked, "a copy that is not the before-image is not put back")
{
	struct trial t;
	struct err err = ERR_INIT;

	trial_open(&t, &scenarios[1]);
	CHECK_INT(replace_commit(&t.rp, &err), 0);
	CHECK_INT(replace_finish(&t.rp, &err), 0);
	t.rp.content = "something else";
	t.rp.content_len = strlen(t.rp.content);
	CHECK_INT(replace_undo(&t.rp, &err), -1);
	CHECK_STR(get(&t.s, "f"), "the new content, longer than the old one\n");
	trial_close(&t);
}

TEST(stranger_before_commit, "an edit between check and commit is seen, kept, and nothing of ours is left")
{
	static const struct { int scenario; void (*edit)(const struct scratch *s); } cases[] = {
		{ 0, setup_file }, { 4, setup_link }, { 1, NULL }, { 2, NULL }, { 3, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct trial t;
		struct err err = ERR_INIT;
		trial_open(&t, &scenarios[cases[i].scenario]);
		if (cases[i].edit)
			cases[i].edit(&t.s);
		else
			put(&t.s, "f", "a stranger's content\n");
		char *theirs CLEANUP(freep) = tree(&t.s, "/", true);
		CHECK_INT(replace_commit(&t.rp, &err), REPLACE_CONFLICT);
		CHECK(strstr(err.msg, "'/f' was changed this instant by somebody else") != NULL);
		char *now CLEANUP(freep) = tree(&t.s, "/", true);
		CHECK_STR(now, theirs);
		trial_close(&t);
	}
}

TEST(stranger_removed, "a file that vanishes between check and commit is a conflict, and stays away")
{
	struct trial t;
	struct err err = ERR_INIT;

	trial_open(&t, &scenarios[1]);
	unlinkat(t.s.fd, "f", 0);
	CHECK_INT(replace_commit(&t.rp, &err), REPLACE_CONFLICT);
	char *now CLEANUP(freep) = tree(&t.s, "/", true);
	CHECK_STR(now, "");
	trial_close(&t);
}

TEST(stranger_and_crash, "an edit in the instant before the exchange survives a crash at any call, and undo says conflict")
{
	for (int sc = 1; sc <= 3; sc++) {
		for (int n = 1, more = 1; more && n < 60; n++) {
			char *fault CLEANUP(freep) = xasprintf("die-before:%d", n);
			struct trial t;
			struct err err = ERR_INIT;
			trial_open(&t, &scenarios[sc]);
			put(&t.s, "f", "a stranger's content\n");
			char *theirs CLEANUP(freep) = tree(&t.s, "/", true);
			t.fault = fault;
			more = in_child(commit_faulty, &t) == 128 + SIGKILL;
			CHECK_INT(replace_undo(&t.rp, &err), REPLACE_CONFLICT);
			CHECK_INT(replace_finish(&t.rp, &err), 0);
			char *now CLEANUP(freep) = tree(&t.s, "/", true);
			CHECK_STR(now, theirs);
			trial_close(&t);
		}
	}
}

TEST(stranger_before_undo, "what somebody changed after us is left alone: content, mode or owner")
{
	for (int how = 0; how < 3; how++) {
		struct trial t;
		struct err err = ERR_INIT;
		trial_open(&t, &scenarios[1]);
		CHECK_INT(replace_commit(&t.rp, &err), 0);
		if (how == 0)
			put(&t.s, "f", "a stranger's content\n");
		CHECK(how != 1 || !fchmodat(t.s.fd, "f", 0604, 0));
		CHECK(how != 2 || !fchownat(t.s.fd, "f", 9, 9, 0));
		char *theirs CLEANUP(freep) = tree(&t.s, "/", true);
		CHECK_INT(replace_undo(&t.rp, &err), REPLACE_CONFLICT);
		CHECK_STR(err.msg, "'/f' was changed by somebody else");
		char *now CLEANUP(freep) = tree(&t.s, "/", true);
		CHECK_STR(now, theirs);
		trial_close(&t);
	}
}

/* A child stopped before call n of undo, and what a stranger does then. */
static int undo_stopped(struct trial *t, const char *fault)
{
	int status = 0;
	pid_t child = fork();

	t->fault = fault;
	if (!child)
		_exit(undo_faulty(t));
	CHECK_INT(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	put(&t->s, "f", "a stranger's content\n");
	kill(child, SIGCONT);
	CHECK_INT(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(stranger_no_exchange, "an edit in the instant before the way back is seen, also where the file system has no exchange")
{
	static const char *const faults[] = { "stop-before:1", "stop-before:1,fail:1:EINVAL" };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct trial t;
		struct err err = ERR_INIT;

		trial_open(&t, &scenarios[1]);
		CHECK_INT(replace_commit(&t.rp, &err), 0);
		CHECK_INT(undo_stopped(&t, faults[i]), 1);
		CHECK_STR(get(&t.s, "f"), "a stranger's content\n");
		trial_close(&t);
	}
}

TEST(interim, "a further state that is ours is taken back too")
{
	struct trial t;
	struct err err = ERR_INIT;
	struct node interim CLEANUP(node_release) = NODE_INIT;

	trial_open(&t, &scenarios[1]);
	CHECK_INT(replace_commit(&t.rp, &err), 0);
	put(&t.s, "f", "halfway\n");
	CHECK_INT(node_read(&interim, &t.s.root, "/f", NODE_DIGEST, &err), 0);
	CHECK_INT(replace_undo(&t.rp, &err), REPLACE_CONFLICT);
	t.rp.interim = &interim;
	t.rp.interim_n = 1;
	undo_must_restore(&t, "interim");
	trial_close(&t);
}

TEST(same, "the same content and metadata: nothing is written, also by undo")
{
	struct scratch s;
	struct err err = ERR_INIT;

	scratch_open(&s);
	old_file(&s, "f");
	struct replace rp = REPLACE_INIT;
	rp.root = &s.root;
	rp.path = "/f";
	rp.tag = "1.1";
	CHECK_INT(node_read(&rp.after, &s.root, "/f", NODE_DIGEST, &err), 0);
	rp.content = "old content\n";
	rp.content_len = strlen(rp.content);
	CHECK_INT(replace_check(&rp, &err), 0);
	fault_set("die-before:1");
	CHECK_INT(replace_commit(&rp, &err), 0);
	CHECK_INT(replace_undo(&rp, &err), 0);
	CHECK_INT(replace_finish(&rp, &err), 0);
	CHECK_INT(fault_count(), 0);
	fault_set(NULL);
	replace_release(&rp);
	scratch_close(&s);
}

TEST(from_descriptor, "content from a descriptor, with the time asked for; other bytes than announced are refused")
{
	struct trial t;
	struct err err = ERR_INIT;

	trial_open(&t, &scenarios[1]);
	put(&t.s, "source", "from a file\n");
	t.rp.content_fd = openat(t.s.fd, "source", O_RDONLY | O_CLOEXEC);
	t.rp.set_mtime = true;
	t.rp.after.mtime = (struct timespec){ 5, 6 };
	t.rp.after.digest[0] = '\0';
	CHECK_INT(replace_check(&t.rp, &err), 0);
	CHECK_INT(replace_commit(&t.rp, &err), 0);
	CHECK_STR(get(&t.s, "f"), "from a file\n");
	struct stat st = { 0 };
	CHECK_INT(fstatat(t.s.fd, "f", &st, 0), 0);
	CHECK(st.st_mtim.tv_sec == 5 && st.st_mtim.tv_nsec == 6 &&
	      (st.st_mode & 07777) == t.rp.before.mode);
	CHECK_INT(replace_undo(&t.rp, &err), 0);
	CHECK_STR(get(&t.s, "f"), "old content\n");

	memset(t.rp.after.digest, '0', DIGEST_HEX);
	CHECK_INT(replace_commit(&t.rp, &err), -1);
	CHECK_STR(get(&t.s, "f"), "old content\n");
	close(t.rp.content_fd);
	trial_close(&t);
}

TEST(only_time, "a change of nothing but the time is made and taken back")
{
	struct trial t;
	struct err err = ERR_INIT;

	trial_open(&t, &scenarios[1]);
	give_old_content(&t);
	t.rp.set_mtime = true;
	t.rp.after.mtime.tv_sec++;
	CHECK_INT(replace_check(&t.rp, &err), 0);
	CHECK_INT(replace_commit(&t.rp, &err), 0);
	CHECK(!is_as_before(&t));
	undo_must_restore(&t, "only the time");
	trial_close(&t);
}

TEST(order, "owner, attributes, mode, sync, close, exchange, sync of the directory: in this order, and nothing more")
{
	struct trial t;
	struct buf calls CLEANUP(buf_release) = BUF_INIT;

	trial_open(&t, &scenarios[1]);
	char *spec CLEANUP(freep) = xasprintf("log:%s/log", t.s.path);
	t.fault = spec;
	CHECK_INT(in_child(commit_faulty, &t), 0);
	const char *log = get(&t.s, "log");
	for (const char *line = log; log && *line; line = strchr(line, '\n') + 1) {
		const char *call = strchr(line, ' ') + 1;
		buf_addf(&calls, "%.*s ", (int)strcspn(call, " "), call);
	}
	CHECK_STR(calls.data, "open write fchown fsetxattr fsetxattr fchmod fsync close exchange fsync ");
	char *last CLEANUP(freep) = xasprintf("10 fsync %s\n", t.s.path);
	CHECK(log && str_ends(log, last));
	trial_close(&t);
}

/* ---- refusals ---- */

static int check_only(const struct scratch *s, const char *path, struct err *err)
{
	struct replace rp = REPLACE_INIT;

	*err = (struct err)ERR_INIT;
	rp.root = &s->root;
	rp.path = path;
	rp.tag = "1.1";
	rp.after.type = NODE_FILE;
	rp.content = "x";
	rp.content_len = 1;
	int got = replace_check(&rp, err);
	replace_release(&rp);
	return got;
}

TEST(refused, "a directory, a pipe, a loop of links, a missing directory and a leftover are refused and named")
{
	struct scratch s;
	struct err err;

	scratch_open(&s);
	CHECK(!mkdirat(s.fd, "d", 0755) && !mknodat(s.fd, "pipe", S_IFIFO | 0600, 0));
	CHECK(!symlinkat("b", s.fd, "a") && !symlinkat("a", s.fd, "b"));
	put(&s, ".left.sysboxup-1.1", "");
	static const struct { const char *path, *says;
	} cases[] = {
		{ "/d", "'/d': it is a directory" },
		{ "/pipe", "'/pipe': it is a device, a pipe" },
		{ "/a", "'/a': too many levels" },
		{ "/none/x", "directory of '/none/x': no such file" },
		{ "/left", ".left.sysboxup-1.1" },
		{ "/..", "'/..'" },
		{ "/", "'/'" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_INT(check_only(&s, cases[i].path, &err), -1);
		CHECK_INT(err.kind, ERR_REFUSED);
		if (!strcasestr(err.msg, cases[i].says))
			CHECK_STR(err.msg, cases[i].says);
	}
	scratch_close(&s);
}

TEST(immutable, "an immutable file or directory is refused with the remedy")
{
	struct scratch s;
	struct err err;

	scratch_open(&s);
	put(&s, "f", "x y");
	mkdirat(s.fd, "d", 0755);
	static const struct {
		const char *name, *path;
	} cases[] = { { "f", "/f" }, { "d", "/d/new" } };
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = openat(s.fd, cases[i].name, O_RDONLY | O_CLOEXEC), flags = 0;
		CHECK(!ioctl(fd, FS_IOC_GETFLAGS, &flags));
		flags |= FS_IMMUTABLE_FL;
		CHECK(!ioctl(fd, FS_IOC_SETFLAGS, &flags));
		CHECK_INT(check_only(&s, cases[i].path, &err), -1);
		CHECK(strstr(err.msg, "immutable") && strstr(err.remedy, "chattr"));
		flags &= ~FS_IMMUTABLE_FL;
		CHECK(!ioctl(fd, FS_IOC_SETFLAGS, &flags));
		close(fd);
	}
	scratch_close(&s);
}

static int mounted_checks(void *arg)
{
	struct scratch *s = arg;
	struct scratch in = *s;
	struct err err;
	char f[128], d[128];

	snprintf(f, sizeof f, "%s/f", s->path);
	snprintf(d, sizeof d, "%s/d", s->path);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("/dev/null", f, NULL, MS_BIND, NULL) || mount(d, d, NULL, MS_BIND, NULL) ||
	    mount("none", d, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) ||
	    root_open(&in.root, s->path, &err))
		return 90;
	put(s, "regular", "x");
	snprintf(d, sizeof d, "%s/regular", s->path);
	snprintf(f, sizeof f, "%s/g", s->path);
	if (mount(d, f, NULL, MS_BIND, NULL))
		return 91;
	if (check_only(&in, "/g", &err) != -1 || !strstr(err.msg, "'/g': something is mounted") ||
	    !*err.remedy)
		return 1;
	if (check_only(&in, "/d/new", &err) != -1 || err.errnum != EROFS ||
	    !strstr(err.msg, "'/d/new'"))
		return 2;
	return check_only(&in, "/regular", &err) ? 3 : 0;
}

TEST(mounted, "a mount point and a read-only file system are refused and named")
{
	struct scratch s;

	scratch_open(&s);
	put(&s, "f", "");
	put(&s, "g", "");
	mkdirat(s.fd, "d", 0755);
	CHECK_INT(in_child(mounted_checks, &s), 0);
	scratch_close(&s);
}

TEST(long_name, "a name as long as names can be is replaced and given back")
{
	struct scratch s;
	struct err err = ERR_INIT;
	char path[258];

	memset(path, 'n', sizeof path);
	path[0] = '/';
	path[256] = '\0';
	scratch_open(&s);
	put(&s, path + 1, "old");
	char *before CLEANUP(freep) = tree(&s, "/", true);
	struct replace rp = REPLACE_INIT;
	rp.root = &s.root;
	rp.path = path;
	rp.tag = "12.34";
	rp.after.type = NODE_FILE;
	rp.content = "new";
	rp.content_len = 3;
	CHECK_INT(replace_check(&rp, &err), 0);
	CHECK_INT(replace_commit(&rp, &err), 0);
	CHECK_STR(get(&s, path + 1), "new");
	CHECK_INT(replace_undo(&rp, &err), 0);
	char *now CLEANUP(freep) = tree(&s, "/", true);
	CHECK_STR(now, before);
	replace_release(&rp);
	scratch_close(&s);
}

TEST(default_acl, "in a directory with a default ACL a new file has the mode asked for and no ACL of its own")
{
	struct scratch s;
	struct err err = ERR_INIT;
	struct node now CLEANUP(node_release) = NODE_INIT;

	scratch_open(&s);
	CHECK(!fsetxattr(s.fd, "system.posix_acl_default", acl, sizeof acl, 0));
	struct replace rp = REPLACE_INIT;
	rp.root = &s.root;
	rp.path = "/f";
	rp.tag = "1.1";
	rp.after.type = NODE_FILE;
	rp.after.mode = 0644;
	rp.content = "x";
	rp.content_len = 1;
	CHECK_INT(replace_check(&rp, &err), 0);
	CHECK_INT(replace_commit(&rp, &err), 0);
	CHECK_INT(node_read(&now, &s.root, "/f", NODE_DIGEST, &err), 0);
	CHECK_INT(now.mode, 0644);
	CHECK_INT(now.xattrs_n, 0);
	replace_release(&rp);
	scratch_close(&s);
}

RUN_TESTS()
