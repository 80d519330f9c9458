/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service unit as systemd reads it (systemd.syntax(7), systemd.unit(5), systemd.exec(5)): the
 * vendor's file, drop-ins sorted by name where the more specific and then the earlier directory
 * hides the same name further down, links to /dev/null, continuation lines with comments in
 * between, quotes, escapes, specifiers, Environment= and EnvironmentFile=, $VAR and ${VAR}. Asking
 * systemd itself would not do: images have none running, and it does not say where a word is
 * written.
 */
#ifndef DOCKER_UNITFILE_H
#define DOCKER_UNITFILE_H

#include "base/err.h"
#include "docker/origin.h"
#include "sys/root.h"

struct unit_setting {
	char *section, *key;
	struct otext value;
	struct origin at;		/* of the line with the key */
};

struct unitfile {
	char *name;			/* "docker.service" */
	char *path;			/* of its main file */
	struct unit_setting *v;
	size_t n;
	struct strv files;		/* every file that was read; origins point here */
};

/* 1: there is no such unit, or it is masked. */
int unitfile_read(struct unitfile *ret, const struct root *root, const char *name, struct err *err);
void unitfile_release(struct unitfile *u);

struct unit_var {
	char *name;
	struct otext value;
};

struct unit_env {
	struct unit_var *v;
	size_t n;
};

/* Environment= of [Service], then its files over it. A missing file without "-" is left out here
 * too: systemd would refuse the start, and says so. */
int unitfile_env(struct unit_env *ret, struct unitfile *u, const struct root *root,
		 struct err *err);
void unit_env_release(struct unit_env *e);

/* The command line of the last ExecStart=, variables expanded, prefixes like "-" and "@" taken off.
 * No words if there is none. */
void unitfile_exec(struct owords *ret, const struct unitfile *u, const struct unit_env *env);

#endif
