/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include "base/str.h"

static const struct {
	const char *word;
	char mark;
} verbs[] = {
	{ "+", '+' },       { "add", '+' },    { "create", '+' }, { "fetch", '+' },
	{ "install", '+' }, { "link", '+' },   { "start", '+' },  { "-", '-' },
	{ "purge", '-' },   { "remove", '-' }, { "stop", '-' },
};

static const struct {
	enum out_paint paint;
	const char *word;
} states[] = {
	[STATE_NONE] = { PAINT_NONE, "note" },
	[STATE_OK] = { PAINT_GOOD, "ok" },
	[STATE_WARN] = { PAINT_WARN, "warning" },
	[STATE_BAD] = { PAINT_BAD, "FAILED" },
	[STATE_UNKNOWN] = { PAINT_NOTE, "unknown" },
};

static enum out_paint mark_paint(char mark)
{
	return mark == '+' ? PAINT_GOOD : mark == '-' ? PAINT_BAD : PAINT_WARN;
}

static size_t word_length(const char *s)
{
	return strcspn(s, " ,:;");
}

/* The first word says which of the three kinds of change it is; what is neither made nor taken away
 * is changed. */
static char mark_of(const char *text)
{
	size_t len = word_length(text);

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strlen(verbs[i].word) == len && !strncmp(text, verbs[i].word, len))
			return verbs[i].mark;
	return '~';
}

/* A describer may give the mark itself: "+ 12 packages". */
static const char *without_mark(const char *text)
{
	return (text[0] == '+' || text[0] == '-' || text[0] == '~') && text[1] == ' ' ? text + 2 :
											text;
}

void text_change(const struct report_line *l)
{
	const char *text = l->text ? l->text : "";
	char mark = mark_of(text);

	out_textf(OUT_RESULT, mark_paint(mark), "  %c ", mark);
	out_text(OUT_RESULT, PAINT_STRONG, l->subject ? l->subject : "");
	if (*text)
		out_textf(OUT_RESULT, PAINT_NONE, "%s%s", l->subject ? "  " : "",
			  without_mark(text));
	out_newline(OUT_RESULT);
}

static enum out_paint diff_paint(const char *line)
{
	if (str_starts(line, "--- ") || str_starts(line, "+++ "))
		return PAINT_STRONG;
	if (str_starts(line, "@@"))
		return PAINT_NOTE;
	return *line == '+' ? PAINT_GOOD : *line == '-' ? PAINT_BAD : PAINT_NONE;
}

void text_diff(const char *diff)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, diff, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		if (i + 1 == lines.n && !*lines.v[i])
			break;
		out_raw(OUT_RESULT, "      ", 6);
		out_text(OUT_RESULT, diff_paint(lines.v[i]), lines.v[i]);
		out_newline(OUT_RESULT);
	}
}

void text_folded(enum out_stream s, enum out_paint paint, unsigned int indent, const char *label,
		 const char *text)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;
	size_t lead = indent + strlen(label), column = lead;
	unsigned int width = out_is_terminal(s) ? out_width(s) : 100;

	str_words(&words, text);
	out_textf(s, PAINT_FAINT, "%*s%s", (int)indent, "", label);
	for (size_t i = 0; i < words.n; i++) {
		size_t len = strlen(words.v[i]);

		if (i && column + 1 + len > width) {
			out_newline(s);
			out_textf(s, PAINT_NONE, "%*s", (int)lead, "");
			column = lead;
		} else if (i) {
			out_raw(s, " ", 1);
			column++;
		}
		out_text(s, paint, words.v[i]);
		column += len;
	}
	out_newline(s);
}

void text_check(const struct report_line *l, bool verbose)
{
	out_textf(OUT_RESULT, states[l->state].paint, "  %-8s", states[l->state].word);
	out_textf(OUT_RESULT, PAINT_STRONG, "%s", l->subject ? l->subject : "");
	out_textf(OUT_RESULT, PAINT_NONE, "%s%s", l->subject ? ": " : "", l->text ? l->text : "");
	out_newline(OUT_RESULT);
	if (l->state == STATE_OK && !verbose)
		return;
	if (l->why)
		text_folded(OUT_RESULT, PAINT_NONE, 10, "why: ", l->why);
	if (l->remedy)
		text_folded(OUT_RESULT, PAINT_NONE, 10, "try: ", l->remedy);
}

void text_warning(const struct report_line *l)
{
	out_set_level(OUT_TALK, LEVEL_WARNING);
	out_text(OUT_TALK, PAINT_WARN, "warning: ");
	out_text(OUT_TALK, PAINT_NONE, l->text ? l->text : "");
	out_newline(OUT_TALK);
	if (l->remedy)
		text_folded(OUT_TALK, PAINT_NONE, 9, "try: ", l->remedy);
	out_set_level(OUT_TALK, LEVEL_INFO);
}
