/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crashmodel [OPTION]... WORK START UP -- PROGRAM [WORD]...
 *
 * On a copy of the tree START runs PROGRAM (a build with the seam of sys/fault.h), '@' in its words
 * is the copy's root. From the recording all crash states are made (model.h); on each distinct one
 * `UP --root ... recover` is run, twice. A state with a new COMMITTED must come out as PROGRAM left
 * the tree, any other as START. Everything happens in a tmpfs on the empty directory WORK, in a
 * mount namespace of its own: nothing is left, whoever kills us.
 *
 *	--stride N	only every N-th distinct state (and those after the end)
 *	--before DIR	PROGRAM is `recover` of a crash: each state comes out as the tree DIR
 *
 * Before it begins it plays the whole recording and compares with what is on the disk: a call that
 * changed something beside the seam is found here (exit 2). Last line: "tried T of D states, B
 * broken, A of them after exit 0"; exit 1 when one was.
 */
#include "model.h"

#include <errno.h>
#include <getopt.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

struct options {
	unsigned long stride;
	const char *before, *work, *start, *up;
	char **program;
};

static _Noreturn void usage(void)
{
	fputs("usage: crashmodel [--stride N] [--before DIR] WORK START UP -- PROGRAM [WORD]...\n", stderr);
	exit(2);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{ "stride", required_argument, NULL, 's' },
		{ "before", required_argument, NULL, 'b' },
		{ 0 },
	};

	o->stride = 1;
	for (int c; (c = getopt_long(argc, argv, "+", known, NULL)) >= 0;) {
		if (c == 's')
			o->stride = strtoul(optarg, NULL, 10);
		else if (c == 'b')
			o->before = optarg;
		else
			usage();
	}
	if (argc - optind < 5 || strcmp(argv[optind + 3], "--") != 0 || !o->stride)
		usage();
	o->work = argv[optind];
	o->start = argv[optind + 1];
	o->up = argv[optind + 2];
	o->program = argv + optind + 4;
}

static void enter_tmpfs(const char *at)
{
	struct statfs fs;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("crashmodel", at, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=2g"))
		die("mount a tmpfs on", at);
	if (statfs(at, &fs) || fs.f_type != TMPFS_MAGIC)
		die("see a tmpfs on", at);
}

/* A directory below WORK with what is in f, from then on at these places. */
static char *place_tree(const struct options *o, const char *name, const struct fs *f)
{
	char *root = textf("%s/%s", o->work, name);

	if (mkdir(root, 0755))
		die("make", root);
	if (f)
		disk_make(f, root);
	return root;
}

/* Every word with '@' in it, its root in its place. */
static char **words_for(char **words, const char *root)
{
	size_t n = 0;
	char **v;

	while (words[n])
		n++;
	v = must(calloc(n + 1, sizeof(*v)));
	for (size_t i = 0; i < n; i++) {
		char *at = strchr(words[i], '@');
		v[i] = at ? textf("%.*s%s%s", (int)(at - words[i]), words[i], root, at + 1) :
			    textf("%s", words[i]);
	}
	return v;
}

static void record(const struct options *o, const char *root, const char *file)
{
	char *spec = textf("record:%s", file), *output = textf("%s/output", o->work);
	char **words = words_for(o->program, root);

	setenv("SYSBOXUP_FAULT", spec, 1);
	setenv("SYSBOXUP_FAULT_ALONE", "1", 1);
	int status = run_program((const char *const *)words, output);
	unsetenv("SYSBOXUP_FAULT");
	unsetenv("SYSBOXUP_FAULT_SKIP");
	unsetenv("SYSBOXUP_FAULT_LATE_INTENT");
	if (status) {
		const char *show[] = { "/bin/cat", output, NULL };
		fflush(stdout);
		run_program(show, "/dev/stderr");
		fprintf(stderr, "crashmodel: the run to be recorded ended with %d\n", status);
		exit(2);
	}
	free(spec);
	free(output);
}

/* The recording, played whole, is what is on the disk: nothing was changed beside the seam. */
static void check_recording(const struct oplog *log, const struct fs *start, const struct fs *after)
{
	struct fs all = { 0 };

	fs_copy(&all, start);
	for (size_t i = 0; i < log->n; i++)
		op_play(&log->v[i], &all, MADE);
	char *why = disk_diff(after, &all, DIFF_TIMES | DIFF_STATE);
	if (why) {
		fprintf(stderr, "crashmodel: the recording does not explain the tree: %s\n", why);
		exit(2);
	}
	fs_release(&all);
}

static int campaign(const struct options *o)
{
	struct fs start = { 0 }, source = { 0 }, before = { 0 }, after = { 0 };
	struct places places;
	struct oplog log;

	disk_scan(&source, NULL, o->start);
	disk_scan(&before, NULL, o->before ? o->before : o->start);
	enter_tmpfs(o->work);
	char *root = place_tree(o, "recorded", &source), *file = textf("%s/log", o->work);
	disk_scan(&start, &places, root);
	record(o, root, file);
	disk_scan(&after, NULL, root);
	oplog_read(&log, file, &start, &places);
	check_recording(&log, &start, &after);

	struct try t = { .root = place_tree(o, "state", NULL), .up = o->up, .before = &before,
			 .after = &after, .both_before = o->before, .stride = o->stride };
	states_each(&log, &start, try_state, &t);
	printf("# %zu operations, %zu calls outside of the tree; %lu came out as before, %lu as after\n",
	       log.n, log.outside, t.was_before, t.was_after);
	for (size_t i = 0; i < COUNT(t.kinds) && t.kinds[i].what; i++)
		printf("%s%lu %s", i ? ", " : "# ", t.kinds[i].n, t.kinds[i].what);
	puts("");
	printf("# %zu outcomes recovered again\n", t.outcomes_n);
	printf("tried %lu of %lu states, %lu broken, %lu of them after exit 0\n", t.tried, t.seen, t.bad, t.bad_acknowledged);
	return t.bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };

	parse(&o, argc, argv);
	return campaign(&o);
}
