/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/completion.h"

#include "cli/command.h"

static const char head[] =
	"# bash completion for sysboxup, made by 'sysboxup completion bash' from its option tables\n"
	"# shellcheck shell=bash disable=SC2207\n"
	"_sysboxup()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word n=0 opts\n"
	"\tlocal cmd='' skip='' words=''\n"
	"\tlocal IFS=$' \\t\\n'\n"
	"\tCOMPREPLY=()\n"
	"\t# readline breaks --color=al into three words\n"
	"\tif [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	"\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	"\t\tif [[ -n $skip && $word != = ]]; then skip=; continue; fi\n"
	"\t\tcase $word in\n";

static const char tail[] =
	"\t\tesac\n"
	"\tdone\n";

static void each_option(struct buf *b, void (*add)(struct buf *b, const struct option_spec *s))
{
	for (const struct option_spec *s = global_options; s->name; s++)
		add(b, s);
	for (size_t i = 0; commands[i]; i++)
		for (const struct option_spec *s = commands[i]->options; s->name; s++)
			add(b, s);
}

/* A pattern twice in a case is dead code: the first option of a name speaks for all. */
static bool is_first(const struct buf *b, const char *pattern)
{
	return !strstr(b->data, pattern);
}

static void add_taking(struct buf *b, const struct option_spec *s)
{
	char *name CLEANUP(freep) = xasprintf("--%s|", s->name);

	if (s->arg && is_first(b, name))
		buf_adds(b, name);
}

/* After an option that takes a value, the next word is that value. */
static void add_values(struct buf *b, const struct option_spec *s)
{
	char *pattern CLEANUP(freep) = xasprintf("\t--%s)\n", s->name);

	if (!s->arg || !is_first(b, pattern))
		return;
	buf_adds(b, pattern);
	if (s->choices) {
		struct strv all CLEANUP(strv_release) = STRV_INIT;

		strv_addv(&all, s->choices);
		char *list CLEANUP(freep) = strv_join(&all, " ");

		buf_addf(b, "\t\tCOMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))\n", list);
	} else if (s->value != VALUE_TEXT) {
		buf_addf(b, "\t\tcompopt -o filenames 2>/dev/null\n\t\tCOMPREPLY=($(IFS=$'\\n'; compgen -%c -- \"$cur\"))\n",
			 s->value == VALUE_DIR ? 'd' : 'f');
	}
	buf_adds(b, "\t\treturn\n\t\t;;\n");
}

static void add_names(struct buf *b, const struct option_spec *s)
{
	for (; s->name; s++)
		buf_addf(b, " --%s", s->name);
}

static void add_command(struct buf *b, const struct command *c)
{
	if (c->flags & CMD_HIDDEN)
		return;
	buf_addf(b, "\t%s)\n\t\topts+=\"", c->name);
	add_names(b, c->options);
	buf_adds(b, "\"\n");
	for (const char *const *w = c->words; w && *w; w++)
		buf_addf(b, "\t\t((n == 0)) && words+=\" %s\"\n", *w);
	buf_adds(b, "\t\t;;\n");
}

static void add_command_names(struct buf *b)
{
	for (size_t i = 0; commands[i]; i++)
		if (!(commands[i]->flags & CMD_HIDDEN))
			buf_addf(b, " %s", commands[i]->name);
}

void completion_bash(struct buf *ret)
{
	struct buf taking CLEANUP(buf_release) = BUF_INIT, values CLEANUP(buf_release) = BUF_INIT;

	each_option(&taking, add_taking);
	each_option(&values, add_values);
	buf_adds(ret, head);
	buf_addf(ret, "\t\t%.*s) skip=1 ;;\n", (int)taking.len - 1, taking.data);
	buf_adds(ret, "\t\t=) ;;\n\t\t-*) ;;\n\t\t*) if [[ -z $cmd ]]; then cmd=$word; else n=$((n + 1)); fi ;;\n");
	buf_adds(ret, tail);
	buf_addf(ret, "\tcase $prev in\n%s\tesac\n\topts=\"", values.data);
	add_names(ret, global_options);
	buf_adds(ret, "\"\n\tcase $cmd in\n\t\"\")\n\t\twords=\"");
	add_command_names(ret);
	buf_adds(ret, "\"\n\t\t;;\n");
	for (size_t i = 0; commands[i]; i++)
		add_command(ret, commands[i]);
	buf_adds(ret, "\tesac\n\t[[ $cur == -* ]] && words=$opts\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
		      "complete -F _sysboxup sysboxup\n");
}
