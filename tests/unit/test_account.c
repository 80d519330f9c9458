/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/account.h"
#include "actions/account_db.h"
#include "actions/account_lock.h"
#include "journal/ballast.h"
#include "scratch.h"
#include "sys/fault.h"

#include <time.h>

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n# kept: a comment\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"
			     "_chrony:x:999:998::/var/lib/chrony:/usr/sbin/nologin\nuser:x:1000:1000::/home/user:/bin/bash\n";
static const char group[] = "root:x:0:\ndaemon:x:1:\n_chrony:x:998:\ndocker:x:997:user\nuser:x:1000:\n";
static const char shadow[] = "root:*:19000:0:99999:7:::\nuser:$y$j9T$abc:19000:0:99999:7:::\n";
static const char subids[] = "user:100000:65536\n";
static const char login_defs[] = "# as Debian's\nUID_MIN 1000\nGID_MIN 1000\nSUB_UID_MIN 100000\nSUB_UID_MAX 600100000\n"
				 "SUB_GID_MIN 100000\nSUB_GID_MAX 600100000\n";

struct host_root {
	struct scratch s;
	struct state state;
	struct txnlog log;
	struct action_ctx ctx;
};

static const struct host image = { .running = false };

static void made_root(struct host_root *h)
{
	scratch_open(&h->s);
	mkdirat(h->s.fd, "etc", 0755);
	put(&h->s, "etc/passwd", passwd);
	put(&h->s, "etc/group", group);
	put(&h->s, "etc/shadow", shadow);
	put(&h->s, "etc/gshadow", "root:*::\nuser:!::\n");
	put(&h->s, "etc/subuid", subids);
	put(&h->s, "etc/subgid", subids);
	put(&h->s, "etc/login.defs", login_defs);
	h->state = (struct state)STATE_INIT;
	h->state.root = &h->s.root;
	h->log = (struct txnlog){ .state = &h->state, .fd = h->s.fd };
	h->ctx = (struct action_ctx){
		.root = &h->s.root, .host = &image, .log = &h->log, .tag = "000001.0"
	};
}

static void close_root(struct host_root *h)
{
	ballast_release(&h->log);
	scratch_close(&h->s);
}

/* The bytes and metadata of /etc but for times: of files that only shadow's tools write they do not
 * count. */
static char *etc(const struct host_root *h)
{
	struct buf b = BUF_INIT;
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;

	CHECK_INT(root_list(&h->s.root, "/etc", &names, &err), 0);
	for (size_t i = 0; i < names.n; i++) {
		struct stat st;
		char *path CLEANUP(freep) = path_join("etc", names.v[i]);
		fstatat(h->s.fd, path, &st, AT_SYMLINK_NOFOLLOW);
		buf_addf(&b, "%s %o %u:%u\n%s", names.v[i], st.st_mode, st.st_uid, st.st_gid,
			 get(&h->s, path));
	}
	return buf_detach(&b);
}

/* As recovery sees it: through the record alone. */
static struct action *reread(const struct action *a)
{
	struct json *j CLEANUP(json_freep) = action_encode(a);
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct json *back CLEANUP(json_freep) = NULL;
	struct action *ret = NULL;
	struct err err = ERR_INIT;

	json_print(j, &text);
	CHECK_INT(json_parse(text.data, text.len, JSON_STRICT, "it", &back, &err), 0);
	CHECK_INT(action_decode(back, &ret, &err), 0);
	CHECK_STR(err.msg, "");
	return ret;
}

static struct action *prepared(struct host_root *h)
{
	struct action *a = action_account("sysbox", "sysbox");
	struct err err = ERR_INIT;

	CHECK_INT(a->ops->prepare(a, &h->ctx, &err), 0);
	CHECK_STR(err.msg, "");
	return a;
}

static void finish(struct action *a, struct host_root *h, bool committed)
{
	struct err err = ERR_INIT;

	h->ctx.committed = committed;
	CHECK_INT(a->ops->finish(a, &h->ctx, &err), 0);
	CHECK_STR(err.msg, "");
}

