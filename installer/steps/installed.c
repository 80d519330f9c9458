/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/installed.h"

#include "backends/pkg/deps.h"
#include "backends/pkg/pkg.h"
#include "backends/service/systemd.h"
#include "engine/chain.h"
#include "steps/sysbox.h"
#include "sys/proc.h"

#include <ctype.h>
#include <limits.h>

enum { ASK_SECONDS = 10 };

/* The first is where packages put them. */
static const char *const dirs[] = { "/usr/bin", "/usr/local/bin", "/usr/local/sbin" };

static const char *const links[] = {
	"/etc/systemd/system/multi-user.target.wants/sysbox.service",
	"/etc/systemd/system/sysbox.service.wants/sysbox-fs.service",
	"/etc/systemd/system/sysbox.service.wants/sysbox-mgr.service",
};

void sysbox_here_release(struct sysbox_here *s)
{
	json_free(s->origin);
	strv_release(&s->files);
	*s = (struct sysbox_here){ 0 };
}

char *sysbox_words(const struct sysbox_here *s)
{
	return xasprintf("Sysbox %s is here, installed %s", json_get_str(s->origin, "version"),
			 json_get_str(s->origin, "adopted"));
}

char *sysbox_plain_version(const char *package_version)
{
	size_t len = package_version ? strspn(package_version, "0123456789.") : 0;

	while (len && package_version[len - 1] == '.')
		len--;
	return len && isdigit((unsigned char)*package_version) ? xstrndup(package_version, len) :
								 NULL;
}

char *sysbox_said_version(const char *said)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, said, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		char *line = str_trim(lines.v[i]);

		if (str_starts(line, "version:"))
			return sysbox_plain_version(str_trim(line + strlen("version:")));
	}
	return NULL;
}

/* ---- ours ---- */

const struct json *sysbox_origin(const struct json *index)
{
	const struct json *packages = json_get(json_get(index, "packages"), "origin");

	for (size_t i = 0; !packages && i < ARRAY_SIZE(dirs); i++) {
		char *key CLEANUP(freep) = xasprintf("file:%s/sysbox-runc", dirs[i]);

		packages = json_get(json_get(index, key), "origin");
	}
	return packages;
}

bool sysbox_adopted(const struct json *origin)
{
	return json_get_str(origin, "adopted") != NULL;
}

static bool has_program(const struct root *r, const char *dir, const char *name)
{
	char *path CLEANUP(freep) = path_join(dir, name);

	return root_exists(r, path);
}

char *sysbox_runc(const struct step_ctx *ctx)
{
	const struct json *ours = sysbox_origin(ctx->index);
	const char *dir = json_get_str(ours, "dir");

	for (size_t i = 0; !ours && !dir && ctx->host->running && i < ARRAY_SIZE(dirs); i++)
		if (has_program(ctx->host->root, dirs[i], SYSBOX_RUNTIME))
			dir = dirs[i];
	return path_join(dir ? dir : dirs[0], SYSBOX_RUNTIME);
}

/* ---- somebody else's ---- */

static struct json *stranger(const char *version, const char *how, const char *dir)
{
	struct json *j = json_obj();

	json_set_str(j, "package", SYSBOX_PACKAGE);
	json_set_str(j, "version", version);
	json_set_str(j, "adopted", how);
	if (dir)
		json_set_str(j, "dir", dir);
	return j;
}

/* Those of dirs in which any of the programs is, from the n-th on. /usr/local/sbin may be a link to
 * /usr/local/bin: then the first one counts. */
static void find_dirs(const struct root *r, size_t n, struct strv *ret)
{
	for (; n < ARRAY_SIZE(dirs); n++) {
		bool any = false;

		for (size_t i = 0; sysbox_programs[i]; i++)
			any = any || has_program(r, dirs[n], sysbox_programs[i]);
		for (size_t i = 0; i < ret->n; i++)
			any = any && !root_same(r, dirs[n], ret->v[i]);
		if (any)
			strv_add(ret, dirs[n]);
	}
}

static int refuse_two(const char *one, const char *other, struct err *err)
{
	err_set(err, ERR_REFUSED, "there are two Sysboxes here: %s and '%s'", one, other);
	return err_remedy(err, "remove the one that is not used, then try again");
}

/* What runs under a unit's name is what is in that directory. */
static int check_running(const struct host *h, const char *unit, const struct unit_status *st,
			 const char *path, struct err *err)
{
	char *link CLEANUP(freep) = xasprintf("/proc/%d/exe", (int)st->main_pid);
	char *runs CLEANUP(freep) = NULL;

	if (st->main_pid <= 0 || root_readlink(h->root, link, &runs) ||
	    root_same(h->root, runs, path))
		return 0;
	err_set(err, ERR_REFUSED, "%s runs '%s', not '%s' as it is now", unit, runs, path);
	return err_remedy(err, "systemctl restart sysbox, if that was replaced meanwhile; else remove one of the two");
}

