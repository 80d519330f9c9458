/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a report as text on the two streams. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/report.h"
#include "cli/out.h"

void text_change(const struct report_line *l);
void text_diff(const char *diff);			/* indented and coloured */
void text_check(const struct report_line *l, bool verbose);	/* with why and remedy unless all is well */
void text_warning(const struct report_line *l);
/* Indented by `indent` columns and folded at word boundaries to the terminal's width. */
void text_folded(enum out_stream s, enum out_paint paint, unsigned int indent, const char *label,
		 const char *text);

#endif
