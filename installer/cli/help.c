/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <ctype.h>
#include <stdio.h>

static void fold(struct buf *b, unsigned int indent, const char *text)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;
	size_t column = 0, width = 78;

	str_words(&words, text);
	for (size_t i = 0; i < words.n; i++) {
		size_t len = strlen(words.v[i]);

		if (column && column + 1 + len > width) {
			buf_addc(b, '\n');
			column = 0;
		}
		if (!column)
			buf_addf(b, "%*s", (int)indent, "");
		else
			buf_addc(b, ' ');
		buf_adds(b, words.v[i]);
		column += (column ? 1 : indent) + len;
	}
	buf_addc(b, '\n');
}

static void add_option(struct buf *b, const struct option_spec *s)
{
	char letter[8] = "    ";
	char *name CLEANUP(freep) = xasprintf("--%s%s%s", s->name, s->arg ? " " : "",
					      s->arg ? s->arg : "");

	if (s->letter)
		snprintf(letter, sizeof(letter), "-%c, ", s->letter);
	buf_addf(b, "  %s%-18s %s\n", letter, name, s->help);
}

static void add_options(struct buf *b, const char *title, const struct option_spec *s)
{
	if (!s->name)
		return;
	buf_addf(b, "\n%s\n", title);
	for (; s->name; s++)
		add_option(b, s);
}

void help_program(struct render *out)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	buf_adds(&b, "Usage: sysboxup [OPTION]... COMMAND [ARGUMENT]...\n\n"
		     "Makes a Docker host safe for CI by installing Sysbox in one reversible transaction.\n\nCommands\n");
	for (size_t i = 0; commands[i]; i++)
		if (!(commands[i]->flags & CMD_HIDDEN))
			buf_addf(&b, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	add_options(&b, "Options", global_options);
	buf_adds(&b, "\n'sysboxup COMMAND --help' and sysboxup(8) say more.\n");
	render_raw(out, b.data, b.len);
}

void help_command(struct render *out, const struct command *c)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	buf_addf(&b, "Usage: sysboxup %s%s%s\n\n", c->name, *c->usage ? " " : "", c->usage);
	fold(&b, 0, c->about);
	add_options(&b, "Options", c->options);
	add_options(&b, "Options of all commands", global_options);
	render_raw(out, b.data, b.len);
}

/* A folded sentence as roff input: backslashes escaped, no line that begins with a control
 * character. */
static void add_sentence(struct buf *b, const char *text)
{
	struct buf folded CLEANUP(buf_release) = BUF_INIT;

	fold(&folded, 0, text);
	for (const char *p = folded.data; *p; p++) {
		if ((p == folded.data || p[-1] == '\n') && strchr(".'", *p))
			buf_adds(b, "\\&");
		if (*p == '\\')
			buf_adds(b, "\\e");
		else
			buf_addc(b, *p);
	}
}

/* mdoc wants a new sentence on a new line. */
static void add_paragraph(struct buf *b, const char *text)
{
	const char *end;

	for (; (end = strstr(text, ". ")); text = end + 2) {
		char *sentence CLEANUP(freep) = xstrndup(text, (size_t)(end - text) + 1);

		add_sentence(b, sentence);
	}
	add_sentence(b, text);
}

static void mdoc_option(struct buf *b, const struct option_spec *s)
{
	buf_adds(b, ".It");
	if (s->letter)
		buf_addf(b, " Fl %c ,", s->letter);
	buf_addf(b, " Fl \\-%s", s->name);
	if (s->arg)
		buf_addf(b, " Ar %s", s->arg);
	char *sentence CLEANUP(freep) = xasprintf("%s.", s->help);

	*sentence = (char)toupper((unsigned char)*sentence);
	buf_addc(b, '\n');
	add_sentence(b, sentence);
}

static void mdoc_list(struct buf *b, const struct option_spec *s)
{
	buf_adds(b, ".Bl -tag -width Ds\n");
	for (; s->name; s++)
		mdoc_option(b, s);
	buf_adds(b, ".El\n");
}

static void mdoc_command(struct buf *b, const struct command *c)
{
	buf_addf(b, ".It Cm %s", c->name);
	if (*c->usage)
		buf_addf(b, " Ar \"%s\"", c->usage);
	buf_addc(b, '\n');
	add_paragraph(b, c->about);
	if (c->options->name)
		mdoc_list(b, c->options);
}

void help_mdoc_commands(struct buf *ret)
{
	buf_adds(ret, ".Bl -tag -width Ds\n");
	for (size_t i = 0; commands[i]; i++)
		if (!(commands[i]->flags & CMD_HIDDEN))
			mdoc_command(ret, commands[i]);
	buf_adds(ret, ".El\n");
}

void help_mdoc_options(struct buf *ret)
{
	mdoc_list(ret, global_options);
}
