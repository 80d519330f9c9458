/* SPDX-License-Identifier: Apache-2.0 */
/* prepare of kind "packages": everything fetched, hashed, asked and recorded; nothing outside of
 * our own state is changed. */
#include "actions/packages_data.h"

#include "backends/pkg/aptsim.h"
#include "fetch/package.h"
#include "journal/ballast.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <unistd.h>

extern const struct action_ops packages_ops;

enum { DEBCONF_SECONDS = 60 };
#define SLACK (16ULL * 1024 * 1024)

static unsigned int lock_seconds = 120;

void packages_set_lock_seconds(unsigned int seconds)
{
	lock_seconds = seconds;
}

unsigned int packages_lock_seconds(void)
{
	return lock_seconds;
}

const struct pkg_op *packages_op(const struct packages *d, const char *name)
{
	for (size_t i = 0; i < d->plan.n; i++)
		if (str_eq(d->plan.v[i].name, name))
			return &d->plan.v[i];
	return NULL;
}

void plan_copy_op(struct pkg_plan *p, const struct pkg_op *op)
{
	struct pkg_op copy = *op;

	copy.name = xstrdup(op->name);
	copy.old_version = xstrdup(op->old_version);
	copy.new_version = xstrdup(op->new_version);
	copy.arch = xstrdup(op->arch);
	copy.file = xstrdup(op->file);
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = copy;
}

bool plan_drop(struct pkg_plan *p, const char *name)
{
	struct pkg_plan rest = { 0 };

	for (size_t i = 0; i < p->n; i++)
		if (!str_eq(p->v[i].name, name))
			plan_copy_op(&rest, &p->v[i]);
	bool dropped = rest.n < p->n;
	pkg_plan_release(p);
	*p = rest;
	return dropped;
}

/* ---- package files ---- */

