/* SPDX-License-Identifier: Apache-2.0 */
/* dpkg in the shield, and the small tools beside it (facts/dpkg-tried.md sections 2 to 4). */
#include "actions/packages_data.h"

#include "docker/flags.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/proc.h"
#include "sys/shield.h"
#include "sys/signals.h"

#include <errno.h>
#include <sys/file.h>

#define SCRATCH STATE_DIR "/shield"
#define DEBCONF_LOCKED "is locked by another process"

enum { DPKG_SECONDS = 1800, TOOL_SECONDS = 120, DEBCONF_SECONDS = 60, POLL_MS = 50 };

struct noted {
	const struct action_ctx *ctx;
	struct err err;
};

void packages_sockets(const struct host *h, struct strv *ret)
{
	strv_add(ret, "/run/docker.sock");	/* with -H fd:// no flag names it */
	if (h->docker.socket)
		strv_add(ret, h->docker.socket);
	for (size_t i = 0; h->docker.flags && i < h->docker.flags->n; i++) {
		const struct docker_flag *f = &h->docker.flags->v[i];
		if (str_eq(f->name, "host") && str_starts(f->value, "unix:///"))
			strv_add(ret, f->value + strlen("unix://"));
	}
	host_docker_sockets(h, ret);
}

/* Without the note `recover` could not wait for it: then it does not run. */
static int note_started(void *user, pid_t init, uint64_t starttime)
{
	struct noted *n = user;

	return state_note_child(n->ctx->state, init, starttime, &n->err);
}

/* Whether Docker starts at boot is the plan's business, so that its way back knows of the link.
 * dpkg's packages have a notebook of their own for that (packages_enabled.c). */
static const char presets[] = "disable docker.service\ndisable docker.socket\n";

int packages_in_shield(const struct action_ctx *ctx, const struct proc *p, int *ret_status,
		       struct err *err)
{
	char *scratch CLEANUP(freep) = root_outside(ctx->root, SCRATCH);
	struct strv sockets CLEANUP(strv_release) = STRV_INIT;
	struct noted noted = { ctx, ERR_INIT };
	struct shield s = { .root = ctx->root,
			    .scratch = scratch,
			    .data_root = ctx->host->docker.data_root,
			    .presets = pkg_backend(ctx->host) ? NULL : presets,
			    .on_started = note_started,
			    .user = &noted };

	packages_sockets(ctx->host, &sockets);
	s.sockets = (const char *const *)sockets.v;
	if (!shield_run(&s, p, ret_status, err))
		return state_note_child(ctx->state, 0, 0, err);
	if (err_is_set(&noted.err))
		*err = noted.err;
	return -1;
}

int dpkg_clear_shield(const struct action_ctx *ctx, struct err *err)
{
	char *scratch CLEANUP(freep) = root_outside(ctx->root, SCRATCH);
	const struct shield s = { .root = ctx->root, .scratch = scratch };

	return root_exists(ctx->root, SCRATCH) ? shield_cleanup(&s, err) : 0;
}

/* The last line that dpkg or a script wrote before it gave up; where dpkg names the package in one
 * and the reason in the next, both. */
static int dpkg_failed(const struct buf *errout, const char *what, int status, struct err *err)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	const char *why = "", *more = "";
	char quoted[512];

	str_split(&lines, errout->data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		if (!*lines.v[i] ||
		    (*why && !strstr(lines.v[i], "error") && !strstr(lines.v[i], "problem")))
			continue;
		why = lines.v[i];
		more = str_ends(why, ":") && i + 1 < lines.n ? lines.v[++i] : "";
	}
	char *both CLEANUP(freep) = xasprintf("%s%s%s", why, *more ? " " : "",
					      more + strspn(more, " "));

	err_quote(quoted, sizeof(quoted), both);
	return err_set(err, ERR_FAILED, "dpkg %s failed (exit status %d): %s", what, status,
		       quoted);
}

static unsigned int time_for(const struct action_ctx *ctx)
{
	uint64_t now = clock_boot_ms();
	uint64_t left = ctx->deadline > now ? (ctx->deadline - now) / 1000 + 1 : 1;

	return ctx->deadline && left < DPKG_SECONDS ? (unsigned int)left : DPKG_SECONDS;
}

static int dpkg_once(const struct action_ctx *ctx, const struct strv *argv, const char *input,
		     struct buf *errout, int *ret_status, struct err *err)
{
	struct proc p = PROC_INIT;

	p.argv = (const char *const *)argv->v;
	p.timeout = time_for(ctx);
	p.log = ctx->rep;
	p.ret_errout = errout;
	if (input) {
		p.input = input;
		p.input_len = strlen(input);
	}
	return packages_in_shield(ctx, &p, ret_status, err);
}

static int dpkg_run(const struct action_ctx *ctx, const struct strv *argv, const char *input,
		    struct err *err)
{
	struct buf errout CLEANUP(buf_release) = BUF_INIT;
	int status;

