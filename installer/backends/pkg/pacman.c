/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pacman, as tried with 6.0: nothing is synchronised (a newer list of packages without an upgrade
 * of all would be a partial upgrade), signatures are checked when it downloads. A file that is in
 * the way stops an installation before it begins. The entry of a package in the database is a
 * directory, made before its files and filled behind them; db.lck stays when pacman is killed.
 */
#include "backends/pkg/deps.h"

enum { PACMAN_SECONDS = 120, DOWNLOAD_SECONDS = 1800 };

#define LOCAL "/var/lib/pacman/local"

static const char *const programs[] = { "pacman", NULL };
static const char *const telling[] = { "error: ", "breaks dependency", "unable to satisfy",
				       "exists in filesystem", "are in conflict",
				       "ignoring package",  "use '-Sy'", NULL };
static const char *const complaints[] = { "command failed to execute correctly", NULL };
static const char *const suffixes[] = { ".pacnew", ".pacorig", ".pacsave", NULL };
static const struct dep_lock locks[] = { { "/var/lib/pacman/db.lck", DEP_LOCK_EXISTS },
					 { NULL, DEP_LOCK_EXISTS } };

extern const struct dep_ops dep_pacman;

static void pacman_argv(struct strv *argv, const char *verb)
{
	strv_add(argv, "pacman");
	strv_add(argv, verb);
}

static void quiet_argv(struct strv *argv, const char *verb)
{
	pacman_argv(argv, verb);
	strv_add(argv, "--noconfirm");
	strv_add(argv, "--noprogressbar");
}

static int pacman_fetch(const struct strv *names, const char *dir, struct report *rep,
			struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	quiet_argv(&argv, "-Sw");
	strv_add(&argv, "--cachedir");
	strv_add(&argv, dir);
	strv_addv(&argv, (const char *const *)names->v);
	return dep_ask(&dep_pacman, &argv, NULL, DOWNLOAD_SECONDS, rep, &o, err);
}

/* Lines of "NAME VERSION". */
static void parse_names(const char *text, struct dep_list *ret)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		struct strv word CLEANUP(strv_release) = STRV_INIT;
		str_words(&word, lines.v[i]);
		if (word.n == 2)
			dep_list_add(ret, &(struct dep){ .id = word.v[0], .name = word.v[0],
							 .version = word.v[1] });
	}
}

static int pacman_query(const char *verb, const char *what, struct dep_output *ret,
			struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	pacman_argv(&argv, verb);
	strv_add(&argv, what);
	return dep_run(&argv, NULL, PACMAN_SECONDS, NULL, ret, err);
}

static int unreadable(const char *file, struct err *err)
{
	return err_set(err, ERR_REFUSED, "'%s' is not a package that pacman can read", file);
}

static int pacman_read(const char *file, struct dep *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct dep_list l CLEANUP(dep_list_release) = { 0 };

	if (pacman_query("-Qp", file, &o, err))
		return -1;
	parse_names(o.out.data, &l);
	if (o.status || l.n != 1)
		return unreadable(file, err);
	*ret = l.v[0];
	l.n = 0;
	return 0;
}

/* Lines of "NAME /PATH", a directory's with a slash at its end. */
static int pacman_paths(const char *file, struct strv *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (pacman_query("-Qlp", file, &o, err))
		return -1;
	if (o.status)
		return unreadable(file, err);
	str_split(&lines, o.out.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *path = strchr(lines.v[i], '/');
		size_t len = path ? strlen(path) : 0;
		if (len > 1)
			strv_take(ret, xstrndup(path, path[len - 1] == '/' ? len - 1 : len));
	}
	return 0;
}

/* One that is not installed makes the exit status 1: what counts are the lines. */
static int pacman_installed(const struct strv *ids, struct dep_list *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	if (!ids->n)
		return 0;
	pacman_argv(&argv, "-Q");
	strv_addv(&argv, (const char *const *)ids->v);
	if (dep_run(&argv, NULL, PACMAN_SECONDS, NULL, &o, err))
		return -1;
	parse_names(o.out.data, ret);
	return 0;
}

static int pacman_owned(const char *path, bool *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };

	if (pacman_query("-Qo", path, &o, err))
		return -1;
	*ret = !o.status;
	return 0;
}

static void pacman_install(struct strv *argv, const struct strv *files, enum dep_how how)
{
	quiet_argv(argv, "-U");
	if (how == DEP_TRY)
		strv_add(argv, "--print");
	if (how == DEP_AGAIN) {
		strv_add(argv, "--overwrite");
		strv_add(argv, "*");
	}
	strv_addv(argv, (const char *const *)files->v);
}

static void pacman_remove(struct strv *argv, const struct strv *ids, enum dep_how how)
{
	quiet_argv(argv, "-R");
	if (how == DEP_TRY)
		strv_add(argv, "--print");
	if (how == DEP_AGAIN)
		strv_add(argv, "--noscriptlet");
	strv_addv(argv, (const char *const *)ids->v);
}

/* Else they would count as asked for by the person, and stay when what needed them goes. */
static void pacman_mark(struct strv *argv, const struct strv *ids)
{
	pacman_argv(argv, "-D");
	strv_add(argv, "--asdeps");
	strv_addv(argv, (const char *const *)ids->v);
}

/* ":: removing toolb breaks dependency 'toolb' required by other" */
static int pacman_needed(const struct dep_output *o, const struct strv *ids, struct strv *ret,
			 struct err *err)
{
	static const char before[] = "removing ", behind[] = " breaks dependency";
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, o->errout.data, '\n');
	str_split(&lines, o->out.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *name = strstr(lines.v[i], before), *end = strstr(lines.v[i], behind);
		if (!name || !end || name > end)
			continue;
		name += strlen(before);
		char *id CLEANUP(freep) = xstrndup(name, (size_t)(end - name));
		if (strv_has(ids, id) && !strv_has(ret, id))
			strv_add(ret, id);
	}
	return 0;
}

static char *pacman_half_entry(const struct dep *d)
{
	return xasprintf(LOCAL "/%s-%s", d->name, d->version);
}

const struct dep_ops dep_pacman = {
	.name = "pacman",
	.programs = programs,
	.database = "/var/lib/pacman",
	.locks = locks,
	.telling = telling,
	.complaints = complaints,
	.suffixes = suffixes,
	.saved = ".pacsave",
	.downgrade = "pacman -U",
	.fetch = pacman_fetch,
	.read = pacman_read,
	.paths = pacman_paths,
	.installed = pacman_installed,
	.owned = pacman_owned,
	.install = pacman_install,
	.remove = pacman_remove,
	.mark = pacman_mark,
	.needed = pacman_needed,
	.half_entry = pacman_half_entry,
};
