/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/events.h"

#include "cli/out.h"

static const char *const names[] = {
	[REPORT_LOG] = "log",
	[REPORT_INFO] = "info",
	[REPORT_WARN] = "warning",
	[REPORT_CHANGE] = "change",
	[REPORT_DIFF] = "diff",
	[REPORT_CHECK] = "check",
	[REPORT_PROGRESS] = "progress",
};

static const char *const states[] = {
	[STATE_NONE] = NULL,
	[STATE_OK] = "ok",
	[STATE_WARN] = "warning",
	[STATE_BAD] = "bad",
	[STATE_UNKNOWN] = "unknown",
};

struct json *event_new(const char *name)
{
	struct json *j = json_obj();

	json_set_str(j, "event", name);
	return j;
}

static void set_text(struct json *j, const char *key, const char *text)
{
	if (text)
		json_set_str(j, key, text);
}

struct json *event_from_line(const struct report_line *l)
{
	struct json *j = event_new(names[l->kind]);

	set_text(j, l->kind == REPORT_CHECK ? "id" : "subject", l->subject);
	set_text(j, "state", states[l->state]);
	set_text(j, "text", l->text);
	set_text(j, "why", l->why);
	set_text(j, "remedy", l->remedy);
	if (l->kind == REPORT_PROGRESS) {
		json_set_i64(j, "done", (int64_t)l->done);
		json_set_i64(j, "total", (int64_t)l->total);
	}
	return j;
}

void event_print(const struct json *event)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	json_print(event, &b);
	out_raw(OUT_RESULT, b.data, b.len);
	out_newline(OUT_RESULT);
}