	if (dpkg_once(ctx, argv, input, &errout, &status, err))
		return -1;
	if (status && strstr(errout.data, DEBCONF_LOCKED)) {
		buf_clear(&errout);
		if (debconf_wait(ctx->root, DEBCONF_SECONDS, ctx->rep, err) ||
		    dpkg_once(ctx, argv, input, &errout, &status, err))
			return -1;
	}
	return status ? dpkg_failed(&errout, argv->v[argv->n > 1 ? 1 : 0], status, err) : 0;
}

static void dpkg_argv(struct strv *argv, const char *verb)
{
	strv_add(argv, "dpkg");
	strv_add(argv, verb);
}

static int run_names(const struct action_ctx *ctx, const char *verb, const char *option,
		     const struct strv *names, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	if (!names->n)
		return 0;
	dpkg_argv(&argv, verb);
	if (option)
		strv_add(&argv, option);
	strv_addv(&argv, (const char *const *)names->v);
	return dpkg_run(ctx, &argv, NULL, err);
}

static int install_batch(const struct action_ctx *ctx, const struct pkg_plan *plan,
			 unsigned int batch, struct err *err)
{
	struct strv files CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < plan->n; i++)
		if (plan->v[i].batch == batch && plan->v[i].file)
			strv_add(&files, plan->v[i].file);
	return run_names(ctx, "--install", "--force-confold", &files, err);
}

int dpkg_install_plan(const struct action_ctx *ctx, const struct pkg_plan *plan, struct err *err)
{
	unsigned int last = 0;

	for (size_t i = 0; i < plan->n; i++)
		if (plan->v[i].batch > last)
			last = plan->v[i].batch;
	for (unsigned int batch = 0; batch <= last; batch++)
		if (install_batch(ctx, plan, batch, err))
			return -1;
	return 0;
}

int dpkg_install_file(const struct action_ctx *ctx, const char *file, struct err *err)
{
	struct strv files CLEANUP(strv_release) = STRV_INIT;

	strv_add(&files, file);
	return run_names(ctx, "--install", "--force-confold", &files, err);
}

int dpkg_purge(const struct action_ctx *ctx, const struct strv *names, bool force, struct err *err)
{
	return run_names(ctx, "--purge", force ? "--force-remove-reinstreq" : NULL, names, err);
}

int dpkg_remove(const struct action_ctx *ctx, const struct strv *names, bool force, struct err *err)
{
	return run_names(ctx, "--remove", force ? "--force-remove-reinstreq" : NULL, names, err);
}

int dpkg_configure(const struct action_ctx *ctx, const struct strv *names, struct err *err)
{
	return run_names(ctx, "--configure", "--force-confold", names, err);
}

int dpkg_selections(const struct action_ctx *ctx, const char *lines, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	dpkg_argv(&argv, "--set-selections");
	return dpkg_run(ctx, &argv, lines, err);
}

int dpkg_select(const struct action_ctx *ctx, const char *name, const char *want, struct err *err)
{
	char *line CLEANUP(freep) = xasprintf("%s %s\n", name, want);

	return dpkg_selections(ctx, line, err);
}

int dpkg_fold_updates(const struct action_ctx *ctx, struct err *err)
{
	return dpkg_selections(ctx, "", err);	/* of none: it opens the database to write, and that is all */
}

int debconf_purge(const struct action_ctx *ctx, const char *name, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	if (!proc_available("debconf-communicate"))
		return 0;
	strv_add(&argv, "debconf-communicate");
	strv_add(&argv, name);
	return dpkg_run(ctx, &argv, "PURGE\n", err);
}

/* Not in the shield: they run no script and are asked before anything is changed, or change apt's
 * marks only. */
static int tool_run(const struct strv *argv, struct report *log, struct buf *out,
		    struct buf *errout, int *ret_status, struct err *err)
{
	struct proc p = PROC_INIT;

	p.argv = (const char *const *)argv->v;
	p.timeout = TOOL_SECONDS;
	p.log = log;
	p.ret_out = out;
	p.ret_errout = errout;
	return proc_run(&p, ret_status, err);
}

int apt_mark(const struct action_ctx *ctx, const char *mark, const struct strv *names,
	     struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	static const char *const no_caches[] = { "-o", "Dir::Cache::pkgcache=", "-o",
						 "Dir::Cache::srcpkgcache=", NULL };

	if (!names->n)
		return 0;
	strv_add(&argv, "apt-mark");
	strv_addv(&argv, no_caches);
	strv_add(&argv, mark);
	strv_addv(&argv, (const char *const *)names->v);
	return tool_run(&argv, ctx->rep, NULL, NULL, NULL, err);
}

