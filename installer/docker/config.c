/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/config.h"

#include "base/splice.h"
#include "docker/keys.h"

#define LIVE_RESTORE "live-restore"
#define BIP "bip"

enum docker_key_class docker_key_class(const char *key)
{
	const struct docker_key *k = docker_key_find(key);

	return k ? k->class : KEY_UNKNOWN;
}

/* --- what a difference takes --- */

static enum docker_takeup key_takeup(const char *key, bool taken_away)
{
	const struct docker_key *k = docker_key_find(key);

	if (!k || k->class != KEY_RELOAD)
		return TAKEUP_RESTART;
	return taken_away && !k->takeback ? TAKEUP_RESTART : TAKEUP_RELOAD;
}

static void takeup_add(enum docker_takeup *all, const char *key, bool taken_away, struct strv *keys)
{
	enum docker_takeup one = key_takeup(key, taken_away);

	if (one > *all)
		*all = one;
	if (keys && !strv_has(keys, key))
		strv_add(keys, key);
}

enum docker_takeup docker_config_takeup(const struct json *from, const struct json *to,
					struct strv *keys)
{
	enum docker_takeup all = TAKEUP_NONE;

	for json_each(m, from) {
		const struct json *now = json_get(to, json_key(m));
		if (!now || !json_equal(m, now))
			takeup_add(&all, json_key(m), !now, keys);
	}
	for json_each(m, to)
		if (!json_get(from, json_key(m)))
			takeup_add(&all, json_key(m), false, keys);
	return all;
}

/* The explicit values that take back in one reload what went: the runtimes together with the
 * default, or Docker 20.10 crashes. */
static struct json *takebacks(const struct json *from, const struct json *to)
{
	struct json *patch = json_obj();

	for json_each(m, from) {
		const struct docker_key *k = docker_key_find(json_key(m));
		struct err ignore = ERR_INIT;
		struct json *v = NULL;
		if (json_get(to, json_key(m)) || !k || !k->takeback)
			continue;
		if (!json_parse(k->takeback, strlen(k->takeback), JSON_STRICT, k->key, &v, &ignore))
			json_set(patch, k->key, v);
	}
	if (json_get(from, "runtimes") && !json_get(to, "default-runtime") && json_len(patch))
		json_set_str(patch, "default-runtime", "runc");
	return patch;
}

static struct json *without_tls(const struct json *tree)
{
	struct json *ret;

	if (!tree)
		return NULL;
	ret = json_obj();
	for json_each(m, tree)
		if (!str_starts(json_key(m), "tls"))
			json_set(ret, json_key(m), json_dup(m));
	return ret;
}

enum docker_takeup docker_config_takeup_idle(const struct json *from, const struct json *to,
					     bool tls_idle, struct strv *keys)
{
	struct json *f CLEANUP(json_freep) = NULL, *t CLEANUP(json_freep) = NULL;

	if (!tls_idle)
		return docker_config_takeup(from, to, keys);
	f = without_tls(from);
	t = without_tls(to);
	return docker_config_takeup(f, t, keys);
}

/* --- expectations --- */

void docker_expect_release(struct docker_expect *e)
{
	strv_release(&e->present);
	strv_release(&e->absent);
	free(e->default_runtime);
	*e = (struct docker_expect)DOCKER_EXPECT_INIT;
}

/* 0 or 1 as the file says, else as the flag does; where neither says anything: 0 if it was said
 * before, else not asked. */
static int expect_switch(const struct docker_flags *flags, const struct json *from,
			 const struct json *now, const char *key)
{
	const struct docker_flag *flag = docker_flag_find(flags, key);

	if (json_get(now, key))
		return json_get_bool(now, key, false);
	if (flag)
		return !str_eq(flag->value, "false");
	return json_get(from, key) ? 0 : -1;
}

static void expect_default_runtime(struct docker_expect *e, const struct docker_flags *flags,
				   const struct json *from, const struct json *now)
{
	const struct docker_flag *flag = docker_flag_find(flags, "default-runtime");

	if (json_get_str(now, "default-runtime"))
		e->default_runtime = xstrdup(json_get_str(now, "default-runtime"));
	else if (json_get(from, "default-runtime"))
		e->default_runtime = xstrdup(flag ? flag->value : "runc");
}

