/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undo of kind "packages", from the record and the disk (facts/dpkg-tried.md section 3):
 *
 *	wait for the child of a dead run; dpkg's lock; what its shield left
 *	mend		apt's marks and debconf's answers, where they were lost
 *	nothing of dpkg's is different: straight to the last line
 *	repair		dpkg -i of the same files again, where something was left half-done
 *	strangers	dpkg --configure of others that a kill in a trigger left half-configured
 *	back		the old version; or marked manual, then purged in one call, what was not
 *			there and nobody else needs
 *	put right	selections, auto marks, links, masks, conffiles, temporaries; syncfs
 *
 * A script that fails makes the repair fail, one that never ended is not started again: then the
 * old version, the purge or what was taken out comes at once, and has to be exact by itself.
 */
#include "actions/packages_data.h"

#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <unistd.h>

enum { CHILD_SECONDS = 60 };

#define HANGS "script-hangs"

static int unsettled(const struct action_ctx *ctx, struct strv *ret, size_t *ret_pending,
		     struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(ctx->root, &status, err) || dpkgdb_updates(ctx->root, ret_pending, err))
		return -1;
	dpkgdb_unsettled_names(&status, ret);
	return 0;
}

void packages_note_hang(const struct action_ctx *ctx)
{
	struct err ignored = ERR_INIT;
	int stage CLEANUP(closep) = -1;

	if (!txnlog_stage(ctx->log, &stage, &ignored))
		(void)fs_put(stage, HANGS, 0600, "", 0, &ignored);
}

static bool hangs(const struct action_ctx *ctx)
{
	struct buf nothing CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	return !fs_read_at(ctx->log->fd, "stage/" HANGS, 1, &nothing, &ignored);
}

static bool is_there(const struct pkg_status *st)
{
	return st->known && !str_eq(st->state, "not-installed");
}

/* dpkg has taken its files out, or has begun to. */
static bool is_out(const struct pkg_status *st)
{
	return !is_there(st) || str_eq(st->state, "config-files") ||
	       str_eq(st->state, "half-installed");
}

/* Nothing new: what was taken out ran here before, and there is no other way to have it again. One
 * that still has its files, with whose script it all ended, is for configure_others. */
static int put_back(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	struct pkg_plan gone CLEANUP(pkg_plan_release) = { 0 };

	for (size_t i = 0; i < d->plan.n; i++) {
		const struct pkg_op *op = &d->plan.v[i];
		struct pkg_status st = { 0 };

		if (op->what != PKG_REMOVE || !before_installed(d, op->name))
			continue;
		if (dpkgdb_look(ctx->root, op->name, &st, err))
			return -1;
		if (is_out(&st))
			plan_copy_op(&gone, op);
		pkg_status_release(&st);
	}
	return dpkg_install_plan(ctx, &gone, err);
}

/* dpkg folds its own journal (updates/) into the status file when it is started with anything to
 * do. */
static int repair(const struct packages *d, struct action_ctx *ctx, bool *ret_broken,
		  struct err *err)
{
	struct strv bad CLEANUP(strv_release) = STRV_INIT;
	struct err why = ERR_INIT;
	size_t pending;

	if (unsettled(ctx, &bad, &pending, err))
		return -1;
	*ret_broken = false;
	if (!bad.n && !pending && !packages_takes_out(d))
		return 0;
	*ret_broken = hangs(ctx);
	if (*ret_broken && dpkg_fold_updates(ctx, err))
		return -1;
	if (!*ret_broken)
		report_info(ctx->rep, "repairing what was interrupted: dpkg -i of the same packages");
	if (!(*ret_broken ? put_back(d, ctx, &why) : dpkg_install_plan(ctx, &d->plan, &why)))
		return 0;
	*ret_broken = true;
	report_warn(ctx->rep, NULL, "%s", why.msg);
	return 0;
}

/* What dpkg has noted and not folded yet is in no list of ours, and in all of its own: without that
 * nobody can tell what there is to take out. */
static int fold(const struct action_ctx *ctx, struct err *err)
{
	size_t pending;

	if (dpkgdb_updates(ctx->root, &pending, err))
		return -1;
	return pending ? dpkg_fold_updates(ctx, err) : 0;
}

static int configure_others(const struct packages *d, struct action_ctx *ctx, bool broken,
			    struct err *err)
{
	struct strv bad CLEANUP(strv_release) = STRV_INIT, others CLEANUP(strv_release) = STRV_INIT;
	size_t pending;

	if (unsettled(ctx, &bad, &pending, err))
		return -1;
	for (size_t i = 0; i < bad.n; i++) {
		char *plain CLEANUP(freep) = xstrndup(bad.v[i], strcspn(bad.v[i], ":"));
		if (!broken || (!before_package(d, bad.v[i]) && !before_package(d, plain)))
			strv_add(&others, bad.v[i]);
	}
	return dpkg_configure(ctx, &others, err);
}