int packages_open_dir(const struct root *r, const char *path, struct err *err)
{
	int fd = root_openat(r, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		err_errno(err, errno, "cannot open '%s'", path);
	return fd;
}

/* A second name in debs/ for a verified package of the cache: apt and dpkg want one that ends in
 * .deb. */
static int link_deb(const struct root *r, const struct package *pkg, const char *arch, char **ret,
		    struct err *err)
{
	struct pkg_op op = { .name = pkg->deb.control.package,
			     .new_version = pkg->deb.control.version,
			     .arch = (char *)arch };
	char *name CLEANUP(freep) = apt_archive_name(&op);
	char *dir CLEANUP(freep) = path_dirname(pkg->cached);

	if (fs_mkdir_path(r, DEBS_DIR, 0700, err))
		return -1;
	int from CLEANUP(closep) = packages_open_dir(r, dir, err);
	int to CLEANUP(closep) = from < 0 ? -1 : packages_open_dir(r, DEBS_DIR, err);
	if (to < 0 || fs_unlink(to, name, err))
		return -1;
	if (io_linkat(from, path_basename(pkg->cached), to, name) || io_fsync(to))
		return err_errno(err, errno, "cannot put '%s' into '%s'", name, DEBS_DIR);
	*ret = path_join(DEBS_DIR, name);
	return 0;
}

void packages_forget_fetched(struct packages *d)
{
	free(STEAL(d->fetched_file));
	deb_release(&d->fetched);
}

int packages_fetch(const struct action_ctx *ctx, const struct catalog_entry *entry,
		   const char *file, char **ret, struct deb *ret_deb, struct err *err)
{
	struct package pkg CLEANUP(package_release) = { .fd = -1 };

	if (package_fetch(&pkg, ctx->root, entry, ctx->profile, file, ctx->rep, err) ||
	    link_deb(ctx->root, &pkg, entry->arch, ret, err))
		return -1;
	if (ret_deb) {
		*ret_deb = pkg.deb;
		pkg.deb = (struct deb){ 0 };
	}
	return 0;
}

static int fetch_wanted(struct packages *d, const struct action_ctx *ctx, const struct catalog *c,
			struct strv *ret, struct err *err)
{
	const struct catalog_entry *e = package_choose(c, d->name,
						       d->version ? d->version : "latest", d->arch,
						       ctx->package_file, err);

	packages_forget_fetched(d);
	if (!e || packages_fetch(ctx, e, ctx->package_file, &d->fetched_file, &d->fetched, err))
		return -1;
	strv_add(ret, d->fetched_file);
	return 0;
}

int packages_hash_file(const struct root *r, const char *path, char hex[DIGEST_HEX + 1],
		       struct err *err)
{
	int fd CLEANUP(closep) = root_openat(r, path, O_RDONLY, 0);

	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s'", path);
	return fs_copy_fd(fd, -1, UINT64_MAX, hex, err);
}

bool packages_file_is(const struct root *r, const char *path, const char *sha256)
{
	struct err ignored = ERR_INIT;
	char hex[DIGEST_HEX + 1];

	return path && !packages_hash_file(r, path, hex, &ignored) && str_eq(hex, sha256);
}

static int keep_old(struct packages *d, const struct action_ctx *ctx, const struct catalog *c,
		    struct err *err)
{
	const struct pkg_op *op = d->name ? packages_op(d, d->name) : NULL;
	struct pkg_op old = { .what = PKG_UPGRADE };
	int got;

	if (!op || op->what != PKG_UPGRADE || !op->old_version)
		return 0;
	old.name = d->name;
	old.old_version = op->old_version;
	old.arch = d->arch;
	memcpy(old.sha256, d->old_sha256, sizeof(old.sha256));
	got = packages_find_old(d, ctx, c, &old, err);
	free(d->old_file);
	d->old_file = old.file;
	memcpy(d->old_sha256, old.sha256, sizeof(old.sha256));
	d->old_rebuilt = old.rebuilt;
	return got;
}

/* ---- what the packages bring ---- */

int packages_list(const struct root *r, const char *file, struct deb *ret, struct err *err)
{
	char *what CLEANUP(freep) = xasprintf("'%s'", file);
	int fd CLEANUP(closep) = root_openat(r, file, O_RDONLY, 0);

	if (fd < 0) {
		err_errno(err, errno, "cannot open '%s'", file);
		return err_raise(err, ERR_REFUSED);
	}
	return deb_list(ret, fd, what, DEB_UNPACKED_MAX, err);
}

static void take_units(const struct deb *deb, struct strv *units)
{
	for (size_t i = 0; i < deb->n; i++) {
		const struct deb_member *m = &deb->v[i];
		if (m->type != 'd' && strstr(m->path, "/systemd/system/") &&
		    !strv_has(units, path_basename(m->path)))
			strv_add(units, path_basename(m->path));
	}
}

static void note_shipped(struct json *shipped, const char *conffile, const char *digest)
{
	struct json *all = json_get_mut(shipped, conffile);

	if (!all) {
		all = json_arr();
		json_set(shipped, conffile, all);
	}
	json_add_str(all, digest);
}

/* And as what it ships them, so that undo can tell an edit of somebody from it. */
static void take_conffiles(const struct deb *deb, struct deb_lists *lists)
{
	for (size_t i = 0; i < deb->conffiles.n; i++) {
		const char *path = deb->conffiles.v[i];
		const struct deb_member *m = deb_find(deb, path);
		if (!strv_has(&lists->conffiles, path))
			strv_add(&lists->conffiles, path);
		if (m && m->type == 'f')
			note_shipped(lists->shipped, path, m->sha256);
	}
}

/* What was just fetched has been read. */
static int look_into(const struct packages *d, const struct action_ctx *ctx, const char *file,
		     struct deb_lists *lists, uint64_t *bytes, struct err *err)
{
	struct deb own CLEANUP(deb_release) = { 0 };
	const struct deb *deb = str_eq(file, d->fetched_file) ? &d->fetched : &own;

	if (deb == &own && packages_list(ctx->root, file, &own, err))
		return -1;
	take_units(deb, &lists->units);
	take_conffiles(deb, lists);
	*bytes += deb->control.installed_size * 1024;
	return 0;
}

/* Conffiles of what is there already, from its paragraph: "PATH HASH [obsolete]" on each line. */
void packages_conffiles(const struct buf *status, const char *name, struct strv *conffiles)
{
	struct stanza s;
	char *text CLEANUP(freep) = dpkgdb_find(status, name, &s) ? stanza_lines(&s, "Conffiles") :
								    NULL;
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	if (text)
		str_words(&words, text);
	for (size_t i = 0; i < words.n; i++)
		if (words.v[i][0] == '/' && !strv_has(conffiles, words.v[i]))
			strv_add(conffiles, words.v[i]);
}

static int look_at_all(const struct packages *d, const struct action_ctx *ctx,
		       struct deb_lists *lists, uint64_t *bytes, struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(ctx->root, &status, err))
		return -1;
	for (size_t i = 0; i < d->plan.n; i++) {
		packages_conffiles(&status, d->plan.v[i].name, &lists->conffiles);
		if (d->plan.v[i].file &&
		    look_into(d, ctx, d->plan.v[i].file, lists, bytes, err))
			return -1;
	}
	return d->old_file ? look_into(d, ctx, d->old_file, lists, bytes, err) : 0;
}