/* A runtime that a flag adds ("name=path") is there whatever the file says. */
static bool runtime_by_flag(const struct docker_flags *flags, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; flags && i < flags->n; i++)
		if (str_eq(flags->v[i].name, "add-runtime") &&
		    str_starts(flags->v[i].value, name) && flags->v[i].value[len] == '=')
			return true;
	return false;
}

static void expect_fill(struct docker_expect *e, const struct docker_flags *flags,
			const struct json *from, const struct json *now)
{
	const struct json *runtimes = json_get(now, "runtimes");

	*e = (struct docker_expect)DOCKER_EXPECT_INIT;
	for json_each(m, runtimes)
		strv_add(&e->present, json_key(m));
	for json_each(m, json_get(from, "runtimes"))
		if (!json_get(runtimes, json_key(m)) && !runtime_by_flag(flags, json_key(m)))
			strv_add(&e->absent, json_key(m));
	expect_default_runtime(e, flags, from, now);
	e->live_restore = expect_switch(flags, from, now, LIVE_RESTORE);
	e->debug = expect_switch(flags, from, now, "debug");
}

/* --- stages --- */

struct stages {
	const struct docker_way *way;
	const struct json *from;	/* what the daemon runs with */
	struct docker_stage *v;
	size_t n;
};

static int text_parse(const struct buf *text, struct json **ret, struct err *err)
{
	size_t bom = text && str_starts(text->data, "\xef\xbb\xbf") ? 3 : 0;

	if (!text || text->len == bom + strspn(text->data + bom, " \t\r\n")) {
		*ret = json_obj();
		return 0;
	}
	if (json_parse(text->data + bom, text->len - bom, JSON_STRICT, "daemon.json", ret, err))
		return -1;
	if (json_type(*ret) == JSON_OBJECT)
		return 0;
	err_set(err, ERR_REFUSED, "daemon.json is not an object but %s",
		json_type_name(json_type(*ret)));
	json_free(STEAL(*ret));
	return -1;
}

static int stage_add(struct stages *s, const struct buf *text, enum docker_takeup takeup,
		     struct err *err)
{
	struct json *now CLEANUP(json_freep) = NULL;

	if (text_parse(text, &now, err))
		return -1;
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	struct docker_stage *st = &s->v[s->n++];
	*st = (struct docker_stage){ .absent = !text, .text = BUF_INIT, .takeup = takeup };
	if (text)
		buf_add(&st->text, text->data, text->len);
	expect_fill(&st->expect, s->way->flags, s->from, now);
	return 0;
}

/* text (NULL = no file) with a patch spliced in. */
static int text_patched(const struct buf *text, const struct json *patch, struct buf *ret,
			struct err *err)
{
	if (text)
		return json_splice(text->data, text->len, patch, "daemon.json", ret, err);
	json_print_pretty(patch, ret);
	return 0;
}

static int stage_add_patched(struct stages *s, const struct buf *text, const struct json *patch,
			     enum docker_takeup takeup, struct err *err)
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;

	return text_patched(text, patch, &out, err) || stage_add(s, &out, takeup, err) ? -1 : 0;
}

/* The file given with --config-file must be there in a reload; without one a reload has nothing to
 * take up. */
static enum docker_takeup final_reload(const struct buf *to)
{
	return to ? TAKEUP_RELOAD : TAKEUP_NONE;
}

static int stages_reload(struct stages *s, const struct json *to_tree, const struct buf *to,
			 struct err *err)
{
	struct json *patch CLEANUP(json_freep) = takebacks(s->from, to_tree);

	if (json_len(patch) && stage_add_patched(s, to, patch, TAKEUP_RELOAD, err))
		return -1;
	return stage_add(s, to, final_reload(to), err);
}

static int stage_live_restore(struct stages *s, const struct buf *text, bool on,
			      enum docker_takeup takeup, struct err *err)
{
	struct json *patch CLEANUP(json_freep) = json_obj();

	json_set_bool(patch, LIVE_RESTORE, on);
	return stage_add_patched(s, text, patch, takeup, err);
}

/* Here live-restore stays on in memory until the next start: the reload that ends it would forget
 * the runtimes of --add-runtime. */
static int stage_add_silent(struct stages *s, const struct buf *to, struct err *err)
{
	if (stage_add(s, to, TAKEUP_NONE, err))
		return -1;
	s->v[s->n - 1].expect.live_restore = -1;
	return 0;
}

