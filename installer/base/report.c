/* SPDX-License-Identifier: Apache-2.0 */
#include "base/report.h"

void report_emit(struct report *r, const struct report_line *line)
{
	if (!r)
		return;
	if (line->kind == REPORT_WARN || (line->kind == REPORT_CHECK && line->state == STATE_WARN))
		r->warnings++;
	if (line->kind == REPORT_CHECK && line->state == STATE_BAD)
		r->bad++;
	r->changes += line->kind == REPORT_CHANGE;
	if (r->emit)
		r->emit(r, line);
}

static void emit_text(struct report *r, struct report_line line, const char *fmt, va_list ap)
	PRINTF(3, 0);
static void emit_text(struct report *r, struct report_line line, const char *fmt, va_list ap)
{
	char *text CLEANUP(freep) = NULL;

	if (!r)
		return;
	text = xvasprintf(fmt, ap);
	line.text = text;
	report_emit(r, &line);
}

void report_log(struct report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_text(r, (struct report_line){ .kind = REPORT_LOG }, fmt, ap);
	va_end(ap);
}

void report_info(struct report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_text(r, (struct report_line){ .kind = REPORT_INFO }, fmt, ap);
	va_end(ap);
}

void report_warn(struct report *r, const char *remedy, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_text(r, (struct report_line){ .kind = REPORT_WARN, .remedy = remedy }, fmt, ap);
	va_end(ap);
}

void report_change(struct report *r, const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_text(r, (struct report_line){ .kind = REPORT_CHANGE, .subject = subject }, fmt, ap);
	va_end(ap);
}

void report_diff(struct report *r, const char *diff)
{
	report_emit(r, &(struct report_line){ .kind = REPORT_DIFF, .text = diff });
}

void report_check(struct report *r, const char *id, enum report_state state, const char *why,
		  const char *remedy, const char *fmt, ...)
{
	struct report_line line = {
		.kind = REPORT_CHECK, .state = state, .subject = id, .why = why, .remedy = remedy,
	};
	va_list ap;

	va_start(ap, fmt);
	emit_text(r, line, fmt, ap);
	va_end(ap);
}

void report_progress(struct report *r, const char *subject, uint64_t done, uint64_t total)
{
	struct report_line line = {
		.kind = REPORT_PROGRESS, .subject = subject, .done = done, .total = total,
	};

	report_emit(r, &line);
}
