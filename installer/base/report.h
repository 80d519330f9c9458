/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens, in neutral lines: layers below cli/ call these, cli/render.c alone turns them into
 * text or JSON. A NULL report swallows everything.
 */
#ifndef BASE_REPORT_H
#define BASE_REPORT_H

#include "base/json.h"

enum report_kind {
	REPORT_LOG,		/* one line of a child's output, or debugging; shown only with --verbose */
	REPORT_INFO,		/* progress in words: "waiting for ..." */
	REPORT_WARN,
	REPORT_CHANGE,		/* one planned or done change: subject = path or thing, text = what */
	REPORT_DIFF,		/* a unified diff in text, belongs to the REPORT_CHANGE before */
	REPORT_CHECK,		/* one check of preflight, status or verify: subject = id, text = found, state */
	REPORT_PROGRESS,	/* bytes: done of total (0 = unknown), subject = what */
};

/* STATE_UNKNOWN: could not be proven */
enum report_state { STATE_NONE, STATE_OK, STATE_WARN, STATE_BAD, STATE_UNKNOWN };

struct report_line {
	enum report_kind kind;
	enum report_state state;
	const char *subject;		/* may be NULL */
	const char *text;		/* may be NULL */
	const char *why;		/* REPORT_CHECK: why it matters, or NULL */
	const char *remedy;		/* REPORT_CHECK, REPORT_WARN: what to do, or NULL */
	uint64_t done, total;		/* bytes */
};

struct report {
	void (*emit)(struct report *r, const struct report_line *line);
	unsigned int warnings;		/* REPORT_WARN and STATE_WARN, counted by report_emit */
	unsigned int bad;		/* REPORT_CHECK lines with STATE_BAD */
	unsigned int changes;		/* REPORT_CHANGE lines */
};

void report_emit(struct report *r, const struct report_line *line);
void report_log(struct report *r, const char *fmt, ...) PRINTF(2, 3);
void report_info(struct report *r, const char *fmt, ...) PRINTF(2, 3);
void report_warn(struct report *r, const char *remedy, const char *fmt, ...) PRINTF(3, 4);
void report_change(struct report *r, const char *subject, const char *fmt, ...) PRINTF(3, 4);
void report_diff(struct report *r, const char *diff);
void report_check(struct report *r, const char *id, enum report_state state, const char *why,
		  const char *remedy, const char *fmt, ...) PRINTF(6, 7);
void report_progress(struct report *r, const char *subject, uint64_t done, uint64_t total);

#endif