int dpkg_try_file(const char *file, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct buf errout CLEANUP(buf_release) = BUF_INIT;
	int status;

	dpkg_argv(&argv, "--no-act");
	strv_add(&argv, "--install");
	strv_add(&argv, file);
	if (tool_run(&argv, NULL, NULL, &errout, &status, err))
		return -1;
	if (!status)
		return 0;
	dpkg_failed(&errout, "--no-act --install", status, err);
	return err_raise(err, ERR_REFUSED);
}

/* "dpkg: dependency problems prevent removal of jq:" names what somebody else still needs. */
static bool drop_needed(struct strv *names, const char *errout)
{
	static const char mark[] = "prevent removal of ";
	struct strv kept = STRV_INIT, needed CLEANUP(strv_release) = STRV_INIT;

	for (const char *p = errout; (p = strstr(p, mark));) {
		p += strlen(mark);
		strv_take(&needed, xstrndup(p, strcspn(p, ":\n")));
	}
	for (size_t i = 0; i < names->n; i++) {
		char *plain CLEANUP(freep) = xstrndup(names->v[i], strcspn(names->v[i], ":"));
		if (!strv_has(&needed, plain))
			strv_add(&kept, names->v[i]);
	}
	bool dropped = kept.n < names->n;
	strv_release(names);
	*names = kept;
	return dropped;
}

static int still_needed(const struct buf *errout, const char *keep, struct err *err)
{
	char quoted[512];

	err_quote(quoted, sizeof(quoted), errout->data);
	return err_set(err, ERR_REFUSED, "'%s' cannot be removed: %s", keep ? keep : "the packages",
		       quoted);
}

int dpkg_purgeable(const struct action_ctx *ctx, struct strv *names, const char *keep,
		   struct err *err)
{
	while (names->n) {
		struct strv argv CLEANUP(strv_release) = STRV_INIT;
		struct buf out CLEANUP(buf_release) = BUF_INIT,
			       errout CLEANUP(buf_release) = BUF_INIT;
		int status;

		dpkg_argv(&argv, "--no-act");
		strv_add(&argv, "--force-remove-reinstreq");
		strv_add(&argv, "--purge");
		strv_addv(&argv, (const char *const *)names->v);
		if (tool_run(&argv, NULL, &out, &errout, &status, err))
			return -1;
		if (!status)
			return 0;
		bool had = keep && strv_has(names, keep);
		if (!drop_needed(names, errout.data) || (had && !strv_has(names, keep)))
			return still_needed(&errout, keep, err);
	}
	return 0;
}

bool debconf_writes(const struct root *r, const char *path)
{
	int fd CLEANUP(closep) = root_openat(r, path, O_RDONLY, 0);

	return fd >= 0 && io_flock(fd, LOCK_EX | LOCK_NB);
}

static int mend_answers(const struct action_ctx *ctx, int dir, const char *name, struct err *err)
{
	char *path CLEANUP(freep) = path_join(DEBCONF_DIR, name);
	char *path_new CLEANUP(freep) = xasprintf("%s-new", path);

	if (root_exists(ctx->root, path) || !root_exists(ctx->root, path_new) ||
	    debconf_writes(ctx->root, path_new))
		return 0;
	if (io_renameat2(dir, path_basename(path_new), dir, name, 0))
		return err_errno(err, errno, "cannot rename '%s'", path_new);
	report_info(ctx->rep, "debconf was half-way to a new '%s': it is there now", name);
	return fs_sync_dir(dir, err);
}

int debconf_mend(const struct action_ctx *ctx, struct err *err)
{
	static const char *const names[] = { "config.dat", "passwords.dat", "templates.dat" };
	int dir CLEANUP(closep) = root_openat(ctx->root, DEBCONF_DIR, O_RDONLY | O_DIRECTORY, 0);

	if (dir < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open '%s'", DEBCONF_DIR);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (mend_answers(ctx, dir, names[i], err))
			return -1;
	return 0;
}

/* debconf flocks its database; a script that meets the lock fails half-configured
 * (facts/dpkg-tried.md 2.2). */
int debconf_wait(const struct root *r, unsigned int seconds, struct report *rep, struct err *err)
{
	static const char path[] = DEBCONF_DIR "/config.dat";
	uint64_t deadline = clock_boot_ms() + (uint64_t)seconds * 1000;
	int fd CLEANUP(closep) = root_openat(r, path, O_RDONLY, 0);
	bool said = false;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open '%s'", path);
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(err, errno, "cannot ask for the lock of '%s'", path);
		if (signals_pending())
			return err_set(err, ERR_FAILED, "stopped while waiting for '%s'", path);
		if (clock_boot_ms() >= deadline) {
			err_set(err, ERR_REFUSED,
				"debconf's '%s' was not free within %u s: another program is asking questions",
				path, seconds);
			return err_remedy(err, "let that program finish, then try again");
		}
		if (!said)
			report_info(rep, "waiting for '%s', locked by another process", path);
		said = true;
		clock_pause_ms(POLL_MS);
	}
	return 0;
}