static void commit(struct action *a, struct host_root *h)
{
	struct err err = ERR_INIT;

	CHECK_INT(a->ops->commit(a, &h->ctx, &err), 0);
	CHECK_INT(a->ops->verify(a, &h->ctx, &err), 0);
	CHECK_STR(err.msg, "");
	finish(a, h, true);
}

static void undo(struct action *a, struct host_root *h)
{
	struct err err = ERR_INIT;

	CHECK_INT(a->ops->undo(a, &h->ctx, &err), 0);
	CHECK_STR(err.msg, "");
	finish(a, h, false);
}

/* Commit, undo from the record, undo again: every byte as it was. */
static void there_and_back(struct host_root *h)
{
	char *before CLEANUP(freep) = etc(h);
	struct action *a CLEANUP(action_freep) = prepared(h), *again CLEANUP(action_freep) = NULL;
	char *untouched CLEANUP(freep) = etc(h);

	CHECK_STR(untouched, before);
	commit(a, h);
	again = reread(a);
	for (int i = 0; i < 2; i++) {
		undo(again, h);
		char *after CLEANUP(freep) = etc(h);
		CHECK_STR(after, before);
	}
}

static const char *line_in(const struct host_root *h, const char *file)
{
	static char *line;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	free(line);
	line = root_read(&h->s.root, file, 65536, &text, &err) ?
		       NULL :
		       account_line_of(&text, "sysbox", NULL);
	return line;
}

TEST(adds, "a system account: highest free id in both files, no home, no login, locked; the same free range in both files")
{
	struct host_root h;
	char *want CLEANUP(freep) = xasprintf("sysbox:!:%lld::::::", (long long)time(NULL) / 86400);

	made_root(&h);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	CHECK_STR(line_in(&h, "/etc/passwd"), "sysbox:x:996:996::/nonexistent:/bin/false");
	CHECK_STR(line_in(&h, "/etc/group"), "sysbox:x:996:");
	CHECK_STR(line_in(&h, "/etc/shadow"), want);
	CHECK_STR(line_in(&h, "/etc/gshadow"), "sysbox:!::");
	CHECK_STR(line_in(&h, "/etc/subuid"), "sysbox:165536:65536");
	CHECK_STR(line_in(&h, "/etc/subgid"), "sysbox:165536:65536");
	close_root(&h);
}

TEST(back, "undo gives back every byte, twice the same")
{
	struct host_root h;

	made_root(&h);
	there_and_back(&h);
	close_root(&h);
}

TEST(newline, "files without a final newline, empty and absent ones come back as they were")
{
	struct host_root h;

	made_root(&h);
	put(&h.s, "etc/group", "root:x:0:\nuser:x:1000:");
	put(&h.s, "etc/subuid", "");
	unlinkat(h.s.fd, "etc/subgid", 0);
	unlinkat(h.s.fd, "etc/gshadow", 0);
	there_and_back(&h);
	close_root(&h);
}

