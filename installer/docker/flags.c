/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/flags.h"
#include "docker/keys.h"
#include "docker/unitfile.h"

#include <errno.h>
#include <unistd.h>

static void flag_add(struct docker_flags *f, const char *name, size_t len, const char *value,
		     struct origin at)
{
	char *given CLEANUP(freep) = xstrndup(name, len);

	f->v = xreallocarray(f->v, f->n + 1, sizeof(*f->v));
	f->v[f->n++] = (struct docker_flag){
		.name = xstrdup(str_eq(given, "graph") ? "data-root" : given),
		.value = xstrdup(value),
		.file = xstrdup(at.file ? at.file : ""),
		.line = at.line,
	};
}

/* dockerd knows no arguments but flags: what follows an unknown flag and is none itself is its
 * value. */
static bool takes_next(const struct docker_key *k, const char *next)
{
	return k ? !k->is_switch : next && *next != '-';
}

/* --name, --name=value, --name value: how many words it took. */
static size_t parse_long(struct docker_flags *f, const struct owords *w, size_t i)
{
	const char *s = w->v[i].text.data + 2;
	const char *eq = strchr(s, '=');
	const char *next = i + 1 < w->n ? w->v[i + 1].text.data : NULL;

	if (eq) {
		flag_add(f, s, (size_t)(eq - s), eq + 1, w->first[i]);
		return 1;
	}
	if (!takes_next(docker_key_find_flag(s), next)) {
		flag_add(f, s, strlen(s), "", w->first[i]);
		return 1;
	}
	flag_add(f, s, strlen(s), next ? next : "", w->first[i]);
	return 2;
}

/* -D, -Hx, -H=x, -H x, -DHx. */
static size_t parse_short(struct docker_flags *f, const struct owords *w, size_t i)
{
	for (const char *s = w->v[i].text.data + 1; *s; s++) {
		const struct docker_key *k = docker_key_find_letter(*s);
		const char *name = k ? k->flag : s;
		size_t len = k ? strlen(name) : 1;
		if (k && k->is_switch && s[1] != '=') {
			flag_add(f, name, len, "", w->first[i]);
			continue;
		}
		if (s[1]) {
			flag_add(f, name, len, s + 1 + (s[1] == '='), w->first[i]);
			return 1;
		}
		const char *next = i + 1 < w->n ? w->v[i + 1].text.data : NULL;
		bool takes = takes_next(k, next);
		flag_add(f, name, len, takes && next ? next : "", w->first[i]);
		return takes ? 2 : 1;
	}
	return 1;
}

static void words_parse(struct docker_flags *ret, const struct owords *w)
{
	struct docker_flags f = { .argv = STRV_INIT };

	for (size_t i = 0; i < w->n; i++)
		strv_add(&f.argv, w->v[i].text.data);
	f.binary = xstrdup(w->n ? w->v[0].text.data : "");
	for (size_t i = 1; i < w->n;) {
		const char *s = w->v[i].text.data;
		if (str_eq(s, "--"))
			break;
		if (s[0] == '-' && s[1] == '-')
			i += parse_long(&f, w, i);
		else if (s[0] == '-' && s[1])
			i += parse_short(&f, w, i);
		else
			i++;
	}
	*ret = f;
}

int docker_flags_from_unit(struct docker_flags *ret, const struct root *root, const char *unit,
			   struct err *err)
{
	struct unitfile u CLEANUP(unitfile_release) = { 0 };
	struct unit_env env CLEANUP(unit_env_release) = { 0 };
	struct owords words CLEANUP(owords_release) = { 0 };

	int r = unitfile_read(&u, root, unit, err);
	if (!r)
		r = unitfile_env(&env, &u, root, err);
	if (r)
		return r;
	unitfile_exec(&words, &u, &env);
	if (!words.n)
		return 1;
	words_parse(ret, &words);
	return 0;
}

int docker_flags_from_argv(struct docker_flags *ret, const struct strv *argv, const char *file,
			   struct err *err)
{
	struct owords words CLEANUP(owords_release) = { 0 };
	const struct origin at = { file, 0 };

	for (size_t i = 0; i < argv->n; i++) {
		struct otext word CLEANUP(otext_release) = OTEXT_INIT;
		for (const char *s = argv->v[i]; *s; s++)
			otext_addc(&word, *s, at);
		owords_take(&words, &word, at);
	}
	words_parse(ret, &words);
	return 0;
}

int docker_flags_from_pid(struct docker_flags *ret, pid_t pid, struct err *err)
{
	struct root host CLEANUP(root_release) = ROOT_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	char *path CLEANUP(freep) = xasprintf("/proc/%d/cmdline", (int)pid);

	if (root_open(&host, "/", err) || root_read(&host, path, 1024 * 1024, &text, err))
		return -1;
	for (size_t i = 0; i < text.len; i += strlen(text.data + i) + 1)
		strv_add(&argv, text.data + i);
	if (!argv.n)
		return err_set(err, ERR_FAILED, "cannot read '%s': the process has ended", path);
	return docker_flags_from_argv(ret, &argv, path, err);
}

void docker_flags_release(struct docker_flags *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].name);
		free(f->v[i].value);
		free(f->v[i].file);
	}
	free(f->v);
	free(f->binary);
	strv_release(&f->argv);
	*f = (struct docker_flags){ 0 };
}

void docker_flags_free(struct docker_flags *f)
{
	if (f)
		docker_flags_release(f);
	free(f);
}

const struct docker_flag *docker_flag_find(const struct docker_flags *f, const char *name)
{
	for (size_t i = 0; f && i < f->n; i++)
		if (str_eq(f->v[i].name, name))
			return &f->v[i];
	return NULL;
}
