/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apk, by its documentation (apk-add(8), apk-fetch(8), apk-del(8) of apk-tools 2.14): Debian has
 * none, so the tests have a stand-in that logs and fails. What is added as a file is pinned in
 * /etc/apk/world; apk del takes the pin out, and the package if nobody else needs it.
 */
#include "backends/pkg/deps.h"

enum { APK_SECONDS = 120, DOWNLOAD_SECONDS = 1800 };

static const char *const programs[] = { "apk", "tar", NULL };
static const char *const telling[] = { "ERROR: ",      "unable to select", "required by: ",
				       "no such package", "conflicts: ",   "masked in", NULL };
static const char *const complaints[] = { "script exited with error", NULL };
static const char *const suffixes[] = { ".apk-new", NULL };
static const struct dep_lock locks[] = { { "/lib/apk/db/lock", DEP_LOCK_FLOCK },
					 { NULL, DEP_LOCK_EXISTS } };

extern const struct dep_ops dep_apk;

static void apk_argv(struct strv *argv, const char *verb)
{
	strv_add(argv, "apk");
	strv_add(argv, verb);
}

/* "(1/2) Installing fuse3 (3.16.2-r0)": what stands behind `did`, or NULL. */
static char *step_of(const char *line, const char *did, char **ret_version)
{
	const char *name = strstr(line, did), *open = name ? strstr(name, " (") : NULL;

	if (!open || *line != '(')
		return NULL;
	name += strlen(did);
	*ret_version = xstrndup(open + 2, strcspn(open + 2, ") "));
	return xstrndup(name, (size_t)(open - name));
}

static int plan_line(const char *line, struct strv *exact, struct err *err)
{
	static const char *const others[] = { " Upgrading ", " Downgrading ", " Replacing ",
					      " Purging " };
	char *version CLEANUP(freep) = NULL;
	char *name CLEANUP(freep) = step_of(line, " Installing ", &version);

	if (name)
		strv_addf(exact, "%s=%s", name, version);
	for (size_t i = 0; !name && i < ARRAY_SIZE(others); i++)
		if (*line == '(' && strstr(line, others[i]))
			return err_set(err, ERR_REFUSED, "apk would do more than install: %s",
				       line);
	return 0;
}

