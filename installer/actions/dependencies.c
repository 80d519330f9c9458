/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/dependencies.h"

#include "actions/kinds.h"

extern const struct action_ops dependencies_ops;

static void dependencies_release(struct action *a)
{
	struct dependencies *d = a->data;

	free(d->manager);
	strv_release(&d->names);
	strv_release(&d->must_go);
	dep_list_release(&d->deps);
	json_free(d->before);
	json_free(d->give_back);
	free(d);
}

static struct action *make(const char *step, const char *manager, bool remove)
{
	struct dependencies *d = xcalloc(1, sizeof(*d));

	d->manager = xstrdup(manager);
	d->remove = remove;
	return action_new(&dependencies_ops, DEPENDENCIES_KEY, step, RANK_FILES, d);
}

struct action *action_dependencies(const char *step, const struct strv *names)
{
	struct action *a = make(step, NULL, false);

	dependencies_add(a, names);
	return a;
}

static void add_new(struct strv *to, const struct strv *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strv_has(to, names->v[i]))
			strv_add(to, names->v[i]);
}

void dependencies_add(struct action *a, const struct strv *names)
{
	struct dependencies *d = a->data;

	add_new(&d->names, names);
}

void dependencies_must_go(struct action *a, const char *name)
{
	struct dependencies *d = a->data;

	strv_add(&d->must_go, name);
}

/* ---- later ---- */

static bool drop(struct dep_list *l, const char *id)
{
	struct dep_list rest = { 0 };

	for (size_t i = 0; i < l->n; i++)
		if (!str_eq(l->v[i].id, id))
			dep_list_add(&rest, &l->v[i]);
	bool dropped = rest.n < l->n;
	dep_list_release(l);
	*l = rest;
	return dropped;
}

/* Over all of them: what is there now and was not, and what was there and is not. */
static void balance(const struct record *oldest, struct dep_list *came, struct dep_list *went)
{
	for (const struct record *r = oldest; r; r = r->next) {
		const struct dependencies *d = r->action->data;
		for (size_t i = 0; i < d->deps.n; i++)
			if (!drop(d->remove ? came : went, d->deps.v[i].id))
				dep_list_add(d->remove ? went : came, &d->deps.v[i]);
	}
}

static void take_kept(struct json *to, const struct json *from)
{
	for json_each(p, from)
		if (!json_get(to, json_key(p)))
			json_set(to, json_key(p), json_dup(p));
}

static struct action *inverse(const struct record *oldest, const struct dep_list *deps, bool remove)
{
	const struct dependencies *o = oldest->action->data;
	struct action *a = make("rollback", o->manager, remove);
	struct dependencies *d = a->data;

	for (size_t i = 0; i < deps->n; i++)
		dep_list_add(&d->deps, &deps->v[i]);
	d->give_back = json_obj();
	for (const struct record *r = oldest; r; r = r->next) {
		const struct dependencies *of = r->action->data;
		add_new(&d->must_go, &of->must_go);
		if (remove && !of->remove)
			take_kept(d->give_back, json_get(of->before, "paths"));
	}
	return a;
}

static int dependencies_invert(const struct record *oldest, const struct record *newest,
			       struct action **ret, struct err *err)
{
	struct dep_list came CLEANUP(dep_list_release) = { 0 },
			     went CLEANUP(dep_list_release) = { 0 };

	balance(oldest, &came, &went);
	*ret = came.n ? inverse(oldest, &came, true) :
	       went.n ? inverse(oldest, &went, false) :
			NULL;
	return 0;
}

/* ---- journal ---- */

static struct json *dep_encode(const struct dep *d)
{
	struct json *j = json_obj();

	json_set_str(j, "id", d->id);
	json_set_str(j, "name", d->name);
	json_set_str(j, "version", d->version);
	json_set(j, "file", json_str(d->file));
	json_set_str(j, "sha256", d->sha256);
	return j;
}

static int dep_decode(struct dep_list *l, const struct json *j, struct err *err)
{
	const char *sha256 = json_get_str(j, "sha256");
	struct dep d = { .id = (char *)json_get_str(j, "id"),
			 .name = (char *)json_get_str(j, "name"),
			 .version = (char *)json_get_str(j, "version"),
			 .file = (char *)json_get_str(j, "file") };

	if (!d.id || !d.name || !d.version || !d.file || !sha256 || !digest_valid(sha256))
		return err_set(err, ERR_FAILED, "a package without name, version or file");
	memcpy(d.sha256, sha256, sizeof(d.sha256));
	dep_list_add(l, &d);
	return 0;
}