static int check_unit(const char *unit, const struct unit_status *st, struct err *err)
{
	if (str_eq(st->load, "masked")) {
		err_set(err, ERR_REFUSED, "a Sysbox is here, but %s is masked: somebody does not want it to run", unit);
		return err_remedy(err, "systemctl unmask %s, or remove that Sysbox", unit);
	}
	if (!str_eq(st->load, "loaded")) {
		err_set(err, ERR_REFUSED, "a Sysbox is here, but systemd has no %s that can be loaded", unit);
		return err_remedy(err, "write that unit, or remove that Sysbox");
	}
	return 0;
}

/* ret_files: where the units are. */
static int check_units(const struct host *h, const char *dir, struct strv *ret_files,
		       struct err *err)
{
	struct unit_status st[SYSBOX_UNITS];

	if (!host_has_systemd(h)) {
		err_set(err, ERR_REFUSED, "a Sysbox is here, and systemd does not run: nobody can tell how it is started");
		return err_remedy(err, "boot this host with systemd");
	}
	if (unit_query_all(sysbox_units, st, err))
		return -1;
	for (size_t i = 0; sysbox_units[i]; i++) {
		char *program CLEANUP(freep) = xstrndup(sysbox_units[i],
							strcspn(sysbox_units[i], "."));
		char *path CLEANUP(freep) = path_join(dir, program);
		/* sysbox.service runs a shell, not a program of its own */
		bool daemon = !str_eq(program, "sysbox");

		if (check_unit(sysbox_units[i], &st[i], err) ||
		    (daemon && check_running(h, sysbox_units[i], &st[i], path, err)))
			return -1;
		strv_add(ret_files, st[i].fragment);
	}
	return 0;
}

/* ---- by its own package ---- */

static bool is_there(const struct pkg_status *st)
{
	return st->known && st->version && !str_eq(st->state, "config-files") &&
	       !str_eq(st->state, "not-installed");
}

static int check_package(const struct host *h, const struct pkg_status *st, struct err *err)
{
	struct strv changed CLEANUP(strv_release) = STRV_INIT;

	if (!str_eq(st->state, "installed")) {
		err_set(err, ERR_REFUSED, "package '%s' %s is here, and %s", SYSBOX_PACKAGE,
			st->version, st->state);
		return err_remedy(err, "dpkg --configure -a, then try again");
	}
	if (pkg_backend(h)->changed(h, SYSBOX_PACKAGE, &changed, err))
		return -1;
	if (!changed.n)
		return 0;
	char *list CLEANUP(freep) = strv_join(&changed, ", ");
	err_set(err, ERR_REFUSED, "package '%s' %s is here, but not as it came: %s", SYSBOX_PACKAGE,
		st->version, list);
	return err_remedy(err, "apt-get install --reinstall %s, then try again", SYSBOX_PACKAGE);
}

static int take_package(const struct host *h, const struct pkg_status *st, struct sysbox_here *ret,
			struct err *err)
{
	char *version CLEANUP(freep) = sysbox_plain_version(st->version);
	struct strv twice CLEANUP(strv_release) = STRV_INIT,
			  units CLEANUP(strv_release) = STRV_INIT;

	find_dirs(h->root, 1, &twice);
	if (twice.n)
		return refuse_two("package '" SYSBOX_PACKAGE "'", twice.v[0], err);
	if (check_package(h, st, err) || check_units(h, dirs[0], &units, err))
		return -1;
	if (!version)
		return err_set(err, ERR_REFUSED, "version '%s' of package '%s' is none that sysboxup understands",
			       st->version, SYSBOX_PACKAGE);
	*ret = (struct sysbox_here){ .any = true, .theirs = true, .deb = true };
	ret->origin = stranger(version, BY_PACKAGE, NULL);
	return 0;
}

/* ---- by hand ---- */

/* Below /usr/local nothing is of a package; elsewhere somebody must be there to ask. */
static int check_owner(const struct host *h, const char *path, struct err *err)
{
	const struct pkg_ops *pkg = pkg_backend(h);
	const struct dep_ops *dep = dep_backend(h);
	bool owned = !str_starts(path, "/usr/local/");
	int r = 0;

	if (pkg)
		r = pkg->owned(h, path, &owned, err);
	else if (dep)
		r = dep->owned(path, &owned, err);
	if (r || !owned)
		return r;
	err_set(err, ERR_REFUSED, "'%s' is here, and may be of a package that sysboxup does not know", path);
	return err_remedy(err, "remove that Sysbox first");
}

