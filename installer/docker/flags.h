/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective command line of a Docker daemon, and for each flag where it is written, so that a
 * conflict can be named with file and line ("--bip in /etc/default/docker line 3"). Sources in
 * order of trust: /proc/PID/cmdline of the running daemon (what is), the unit with its drop-ins and
 * EnvironmentFile= expanded (what the next start will be).
 */
#ifndef DOCKER_FLAGS_H
#define DOCKER_FLAGS_H

#include "base/json.h"
#include "sys/root.h"

#include <sys/types.h>

struct docker_flag {
	/* long name without dashes; short ones are mapped: -H is "host", -g "data-root", -D
	 * "debug", -l "log-level" ... */
	char *name;
	char *value;		/* "" for a switch */
	char *file;		/* where it is written, or "/proc/PID/cmdline" */
	unsigned int line;	/* 0 if unknown */
};

struct docker_flags {
	char *binary;
	struct docker_flag *v;
	size_t n;
	struct strv argv;	/* as the next start would have it: binary and arguments */
};

/* From the unit (systemd syntax parsed by us, drop-ins in order, ExecStart= resets, $VAR and ${VAR}
 * from Environment= and EnvironmentFile=); 1 if there is no such unit. */
int docker_flags_from_unit(struct docker_flags *ret, const struct root *root, const char *unit,
			   struct err *err);
int docker_flags_from_pid(struct docker_flags *ret, pid_t pid, struct err *err);
int docker_flags_from_argv(struct docker_flags *ret, const struct strv *argv, const char *file,
			   struct err *err);
void docker_flags_free(struct docker_flags *f);		/* frees f too */
void docker_flags_release(struct docker_flags *f);
const struct docker_flag *docker_flag_find(const struct docker_flags *f, const char *name);

#endif
