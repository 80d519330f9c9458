/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/out.h"

#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool colored[2];
static int failed;

static struct {
	const char *mark;	/* of each line that begins now */
	bool in_line;
} lines[2];

static const char *const escapes[] = {
	[PAINT_NONE] = "",
	[PAINT_GOOD] = "\033[32m",
	[PAINT_BAD] = "\033[31m",
	[PAINT_WARN] = "\033[33m",
	[PAINT_NOTE] = "\033[36m",
	[PAINT_STRONG] = "\033[1m",
	[PAINT_FAINT] = "\033[2m",
};

static FILE *file_of(enum out_stream s)
{
	return s == OUT_RESULT ? stdout : stderr;
}

static bool auto_color(enum out_stream s)
{
	return str_empty(getenv("NO_COLOR")) && !str_eq(getenv("TERM"), "dumb") &&
	       out_is_terminal(s);
}

void out_set_color(enum out_color when)
{
	for (int s = OUT_RESULT; s <= OUT_TALK; s++)
		colored[s] = when == COLOR_ALWAYS ||
			     (when == COLOR_AUTO && auto_color((enum out_stream)s));
}

/* $JOURNAL_STREAM is inherited; only what it names is the journal. */
static bool is_journal(enum out_stream s)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char name[48];
	struct stat st;

	if (!stream || fstat(fileno(file_of(s)), &st))
		return false;
	snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return str_eq(stream, name);
}

void out_set_level(enum out_stream s, enum out_level level)
{
	static const char *const marks[] = { [LEVEL_WARNING] = "<4>", [LEVEL_ERROR] = "<3>" };

	lines[s].mark = is_journal(s) ? marks[level] : NULL;
}

bool out_is_terminal(enum out_stream s)
{
	return isatty(fileno(file_of(s)));
}

unsigned int out_width(enum out_stream s)
{
	struct winsize ws;

	if (ioctl(fileno(file_of(s)), TIOCGWINSZ, &ws) < 0 || ws.ws_col < 20)
		return 80;
	return ws.ws_col;
}

static void note_failure(enum out_stream s)
{
	if (s == OUT_RESULT && !failed && errno != EPIPE)
		failed = errno;
	clearerr(file_of(s));
}

void out_raw(enum out_stream s, const void *data, size_t len)
{
	if (len && lines[s].mark && !lines[s].in_line)
		fputs(lines[s].mark, file_of(s));
	if (len && fwrite(data, 1, len, file_of(s)) != len)
		note_failure(s);
	if (len)
		lines[s].in_line = ((const char *)data)[len - 1] != '\n';
}

static void add_escaped(struct buf *b, const char *text)
{
	size_t room = 4 * strlen(text) + 1;
	char *shown CLEANUP(freep) = xmalloc(room);

	err_quote(shown, room, text);
	buf_adds(b, shown);
}

/* err_quote takes a tab for a control character; in the text of a file it is none. */
static void add_with_tabs(struct buf *b, const char *text)
{
	struct strv parts CLEANUP(strv_release) = STRV_INIT;

	str_split(&parts, text, '\t');
	for (size_t i = 0; i < parts.n; i++) {
		if (i)
			buf_addc(b, '\t');
		add_escaped(b, parts.v[i]);
	}
}

void out_text(enum out_stream s, enum out_paint paint, const char *text)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	bool paints = paint != PAINT_NONE && colored[s];

	if (paints)
		buf_adds(&b, escapes[paint]);
	add_with_tabs(&b, text);
	if (paints)
		buf_adds(&b, "\033[0m");
	out_raw(s, b.data, b.len);
}

void out_textf(enum out_stream s, enum out_paint paint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text CLEANUP(freep) = xvasprintf(fmt, ap);
	va_end(ap);
	out_text(s, paint, text);
}

void out_newline(enum out_stream s)
{
	out_raw(s, "\n", 1);
	out_flush(s);
}

void out_flush(enum out_stream s)
{
	if (fflush(file_of(s)) != 0)
		note_failure(s);
}

int out_failed(void)
{
	return failed;
}
