/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A STAND-IN for tools that others call, and that lets them down at a chosen call: it is put over
 * each tool (bind mounts), the real ones are DIR/real/NAME. DIR is /srv/meddle:
 *
 *	DIR/calls	each call is appended as a line NAME ARG..., whose number it has
 *	DIR/plan	"N HOW [AT]": what happens at call N. Without it, all calls are passed on
 *			uncounted
 *	DIR/hangs	locked while a call hangs (tests/tools/preload/haste.c)
 *
 * HOW is
 *	fail	exit 1 at once, with a line on stderr
 *	die	killed by SIGKILL at once
 *	hang	never returns
 *	undone	the real one does all its work; then exit 1
 *	stuck	the real one does all its work; then never returns
 *	half	the real one is killed with all its children before its AT-th call that changes
 *		something, by DIR/killat
 *	trace	it passes, whatever N is: what call I calls is in DIR/log.I, as killat logs it; for
 *		a call of a call, in that of the outer one
 *
 * Later calls pass. Where DIR cannot be written to (a sandbox), calls are passed on uncounted.
 */
#include "meddle.h"

#include <signal.h>
#include <sys/wait.h>

/* Until whoever waits for us has had enough. */
static _Noreturn void hang(void)
{
	hangs_lock();
	for (;;)
		pause();
}

static void real_run(const char *name, char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		_exit(125);
	if (!pid)
		real_exec(name, argv);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A call of a call that is traced already. */
static bool is_traced(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	int tracer = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	if (f)
		fclose(f);
	return tracer;
}

/* killat ends as what it traces ends. */
static _Noreturn void traced_exec(const char *name, char **argv, const char *const *options)
{
	char path[4096];
	char **words = calloc(32 + 1024, sizeof(*words));
	size_t n = 0;

	if (!words)
		_exit(125);
	snprintf(path, sizeof(path), DIR "/real/%s", name);
	words[n++] = (char *)DIR "/killat";
	for (; *options; options++)
		words[n++] = (char *)*options;
	words[n++] = (char *)"--";
	words[n++] = path;
	for (size_t i = 1; argv[i] && n < 1055; i++)
		words[n++] = argv[i];
	execv(words[0], words);
	_exit(125);
}

static _Noreturn void let_down(const struct plan *p, const char *name, char **argv)
{
	char at[32];

	snprintf(at, sizeof(at), "%lu", p->at);
	if (!strcmp(p->how, "half"))
		traced_exec(name, argv, (const char *const[]){ "--at", at, "kill", NULL });
	if (!strcmp(p->how, "undone") || !strcmp(p->how, "stuck"))
		real_run(name, argv);
	if (!strcmp(p->how, "hang") || !strcmp(p->how, "stuck"))
		hang();
	if (!strcmp(p->how, "die"))
		raise(SIGKILL);
	fprintf(stderr, "meddle: %s fails on purpose\n", name);
	_exit(1);
}

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "";
	struct plan p;
	unsigned long n = 0;
	char log[64];

	event(name, argv, &p, &n);
	snprintf(log, sizeof(log), DIR "/log.%lu", n);
	if (!strcmp(p.how, "trace") && !is_traced())
		traced_exec(name, argv, (const char *const[]){ "--log", log, NULL });
	if (!*p.how || !strcmp(p.how, "trace"))
		real_exec(name, argv);
	let_down(&p, name, argv);
}