static char *ask_version(const char *path)
{
	const char *const argv[] = { path, "--version", NULL };
	struct buf said CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct proc p = PROC_INIT;

	p.argv = argv;
	p.timeout = ASK_SECONDS;
	p.ret_out = &said;
	return proc_run(&p, NULL, &ignored) ? NULL : sysbox_said_version(said.data);
}

static int check_program(const struct host *h, const char *path, char **version, struct err *err)
{
	char *said CLEANUP(freep) = NULL;
	struct stat st;

	if (root_lstat(h->root, path, &st) || !S_ISREG(st.st_mode)) {
		err_set(err, ERR_REFUSED, "a part of a Sysbox is here, but '%s' is no file", path);
		return err_remedy(err, "complete that Sysbox, or remove it");
	}
	if (check_owner(h, path, err))
		return -1;
	said = ask_version(path);
	if (!said) {
		err_set(err, ERR_REFUSED, "'%s' is here, and does not say its version", path);
		return err_remedy(err, "remove that Sysbox first");
	}
	if (*version && strcmp(*version, said) != 0) {
		err_set(err, ERR_REFUSED, "the Sysbox that is here is made of two: '%s' is version %s, others are %s",
			path, said, *version);
		return err_remedy(err, "install all three programs of one version, then try again");
	}
	str_replace(version, said);
	return 0;
}

static int take_dir(const struct host *h, const char *dir, struct sysbox_here *ret, struct err *err)
{
	struct strv files CLEANUP(strv_release) = STRV_INIT;
	char *version CLEANUP(freep) = NULL;

	for (size_t i = 0; sysbox_programs[i]; i++) {
		char *path CLEANUP(freep) = path_join(dir, sysbox_programs[i]);

		if (check_program(h, path, &version, err))
			return -1;
		strv_add(&files, path);
	}
	if (check_units(h, dir, &files, err))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (root_exists(h->root, links[i]))
			strv_add(&files, links[i]);
	*ret = (struct sysbox_here){ .any = true, .theirs = true };
	ret->origin = stranger(version, BY_HAND, dir);
	ret->files = files;
	files = (struct strv)STRV_INIT;
	return 0;
}

static int refuse_image(const char *dir, struct err *err)
{
	err_set(err, ERR_REFUSED, "a Sysbox is in '%s' already, and not by sysboxup", dir);
	return err_remedy(err, "remove it first; it could be adopted only where it runs");
}

int sysbox_look(const struct host *h, struct sysbox_here *ret, struct err *err)
{
	const struct pkg_ops *pkg = pkg_backend(h);
	struct strv found CLEANUP(strv_release) = STRV_INIT;
	struct pkg_status st = { .known = false };
	int r = pkg ? pkg->status(h, SYSBOX_PACKAGE, &st, err) : 0;

	*ret = (struct sysbox_here){ 0 };
	if (!r && is_there(&st)) {
		r = take_package(h, &st, ret, err);
	} else if (!r) {
		find_dirs(h->root, 0, &found);
		if (found.n > 1)
			r = refuse_two(found.v[0], found.v[1], err);
		else if (found.n)
			r = h->running ? take_dir(h, found.v[0], ret, err) :
					 refuse_image(found.v[0], err);
	}
	pkg_status_release(&st);
	return r;
}

static int removed_by_hand(const struct step_ctx *ctx, bool *ret, struct err *err)
{
	struct records r CLEANUP(records_release) = RECORDS_INIT;
	bool any;

	if (records_in_force(&r, ctx->state, UINT_MAX, &any, err))
		return -1;
	*ret = false;
	for (size_t i = 0; i < r.n; i++)
		if (r.v[i].action->back &&
		    str_eq(json_get_str(r.v[i].action->origin, "adopted"), BY_HAND))
			*ret = true;
	return 0;
}

static int find_theirs(const struct step_ctx *ctx, struct sysbox_here *ret, struct err *err)
{
	if (sysbox_look(ctx->host, ret, err))
		return -1;
	return ret->any || ctx->state->fd < 0 ? 0 : removed_by_hand(ctx, &ret->files_only, err);
}

int sysbox_find(const struct step_ctx *ctx, struct sysbox_here *ret, struct err *err)
{
	const struct json *ours = sysbox_origin(ctx->index);

	if (!ours)
		return find_theirs(ctx, ret, err);
	*ret = (struct sysbox_here){ .any = true, .deb = json_get(ctx->index, "packages") != NULL };
	ret->origin = json_dup(ours);
	return 0;
}