/* ---- space ---- */

static uint64_t file_size(const struct root *r, const char *path)
{
	struct stat st;

	return root_stat(r, path, &st) ? 0 : (uint64_t)st.st_size;
}

/* dpkg cannot even start on a full disk: what undo needs is set aside (facts/dpkg-tried.md section
 * 3). */
static uint64_t undo_needs(const struct root *r, uint64_t installed)
{
	static const char *const databases[] = { DPKG_DIR "/status",
						 DEBCONF_DIR "/config.dat",
						 DEBCONF_DIR "/templates.dat" };
	uint64_t sum = installed + SLACK;

	for (size_t i = 0; i < ARRAY_SIZE(databases); i++)
		sum += 2 * file_size(r, databases[i]);
	return sum;
}

/* Where dpkg, its scripts and debconf write. */
static const char *const places[] = { "/usr", "/etc", DPKG_DIR, DEBCONF_DIR, STATE_DIR,
				      NULL };

int packages_check_space(const struct root *r, const char *const *dirs, uint64_t installed,
			 uint64_t need, struct err *err)
{
	for (size_t i = 0; dirs[i]; i++) {
		uint64_t bytes, inodes;
		if (fs_free_space(r, dirs[i], &bytes, &inodes, err))
			return -1;
		if (bytes >= installed + need)
			continue;
		err_set(err, ERR_REFUSED,
			"not enough space below '%s': %llu MiB free, %llu MiB needed for the packages and their undo",
			dirs[i], (unsigned long long)(bytes >> 20),
			(unsigned long long)((installed + need) >> 20));
		return err_remedy(err, "free some space there, then try again");
	}
	return 0;
}

int packages_set_aside(const struct action_ctx *ctx, uint64_t installed, struct err *err)
{
	uint64_t need = undo_needs(ctx->root, installed);

	if (packages_check_space(ctx->root, places, installed, need, err))
		return -1;
	return ballast_need(ctx->log, places, need, err);
}

int packages_record(struct packages *d, struct action_ctx *ctx, struct err *err)
{
	struct deb_lists lists = { STRV_INIT, STRV_INIT, json_obj() };
	uint64_t installed = 0;
	int got = look_at_all(d, ctx, &lists, &installed, err);

	if (!got)
		got = before_take(d, ctx, &lists, err);
	strv_release(&lists.units);
	strv_release(&lists.conffiles);
	json_free(lists.shipped);
	packages_forget_fetched(d);
	return got ? -1 : packages_set_aside(ctx, installed, err);
}

/* ---- install ---- */

static int is_installed(const struct action_ctx *ctx, const struct pkg_ops *ops, const char *name,
			bool *ret, struct err *err)
{
	struct pkg_status st = { 0 };

	if (ops->status(ctx->host, name, &st, err))
		return -1;
	*ret = st.known && str_eq(st.state, "installed");
	pkg_status_release(&st);
	return 0;
}

