/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two streams, and what may go onto them: the only code of the program that writes to a
 * terminal. Text from outside is shown with anything unprintable as \xNN. A failed write is
 * remembered and never interrupts the work: out_failed tells at the end. A reader that went away
 * (EPIPE) is no failure.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "base/buf.h"

enum out_stream { OUT_RESULT /* stdout */, OUT_TALK /* stderr */ };
enum out_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

enum out_level { LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };

enum out_paint {
	PAINT_NONE,
	PAINT_GOOD,		/* green */
	PAINT_BAD,		/* red */
	PAINT_WARN,		/* yellow */
	PAINT_NOTE,		/* cyan */
	PAINT_STRONG,		/* bold */
	PAINT_FAINT,
};

/* auto: on a terminal that is not dumb, unless NO_COLOR is set to something. Decided per stream. */
void out_set_color(enum out_color when);
/* Of the lines that follow: in systemd's journal, where a unit's output goes, a level of their own
 * (sd-daemon(3)); elsewhere nothing. */
void out_set_level(enum out_stream s, enum out_level level);
bool out_is_terminal(enum out_stream s);
unsigned int out_width(enum out_stream s);		/* columns; 80 where unknown */

void out_raw(enum out_stream s, const void *data, size_t len);
void out_text(enum out_stream s, enum out_paint paint, const char *text);	/* ours or a stranger's: escaped, tabs kept */
void out_textf(enum out_stream s, enum out_paint paint, const char *fmt, ...) PRINTF(3, 4);
void out_newline(enum out_stream s);			/* ends the line and flushes it */
void out_flush(enum out_stream s);
/* errno of the first write to stdout that failed for another reason than EPIPE, or 0. */
int out_failed(void);

#endif