static int dependencies_encode(const struct action *a, struct json *j)
{
	const struct dependencies *d = a->data;
	struct json *deps = json_arr();

	for (size_t i = 0; i < d->deps.n; i++)
		json_add(deps, dep_encode(&d->deps.v[i]));
	json_set(j, "manager", json_str(d->manager));
	json_set(j, "names", strv_json(&d->names));
	if (d->must_go.n)
		json_set(j, "must_go", strv_json(&d->must_go));
	json_set_bool(j, "remove", d->remove);
	json_set(j, "deps", deps);
	json_set(j, "before", d->before ? json_dup(d->before) : json_null());
	json_set(j, "give_back", d->give_back ? json_dup(d->give_back) : json_null());
	return 0;
}

static struct json *object_of(const struct json *j, const char *key)
{
	const struct json *value = json_get(j, key);

	return value && json_type(value) == JSON_OBJECT ? json_dup(value) : NULL;
}

static int dependencies_decode(struct action *a, const struct json *j, struct err *err)
{
	struct dependencies *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->manager = xstrdup(json_get_str(j, "manager"));
	json_strv(json_get(j, "names"), &d->names);
	json_strv(json_get(j, "must_go"), &d->must_go);
	d->remove = json_get_bool(j, "remove", false);
	d->before = object_of(j, "before");
	d->give_back = object_of(j, "give_back");
	for json_each(dep, json_get(j, "deps"))
		if (dep_decode(&d->deps, dep, err))
			return -1;
	return 0;
}

/* ---- shown ---- */

static void dependencies_describe(const struct action *a, const struct action_ctx *ctx,
				  struct report *r)
{
	const struct dependencies *d = a->data;
	const struct dep_ops *here = dep_backend(ctx->host);
	const char *manager = d->manager ? d->manager : here ? here->name : "package manager";
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->deps.n; i++)
		strv_addf(&all, "%s %s", d->deps.v[i].name, d->deps.v[i].version);
	char *list CLEANUP(freep) = strv_join(all.n ? &all : &d->names, ", ");
	if (d->remove)
		report_change(r, a->key, "remove %s if nobody else needs them (%s)", list, manager);
	else
		report_change(
			r, a->key,
			"install %s%s (%s); compensating: rollback removes the packages, not what their scripts did elsewhere",
			list, all.n ? "" : " and what they depend on", manager);
}

static struct json *dependencies_index(const struct action *a, const struct root *root)
{
	const struct dependencies *d = a->data;
	struct json *j, *versions;

	if (d->remove || !d->deps.n)
		return NULL;
	j = json_obj();
	versions = json_obj();
	for (size_t i = 0; i < d->deps.n; i++)
		json_set_str(versions, d->deps.v[i].id, d->deps.v[i].version);
	json_set_str(j, "state", "installed");
	json_set_str(j, "manager", d->manager);
	json_set(j, "packages", versions);
	return j;
}

/* Not their versions: they get security updates. */
static enum report_state dependencies_drift(const struct json *entry, const char *key,
					    const struct action_ctx *ctx, struct buf *found)
{
	const struct dep_ops *ops = dep_backend(ctx->host);
	struct dep_list now CLEANUP(dep_list_release) = { 0 };
	struct strv ids CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	for json_each(p, json_get(entry, "packages"))
		strv_add(&ids, json_key(p));
	if (!ops || !str_eq(ops->name, json_get_str(entry, "manager")) ||
	    ops->installed(&ids, &now, &ignored))
		return STATE_UNKNOWN;
	for (size_t i = 0; i < ids.n; i++)
		if (!dep_find(&now, ids.v[i]))
			buf_addf(found, "%s%s", found->len ? ", " : "not installed any more: ",
				 ids.v[i]);
	return found->len ? STATE_BAD : STATE_OK;
}

const struct action_ops dependencies_ops = {
	.kind = "dependencies",
	.late = true,
	.prepare = dependencies_prepare,
	.commit = dependencies_commit,
	.undo = dependencies_undo,
	.verify = dependencies_verify,
	.invert = dependencies_invert,
	.encode = dependencies_encode,
	.decode = dependencies_decode,
	.describe = dependencies_describe,
	.index = dependencies_index,
	.drift = dependencies_drift,
	.release = dependencies_release,
};
