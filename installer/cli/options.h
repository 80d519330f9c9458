/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one parser of options, global ones and those of a command. Long options take `--name=VALUE`
 * or `--name VALUE`, letters may be joined (-qv), `--` ends them, options may stand before and
 * behind the command's name (before it the global ones only). Tables end with name == NULL; help,
 * completion and man page are made from them.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/err.h"
#include "base/str.h"

enum option_value { VALUE_TEXT, VALUE_FILE, VALUE_DIR };	/* what completion offers */

struct option_spec {
	const char *name;		/* long name without dashes */
	char letter;			/* or 0 */
	const char *arg;		/* what its value is called, or NULL: a switch */
	const char *help;		/* one line, lower case, no full stop */
	enum option_value value;
	const char *const *choices;	/* the values allowed, NULL-terminated, or NULL */
	bool repeated;			/* may be given more than once */
};

struct option_hit {
	const struct option_spec *spec;
	char *value;			/* NULL for a switch */
};

struct options {
	const struct option_spec *tables[2];	/* global, the command's (NULL: no command named) */
	struct option_hit *hits;
	size_t hits_n;
	struct strv args;		/* the words behind the command */
};

#define OPTIONS_INIT { { NULL, NULL }, NULL, 0, STRV_INIT }

/* Called with the first word that is no option: the option table of that command, or NULL with err
 * set. */
typedef const struct option_spec *option_select_fn(void *user, const char *word, struct err *err);

/* argv without the program's name, NULL-terminated. What was read before an error is in *o all the
 * same. Errors: ERR_USAGE. */
int options_parse(struct options *o, const struct option_spec *globals, option_select_fn *select,
		  void *user, char *const *argv, struct err *err);
void options_release(struct options *o);

bool option_given(const struct options *o, const char *name);
const char *option_text(const struct options *o, const char *name);		/* NULL: not given */
void option_texts(const struct options *o, const char *name, struct strv *ret);	/* all of a repeated one */

#endif
