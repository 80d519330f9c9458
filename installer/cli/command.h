/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command is a file cmd_NAME.c that ends in its descriptor, and one line in commands.c. Help,
 * completion and the man page's list of commands and options are made from these descriptors and
 * from nothing else.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/options.h"
#include "cli/render.h"

struct cli;

enum command_flags {
	CMD_ROOT = 1,		/* refused unless run as root */
	CMD_CHANGES = 2,	/* may change the host: takes the lock, and runs below a parent that recovers if it is killed */
	CMD_STEADY = 4,		/* must end in order: SIGINT and SIGTERM are noted, and asked for where it is safe to stop */
	CMD_HIDDEN = 8,		/* for the build, not for people: in no list */
};

struct command {
	const char *name;
	const char *usage;			/* what follows the name: "[ID]"; "" for nothing */
	const char *summary;			/* one line, lower case, no full stop */
	const char *about;			/* paragraphs in plain words, empty line between; --help and the man page show it */
	const struct option_spec *options;	/* its own; never NULL, may be empty */
	const char *const *words;		/* first words that completion offers, NULL-terminated, or NULL */
	size_t args_min, args_max;
	int flags;
	/* The exit code (cli/exit.h), or negative with err set. */
	int (*run)(struct cli *cli, struct err *err);
};

struct cli {
	const struct command *cmd;	/* NULL until a command was named */
	struct options opts;
	char *const *argv;		/* all of it, for the history */
	struct render *out;
	struct report *rep;		/* out's face towards the layers below */
	struct summary result;		/* filled in by the command */
	unsigned int newest_before;	/* transaction, where this run works on an image */
};

/* cli/commands.c: the ordered table, ends with NULL. */
extern const struct command *const commands[];
extern const struct option_spec global_options[];
extern const struct option_spec no_options[];

const struct command *command_find(const char *name);
/* ERR_USAGE that names the nearest command. */
int command_unknown(const char *word, struct err *err);

/* The whole program: returns the exit code. */
int cli_main(int argc, char **argv);

#endif