/* facts/docker-tried.md 1: "Sequence that works". */
static int stages_dance(struct stages *s, const struct json *to_tree, const struct buf *from,
			const struct buf *to, struct err *err)
{
	bool was_on = json_get_bool(s->from, LIVE_RESTORE, false),
	     will_be_on = json_get_bool(to_tree, LIVE_RESTORE, false);

	if (!was_on && stage_live_restore(s, from, true, TAKEUP_RELOAD, err))
		return -1;
	if (will_be_on)
		return stage_add(s, to, TAKEUP_RESTART, err);
	if (stage_live_restore(s, to, true, TAKEUP_RESTART, err))
		return -1;
	if (docker_flag_find(s->way->flags, "add-runtime") && json_get(to_tree, "runtimes"))
		return stage_add_silent(s, to, err);
	if (json_get(to_tree, LIVE_RESTORE))
		return stage_add(s, to, TAKEUP_RELOAD, err);
	if (stage_live_restore(s, to, false, TAKEUP_RELOAD, err))
		return -1;
	s->v[s->n - 1].expect.live_restore = 0;
	return stage_add(s, to, TAKEUP_NONE, err);
}

/* A reload takes the file's list alone: what flags added to it would be forgotten until the next
 * start. */
static bool reload_forgets_flags(const struct docker_flags *flags, const struct strv *keys)
{
	if (docker_flag_find(flags, "authorization-plugin"))
		return true;
	return docker_flag_find(flags, "add-runtime") && strv_has(keys, "runtimes");
}

static int stages_restart(struct stages *s, const struct json *to_tree, const struct buf *from,
			  const struct buf *to, struct err *err)
{
	if (!s->way->keep_containers || docker_flag_find(s->way->flags, LIVE_RESTORE) ||
	    docker_flag_find(s->way->flags, "authorization-plugin"))
		return stage_add(s, to, TAKEUP_RESTART, err);
	return stages_dance(s, to_tree, from, to, err);
}

static bool takes_bip_back(const struct stages *s, const struct json *to_tree)
{
	return s->way->bridge && json_get(s->from, BIP) && !json_get(to_tree, BIP) &&
	       !json_get(to_tree, "bridge");
}

/* Said once more, the address of before is what dockerd remembers from then on. */
static int stages_bip(struct stages *s, const struct buf *from, const struct buf *to,
		      struct err *err)
{
	struct json *patch CLEANUP(json_freep) = json_obj(), *tree CLEANUP(json_freep) = NULL;
	struct buf said CLEANUP(buf_release) = BUF_INIT;

	json_set_str(patch, BIP, s->way->bridge);
	if (text_patched(to, patch, &said, err) || text_parse(&said, &tree, err) ||
	    stages_restart(s, tree, from, &said, err))
		return -1;
	return stage_add(s, to, TAKEUP_NONE, err);
}

static int stages_plan(struct stages *s, const struct json *to_tree, const struct buf *from,
		       const struct buf *to, struct err *err)
{
	struct strv keys CLEANUP(strv_release) = STRV_INIT;

	enum docker_takeup takeup =
		docker_config_takeup_idle(s->from, to_tree, s->way->tls_idle, &keys);
	if (takeup == TAKEUP_NONE)
		return stage_add(s, to, TAKEUP_NONE, err);
	if (takeup == TAKEUP_RELOAD && !reload_forgets_flags(s->way->flags, &keys))
		return stages_reload(s, to_tree, to, err);
	return takes_bip_back(s, to_tree) ? stages_bip(s, from, to, err) :
					    stages_restart(s, to_tree, from, to, err);
}

int docker_config_stages(const struct docker_way *way, const struct buf *from, const struct buf *to,
			 struct docker_stage **ret, size_t *ret_n, struct err *err)
{
	struct json *from_tree CLEANUP(json_freep) = NULL, *to_tree CLEANUP(json_freep) = NULL;
	struct stages s = { .way = way };

	bool same = from && to ? buf_equal(from, to) : from == to;
	if (!same) {
		if (text_parse(from, &from_tree, err) || text_parse(to, &to_tree, err))
			return -1;
		s.from = from_tree;
		if (stages_plan(&s, to_tree, from, to, err)) {
			docker_stages_free(s.v, s.n);
			return -1;
		}
	}
	*ret = s.v;
	*ret_n = s.n;
	return 0;
}

void docker_stages_free(struct docker_stage *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_release(&s[i].text);
		docker_expect_release(&s[i].expect);
	}
	free(s);
}