static int resolve(const struct strv *names, struct report *rep, struct strv *exact,
		   struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT, lines CLEANUP(strv_release) = STRV_INIT;

	apk_argv(&argv, "add");
	strv_add(&argv, "--simulate");
	strv_addv(&argv, (const char *const *)names->v);
	if (dep_ask(&dep_apk, &argv, NULL, APK_SECONDS, rep, &o, err))
		return -1;
	str_split(&lines, o.out.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (plan_line(lines.v[i], exact, err))
			return -1;
	return 0;
}

static int apk_fetch(const struct strv *names, const char *dir, struct report *rep,
		     struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT, exact CLEANUP(strv_release) = STRV_INIT;

	if (resolve(names, rep, &exact, err))
		return -1;
	if (!exact.n)
		return 0;
	apk_argv(&argv, "fetch");
	strv_add(&argv, "--output");
	strv_add(&argv, dir);
	strv_addv(&argv, (const char *const *)exact.v);
	return dep_ask(&dep_apk, &argv, NULL, DOWNLOAD_SECONDS, rep, &o, err);
}

/* "fuse3-3.16.2-r0": the name ends before the last dash but one. */
static bool split_version(const char *text, struct dep *ret)
{
	const char *release = strrchr(text, '-'), *version = release;

	while (version && version > text && *--version != '-')
		;
	if (!version || version == text || release[1] != 'r')
		return false;
	ret->name = xstrndup(text, (size_t)(version - text));
	ret->id = xstrdup(ret->name);
	ret->version = xstrdup(version + 1);
	return true;
}

static int apk_read(const char *file, struct dep *ret, struct err *err)
{
	const char *base = path_basename(file);
	char *text CLEANUP(freep) = xstrndup(base, strlen(base) - (str_ends(base, ".apk") ? 4 : 0));
	struct dep d = { 0 };

	if (!str_ends(base, ".apk") || !split_version(text, &d))
		return err_set(err, ERR_REFUSED, "'%s' is not called as apk calls a package", file);
	*ret = d;
	return 0;
}

/* Its own entries begin with a dot. */
static int apk_paths(const char *file, struct strv *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT, lines CLEANUP(strv_release) = STRV_INIT;

	strv_add(&argv, "tar");
	strv_add(&argv, "-tzf");
	strv_add(&argv, file);
	if (dep_run(&argv, NULL, APK_SECONDS, NULL, &o, err))
		return -1;
	if (o.status)
		return err_set(err, ERR_REFUSED, "'%s' cannot be read", file);
	str_split(&lines, o.out.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		size_t len = strlen(lines.v[i]);
		if (len && *lines.v[i] != '.')
			strv_addf(ret, "/%.*s",
				  (int)(lines.v[i][len - 1] == '/' ? len - 1 : len), lines.v[i]);
	}
	return 0;
}

/* "fuse3-3.16.2-r0 x86_64 {fuse3} (LGPL-2.1) [installed]" */
static int apk_installed(const struct strv *ids, struct dep_list *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT, lines CLEANUP(strv_release) = STRV_INIT;

	if (!ids->n)
		return 0;
	apk_argv(&argv, "list");
	strv_add(&argv, "--installed");
	strv_addv(&argv, (const char *const *)ids->v);
	if (dep_run(&argv, NULL, APK_SECONDS, NULL, &o, err))
		return -1;
	str_split(&lines, o.out.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		char *first CLEANUP(freep) = xstrndup(lines.v[i], strcspn(lines.v[i], " "));
		struct dep d = { 0 };
		if (!split_version(first, &d))
			continue;
		if (strv_has(ids, d.id))
			dep_list_add(ret, &d);
		free(d.id);
		free(d.name);
		free(d.version);
	}
	return 0;
}

static int apk_owned(const char *path, bool *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	apk_argv(&argv, "info");
	strv_add(&argv, "--who-owns");
	strv_add(&argv, path);
	if (dep_run(&argv, NULL, APK_SECONDS, NULL, &o, err))
		return -1;
	*ret = !o.status;
	return 0;
}

static void apk_install(struct strv *argv, const struct strv *files, enum dep_how how)
{
	apk_argv(argv, "add");
	strv_add(argv, "--no-network");
	if (how == DEP_TRY)
		strv_add(argv, "--simulate");
	if (how == DEP_AGAIN)
		strv_add(argv, "--force-overwrite");
	strv_addv(argv, (const char *const *)files->v);
}

static void apk_remove(struct strv *argv, const struct strv *ids, enum dep_how how)
{
	apk_argv(argv, "del");
	strv_add(argv, "--no-network");
	if (how == DEP_TRY)
		strv_add(argv, "--simulate");
	if (how == DEP_AGAIN)
		strv_add(argv, "--no-scripts");
	strv_addv(argv, (const char *const *)ids->v);
}

/* "(1/2) Purging fuse3 (3.16.2-r0)": what is not named would stay, because others need it. */
static int apk_needed(const struct dep_output *o, const struct strv *ids, struct strv *ret,
		      struct err *err)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT, gone CLEANUP(strv_release) = STRV_INIT;

	if (o->status)
		return 0;
	str_split(&lines, o->out.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		char *version CLEANUP(freep) = NULL;
		char *name CLEANUP(freep) = step_of(lines.v[i], " Purging ", &version);
		if (name)
			strv_add(&gone, name);
	}
	for (size_t i = 0; i < ids->n; i++)
		if (!strv_has(&gone, ids->v[i]))
			strv_add(ret, ids->v[i]);
	return 0;
}

const struct dep_ops dep_apk = {
	.name = "apk",
	.programs = programs,
	.database = "/lib/apk",
	.locks = locks,
	.telling = telling,
	.complaints = complaints,
	.suffixes = suffixes,
	.saved = "",
	.downgrade = "apk add --no-network",
	.fetch = apk_fetch,
	.read = apk_read,
	.paths = apk_paths,
	.installed = apk_installed,
	.owned = apk_owned,
	.install = apk_install,
	.remove = apk_remove,
	.needed = apk_needed,
};
