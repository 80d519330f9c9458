/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crashwalk snap ROOT                            the tree, a line a path
 * crashwalk walk [OPTION]... LOG BASE CMD... [-- BACK...]
 *                                                every disk that a power cut may leave, recovered
 *
 * `walk` rebuilds crash state after crash state from LOG (writelog.h) and BASE, mounts each, runs
 * CMD on it ({} is the mount point), and compares the tree with what it may be. CMD
 * must exit 0, and when it changed anything, a second CMD must change nothing. Options:
 *
 *	--disk FILE		where the states are made; overwritten
 *	--mount POINT		where they are mounted: a directory in a mount namespace of the
 *				caller's own
 *	--type FS		ext4, xfs, btrfs
 *	--private PATH		CMD's own state below the root: not compared with the trees
 *	--mark PATH		what says, at the next boot, that CMD is to run: it must have been
 *				there whenever CMD changed the tree
 *	--volatile PATH:PATH...	what is different after each CMD: never compared
 *	--back N		each N-th tree that is not the first of all is taken back: BACK
 *				(behind CMD, after "--") must exit 0 and make it the first one (0:
 *				none)
 *	--plan FILE		lines of "FROM TO NAME TREE...": a disk after K entries, FROM <= K <
 *				TO, must become one of these trees (files made by snap, without
 *				PATH); after exactly FROM entries, the first of them
 *	--seeds N		crash states of each K, beside the exact prefix (2)
 *	--stride N		only each N-th K (1)
 *	--broken N		stop after N broken states (0: never)
 *
 * For each K the exact prefix is tried, and disks of which each write since the last flush is
 * whole, missing, or torn. The same disk is tried once. A line for each line of the plan goes to
 * stdout: name, states tried, states broken; what was broken, to stderr. Exit status 0: none, 1:
 * some, 2: trouble of its own.
 */
#include "onecpu.h"
#include "treetext.h"
#include "writelog.h"

#include <linux/fs.h>
#include <linux/loop.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum { SHOWN = 10, TREES = 4 };

struct leg {				/* a line of the plan */
	uint64_t from, to;
	char name[64];
	struct text tree[TREES];
	size_t trees;
	unsigned long states, broken;
};

struct walk {
	struct writelog log;
	const char *disk_path, *mount, *type, *private, *volatiles, *mark;
	char **cmd, **back;
	int base, disk, loop;
	char loop_path[32];
	uint64_t sure;			/* base has this many entries */
	uint64_t seeds, stride, stop_after, back_every;
	unsigned long others, backs;	/* states that came out as another tree than the first */
	struct leg leg[64];
	size_t legs;
	uint64_t *seen;			/* states since `sure`, by signature */
	size_t seen_n;
	unsigned long broken;
};

