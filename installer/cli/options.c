/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <stdio.h>

#define NAMES_MAX 64

static const struct option_spec *find_in(const struct option_spec *t, const char *name, size_t len,
					 char letter)
{
	for (; t && t->name; t++) {
		if (letter ? t->letter == letter :
			     strlen(t->name) == len && !strncmp(t->name, name, len))
			return t;
	}
	return NULL;
}

static const struct option_spec *find(const struct options *o, const char *name, size_t len,
				      char letter)
{
	const struct option_spec *s = find_in(o->tables[1], name, len, letter);

	return s ? s : find_in(o->tables[0], name, len, letter);
}

static int unknown(const struct options *o, const char *word, size_t len, struct err *err)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	char *name CLEANUP(freep) = xstrndup(word + 2, len - 2);
	char shown[128];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(o->tables); i++)
		for (const struct option_spec *s = o->tables[i]; s && s->name && n < NAMES_MAX; s++)
			names[n++] = s->name;
	const char *near = str_nearest(name, names);

	err_quote(shown, sizeof(shown), name);
	if (near)
		return err_set(err, ERR_USAGE, "unknown option '--%s'; did you mean '--%s'?", shown, near);
	return err_set(err, ERR_USAGE, "unknown option '--%s'", shown);
}

static int check_choice(const struct option_spec *s, const char *value, struct err *err)
{
	struct strv all CLEANUP(strv_release) = STRV_INIT;
	char shown[128];

	if (!s->choices)
		return 0;
	strv_addv(&all, s->choices);
	if (strv_has(&all, value))
		return 0;
	char *list CLEANUP(freep) = strv_join(&all, ", ");

	err_quote(shown, sizeof(shown), value);
	return err_set(err, ERR_USAGE, "'--%s' takes one of %s, not '%s'", s->name, list, shown);
}

static int add(struct options *o, const struct option_spec *s, const char *value, struct err *err)
{
	if (value && check_choice(s, value, err) < 0)
		return -1;
	if (value && !*value)
		return err_set(err, ERR_USAGE, "'--%s' needs a value, not an empty word", s->name);
	if (value && !s->repeated && option_given(o, s->name))
		return err_set(err, ERR_USAGE, "'--%s' is given twice", s->name);
	o->hits = xreallocarray(o->hits, o->hits_n + 1, sizeof(*o->hits));
	o->hits[o->hits_n++] = (struct option_hit){ s, xstrdup(value) };
	return 0;
}

/* How many further words it took: 0 or 1; or -1. */
static int take_long(struct options *o, char *const *argv, struct err *err)
{
	const char *word = argv[0], *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct option_spec *s = find(o, word + 2, len - 2, 0);

	if (!s)
		return unknown(o, word, len, err);
	if (!s->arg && equals)
		return err_set(err, ERR_USAGE, "'--%s' takes no value", s->name);
	if (!s->arg || equals)
		return add(o, s, s->arg ? equals + 1 : NULL, err);
	if (!argv[1])
		return err_set(err, ERR_USAGE, "'--%s' needs a value: --%s %s", s->name, s->name,
			       s->arg);
	return add(o, s, argv[1], err) < 0 ? -1 : 1;
}

static int take_letters(struct options *o, const char *word, struct err *err)
{
	char shown[16];

	for (const char *p = word + 1; *p; p++) {
		const struct option_spec *s = find(o, NULL, 0, *p);

		if (s && add(o, s, NULL, err) == 0)
			continue;
		err_quote(shown, sizeof(shown), (char[]){ *p, '\0' });
		return err_set(err, ERR_USAGE, "unknown option '-%s'", shown);
	}
	return 0;
}

static int take_word(struct options *o, option_select_fn *select, void *user, const char *word,
		     struct err *err)
{
	if (o->tables[1]) {
		strv_add(&o->args, word);
		return 0;
	}
	o->tables[1] = select(user, word, err);
	return o->tables[1] ? 0 : -1;
}

static int take(struct options *o, option_select_fn *select, void *user, char *const *argv,
		struct err *err)
{
	if (str_starts(argv[0], "--"))
		return take_long(o, argv, err);
	if (argv[0][0] == '-' && argv[0][1])
		return take_letters(o, argv[0], err);
	return take_word(o, select, user, argv[0], err);
}

int options_parse(struct options *o, const struct option_spec *globals, option_select_fn *select,
		  void *user, char *const *argv, struct err *err)
{
	o->tables[0] = globals;
	for (; *argv && !str_eq(*argv, "--"); argv++) {
		int more = take(o, select, user, argv, err);

		if (more < 0)
			return -1;
		argv += more;
	}
	if (*argv)
		argv++;
	for (; *argv; argv++)
		if (take_word(o, select, user, *argv, err) < 0)
			return -1;
	return 0;
}

void options_release(struct options *o)
{
	for (size_t i = 0; i < o->hits_n; i++)
		free(o->hits[i].value);
	free(o->hits);
	strv_release(&o->args);
	*o = (struct options)OPTIONS_INIT;
}

static const struct option_hit *last_hit(const struct options *o, const char *name)
{
	for (size_t i = o->hits_n; i-- > 0;)
		if (str_eq(o->hits[i].spec->name, name))
			return &o->hits[i];
	return NULL;
}

bool option_given(const struct options *o, const char *name)
{
	return last_hit(o, name);
}

const char *option_text(const struct options *o, const char *name)
{
	const struct option_hit *hit = last_hit(o, name);

	return hit ? hit->value : NULL;
}

void option_texts(const struct options *o, const char *name, struct strv *ret)
{
	for (size_t i = 0; i < o->hits_n; i++)
		if (o->hits[i].value && str_eq(o->hits[i].spec->name, name))
			strv_add(ret, o->hits[i].value);
}