/* Names that are there already are left out: apt would take their mention for a wish to upgrade
 * them. */
static int missing_names(const struct packages *d, const struct action_ctx *ctx,
			 const struct pkg_ops *ops, struct strv *ret, struct err *err)
{
	for (size_t i = 0; i < d->names.n; i++) {
		bool there;

		if (is_installed(ctx, ops, d->names.v[i], &there, err))
			return -1;
		if (!there)
			strv_add(ret, d->names.v[i]);
	}
	return 0;
}

static void note_autos(struct packages *d)
{
	for (size_t i = 0; i < d->plan.n; i++)
		if (d->plan.v[i].what == PKG_INSTALL && !str_eq(d->plan.v[i].name, d->name))
			strv_add(&d->autos, d->plan.v[i].name);
}

/* The distribution's own gets security updates. What came in with one is not here to be undone
 * with: the version of ours has to be back first. */
static int upgraded_since(const struct packages *d, const char *now, struct err *err)
{
	const struct pkg_op *op = packages_op(d, d->name);

	err_set(err, ERR_REFUSED, "package '%s' was upgraded since: %s is installed, and was %s", d->name, now,
		d->expected);
	return err_remedy(err, "dpkg -i %s, then try again", op && op->file ? op->file : d->name);
}

static int check_expected(const struct packages *d, const struct action_ctx *ctx,
			  const struct pkg_ops *ops, struct err *err)
{
	struct pkg_status st = { 0 };

	if (!d->inverted || !d->name)
		return 0;
	if (ops->status(ctx->host, d->name, &st, err))
		return -1;
	const char *now = st.known && str_eq(st.state, "installed") ? st.version : NULL;
	bool as_expected = str_eq(now, d->expected);
	if (d->by_name && d->remove) {	/* one that somebody took out need not go */
		if (now && !as_expected)
			upgraded_since(d, now, err);
		pkg_status_release(&st);
		return err_is_set(err) ? -1 : 0;
	}
	char *words CLEANUP(freep) = now ? xasprintf("version %s is installed", now) :
					   xstrdup("it is not installed");
	pkg_status_release(&st);
	if (as_expected || ctx->force)
		return 0;
	err_set(err, ERR_REFUSED, "package '%s' was changed by somebody else since: %s", d->name, words);
	return err_remedy(err, "look at it; rollback --force and uninstall --force go on all the same");
}

/* A dependency that is there by now stays what it is; one whose file is gone is apt's choice. */
static int recorded_dependencies(const struct packages *d, const struct action_ctx *ctx,
				 const struct pkg_ops *ops, struct strv *files, struct err *err)
{
	for (size_t i = 0; i < d->plan.n; i++) {
		const struct pkg_op *op = &d->plan.v[i];
		bool there;

		if (str_eq(op->name, d->name) || op->what == PKG_REMOVE)
			continue;
		if (is_installed(ctx, ops, op->name, &there, err))
			return -1;
		if (!there && packages_file_is(ctx->root, op->file, op->sha256))
			strv_add(files, op->file);
	}
	return 0;
}

/* The files that invert named, as they were then. */
static int recorded_files(const struct packages *d, const struct action_ctx *ctx,
			  const struct pkg_ops *ops, struct strv *files, struct err *err)
{
	const struct pkg_op *op = d->name ? packages_op(d, d->name) : NULL;

	if (!op)
		return 0;
	if (!packages_file_is(ctx->root, op->file, op->sha256))
		return err_set(err, ERR_REFUSED,
			       "the package file '%s' of %s %s is gone or damaged",
			       op->file ? op->file : "?", op->name, op->new_version);
	strv_add(files, op->file);
	return recorded_dependencies(d, ctx, ops, files, err);
}