static void die(const char *what)
{
	fprintf(stderr, "crashwalk: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- a disk ---- */

/* The loop device ends with its last user, so also with us. */
static void attach(struct walk *w)
{
	struct loop_config config = { .fd = (uint32_t)w->disk };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	if (control < 0)
		die("/dev/loop-control");
	for (int i = 0; i < 100; i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(w->loop_path, sizeof(w->loop_path), "/dev/loop%d", n);
		w->loop = open(w->loop_path, O_RDWR | O_CLOEXEC);
		if (w->loop >= 0 && !ioctl(w->loop, LOOP_CONFIGURE, &config)) {
			close(control);
			return;
		}
		close(w->loop);	/* somebody else was quicker */
	}
	die("no loop device");
}

/* btrfs remembers the disks it has seen by their ids, and will not have a second one. */
static void forget_disks(void)
{
	struct { int64_t fd; char name[4088]; } none = { 0 };
	int fd = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		(void)ioctl(fd, _IOW(0x94, 5, none), &none);	/* BTRFS_IOC_FORGET_DEV, all unused ones */
		close(fd);
	}
}

static bool mounted(struct walk *w)
{
	if (!strcmp(w->type, "btrfs"))
		forget_disks();
	if (ioctl(w->loop, BLKFLSBUF))
		die("cannot empty the loop device's cache");
	return !mount(w->loop_path, w->mount, w->type, MS_NOATIME,
		      strcmp(w->type, "xfs") ? NULL : "nouuid");
}

/* ---- one state ---- */

static int run(struct walk *w, char **cmd)
{
	char *argv[64];
	size_t n = 0;
	int status;
	pid_t pid;

	for (; cmd[n] && n < 63; n++)
		argv[n] = strcmp(cmd[n], "{}") ? cmd[n] : (char *)w->mount;
	argv[n] = NULL;
	errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		die(argv[0]);
	if (waitpid(pid, &status, 0) < 0)
		die("cannot wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool is_allowed(const struct leg *leg, uint64_t k, const struct text *tree)
{
	for (size_t i = 0; i < (k == leg->from ? 1 : leg->trees); i++)
		if (same(tree, &leg->tree[i]))
			return true;
	return false;
}

static void snap_kept(struct walk *w, struct text *t)
{
	char *paths = strdup(w->volatiles), *at = paths;

	snap(w->mount, t);
	for (char *path; (path = strsep(&at, ":"));)
		if (*path)
			strip(t, path);
	free(paths);
}

static bool has(const struct text *tree, const char *path)
{
	size_t len = strlen(path);

	for (const char *line = tree->v; *line; line = strchr(line, '\n') + 1)
		if (!strncmp(line, path, len) && line[len] == '\t')
			return true;
	return false;
}

/* What was acknowledged can be taken back. */
static const char *check_back(struct walk *w, struct text *tree)
{
	w->backs++;
	if (run(w, w->back))
		return "what it became cannot be taken back";
	snap_kept(w, tree);
	strip(tree, w->private);
	return same(tree, &w->leg[0].tree[0]) ? NULL : "taken back, it is not the first tree";
}

/* What is wrong with the mounted state, or NULL. */
static const char *check(struct walk *w, struct leg *leg, uint64_t k, struct text *tree)
{
	static struct text before, once;
	int status;

	snap_kept(w, &before);
	status = run(w, w->cmd);
	snap_kept(w, tree);
	if (status)
		return status < 128 ? "the command failed" : "the command died";
	if (!same(&before, tree)) {
		status = run(w, w->cmd);
		snap_kept(w, &once);
		if (status || !same(tree, &once)) {
			show_difference("by the second run", tree->v, once.v);
			return "a second run changed something";
		}
	}
	strip(tree, w->private);
	if (w->mark && !has(&before, w->mark)) {
		strip(&before, w->private);
		if (!same(&before, tree))
			return "nothing said that there was something to recover";
	}
	if (!is_allowed(leg, k, tree))
		return "the tree is none of those it may be";
	if (!w->back_every || same(tree, &w->leg[0].tree[0]) || w->others++ % w->back_every)
		return NULL;
	return check_back(w, tree);
}

static void try_state(struct walk *w, struct leg *leg, uint64_t k, const char *kind, uint64_t seed)
{
	static struct text tree;
	bool is_mounted = mounted(w);
	const char *wrong = is_mounted ? check(w, leg, k, &tree) : "it cannot be mounted";

	if (is_mounted && umount2(w->mount, 0))
		die("cannot unmount");
	leg->states++;
	if (!wrong)
		return;
	leg->broken++;
	if (++w->broken > SHOWN)
		return;
	fprintf(stderr, "broken: %s, %" PRIu64 " entries, %s %" PRIu64 ": %s\n", leg->name, k, kind,
		seed, wrong);
	for (size_t i = 0; is_mounted && i < leg->trees; i++)
		show_difference(i ? "or wanted, got" : "wanted, got", leg->tree[i].v, tree.v);
}

/* ---- all of them ---- */

/* Which pages a state has, as one number: the same disk need not be tried twice. */
static bool is_new(struct walk *w, uint64_t k, uint64_t seed)
{
	struct log_chance chance = log_chance_of(k, seed);
	uint64_t sign = w->sure;

	for (uint64_t i = w->sure; i < k; i++) {
		const struct log_entry *e = &w->log.v[i];
		uint64_t pages = log_pages(&w->log, e);

		for (uint64_t p = 0; log_is_write(e) && p < pages; p++)
			if (!seed || (e->flags & LOG_FUA) || log_chance_keep(&chance, i, p))
				sign = log_mix(sign ^ log_mix(i << 24 | p));
	}
	for (size_t i = 0; i < w->seen_n; i++)
		if (w->seen[i] == sign)
			return false;
	w->seen = realloc(w->seen, (w->seen_n + 1) * sizeof(*w->seen));
	if (!w->seen)
		abort();
	w->seen[w->seen_n++] = sign;
	return true;
}

/* Seed 0 is the exact prefix. */
static void make_state(struct walk *w, uint64_t k, uint64_t seed)
{
	disk_copy(w->base, w->disk);
	if (seed)
		log_crash(&w->log, w->sure, k, seed, w->disk);
	for (uint64_t i = w->sure; !seed && i < k; i++)
		log_apply(&w->log, i, w->disk, NULL, NULL);
}

/* The base grows up to what is on every disk after k entries. */
static void advance(struct walk *w, uint64_t k)
{
	uint64_t sure = log_flushed(&w->log, k);

	if (sure == w->sure)
		return;
	for (uint64_t i = w->sure; i < sure; i++)
		log_apply(&w->log, i, w->base, NULL, NULL);
	w->sure = sure;
	w->seen_n = 0;
}

static bool enough(const struct walk *w)
{
	return w->stop_after && w->broken >= w->stop_after;
}

static void walk_leg(struct walk *w, struct leg *leg)
{
	for (uint64_t k = leg->from; k < leg->to && k <= w->log.n; k++) {
		if ((k - leg->from) % w->stride)
			continue;
		advance(w, k);
		for (uint64_t seed = 0; seed <= w->seeds && !enough(w); seed++) {
			if (!is_new(w, k, seed))
				continue;
			make_state(w, k, seed);
			try_state(w, leg, k, seed ? "seed" : "prefix", seed);
		}
	}
	printf("%s\t%lu\t%lu\n", leg->name, leg->states, leg->broken);
	fflush(stdout);
}

static void load(const char *path, struct text *t)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !(t->v = malloc((size_t)st.st_size + 1)) ||
	    read(fd, t->v, (size_t)st.st_size) != st.st_size)
		die(path);
	t->v[t->len = (size_t)st.st_size] = '\0';
	close(fd);
}

static void load_leg(struct walk *w, char *line)
{
	struct leg *leg = &w->leg[w->legs++];
	char *from = strsep(&line, " \n"), *to = strsep(&line, " \n"), *name = strsep(&line, " \n");

	if (!name || w->legs == 64) {
		errno = EINVAL;
		die("the plan");
	}
	leg->from = strtoull(from, NULL, 10);
	leg->to = strtoull(to, NULL, 10);
	snprintf(leg->name, sizeof(leg->name), "%s", name);
	for (char *path; (path = strsep(&line, " \n")) && leg->trees < TREES;)
		if (*path) {
			load(path, &leg->tree[leg->trees]);
			strip(&leg->tree[leg->trees++], w->private);
		}
}

static void load_plan(struct walk *w, const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (!f)
		die(path);
	while (getline(&line, &room, f) > 0)
		load_leg(w, line);
	fclose(f);
	free(line);
}

static int walk(struct walk *w, const char *log, const char *base, const char *plan)
{
	int from = open(base, O_RDONLY | O_CLOEXEC);

	w->log = log_open(log);
	load_plan(w, plan);
	w->disk = open(w->disk_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	w->base = memfd_create("base", MFD_CLOEXEC);
	if (from < 0 || w->disk < 0 || w->base < 0)
		die(base);
	disk_copy(from, w->base);
	disk_copy(from, w->disk);
	close(from);
	attach(w);
	for (size_t i = 0; i < w->legs; i++)
		walk_leg(w, &w->leg[i]);
	if (w->back_every)
		printf("taken-back\t%lu\t0\n", w->backs);
	close(w->loop);
	return w->broken ? 1 : 0;
}

static int usage(void)
{
	fputs("usage: crashwalk snap ROOT | walk [OPTION]... LOG BASE CMD...\n", stderr);
	return 2;
}

static int walk_main(int argc, char **argv)
{
	static struct walk w = { .seeds = 2, .stride = 1, .private = ":", .volatiles = "" };
	const char *plan = NULL;
	const struct { const char *name; const char **text; uint64_t *number; } options[] = {
		{ "--disk", &w.disk_path, NULL }, { "--mount", &w.mount, NULL },
		{ "--type", &w.type, NULL },      { "--private", &w.private, NULL },
		{ "--plan", &plan, NULL },        { "--seeds", NULL, &w.seeds },
		{ "--stride", NULL, &w.stride },  { "--broken", NULL, &w.stop_after },
		{ "--back", NULL, &w.back_every },  { "--volatile", &w.volatiles, NULL },
		{ "--mark", &w.mark, NULL },
	};
	int at = 2;

	for (; at + 1 < argc && !strncmp(argv[at], "--", 2); at += 2)
		for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
			if (!strcmp(options[i].name, argv[at])) {
				if (options[i].text)
					*options[i].text = argv[at + 1];
				else
					*options[i].number = strtoull(argv[at + 1], NULL, 10);
			}
	if (argc - at < 3 || !plan || !w.disk_path || !w.mount || !w.type || !w.stride)
		return usage();
	w.cmd = argv + at + 2;
	for (char **arg = w.cmd; !w.back && *arg; arg++)
		if (!strcmp(*arg, "--")) {
			*arg = NULL;
			w.back = arg + 1;
		}
	if (!w.back)
		w.back_every = 0;
	stay_on_one_cpu();
	return walk(&w, argv[at], argv[at + 1], plan);
}

int main(int argc, char **argv)
{
	struct text t = { 0 };

	if (argc >= 2 && !strcmp(argv[1], "walk"))
		return walk_main(argc, argv);
	if (argc != 3 || strcmp(argv[1], "snap"))
		return usage();
	snap(argv[2], &t);
	fwrite(t.v, 1, t.len, stdout);
	return fflush(stdout) ? 2 : 0;
}
