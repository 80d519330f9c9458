/* SPDX-License-Identifier: Apache-2.0 */
/* One state on the disk, `recover` on it, twice, and what must come of it. */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHOWN_MAX = 5, SECONDS = 600 };

extern char **environ;

int run_program(const char *const argv[], const char *output)
{
	int status;
	pid_t pid = vfork();

	if (!pid) {
		int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		alarm(SECONDS);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (pid < 0)
		die("start", argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("wait for", argv[0]);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Records of that type under their own names, in all transactions. */
static unsigned int count_records(const struct fs *f, const char *type)
{
	int txn = fs_walk(f, "/var/lib/sysboxup/txn");
	const struct dir *all = txn < 0 ? NULL : f->v[txn].dir;
	char *head = textf("sysboxup-record 1 %s ", type);
	unsigned int n = 0;

	for (size_t i = 0; all && i < all->n; i++) {
		const struct dir *one = f->v[all->v[i].inode].dir;
		for (size_t k = 0; one && k < one->n; k++) {
			struct bytes *b = f->v[one->v[k].inode].data;
			n += strspn(one->v[k].name, "0123456789") == 4 && b && b->len > strlen(head) &&
			     !memcmp(bytes_data(b), head, strlen(head));
		}
	}
	free(head);
	return n;
}

struct verdict {
	char *why;			/* NULL: good */
	bool after;
};

static void show_ops(const struct state *s)
{
	static const char *const names[] = { "lost", "made", "zeros", "garbage", "only its end" };
	size_t shown = 0;

	for (size_t k = s->at; k-- > 0 && shown < 25;) {
		const struct op *op = &s->log->v[k];
		bool pending = op->kind != OP_SYNC &&
			       (op->durable == SIZE_MAX || op->durable >= s->at);
		if (s->at - k > 12 && !(pending && s->how[k] != MADE))
			continue;
		shown++;
		printf("#   %4lu %-10s %-60s %s", op->n, op->call, op->path,
		       op->kind == OP_SYNC ? "" : !pending ? "durable" : s->how[k] < TORN ? names[s->how[k]] : "torn");
		printf(s->how[k] > TORN ? " at %zu of %zu\n" : "\n", s->how[k] - TORN, op->len);
	}
}

static void show_output(const char *file)
{
	char line[400];
	FILE *in = fopen(file, "re");

	while (in && fgets(line, sizeof(line), in))
		printf("#   | %s%s", line, strchr(line, '\n') ? "" : "\n");
	if (in)
		fclose(in);
}

static void complain(struct try *t, const struct state *s, const char *why, const char *output)
{
	t->bad++;
	t->bad_acknowledged += s->acknowledged;
	if (t->shown[s->acknowledged]++ >= SHOWN_MAX)
		return;
	printf("# BROKEN (%s, after %zu of %zu operations%s): %s\n", s->what, s->at, s->log->n,
	       s->acknowledged ? ", acknowledged" : "", why);
	show_output(output);
	show_ops(s);
}

/* Before or after: COMMITTED is what decides, and an acknowledged run is after. */
static char *judge(struct try *t, const struct state *s, const struct fs *now)
{
	bool committed = !t->both_before && count_records(s->fs, "committed") >
						    count_records(t->before, "committed");
	const struct fs *want = committed ? t->after : t->before;
	char *why;

	if (s->acknowledged && !committed && !t->both_before)
		return textf("exit 0 was said, and there is no COMMITTED");
	why = disk_diff(want, now, committed ? 0 : DIFF_TIMES);
	t->was_after += committed;
	t->was_before += !committed;
	if (!why)
		return NULL;
	char *told = textf("not as %s: %s", committed ? "after" : "before", why);
	free(why);
	return told;
}

static char *recover(struct try *t, const char *output, struct fs *ret)
{
	const char *argv[] = { t->up, "--root", t->root, "-q", "recover", NULL };
	int status = run_program(argv, output);

	disk_scan(ret, NULL, t->root);
	return status ? textf("recover: exit %d", status) : NULL;
}

/* What recover left, but for what says when: the bodies of records, who ran, the index. */
static uint64_t outcome_hash(const struct fs *f)
{
	int state = fs_walk(f, "/var/lib/sysboxup"), txn = fs_walk(f, "/var/lib/sysboxup/txn");
	struct fs blind = { 0 };
	uint64_t h;

	fs_copy(&blind, f);
	if (state >= 0) {
		fs_enter(&blind, state, "run", NO_INODE);
		fs_enter(&blind, state, ".run.other", NO_INODE);
		fs_enter(&blind, state, "index.json", NO_INODE);
	}
	for (size_t i = 0; txn >= 0 && f->v[txn].dir && i < f->v[txn].dir->n; i++) {
		const struct dir *one = f->v[f->v[txn].dir->v[i].inode].dir;
		for (size_t k = 0; one && k < one->n; k++)
			if (S_ISREG(f->v[one->v[k].inode].mode))
				fs_truncate(&blind, one->v[k].inode, 0);
	}
	h = fs_hash(&blind) | 1;
	fs_release(&blind);
	return h;
}

/* The same outcome of many states is recovered again once. */
static bool is_known_outcome(struct try *t, const struct fs *f)
{
	uint64_t h = outcome_hash(f);

	for (size_t i = 0; i < t->outcomes_n; i++)
		if (t->outcomes[i] == h)
			return true;
	t->outcomes = must(realloc(t->outcomes, (t->outcomes_n + 1) * sizeof(*t->outcomes)));
	t->outcomes[t->outcomes_n++] = h;
	return false;
}

static char *recover_twice(struct try *t, const struct state *s, const char *output)
{
	struct fs once = { 0 }, twice = { 0 };
	char *why = recover(t, output, &once), *more;

	if (!why)
		why = judge(t, s, &once);
	if (!why && is_known_outcome(t, &once)) {
		fs_release(&once);
		return NULL;
	}
	if (!why)
		why = recover(t, output, &twice);
	if (!why && (more = disk_diff(&once, &twice, DIFF_TIMES | DIFF_STATE))) {
		why = textf("the second recover changed something: %s", more);
		free(more);
	}
	fs_release(&once);
	fs_release(&twice);
	return why;
}

static void count_kind(struct try *t, const char *what)
{
	size_t i = 0;

	while (t->kinds[i].what && strcmp(t->kinds[i].what, what) != 0)
		i++;
	t->kinds[i].what = what;
	t->kinds[i].n++;
}

void try_state(const struct state *s, void *arg)
{
	struct try *t = arg;
	char *output = textf("%s.out", t->root), *why = NULL;

	count_kind(t, s->what);
	if (t->seen++ % t->stride && !s->acknowledged) {
		free(output);
		return;
	}
	t->tried++;
	if (s->acknowledged)	/* there without any recovery */
		why = t->both_before ? disk_diff(t->before, s->fs, DIFF_TIMES) :
				       disk_diff(t->after, s->fs, 0);
	disk_clear(t->root);
	disk_make(s->fs, t->root);
	if (!why)
		why = recover_twice(t, s, output);
	if (why)
		complain(t, s, why, output);
	free(why);
	unlink(output);
	free(output);
}
