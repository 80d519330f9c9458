/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options.h: the input is words with a NUL between them. What was understood, written the plain
 * way (the command, --name=value, --, the words), is understood the same; what is refused has a
 * reason.
 */
#include "cli/options.h"
#include "fuzz.h"

static const char *const colours[] = { "auto", "always", "never", NULL };
static const struct option_spec globals[] = {
	{ "quiet", 'q', NULL, "say less", VALUE_TEXT, NULL, false },
	{ "verbose", 'v', NULL, "say more", VALUE_TEXT, NULL, true },
	{ "root", 0, "DIR", "a tree", VALUE_DIR, NULL, false },
	{ "color", 0, "WHEN", "colours", VALUE_TEXT, colours, false },
	{ 0 },
};
static const struct option_spec own[] = {
	{ "dry-run", 'n', NULL, "do nothing", VALUE_TEXT, NULL, false },
	{ "set", 0, "KEY", "a key", VALUE_TEXT, NULL, true },
	{ "quiet-too", 'Q', NULL, "another", VALUE_TEXT, NULL, false },
	{ 0 },
};

static const struct option_spec *select_command(void *user, const char *word, struct err *err)
{
	if (str_eq(word, "apply"))
		return own;
	err_set(err, ERR_USAGE, "no such command");
	return NULL;
}

static int parse(struct options *o, const struct strv *words, struct err *err)
{
	static char *const nothing[] = { NULL };

	return options_parse(o, globals, select_command, NULL, words->n ? words->v : nothing, err);
}

static void write_out(const struct options *o, struct strv *ret)
{
	if (o->tables[1])
		strv_add(ret, "apply");
	for (size_t i = 0; i < o->hits_n; i++) {
		if (o->hits[i].value)
			strv_addf(ret, "--%s=%s", o->hits[i].spec->name, o->hits[i].value);
		else
			strv_addf(ret, "--%s", o->hits[i].spec->name);
	}
	strv_add(ret, "--");
	for (size_t i = 0; i < o->args.n; i++)
		strv_add(ret, o->args.v[i]);
}

static void same(const struct options *a, const struct options *b)
{
	must(a->hits_n == b->hits_n && a->args.n == b->args.n && a->tables[1] == b->tables[1]);
	for (size_t i = 0; i < a->hits_n; i++) {
		must(a->hits[i].spec == b->hits[i].spec);
		must(str_eq(a->hits[i].value, b->hits[i].value));
		must(option_given(a, a->hits[i].spec->name));
		must(!a->hits[i].value == !a->hits[i].spec->arg);
	}
	for (size_t i = 0; i < a->args.n; i++)
		must(str_eq(a->args.v[i], b->args.v[i]));
}

static void once(const struct options *o)
{
	for (size_t i = 0; i < o->hits_n; i++)
		for (size_t k = i + 1; k < o->hits_n; k++)
			must(o->hits[i].spec != o->hits[k].spec || !o->hits[i].spec->arg ||
			     o->hits[i].spec->repeated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options o CLEANUP(options_release) = OPTIONS_INIT,
			 again CLEANUP(options_release) = OPTIONS_INIT;
	struct strv words CLEANUP(strv_release) = STRV_INIT,
			  plain CLEANUP(strv_release) = STRV_INIT;
	struct buf in CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	for (size_t at = 0; at < in.len; at += strlen(in.data + at) + 1)
		strv_add(&words, in.data + at);
	if (parse(&o, &words, &err) < 0) {
		must_be_said(&err);
		return 0;
	}
	write_out(&o, &plain);
	must(!parse(&again, &plain, NULL));
	same(&o, &again);
	once(&o);
	return 0;
}
