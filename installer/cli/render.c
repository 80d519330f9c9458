/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/render.h"

#include "cli/events.h"
#include "cli/exit.h"
#include "cli/text.h"

#define DRAW_MS 100
#define LINE_MS 10000
#define EVENT_MS 1000

static struct render *render_of(struct report *report)
{
	return (struct render *)report;
}

static bool wanted(const struct render *r, const struct report_line *l)
{
	switch (l->kind) {
	case REPORT_WARN:
		return true;
	case REPORT_LOG:
		return r->verbose && !r->quiet;
	case REPORT_INFO:
	case REPORT_CHANGE:
	case REPORT_DIFF:
	case REPORT_CHECK:
	case REPORT_PROGRESS:
		break;
	}
	return !r->quiet;
}

static bool said_before(struct render *r, const struct report_line *l)
{
	if (l->kind != REPORT_WARN || !l->text)
		return false;
	if (strv_has(&r->warned, l->text))
		return true;
	strv_add(&r->warned, l->text);
	return false;
}

static void progress_text(struct render *r, const struct report_line *l)
{
	bool tty = out_is_terminal(OUT_TALK);

	if (!progress_due(&r->progress, l->subject, l->done, l->total, tty ? DRAW_MS : LINE_MS))
		return;
	(tty ? progress_draw : progress_line)(&r->progress, l->done, l->total);
}

static void talk(enum out_paint paint, const char *text)
{
	out_text(OUT_TALK, paint, text ? text : "");
	out_newline(OUT_TALK);
}

static void emit_text(struct render *r, const struct report_line *l)
{
	if (l->kind != REPORT_PROGRESS)
		progress_clear(&r->progress);
	switch (l->kind) {
	case REPORT_LOG:
		talk(PAINT_FAINT, l->text);
		break;
	case REPORT_INFO:
		talk(PAINT_NONE, l->text);
		break;
	case REPORT_WARN:
		text_warning(l);
		break;
	case REPORT_CHANGE:
		text_change(l);
		break;
	case REPORT_DIFF:
		text_diff(l->text);
		break;
	case REPORT_CHECK:
		text_check(l, r->verbose);
		break;
	case REPORT_PROGRESS:
		progress_text(r, l);
		break;
	}
}

static void emit_json(struct render *r, const struct report_line *l)
{
	struct json *event CLEANUP(json_freep) = event_from_line(l);

	if (l->kind == REPORT_PROGRESS &&
	    !progress_due(&r->progress, l->subject, l->done, l->total, EVENT_MS))
		return;
	event_print(event);
}

static void emit(struct report *report, const struct report_line *l)
{
	struct render *r = render_of(report);

	if (!wanted(r, l))
		return;
	if (said_before(r, l)) {
		report->warnings--;
		return;
	}
	(r->json ? emit_json : emit_text)(r, l);
}

void render_init(struct render *r, bool json, bool quiet, bool verbose)
{
	*r = (struct render){
		.report = { .emit = emit }, .json = json, .quiet = quiet, .verbose = verbose,
	};
}

void render_release(struct render *r)
{
	progress_release(&r->progress);
	strv_release(&r->warned);
}

void render_say(struct render *r, enum out_paint paint, const char *fmt, ...)
{
	va_list ap;

	if (r->json || r->quiet)
		return;
	progress_clear(&r->progress);
	va_start(ap, fmt);
	char *text CLEANUP(freep) = xvasprintf(fmt, ap);
	va_end(ap);
	out_text(OUT_RESULT, paint, text);
	out_newline(OUT_RESULT);
}

void render_row(struct render *r, const char *event, struct json *obj, const char *fmt, ...)
{
	struct json *own CLEANUP(json_freep) = obj;
	va_list ap;

	if (r->json && !obj)
		return;
	if (r->json) {
		struct json *head CLEANUP(json_freep) = event_new(event);
		struct json *whole CLEANUP(json_freep) = json_merge(head, own);

		event_print(whole);
		return;
	}
	va_start(ap, fmt);
	char *text CLEANUP(freep) = xvasprintf(fmt, ap);
	va_end(ap);
	out_text(OUT_RESULT, PAINT_NONE, text);
	out_newline(OUT_RESULT);
}

void render_raw(struct render *r, const void *data, size_t len)
{
	if (r->json)
		return;
	out_raw(OUT_RESULT, data, len);
	out_flush(OUT_RESULT);
}

void render_error(struct render *r, const struct err *err, int code, const char *host)
{
	const char *remedy = exit_remedy(err, code);

	progress_clear(&r->progress);
	out_set_level(OUT_TALK, LEVEL_ERROR);
	out_text(OUT_TALK, PAINT_BAD, "sysboxup: ");
	out_text(OUT_TALK, PAINT_STRONG, err->msg);
	out_newline(OUT_TALK);
	if (remedy)
		text_folded(OUT_TALK, PAINT_NONE, 2, "try:  ", remedy);
	text_folded(OUT_TALK, PAINT_NONE, 2, "host: ", host);
	out_set_level(OUT_TALK, LEVEL_INFO);
}

static struct json *error_object(const struct err *err, int code)
{
	struct json *j = json_obj();
	const char *remedy = exit_remedy(err, code);

	json_set_str(j, "kind", exit_name(code));
	json_set_str(j, "message", err->msg);
	if (remedy)
		json_set_str(j, "remedy", remedy);
	return j;
}

void render_summary(struct render *r, const char *command, const struct summary *s, int code,
		    const struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;

	if (!r->json)
		return;
	j = event_new("summary");
	json_set_str(j, "command", command);
	json_set_bool(j, "changed", s->changed);
	json_set(j, "transaction", s->transaction ? json_num(s->transaction) : json_null());
	json_set_i64(j, "actions", (int64_t)s->actions);
	json_set_i64(j, "warnings", r->report.warnings);
	json_set_i64(j, "exit", code);
	if (err)
		json_set(j, "error", error_object(err, code));
	event_print(j);
}
