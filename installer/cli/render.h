/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the person sees: the report of the layers below as text or as JSON, results of commands,
 * errors.
 *
 * Text: changes, checks and tables go to stdout; progress, warnings, errors and --verbose lines to
 * stderr. --quiet leaves warnings, errors and what was asked for by name (tables, old text).
 * --json: one object per line on stdout (sysboxup(8) has the schema), the summary last, and the
 * error's words on stderr as well.
 */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include "base/report.h"
#include "cli/out.h"
#include "cli/progress.h"

struct render {
	struct report report;		/* first: the layers below hold this */
	bool json, quiet, verbose;
	struct progress progress;
	struct strv warned;		/* said already: a warning is printed once per run */
};

struct summary {
	bool changed;			/* the host was changed (plan: would be) */
	const char *host;		/* what state the host is in, where the exit code does not tell; else NULL */
	unsigned int transaction;	/* 0: none */
	size_t actions;
};

void render_init(struct render *r, bool json, bool quiet, bool verbose);
void render_release(struct render *r);

/* A line of text (never in JSON, not with --quiet): headings and closing words of a command, on
 * stdout. */
void render_say(struct render *r, enum out_paint paint, const char *fmt, ...) PRINTF(3, 4);
/* One row of a result: the object in JSON ("event" is added; taken over, may be NULL: then text
 * only), else the line. */
void render_row(struct render *r, const char *event, struct json *obj, const char *fmt, ...)
	PRINTF(4, 5);
/* Bytes asked for by name, as they are: help, completion, a file's old text. Not in JSON. */
void render_raw(struct render *r, const void *data, size_t len);
/* What was wrong, what to do, what state the host is in. */
void render_error(struct render *r, const struct err *err, int code, const char *host);
/* JSON only: the last object. err NULL: none. */
void render_summary(struct render *r, const char *command, const struct summary *s, int code,
		    const struct err *err);

#endif
