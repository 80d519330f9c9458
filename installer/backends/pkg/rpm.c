/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpm, as tried with 4.18: `rpm --install` adds and never upgrades or obsoletes; it overwrites a
 * file that belongs to no package without a word, and keeps one only where the package calls it
 * configuration (.rpmorig, .rpmnew). A %pre that fails leaves nothing; a %post that fails leaves
 * the package installed and exit status 0. A modified configuration file outlives the removal as
 * .rpmsave. Files are unpacked as NAME;XXXXXXXX and renamed: what a kill leaves. The database is
 * written package by package, behind its files.
 */
#include "backends/pkg/rpm.h"

#define FORMAT "%{NAME}.%{ARCH}\t%{NAME}\t%{EVR}\n"

enum { RPM_SECONDS = 120, TID_DIGITS = 8 };

const char *const rpm_complaints[] = { "scriptlet failed", "lua script failed", NULL };
const char *const rpm_suffixes[] = { ".rpmnew", ".rpmorig", ".rpmsave", NULL };

static void rpm_argv(struct strv *argv, const char *verb)
{
	strv_add(argv, "rpm");
	strv_add(argv, verb);
}

/* Where it writes scripts before it runs them: in the shield that is a place of its own, and a
 * killed one leaves nothing. */
static void change_argv(struct strv *argv, const char *verb)
{
	rpm_argv(argv, verb);
	strv_add(argv, "--define");
	strv_add(argv, "_tmppath /tmp");
}

static int rpm_query(const char *option, const char *what, struct dep_output *ret, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	rpm_argv(&argv, "--query");
	strv_add(&argv, option);
	strv_add(&argv, what);
	return dep_run(&argv, NULL, RPM_SECONDS, NULL, ret, err);
}

static int unreadable(const char *file, struct err *err)
{
	return err_set(err, ERR_REFUSED, "'%s' is not a package that rpm can read", file);
}

int rpm_read(const char *file, struct dep *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct dep_list l CLEANUP(dep_list_release) = { 0 };

	if (rpm_query("--queryformat=" FORMAT "--package", file, &o, err))
		return -1;
	dep_parse(o.out.data, &l);
	if (o.status || l.n != 1)
		return unreadable(file, err);
	*ret = l.v[0];
	l.n = 0;
	return 0;
}

int rpm_paths(const char *file, struct strv *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (rpm_query("-lp", file, &o, err))
		return -1;
	if (o.status)
		return unreadable(file, err);
	str_split(&lines, o.out.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (*lines.v[i] == '/')
			strv_add(ret, lines.v[i]);
	return 0;
}

/* One that is not installed makes the exit status 1: what counts are the lines. */
int rpm_installed(const struct strv *ids, struct dep_list *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	if (!ids->n)
		return 0;
	rpm_argv(&argv, "--query");
	strv_add(&argv, "--queryformat=" FORMAT);
	strv_addv(&argv, (const char *const *)ids->v);
	if (dep_run(&argv, NULL, RPM_SECONDS, NULL, &o, err))
		return -1;
	if (strstr(o.errout.data, "error: "))
		return err_set(err, ERR_FAILED, "rpm cannot read its database: %.300s",
			       strstr(o.errout.data, "error: "));
	dep_parse(o.out.data, ret);
	return 0;
}

int rpm_owned(const char *path, bool *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };

	if (rpm_query("--file", path, &o, err))
		return -1;
	*ret = !o.status;
	return 0;
}

void rpm_install(struct strv *argv, const struct strv *files, enum dep_how how)
{
	change_argv(argv, "--install");
	strv_add(argv, "--excludepath=" DEP_LEFT_OUT);
	if (how == DEP_TRY)
		strv_add(argv, "--test");
	if (how == DEP_AGAIN) {
		strv_add(argv, "--replacepkgs");
		strv_add(argv, "--replacefiles");
	}
	strv_addv(argv, (const char *const *)files->v);
}

void rpm_remove(struct strv *argv, const struct strv *ids, enum dep_how how)
{
	change_argv(argv, "--erase");
	if (how == DEP_TRY)
		strv_add(argv, "--test");
	if (how == DEP_AGAIN)
		strv_add(argv, "--noscripts");
	strv_addv(argv, (const char *const *)ids->v);
}

/* "toolb is needed by (installed) other-1.0-1.noarch": a capability, with or without a version. */
static int providers(const char *line, const struct strv *ids, struct strv *ret, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct dep_list l CLEANUP(dep_list_release) = { 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	char *capability CLEANUP(freep) = xstrndup(line, strcspn(line, " "));

	rpm_argv(&argv, "--query");
	strv_add(&argv, "--queryformat=" FORMAT);
	strv_add(&argv, "--whatprovides");
	strv_add(&argv, capability);
	if (dep_run(&argv, NULL, RPM_SECONDS, NULL, &o, err))
		return -1;
	dep_parse(o.out.data, &l);
	for (size_t i = 0; i < l.n; i++)
		if (strv_has(ids, l.v[i].id) && !strv_has(ret, l.v[i].id))
			strv_add(ret, l.v[i].id);
	return 0;
}

int rpm_needed(const struct dep_output *o, const struct strv *ids, struct strv *ret,
	       struct err *err)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, o->errout.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (strstr(lines.v[i], " is needed by ") &&
		    providers(str_trim(lines.v[i]), ids, ret, err))
			return -1;
	return 0;
}

bool rpm_litter(const char *name, const char *base)
{
	size_t len = strlen(base);

	return str_starts(name, base) && name[len] == ';' &&
	       strlen(name) == len + 1 + TID_DIGITS &&
	       strspn(name + len + 1, "0123456789abcdef") == TID_DIGITS;
}