static int resolve(struct packages *d, struct action_ctx *ctx, const struct pkg_ops *ops,
		   const struct strv *files, struct err *err)
{
	struct strv wants CLEANUP(strv_release) = STRV_INIT;

	if (missing_names(d, ctx, ops, &wants, err))
		return -1;
	if (files->n)
		strv_addv(&wants, (const char *const *)files->v);
	if (d->by_name && !d->inverted)
		strv_add(&wants, d->name);
	pkg_plan_release(&d->plan);
	if (!wants.n)
		return 0;
	if (ops->resolve(ctx->host, (const char *const *)wants.v, DEBS_DIR, &d->plan, ctx->rep,
			 err))
		return -1;
	return d->plan.n ? ops->download(ctx->host, (const char *const *)wants.v, DEBS_DIR,
					 &d->plan, ctx->rep, err) :
			   0;
}

bool packages_to_come(const struct action_ctx *ctx, const char *name)
{
	for (unsigned int i = 0; ctx->plan && i < ctx->index; i++) {
		const struct packages *other = ctx->plan[i]->data;

		if (ctx->plan[i]->ops == &packages_ops && !other->remove &&
		    packages_op(other, name))
			return true;
	}
	return false;
}

/* What will be there by then: whoever comes first installs it, and takes it out again last. */
static void leave_to_others(struct packages *d, const struct action_ctx *ctx)
{
	struct pkg_plan rest = { 0 };

	for (size_t i = 0; i < d->plan.n; i++)
		if (!packages_to_come(ctx, d->plan.v[i].name))
			plan_copy_op(&rest, &d->plan.v[i]);
	pkg_plan_release(&d->plan);
	d->plan = rest;
}

static bool from_catalog(const struct packages *d)
{
	return d->name && !d->inverted && !d->by_name;
}

static int with_catalog(struct packages *d, struct action_ctx *ctx, const struct pkg_ops *ops,
			const struct catalog *c, struct err *err)
{
	struct strv files CLEANUP(strv_release) = STRV_INIT;
	int got = d->inverted	  ? recorded_files(d, ctx, ops, &files, err) :
		  from_catalog(d) ? fetch_wanted(d, ctx, c, &files, err) :
				    0;

	if (got || resolve(d, ctx, ops, &files, err))
		return -1;
	leave_to_others(d, ctx);
	return keep_old(d, ctx, c, err);
}

int packages_catalog(const struct action_ctx *ctx, struct catalog *own, const struct catalog **ret,
		     struct err *err)
{
	*ret = ctx->catalog ? ctx->catalog : own;
	return ctx->catalog ? 0 : catalog_load(own, ctx->root, ctx->profile, ctx->rep, err);
}

/* ---- another version ---- */

static int prepare_install(struct packages *d, struct action_ctx *ctx, const struct pkg_ops *ops,
			   struct err *err)
{
	struct catalog own CLEANUP(catalog_release) = { 0 };
	struct pkg_plan surplus CLEANUP(pkg_plan_release) = { 0 };
	const struct catalog *c = &own;

	if (packages_find_surplus(d, ctx, ops, &surplus, err))
		return -1;
	if (from_catalog(d) && packages_catalog(ctx, &own, &c, err))
		return -1;
	if (with_catalog(d, ctx, ops, c, err))
		return -1;
	note_autos(d);
	for (size_t i = 0; i < surplus.n; i++)
		plan_copy_op(&d->plan, &surplus.v[i]);
	return d->plan.n ? packages_record(d, ctx, err) : 0;
}

int packages_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct packages *d = a->data;
	const struct pkg_ops *ops = pkg_backend(ctx->host);

	if (!ops) {
		err_set(err, ERR_REFUSED, "no package manager that sysboxup knows runs here");
		return err_remedy(err, "set \"method\": \"files\" for sysbox in the profile");
	}
	if (!d->arch)
		d->arch = xstrdup(ctx->host->arch);
	if (ops->lock(ctx->host, lock_seconds, ctx->rep, err) || ops->audit(ctx->host, err) ||
	    debconf_wait(ctx->root, DEBCONF_SECONDS, ctx->rep, err) ||
	    check_expected(d, ctx, ops, err))
		return -1;
	return d->remove ? packages_prepare_remove(d, ctx, ops, err) :
			   prepare_install(d, ctx, ops, err);
}