/* What is there now and was not, or was there as configuration files only; and of these what apt
 * calls automatic. */
static int surplus(const struct packages *d, const struct action_ctx *ctx, struct strv *purge,
		   struct strv *remove, struct strv *autos, struct err *err)
{
	for (size_t i = 0; i < d->plan.n; i++) {
		const char *name = d->plan.v[i].name;
		struct pkg_status st = { 0 };

		if (before_installed(d, name))
			continue;
		if (dpkgdb_look(ctx->root, name, &st, err))
			return -1;
		bool there = is_there(&st), files_only = str_eq(st.state, "config-files");
		if (there && st.automatic)
			strv_add(autos, name);
		if (there && !before_config_files(d, name))
			strv_add(purge, name);
		else if (there && !files_only)
			strv_add(remove, name);
		pkg_status_release(&st);
	}
	return 0;
}

/*
 * What somebody installed since the crash may need a dependency that came with ours: it stays, but
 * automatic, as it would have been, and goes with the next autoremove after theirs.
 */
static int let_stay(const struct packages *d, const struct action_ctx *ctx,
		    const struct strv *wanted,
		    const struct strv *purge, const struct strv *autos, struct strv *stay,
		    struct err *err)
{
	struct strv again CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < wanted->n; i++) {
		if (strv_has(purge, wanted->v[i]))
			continue;
		strv_add(stay, wanted->v[i]);
		if (strv_has(autos, wanted->v[i]) || strv_has(&d->autos, wanted->v[i]))
			strv_add(&again, wanted->v[i]);
		report_warn(ctx->rep, "apt-get autoremove takes it out when nobody needs it any more",
			    "package '%s' stays: something that was installed meanwhile needs it",
			    wanted->v[i]);
	}
	return apt_mark(ctx, "auto", &again, err);
}

static int take_out(const struct packages *d, struct action_ctx *ctx, bool broken,
		    struct strv *stay, struct err *err)
{
	struct strv purge CLEANUP(strv_release) = STRV_INIT,
			  remove CLEANUP(strv_release) = STRV_INIT;
	struct strv autos CLEANUP(strv_release) = STRV_INIT,
			  wanted CLEANUP(strv_release) = STRV_INIT;

	if (surplus(d, ctx, &purge, &remove, &autos, err))
		return -1;
	if (apt_mark(ctx, "manual", &autos, err))	/* before the purge: no stale marks stay behind */
		return -1;
	strv_addv(&wanted, (const char *const *)purge.v);
	if (dpkg_purgeable(ctx, &purge, NULL, err) ||
	    let_stay(d, ctx, &wanted, &purge, &autos, stay, err) ||
	    dpkg_purge(ctx, &purge, broken, err))
		return -1;
	return dpkg_remove(ctx, &remove, broken, err);
}

/* ---- selections and marks ---- */

static int restore_one(const struct action_ctx *ctx, const struct json *before,
		       struct strv *mark_auto, struct strv *mark_manual, struct err *err)
{
	const char *name = json_key(before), *want = json_get_str(before, "want");
	struct pkg_status st = { 0 };
	int got = 0;

	if (dpkgdb_look(ctx->root, name, &st, err))
		return -1;
	if (is_there(&st) && want) {
		bool automatic = json_get_bool(before, "auto", false);
		if (automatic != st.automatic && str_eq(st.state, "installed"))
			strv_add(automatic ? mark_auto : mark_manual, name);
		if (!str_eq(st.want, want))
			got = dpkg_select(ctx, name, want, err);
	}
	pkg_status_release(&st);
	return got;
}

/*
 * A failed preinst leaves a paragraph that says only what was wanted, and what debconf was told
 * about the package, because its postrm never runs (tried: then the database is as before, to the
 * byte).
 */
static int forget(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	for json_each(p, json_get(d->before, "packages")) {
		const char *state = json_get_str(p, "state");
		struct pkg_status st = { 0 };

		if (state)
			continue;
		if (dpkgdb_look(ctx->root, json_key(p), &st, err))
			return -1;
		bool left = st.known && !is_there(&st);
		pkg_status_release(&st);
		if (left && (debconf_purge(ctx, json_key(p), err) ||
			     dpkg_select(ctx, json_key(p), "unknown", err)))
			return -1;
	}
	return 0;
}

/* apt makes the file when it marks something; without it before, and with nothing in it now, it
 * goes. */
