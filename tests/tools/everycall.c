/* SPDX-License-Identifier: Apache-2.0 */
/*
 * everycall --start TREE --root DIR --mode MODE [--step N] [--inner N] [--recovery] [--confirm]
 * -- SYSBOXUP ARG...
 *
 * Hits a command at every call that killat (beside this program) counts, each time from a fresh
 * copy of TREE at DIR, and judges what is there afterwards; ARG... names DIR as its --root. First
 * the command runs untouched: that gives "after"; TREE is "before".
 *
 *	kill tear	the whole tree of processes is killed. `recover` ends with 0 and gives
 *			before or after; once more, it changes nothing; the command again gives
 *			after
 *	worker		only the process that makes the call is killed: who is left recovers.
 *			Exit status 1 and before, or 0 and after, and nothing is left for `recover`
 *	ENOSPC EIO EROFS EMFILE EINTR, ENOSPC+ EIO+ EROFS+ (from then on)
 *			the same of a call that fails; the last three may also end with 5, and then
 *			`recover` gives before. EINTR fails nothing. A failure is told in one line
 *	recover		killed at every call; then `recover` is killed at every call of its own
 *			(--inner N: at every N-th); then as after "kill"
 *
 * --confirm: what the command leaves may wait to be confirmed, and is confirmed before it is
 * judged.
 *
 * --step N: every N-th point only. --recovery: the command is itself `recover`, TREE what a crash
 * left, "before" what the untouched run gives. Before is judged by hostdiff, whose table says what
 * may differ; after by everything but times. The journal (/var/lib/sysboxup) is only looked at for
 * what has to be gone, and whether a second `recover` changes it.
 *
 * Prints "MODE POINTS CALLS", points tried of calls counted. Exit status 1: a point failed; it is
 * described and DIR is left as it was found. 2: trouble.
 */
#include "onecpu.h"
#include "tree.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { DEADLINE_MS = 120 * 1000, WORDS = 40, ERROUT = 65536 };
enum how { KILLED, ALONE, FAILED_ONCE, FAILED_ON, COMPOUND };

static const struct mode {
	const char *name;
	const char *action;		/* killat's */
	char letter;			/* of killat's log */
	enum how how;
} modes[] = {
	{ "kill", "kill", 'K', KILLED },
	{ "tear", "tear", 'T', KILLED },
	{ "worker", "kill", 'K', ALONE },
	{ "ENOSPC", "ENOSPC", 'S', FAILED_ONCE },
	{ "EIO", "EIO", 'I', FAILED_ONCE },
	{ "EROFS", "EROFS", 'R', FAILED_ONCE },
	{ "EMFILE", "EMFILE", 'M', FAILED_ONCE },
	{ "EINTR", "EINTR", 'E', FAILED_ONCE },
	{ "ENOSPC+", "ENOSPC+", 'S', FAILED_ON },
	{ "EIO+", "EIO+", 'I', FAILED_ON },
	{ "EROFS+", "EROFS+", 'R', FAILED_ON },
	{ "recover", "kill", 'K', COMPOUND },
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct outcome {
	int status;
	char errout[ERROUT];
};

static struct {
	const char *start, *root;
	const struct mode *mode;
	unsigned long step, inner;
	bool recovery, confirm, keep_going;
	char *const *command;
} options = { .step = 1, .inner = 1 };

static char killat[4096], hostdiff[4096];
static char log_path[4096], hit_path[4096], snap_path[4096], before_path[4096];
static struct tree start, before, after;	/* start is before, but for --recovery */
static bool have_snap;			/* of before, at before_path */
static char why[4 * 8192];			/* what is wrong at this point */

/* ---- running ---- */

static _Noreturn void child_exec(const char *const *argv, int out, int errout)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(errout, 2) < 0)
		_exit(127);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* Its exit status, 128 + signal; -1: it hung, and was killed. */