TEST(modes, "mode and owner of the files stay")
{
	struct host_root h;

	made_root(&h);
	CHECK_INT(fchmodat(h.s.fd, "etc/shadow", 0640, 0), 0);
	CHECK_INT(fchownat(h.s.fd, "etc/shadow", 0, 42, 0), 0);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	struct stat st;
	CHECK_INT(fstatat(h.s.fd, "etc/shadow", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0640);
	CHECK_INT(st.st_gid, 42);
	close_root(&h);
}

TEST(nis, "NIS entries stay last")
{
	struct host_root h;

	made_root(&h);
	put(&h.s, "etc/passwd", "root:x:0:0::/root:/bin/sh\n+@admins::::::\n+::::::\n");
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	CHECK_STR(get(&h.s, "etc/passwd"),
		  "root:x:0:0::/root:/bin/sh\nsysbox:x:999:999::/nonexistent:/bin/false\n+@admins::::::\n+::::::\n");
	undo(a, &h);
	CHECK_STR(get(&h.s, "etc/passwd"), "root:x:0:0::/root:/bin/sh\n+@admins::::::\n+::::::\n");
	close_root(&h);
}

TEST(complete, "a complete account is kept: nothing is needed, nothing is changed")
{
	struct host_root h;
	struct err err = ERR_INIT;
	bool needed = true;

	made_root(&h);
	put(&h.s, "etc/passwd",
	    "root:x:0:0::/root:/bin/sh\nsysbox:x:1001:1001::/home/sysbox:/bin/false\n");
	put(&h.s, "etc/subuid", "sysbox:231072:65536\n");
	put(&h.s, "etc/subgid", "sysbox:231072:65536\n");
	CHECK_INT(account_needed(&h.s.root, "sysbox", &needed, &err), 0);
	CHECK(!needed);
	there_and_back(&h);
	CHECK_STR(line_in(&h, "/etc/subuid"), "sysbox:231072:65536");
	close_root(&h);
}

TEST(partly, "an account without subordinate ids gets these alone")
{
	struct host_root h;

	made_root(&h);
	put(&h.s, "etc/passwd",
	    "root:x:0:0::/root:/bin/sh\nsysbox:x:1001:1001::/home/sysbox:/bin/false\n");
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	CHECK_STR(line_in(&h, "/etc/shadow"), NULL);
	CHECK_STR(line_in(&h, "/etc/subgid"), "sysbox:165536:65536");
	close_root(&h);
}

static void refused(const char *file, const char *text, const char *words)
{
	struct host_root h;
	struct err err = ERR_INIT;

	made_root(&h);
	put(&h.s, file, text);
	char *before CLEANUP(freep) = etc(&h);
	struct action *a CLEANUP(action_freep) = action_account("sysbox", "sysbox");
	CHECK_INT(a->ops->prepare(a, &h.ctx, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(strstr(err.msg, words) != NULL);
	CHECK(*err.remedy != '\0');
	char *after CLEANUP(freep) = etc(&h);
	CHECK_STR(after, before);
	close_root(&h);
}

TEST(halves, "what is half there is refused with a remedy, and nothing is touched")
{
	refused("etc/group", "root:x:0:\nsysbox:x:500:\n", "no user 'sysbox', but '/etc/group'");
	refused("etc/shadow", "sysbox:!:19000::::::\n", "'/etc/shadow'");
	refused("etc/subuid", "sysbox:100000:65536\n", "do not agree");
	refused("etc/subuid", "sysbox:100000:65536\nsysbox:300000:65536\n", "several ranges");
	refused("etc/subuid", "sysbox:100000:1000\n", "cannot use");
	refused("etc/login.defs",
		"SYS_UID_MIN 997\nSYS_UID_MAX 999\nSYS_GID_MIN 997\nSYS_GID_MAX 999\n",
		"no system user id is free");
	refused("etc/login.defs", "SUB_UID_MIN 100000\nSUB_UID_MAX 200000\n", "no range of 65536");
}

TEST(holes, "the first range that is free in both files is taken, users' own ids counted")
{
	struct host_root h;

	made_root(&h);
	put(&h.s, "etc/passwd", "root:x:0:0::/root:/bin/sh\nldap:x:400000:400000::/:/bin/sh\n");
	put(&h.s, "etc/subuid", "a:100000:65536\n");
	put(&h.s, "etc/subgid", "# comment\nb:180000:100000\n");
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	CHECK_STR(line_in(&h, "/etc/subuid"), "sysbox:280000:65536");
	close_root(&h);
}

TEST(no_id, "login.defs that leaves no limit does not make an id that is none")
{
	struct host_root h;

	made_root(&h);
	put(&h.s, "etc/login.defs", "UID_MIN 0\nGID_MIN 0\nSUB_UID_MIN 4294901760\nSUB_GID_MIN 100000\n"
				    "SUB_UID_MAX 4294967295\nSUB_GID_MAX 4294967295\n");
	struct action *a CLEANUP(action_freep) = action_account("sysbox", "sysbox");
	struct err err = ERR_INIT;

	CHECK_INT(a->ops->prepare(a, &h.ctx, &err), -1);
	CHECK_STR(err.msg, "no range of 65536 subordinate ids is free between 4294901760 and 4294967294");
	put(&h.s, "etc/login.defs", "UID_MIN 0\nGID_MIN 0\n");
	there_and_back(&h);
	struct action *b CLEANUP(action_freep) = prepared(&h);
	commit(b, &h);
	CHECK_STR(line_in(&h, "/etc/passwd"), "sysbox:x:4294967294:4294967294::/nonexistent:/bin/false");
	close_root(&h);
}

TEST(odd_names, "ids of accounts with unusual names are in use as well")
{
	struct host_root h;

	made_root(&h);
	put(&h.s, "etc/passwd", "root:x:0:0::/:/bin/sh\n\303\244rger:x:999:999::/:/bin/sh\n.x:x:998:998::/:/bin/sh\n+nis:x:996:996::/:\n");
	put(&h.s, "etc/group", "root:x:0:\n");
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	CHECK(str_starts(line_in(&h, "/etc/passwd"), "sysbox:x:997:997:"));
	close_root(&h);
}

static void append(const struct host_root *h, const char *file, const char *line)
{
	char *text CLEANUP(freep) = xasprintf("%s%s", get(&h->s, file), line);

	put(&h->s, file, text);
}

TEST(others, "undo leaves what others added after us, before us and behind us")
{
	struct host_root h;

	made_root(&h);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	append(&h, "etc/passwd", "late:x:1001:1001::/home/late:/bin/sh\n");
	undo(a, &h);
	char *want CLEANUP(freep) = xasprintf("%slate:x:1001:1001::/home/late:/bin/sh\n", passwd);
	CHECK_STR(get(&h.s, "etc/passwd"), want);
	CHECK_STR(get(&h.s, "etc/group"), group);
	close_root(&h);
}

TEST(stranger, "an entry of ours that somebody changed is left alone and named; the others are taken back")
{
	struct host_root h;
	struct err err = ERR_INIT;
	static const char theirs[] = "user:100000:65536\nsysbox:900000:65536\n";

	made_root(&h);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	put(&h.s, "etc/subuid", theirs);
	CHECK_INT(a->ops->undo(a, &h.ctx, &err), -1);
	CHECK(strstr(err.msg, "'/etc/subuid'") != NULL);
	CHECK_STR(get(&h.s, "etc/subuid"), theirs);
	CHECK_STR(get(&h.s, "etc/passwd"), passwd);
	close_root(&h);
}

TEST(inverse, "a later transaction takes the lines out, and its undo puts them back in their place")
{
	struct host_root h;
	struct err err = ERR_INIT;
	struct action *inverse CLEANUP(action_freep) = NULL, *nothing = NULL;

	made_root(&h);
	char *before CLEANUP(freep) = etc(&h);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	append(&h, "etc/passwd", "late:x:1001:1001::/home/late:/bin/sh\n");
	char *between CLEANUP(freep) = etc(&h);
	struct record r = { .action = a, .txn = 1 };
	CHECK_INT(a->ops->invert(&r, &r, &inverse, &err), 0);
	h.ctx.tag = "000002.0";
	CHECK_INT(inverse->ops->prepare(inverse, &h.ctx, &err), 0);
	commit(inverse, &h);
	CHECK_STR(line_in(&h, "/etc/passwd"), NULL);
	undo(inverse, &h);
	char *again CLEANUP(freep) = etc(&h);
	CHECK_STR(again, between);
	commit(inverse, &h);
	put(&h.s, "etc/passwd", passwd);
	char *after CLEANUP(freep) = etc(&h);
	CHECK_STR(after, before);
	struct record r2 = { .action = inverse, .txn = 2 };
	r.next = &r2;
	CHECK_INT(a->ops->invert(&r, &r2, &nothing, &err), 0);
	CHECK(nothing == NULL);
	close_root(&h);
}

TEST(inverse_repaired, "taking back two transactions takes out what the first put in, also where the second only repaired a line")
{
	struct host_root h;
	struct err err = ERR_INIT;
	struct action *inverse CLEANUP(action_freep) = NULL;

	made_root(&h);
	char *before CLEANUP(freep) = etc(&h);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	commit(a, &h);
	put(&h.s, "etc/gshadow", "root:*::\nuser:!::\n");
	h.ctx.tag = "000002.0";
	struct action *b CLEANUP(action_freep) = prepared(&h);
	commit(b, &h);
	struct record r2 = { .action = b, .txn = 2 }, r = { .action = a, .txn = 1, .next = &r2 };
	CHECK_INT(a->ops->invert(&r, &r2, &inverse, &err), 0);
	h.ctx.tag = "000003.0";
	CHECK_INT(inverse->ops->prepare(inverse, &h.ctx, &err), 0);
	commit(inverse, &h);
	char *after CLEANUP(freep) = etc(&h);
	CHECK_STR(after, before);
	close_root(&h);
}

TEST(stale, "a lock whose process is dead is removed, as shadow does")
{
	struct host_root h;

	made_root(&h);
	char *before CLEANUP(freep) = etc(&h);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	put(&h.s, "etc/passwd.lock", "999999999");
	commit(a, &h);
	undo(a, &h);
	char *after CLEANUP(freep) = etc(&h);
	CHECK_STR(after, before);
	close_root(&h);
}

static void locked_by(const char *content, const char *words)
{
	struct host_root h;
	struct err err = ERR_INIT;

	made_root(&h);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	put(&h.s, "etc/group.lock", content);
	put(&h.s, "etc/.pwd.lock", "");
	char *before CLEANUP(freep) = etc(&h);
	CHECK_INT(a->ops->commit(a, &h.ctx, &err), -1);
	CHECK(strstr(err.msg, "'/etc/group.lock'") && strstr(err.msg, words));
	char *after CLEANUP(freep) = etc(&h);
	CHECK_STR(after, before);
	close_root(&h);
}

TEST(held, "the holder of a lock is named; without a process id in it we refuse, as shadow does; nothing is touched")
{
	char *own CLEANUP(freep) = xasprintf("%d", (int)getpid());

	account_locks_set_wait(1);
	locked_by(own, own);
	locked_by("", "no process id");
	account_locks_set_wait(15000);
}

TEST(lock_file, "the lock file that we made goes with our entries from an image, and stays on a host that runs")
{
	static const struct host hosts[] = { { .running = false }, { .running = true } };

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct host_root h;
		struct stat st;

		made_root(&h);
		h.ctx.host = &hosts[i];
		struct action *a CLEANUP(action_freep) = prepared(&h);
		commit(a, &h);
		CHECK_INT(fstatat(h.s.fd, "etc/.pwd.lock", &st, 0), 0);
		undo(a, &h);
		CHECK_INT(fstatat(h.s.fd, "etc/.pwd.lock", &st, 0), i ? 0 : -1);
		close_root(&h);
	}
}

struct run {
	struct host_root *h;
	struct action *a;
	char spec[32];
	bool is_undo;
};

static int run_body(void *arg)
{
	struct run *r = arg;
	struct err err = ERR_INIT;

	fault_set(r->spec);
	return (r->is_undo ? r->a->ops->undo : r->a->ops->commit)(r->a, &r->h->ctx, &err) ? 1 : 0;
}

/* Dies at call n of commit (and of the undo after it): then undone in a later process. 0: n is
 * behind the last call. */
static int killed_at(unsigned int n, bool in_undo)
{
	struct host_root h;
	struct run r = { .h = &h };

	made_root(&h);
	put(&h.s, "etc/group", "root:x:0:\nuser:x:1000:");
	char *before CLEANUP(freep) = etc(&h);
	struct action *a CLEANUP(action_freep) = prepared(&h);
	if (in_undo)
		commit(a, &h);
	r.a = reread(a);
	r.is_undo = in_undo;
	snprintf(r.spec, sizeof(r.spec), "die-after:%u", n);
	int status = in_child(run_body, &r);
	CHECK(status == 0 || status == 128 + SIGKILL);
	struct action *later CLEANUP(action_freep) = reread(a);
	undo(later, &h);
	char *after CLEANUP(freep) = etc(&h);
	if (strcmp(after, before))
		printf("# differs after %s%s\n", r.spec, in_undo ? " in undo" : "");
	CHECK(!strcmp(after, before));
	action_free(r.a);
	close_root(&h);
	return status;
}

TEST(killed, "killed after any system call of commit or of undo: undo gives back every byte, no lock stays")
{
	for (int in_undo = 0; in_undo < 2; in_undo++) {
		unsigned int n = 1;
		while (killed_at(n, in_undo) && n < 1000)
			n++;
		CHECK(n > 30);
		CHECK(n < 1000);
	}
}

RUN_TESTS()
