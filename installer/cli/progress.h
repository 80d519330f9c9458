/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes on their way. On a terminal one line that is drawn over itself at most ten times a second;
 * elsewhere a plain line at the beginning, every ten seconds and at the end.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
	char *subject;			/* NULL: none under way */
	uint64_t started_ms, shown_ms;
	uint64_t first;			/* bytes that were there when it began (a resumed download) */
	bool drawn;			/* a line on the terminal waits to be cleared */
	bool ended;
};

/* Is it time to tell about this? Keeps the times. every_ms: at most that often, but always the
 * first and the last. */
bool progress_due(struct progress *p, const char *subject, uint64_t done, uint64_t total,
		  unsigned int every_ms);
void progress_draw(struct progress *p, uint64_t done, uint64_t total);		/* on the terminal */
void progress_line(struct progress *p, uint64_t done, uint64_t total);		/* plain */
/* Before any other line: takes the drawn line off the terminal. */
void progress_clear(struct progress *p);
void progress_release(struct progress *p);

/* "11.2 MiB" */
void bytes_words(uint64_t n, char *buf, size_t size);

#endif