static int drop_marks_file(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	struct buf marks CLEANUP(buf_release) = BUF_INIT;
	int dir CLEANUP(closep) = -1;

	if (json_get_bool(d->before, "marks", true))
		return 0;
	if (dpkgdb_read_marks(ctx->root, &marks, err))
		return -1;
	if (marks.len)
		return 0;
	dir = root_openat(ctx->root, APT_DIR, O_RDONLY | O_DIRECTORY, 0);
	return dir < 0 ? 0 : fs_unlink(dir, "extended_states", err);
}

static int restore_selections(const struct packages *d, struct action_ctx *ctx, struct err *err)
{
	struct strv autos CLEANUP(strv_release) = STRV_INIT,
			  manuals CLEANUP(strv_release) = STRV_INIT;

	if (forget(d, ctx, err))
		return -1;
	for json_each(p, json_get(d->before, "packages"))
		if (restore_one(ctx, p, &autos, &manuals, err))
			return -1;
	if (apt_mark(ctx, "auto", &autos, err) || apt_mark(ctx, "manual", &manuals, err))
		return -1;
	return drop_marks_file(d, ctx, err);
}

/* dpkg does not sync the directories of what it unpacked (facts/testing.md section 1). */
int packages_sync(const struct root *r, struct err *err)
{
	static const char *const places[] = { "/usr", "/etc", "/var/lib", "/var/lib/dpkg" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int fd CLEANUP(closep) = root_openat(r, places[i], O_RDONLY | O_DIRECTORY, 0);
		if (fd >= 0 && io_syncfs(fd))
			return err_errno(err, errno, "cannot sync the file system of '%s'",
					 places[i]);
	}
	return 0;
}

/* ---- the whole ---- */

static int needs_dpkg(const struct packages *d, const struct action_ctx *ctx, bool *ret,
		      struct err *err)
{
	struct strv differs CLEANUP(strv_release) = STRV_INIT,
			    bad CLEANUP(strv_release) = STRV_INIT;
	size_t pending;

	if (before_differs(d, ctx, &differs, err) || unsettled(ctx, &bad, &pending, err))
		return -1;
	*ret = differs.n || bad.n || pending;
	return 0;
}

static int take_back(const struct packages *d, struct action_ctx *ctx, struct strv *stay,
		     struct err *err)
{
	bool broken;

	if (repair(d, ctx, &broken, err) || fold(ctx, err) ||
	    configure_others(d, ctx, broken, err))
		return -1;
	if (d->old_file && dpkg_install_file(ctx, d->old_file, err))
		return err_prefix(err, "cannot bring back the version before");
	if (take_out(d, ctx, broken, stay, err))
		return -1;
	return configure_others(d, ctx, false, err);
}

static int check_back(const struct packages *d, const struct action_ctx *ctx,
		      const struct strv *stay, struct err *err)
{
	struct strv left CLEANUP(strv_release) = STRV_INIT;

	for json_each(p, json_get(d->before, "packages")) {
		struct pkg_status st = { 0 };
		const char *state = json_get_str(p, "state");

		if (dpkgdb_look(ctx->root, json_key(p), &st, err))
			return -1;
		bool was = state && !str_eq(state, "not-installed");
		bool same = was ? str_eq(st.state, state) &&
					    str_eq(st.version, json_get_str(p, "version")) :
				  !is_there(&st);
		if (!same && !strv_has(stay, json_key(p)))
			strv_addf(&left, "%s (%s%s%s)", json_key(p), st.known ? st.state : "gone",
				  st.version ? " " : "", st.version ? st.version : "");
		pkg_status_release(&st);
	}
	if (!left.n)
		return 0;
	char *names CLEANUP(freep) = strv_join(&left, ", ");
	err_set(err, ERR_FAILED, "packages are not as before: %s", names);
	return err_remedy(err, "see `dpkg --audit`; then: sysboxup recover");
}

int packages_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct packages *d = a->data;
	const struct pkg_ops *ops = pkg_backend(ctx->host);
	struct strv stay CLEANUP(strv_release) = STRV_INIT;
	bool changed;

	if (!d->plan.n || !d->before)
		return 0;
	if (!ops)
		return err_set(err, ERR_FAILED, "no package manager that sysboxup knows runs here");
	if (state_wait_child(ctx->state, CHILD_SECONDS, err) ||
	    ops->lock(ctx->host, packages_lock_seconds(), ctx->rep, err) ||
	    dpkg_clear_shield(ctx, err) || before_mend_marks(d, ctx, err) ||
	    debconf_mend(ctx, err) || needs_dpkg(d, ctx, &changed, err) ||
	    before_keep_edited(d, ctx, err))
		return -1;
	if (changed && take_back(d, ctx, &stay, err))
		return -1;
	if (restore_selections(d, ctx, err) || before_restore_paths(d, ctx, &stay, err) ||
	    check_back(d, ctx, &stay, err))
		return -1;
	return packages_sync(ctx->root, err);
}