static int wait_for(pid_t pid)
{
	int status, pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	bool hung = poll(&p, 1, DEADLINE_MS) == 0;

	if (hung)
		kill(pid, SIGKILL);
	close(pidfd);
	if (waitpid(pid, &status, 0) != pid)
		tree_die("cannot wait for", "a child");
	if (hung)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* out: where stdout goes, or NULL. Its words on stderr are kept in memory: no file is written. */
static void run(const char *const *argv, const char *out, struct outcome *ret)
{
	int errout = memfd_create("errout", MFD_CLOEXEC);
	int to = open(out ? out : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	pid_t pid;

	if (errout < 0 || to < 0 || (pid = fork()) < 0)
		tree_die("cannot start", argv[0]);
	if (!pid)
		child_exec(argv, to, errout);
	ret->status = wait_for(pid);
	ssize_t n = pread(errout, ret->errout, sizeof(ret->errout) - 1, 0);
	ret->errout[n > 0 ? n : 0] = '\0';
	close(errout);
	close(to);
}

static void run_command(struct outcome *ret)
{
	run((const char *const *)options.command, NULL, ret);
}

static void run_recover(struct outcome *ret)
{
	const char *argv[] = { options.command[0], "--root", options.root, "-q", "recover", NULL };

	run(argv, NULL, ret);
}

/* Exit status 7 of `recover`: it waits. */
static bool confirmed(struct outcome *ret)
{
	const char *argv[] = { options.command[0], "--root", options.root, "-q", "confirm", "--same-session", NULL };

	run_recover(ret);
	if (options.confirm && ret->status == 7)
		run(argv, NULL, ret);
	return !ret->status;
}

/* Under killat, with these options of it before the command's own words. */
static void run_killat(const char *const *how, const char *const *command, struct outcome *ret)
{
	const char *argv[WORDS] = { killat };
	size_t n = 1;

	for (; *how; how++)
		argv[n++] = *how;
	argv[n++] = "--";
	for (; *command && n + 1 < WORDS; command++)
		argv[n++] = *command;
	run(argv, NULL, ret);
}

/* ---- points ---- */

struct points {
	size_t n;		/* calls that the mode can hit: 1 to n, as killat --exact counts them */
	size_t calls;
};

static void points_read(struct points *ret, char letter)
{
	FILE *f = fopen(log_path, "re");
	char line[8192], what[32];

	if (!f)
		tree_die("cannot read", log_path);
	*ret = (struct points){ 0 };
	while (fgets(line, sizeof(line), f)) {
		ret->calls++;
		if (sscanf(line, "%*u %*s %*s %*s %31s", what) == 1 && strchr(what, letter))
			ret->n++;
	}
	fclose(f);
}

static bool learn(const char *const *command, struct points *ret, char letter, struct outcome *o)
{
	const char *how[] = { "--log", log_path, NULL };

	run_killat(how, command, o);
	points_read(ret, letter);
	return !o->status;
}

/* ---- judging ---- */

static bool wrong(const char *what, const struct outcome *o)
{
	snprintf(why, sizeof(why), "%s\n%s%.4000s", what, o ? "it said: " : "", o ? o->errout : "");
	if (o && o->status) {
		size_t len = strlen(why);
		snprintf(why + len, sizeof(why) - len, "\nexit status: %d", o->status);
	}
	return false;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

static bool is_journal(const char *path) { return is_below(path, "var/lib/sysboxup"); }

/* Who held the lock last is written by every run. */
static bool is_run_file(const char *path)
{
	return !strcmp(path, "var/lib/sysboxup/run") || is_below(path, "var/lib/sysboxup/.run.other");
}

static bool hostdiff_snap(const char *to)
{
	const char *argv[] = { hostdiff, "snap", options.root, "--skip", "/var/lib/sysboxup", NULL };
	struct outcome o;

	run(argv, to, &o);
	return !o.status;
}

static bool hostdiff_same(void)
{
	const char *argv[] = { hostdiff, "compare", before_path, snap_path, NULL };
	struct outcome o;

	if (!have_snap || !hostdiff_snap(snap_path))
		tree_die("no snapshot of", options.root);
	run(argv, NULL, &o);
	return !o.status;
}

static bool is_before(const struct tree *now, char *ret, size_t size)
{
	return !tree_differs(&before, now, true, is_journal, ret, size) || hostdiff_same();
}

static bool is_after(const struct tree *now, char *ret, size_t size)
{
	return !tree_differs(&after, now, false, is_journal, ret, size);
}

/* What cleaning up has to take away. */
static bool is_clean(const struct tree *now)
{
	static const char *const left[] = { "spare-", "stage", "new", "ballast" };

	for (size_t i = 0; i < now->n; i++) {
		const char *path = now->v[i].path, *name = strrchr(path, '/');
		for (size_t j = 0; name && is_below(path, "var/lib/sysboxup/txn") && j < COUNT(left);
		     j++)
			if (!strncmp(name + 1, left[j], strlen(left[j]))) {
				snprintf(why, sizeof(why), "left behind: /%s", path);
				return false;
			}
	}
	return true;
}

static bool check_ends(bool may_before, bool may_after, const char *when)
{
	char from_before[4200] = "not allowed here", from_after[4200] = "not allowed here";
	struct tree now = tree_read(options.root);
	bool good = (may_before && is_before(&now, from_before, sizeof(from_before))) ||
		    (may_after && is_after(&now, from_after, sizeof(from_after)));

	tree_release(&now);
	if (!good)
		snprintf(why, sizeof(why), "%s: not before (%s), not after (%s)", when, from_before,
			 from_after);
	return good;
}

/* `recover`, and once more, which changes nothing. */
static bool recover_twice(bool may_before, bool may_after)
{
	char diff[4200];
	struct outcome o;
	struct tree once, twice;
	bool good;

	if (!confirmed(&o))
		return wrong("recover fails", &o);
	if (!check_ends(may_before, may_after, "after recover"))
		return false;
	once = tree_read(options.root);
	run_recover(&o);
	twice = tree_read(options.root);
	good = is_clean(&once);
	if (good &&
	    (o.status || tree_differs(&once, &twice, false, is_run_file, diff, sizeof(diff)))) {
		snprintf(why, sizeof(why), "the second recover ends with %d and changes %s", o.status, diff);
		good = false;
	}
	tree_release(&once);
	tree_release(&twice);
	return good;
}

static bool again(void)
{
	struct outcome o;

	run_command(&o);
	if (o.status)
		return wrong("the command again fails", &o);
	if (options.confirm && !confirmed(&o))
		return wrong("it cannot be confirmed", &o);
	return check_ends(false, true, "after the command again");
}

static bool check_untouched(void)
{
	char diff[4200];
	struct tree now = tree_read(options.root);
	bool differs = tree_differs(&start, &now, true, is_run_file, diff, sizeof(diff));

	tree_release(&now);
	if (differs)
		snprintf(why, sizeof(why), "it says that nothing was touched: %s", diff);
	return !differs;
}

/* "sysboxup: " once, in a line of sensible length, and a line that says how the host is. */
static bool check_message(const struct outcome *o)
{
	static const char mark[] = "sysboxup: ";
	const char *line = strstr(o->errout, mark), *host = strstr(o->errout, "\n  host: ");

	if (!line || strstr(line + 1, mark) || strcspn(line, "\n") > 600 || !host)
		return wrong("this is not one clear line, with the state of the host", o);
	if (o->status == 1 && strncmp(host, "\n  host: as before", 18) &&
	    strncmp(host, "\n  host: nothing was touched", 28))
		return wrong("the message does not say that the host is as before", o);
	return true;
}

static bool judge_killed(const struct outcome *o)
{
	if (o->status != 137)
		return wrong("it was not killed", o);
	return recover_twice(true, true) && again();
}

/* Done, and says that `recover` has to clean up. */
static bool is_unfinished(const struct outcome *o)
{
	return strstr(o->errout, "done, but not cleaned up yet");
}

static bool judge_failed(const struct outcome *o)
{
	bool on = options.mode->how == FAILED_ON, may_undo = on || options.recovery;

	if (options.mode->letter == 'E' && o->status)
		return wrong("interrupted calls must not fail anything", o);
	switch (o->status) {
	case 2:
		if (!check_message(o) || !check_untouched())
			return false;
		break;
	case 0:
		return (is_unfinished(o) || options.confirm || check_ends(false, true, "after exit 0")) &&
		       recover_twice(false, true) && again();
	case 1:
	case 3:
		if (!check_message(o) || !check_ends(true, false, "after failure"))
			return false;
		break;
	case 7:
		if (!options.confirm || !check_message(o))
			return wrong("nothing can wait to be confirmed here", o);
		return recover_twice(false, true) && again();
	case 5:
	case 6:
		if (!may_undo)
			return wrong("the host is not as before", o);
		if (!check_message(o))
			return false;
		break;
	default:
		return wrong("a failure may not end so", o);
	}
	/* 5: whether the last record, COMMITTED, is there, recover finds out */
	return recover_twice(true, o->status == 5) && again();
}

static bool judge_alone(const struct outcome *o)
{
	/* the parent itself was hit: its worker went with it */
	return o->status == 137 ? judge_killed(o) : judge_failed(o);
}

static void hit_at(unsigned long at, const char *const *command, struct outcome *ret)
{
	char number[32];
	const char *how[] = { "--exact", "--at",   number, options.mode->action,
			      "--hit",	 hit_path, NULL,   NULL };

	if (options.mode->how == ALONE)
		how[6] = "--one";
	snprintf(number, sizeof(number), "%lu", at);
	run_killat(how, command, ret);
}

/* Was the call reached? Where processes run side by side the last ones may not be. */
static bool was_hit(char *ret, size_t size)
{
	FILE *f = fopen(hit_path, "re");
	bool hit = f && fgets(ret, (int)size, f);

	if (f)
		fclose(f);
	return hit;
}

/* ---- compound ---- */

/* What is in DIR is what a kill left. recover is killed at each of its own calls. */
static bool judge_compound(size_t *points)
{
	const char *recover[] = { options.command[0], "--root", options.root, "-q", "recover", NULL };
	struct tree torn = tree_read(options.root);
	struct points p = { 0 };
	char hit[8192] = "";
	struct outcome o;
	bool good = learn(recover, &p, 'K', &o) || wrong("recover fails", &o);
	unsigned long first = *points % options.inner;

	for (size_t i = first; good && i < p.n; i += options.inner) {
		tree_write(&torn, options.root);
		hit_at(i + 1, recover, &o);
		good = was_hit(hit, sizeof(hit)) && o.status == 137 ? recover_twice(true, true) :
								      wrong("recover was not killed", &o);
		if (!good) {
			size_t len = strlen(why);
			snprintf(why + len, sizeof(why) - len, "\nrecover killed at: %s", hit);
		}
		++*points;
	}
	tree_release(&torn);
	return good;
}

/* ---- the loop ---- */

static bool try_point(unsigned long at, char *hit, size_t size, size_t *points)
{
	struct outcome o;

	tree_write(&start, options.root);
	hit_at(at, (const char *const *)options.command, &o);
	/* Where children run side by side a run has a few calls more or less: then this one was
	 * untouched, and is no point. */
	if (!was_hit(hit, size))
		return o.status ? wrong("the call was never reached", &o) :
				  options.confirm || check_ends(false, true, "after an untouched run");
	if (options.mode->how == COMPOUND)
		return o.status == 137 ? judge_compound(points) : wrong("it was not killed", &o);
	++*points;
	switch (options.mode->how) {
	case KILLED:
		return judge_killed(&o);
	case ALONE:
		return judge_alone(&o);
	case FAILED_ONCE:
	case FAILED_ON:
	case COMPOUND:
		break;
	}
	return judge_failed(&o);
}

static int try_all(void)
{
	struct points p;
	struct outcome o;
	size_t points = 0, bad = 0;
	char hit[8192] = "";

	start = tree_read(options.start);
	tree_write(&start, options.root);
	if (!learn((const char *const *)options.command, &p, options.mode->letter, &o)) {
		printf("the untouched run fails: %d %s\n", o.status, o.errout);
		return 2;
	}
	if (options.confirm && !confirmed(&o)) {
		printf("the untouched run cannot be confirmed: %d %s\n", o.status, o.errout);
		return 2;
	}
	after = tree_read(options.root);
	if (!options.recovery)
		tree_write(&start, options.root);
	before = tree_read(options.root);
	have_snap = hostdiff_snap(before_path);
	for (size_t i = 0; i < p.n; i += options.step) {
		if (try_point(i + 1, hit, sizeof(hit), &points))
			continue;
		printf("%s at call %zu of %zu: %s\nit was hit at: %s\n", options.mode->name, i + 1, p.n, why, hit);
		if (!options.keep_going)
			return 1;
		bad++;
	}
	printf("%s %zu %zu\n", options.mode->name, points, p.calls);
	return bad ? 1 : 0;
}

/* ---- options ---- */

static bool take_mode(const char *name)
{
	for (size_t i = 0; i < COUNT(modes); i++)
		if (!strcmp(modes[i].name, name))
			options.mode = &modes[i];
	return options.mode;
}

static bool take_option(const char *name, const char *value)
{
	if (!strcmp(name, "--start"))
		options.start = value;
	else if (!strcmp(name, "--root"))
		options.root = value;
	else if (!strcmp(name, "--step"))
		return (options.step = strtoul(value, NULL, 10));
	else if (!strcmp(name, "--inner"))
		return (options.inner = strtoul(value, NULL, 10));
	else
		return !strcmp(name, "--mode") && take_mode(value);
	return true;
}

static bool take_options(char **argv)
{
	for (argv++; *argv && strcmp(*argv, "--"); argv++) {
		if (!strcmp(*argv, "--keep-going")) {
			options.keep_going = true;
		} else if (!strcmp(*argv, "--recovery")) {
			options.recovery = true;
		} else if (!strcmp(*argv, "--confirm")) {
			options.confirm = true;
		} else if (!argv[1] || !take_option(argv[0], argv[1])) {
			return false;
		} else {
			argv++;
		}
	}
	options.command = *argv ? argv + 1 : argv;
	return options.start && options.root && options.mode && *options.command;
}

/* The tools are beside us; what we write is beside DIR. */
static void set_paths(void)
{
	char here[3072];
	ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);

	here[n > 0 ? n : 0] = '\0';
	*(strrchr(here, '/') ?: here) = '\0';
	snprintf(killat, sizeof(killat), "%s/killat", here);
	snprintf(hostdiff, sizeof(hostdiff), "%s/hostdiff", here);
	snprintf(log_path, sizeof(log_path), "%s.log", options.root);
	snprintf(hit_path, sizeof(hit_path), "%s.hit", options.root);
	snprintf(snap_path, sizeof(snap_path), "%s.now", options.root);
	snprintf(before_path, sizeof(before_path), "%s.before", options.root);
}

int main(int argc, char **argv)
{
	if (!argc || !take_options(argv)) {
		fputs("usage: everycall --start TREE --root DIR --mode MODE [--step N] [--inner N] [--recovery] [--confirm]\n"
		      "                 -- SYSBOXUP ARG...\n",
		      stderr);
		return 2;
	}
	set_paths();
	stay_on_one_cpu();
	return try_all();
}
