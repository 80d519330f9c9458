/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/docker_config.h"

#include "base/diff.h"
#include "base/splice.h"
#include "sys/io.h"

struct docker_config_data *docker_config_data_new(const char *path)
{
	struct docker_config_data *d = xcalloc(1, sizeof(*d));

	d->path = xstrdup(path);
	d->before_text = d->after_text = (struct buf)BUF_INIT;
	return d;
}

static void docker_config_release(struct action *a)
{
	struct docker_config_data *d = a->data;

	free(d->path);
	free(d->boot_id);
	free(d->bridge);
	json_free(d->patch);
	json_free(d->patches);
	json_free(d->reset);
	json_free(d->ours);
	json_free(d->was);
	json_free(d->containers);
	json_free(d->stopped);
	strv_release(&d->planned_paths);
	strv_release(&d->known);
	node_release(&d->expected);
	node_release(&d->before);
	node_release(&d->after);
	buf_release(&d->before_text);
	buf_release(&d->after_text);
	free(d);
}

static struct action *docker_config_action(const char *step, struct docker_config_data *d)
{
	char *key CLEANUP(freep) = xasprintf("docker-config:%s", d->path);

	return action_new(&docker_config_ops, key, step, RANK_DOCKER, d);
}

struct docker_way docker_config_way(const struct docker_config_data *d,
				    const struct action_ctx *ctx)
{
	return (struct docker_way){
		.flags = ctx->host->docker.flags,
		.keep_containers = d->keep_containers,
		.bridge = d->bridge,
		.tls_idle = d->tls_idle,
	};
}

struct action *action_docker_config(const char *step, const char *path, const struct json *patch,
				    const struct json *ours, const struct json *was,
				    const struct strv *planned_paths)
{
	struct docker_config_data *d = docker_config_data_new(path);

	d->patch = json_dup(patch);
	d->ours = json_dup(ours);
	d->was = json_dup(was);
	strv_addv(&d->planned_paths, (const char *const *)planned_paths->v);
	return docker_config_action(step, d);
}

void action_docker_config_tls_idle(struct action *a)
{
	struct docker_config_data *d = a->data;

	d->tls_idle = true;
}

/* ---- records ---- */

static int docker_config_encode(const struct action *a, struct json *j)
{
	const struct docker_config_data *d = a->data;

	json_set_str(j, "path", d->path);
	json_set(j, "patch", json_dup(d->patch));
	if (d->reset)
		json_set(j, "reset", json_dup(d->reset));
	if (d->ours)
		json_set(j, "ours", json_dup(d->ours));
	if (d->was)
		json_set(j, "was", json_dup(d->was));
	json_set(j, "before", node_encode(&d->before));
	json_set(j, "after", node_encode(&d->after));
	json_set_str(j, "after_text", d->after_text.data);
	json_set(j, "known", strv_json(&d->known));
	json_set(j, "planned_paths", strv_json(&d->planned_paths));
	json_set_bool(j, "was_running", d->was_running);
	json_set_str(j, "boot_id", d->boot_id);
	json_set_bool(j, "restarts", d->restarts);
	json_set_bool(j, "keep_containers", d->keep_containers);
	if (d->folded_edit)
		json_set_bool(j, "folded_edit", true);
	if (d->tls_idle)
		json_set_bool(j, "tls_idle", true);
	if (d->bridge)
		json_set_str(j, "bridge", d->bridge);
	if (d->containers)
		json_set(j, "containers", json_dup(d->containers));
	if (d->stopped)
		json_set(j, "stopped", json_dup(d->stopped));
	return 0;
}

static int docker_config_decode(struct action *a, const struct json *j, struct err *err)
{
	struct docker_config_data *d = docker_config_data_new(json_get_str(j, "path"));
	const char *after = json_get_str(j, "after_text");

	a->data = d;
	if (!d->path || !json_get(j, "patch") || !after)
		return err_set(err, ERR_FAILED, "no path, patch or text");
	d->patch = json_dup(json_get(j, "patch"));
	d->reset = json_get(j, "reset") ? json_dup(json_get(j, "reset")) : NULL;
	d->ours = json_get(j, "ours") ? json_dup(json_get(j, "ours")) : NULL;
	d->was = json_get(j, "was") ? json_dup(json_get(j, "was")) : NULL;
	d->containers = json_get(j, "containers") ? json_dup(json_get(j, "containers")) : NULL;
	d->stopped = json_get(j, "stopped") ? json_dup(json_get(j, "stopped")) : NULL;
	buf_adds(&d->after_text, after);
	json_strv(json_get(j, "known"), &d->known);
	json_strv(json_get(j, "planned_paths"), &d->planned_paths);
	d->was_running = json_get_bool(j, "was_running", false);
	d->boot_id = xstrdup(json_get_str(j, "boot_id"));
	d->restarts = json_get_bool(j, "restarts", false);
	d->keep_containers = json_get_bool(j, "keep_containers", false);
	d->folded_edit = json_get_bool(j, "folded_edit", false);
	d->tls_idle = json_get_bool(j, "tls_idle", false);
	d->bridge = json_get_str(j, "bridge") ? xstrdup(json_get_str(j, "bridge")) : NULL;
	return node_decode(&d->before, json_get(j, "before"), err) ||
			       node_decode(&d->after, json_get(j, "after"), err) ?
		       -1 :
		       0;
}

static struct json *chain_patches(const struct record *oldest)
{
	struct json *all = json_arr();

	for (const struct record *r = oldest; r; r = r->next) {
		const struct docker_config_data *d = r->action->data;

		if (d->reset)
			json_add(all, json_dup(d->reset));
		json_add(all, json_dup(d->patch));
	}
	return all;
}

static bool edited_since(const struct docker_config_data *older,
			 const struct docker_config_data *newer)
{
	return older->folded_edit || newer->folded_edit ||
	       !node_equal(&older->after, &newer->before, NODE_CMP_PLAIN);
}

static bool edited_between(const struct record *oldest)
{
	const struct docker_config_data *only = oldest->action->data;

	for (const struct record *r = oldest; r->next; r = r->next)
		if (edited_since(r->action->data, r->next->action->data))
			return true;
	return only->folded_edit;
}

static void json_replace(struct json **to, const struct json *from)
{
	json_free(*to);
	*to = from ? json_dup(from) : NULL;
}

static bool docker_config_fold(struct action *older, const struct action *newer)
{
	struct docker_config_data *o = older->data;
	const struct docker_config_data *n = newer->data;

	o->folded_edit = edited_since(o, n);
	o->tls_idle |= n->tls_idle;
	if (!o->reset)
		o->reset = json_obj();
	if (n->reset)
		json_patch_fold(o->reset, o->patch, n->reset);
	json_patch_fold(o->reset, o->patch, n->patch);
	json_replace(&o->ours, n->ours);
	json_replace(&o->was, n->was);
	node_release(&o->after);
	node_copy(&o->after, &n->after);
	buf_release(&o->after_text);	/* for undo, which is over */
	o->after_text = (struct buf)BUF_INIT;
	for (size_t i = 0; i < n->planned_paths.n; i++)
		if (!strv_has(&o->planned_paths, n->planned_paths.v[i]))
			strv_add(&o->planned_paths, n->planned_paths.v[i]);
	return true;
}

static int docker_config_invert(const struct record *oldest, const struct record *newest,
				struct action **ret, struct err *err)
{
	const struct docker_config_data *o = oldest->action->data, *n = newest->action->data;
	struct docker_config_data *d;

	*ret = NULL;
	if (node_equal(&o->before, &n->after, NODE_CMP_MTIME))
		return 0;
	d = docker_config_data_new(o->path);
	d->inverted = true;
	d->patch = json_obj();
	d->patches = chain_patches(oldest);
	d->from_txn = oldest->txn;
	d->from_index = oldest->index;
	d->edited_between = edited_between(oldest);
	d->was_absent = o->before.type == NODE_ABSENT;
	d->bridge = o->bridge ? xstrdup(o->bridge) : NULL;
	node_copy(&d->expected, &n->after);
	node_copy(&d->before, &o->before);
	/* Taking back a rollback puts the binaries there again before daemon.json names them. */
	for (const struct record *r = oldest; r; r = r->next) {
		const struct docker_config_data *one = r->action->data;

		strv_addv(&d->planned_paths, (const char *const *)one->planned_paths.v);
		d->tls_idle |= one->tls_idle;
	}
	*ret = docker_config_action("rollback", d);
	return 0;
}

/* ---- describe, index, drift ---- */

static void show_change(struct report *r, const char *path, const struct buf *from, bool absent,
			const struct buf *to, bool gone)
{
	struct buf diff CLEANUP(buf_release) = BUF_INIT;

	if (absent == gone && buf_equal(from, to)) {
		report_change(r, path, "stays as it is");
		return;
	}
	report_change(r, path, "%s", gone ? "remove" : absent ? "create" : "merge");
	diff_unified(absent ? "/dev/null" : path, from->data, from->len, gone ? "/dev/null" : path,
		     to->data, to->len, &diff);
	if (diff.len)
		report_diff(r, diff.data);
}

static void describe_record(const struct docker_config_data *d, const struct action_ctx *ctx,
			    struct report *r)
{
	struct buf before CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	int fd CLEANUP(closep) = -1;

	if (d->before.type == NODE_FILE &&
	    (txnlog_before_open(ctx->state, ctx->log->id, ctx->index, &fd, &err) ||
	     docker_config_read_fd(fd, &before, &err)))
		report_change(r, d->path, "%s", err.msg);
	else
		show_change(r, d->path, &before, d->before.type != NODE_FILE, &d->after_text,
			    d->after.type != NODE_FILE);
}

static void docker_config_describe(const struct action *a, const struct action_ctx *ctx,
				   struct report *r)
{
	struct docker_config_data *d = a->data;
	struct buf today CLEANUP(buf_release) = BUF_INIT, want CLEANUP(buf_release) = BUF_INIT;
	struct action_ctx quiet = *ctx; /* what it warns of is said by prepare */
	struct err err = ERR_INIT;
	bool gone;
	int absent;

	if (ctx->log) {
		describe_record(d, ctx, r);
		return;
	}
	absent = root_read_optional(ctx->root, d->path, DOCKER_CONFIG_MAX, &today, &err);
	quiet.rep = NULL;
	if (absent < 0 || docker_config_candidate(d, &quiet, &today, absent, &want, &gone, &err))
		report_change(r, d->path, "cannot be merged: %s", err.msg);
	else
		show_change(r, d->path, &today, absent, &want, gone);
}

static struct json *docker_config_index(const struct action *a, const struct root *root)
{
	const struct docker_config_data *d = a->data;
	struct json *j;

	if (!d->ours || !json_len(d->ours))
		return NULL;
	j = json_obj();
	json_set(j, "ours", json_dup(d->ours));
	json_set(j, "was", d->was ? json_dup(d->was) : json_obj());
	return j;
}

static int docker_config_adopt(const char *key, const struct json *as, const struct action_ctx *ctx,
			       struct json **ret, struct err *err)
{
	*ret = json_dup(as);
	return 0;
}

/* An object with nothing but values in it is named as one thing: "runtimes.sysbox-runc". */
static bool is_nested(const struct json *j)
{
	for json_each(m, j)
		if (json_type(m) == JSON_OBJECT)
			return true;
	return false;
}

static void find_taken(const char *prefix, const struct json *ours, const struct json *today,
		       struct strv *gone, struct strv *changed);

static void find_taken_key(const char *name, const struct json *ours, const struct json *today,
			   struct strv *gone, struct strv *changed)
{
	bool object = json_type(ours) == JSON_OBJECT;

	if (json_type(ours) == JSON_NULL) {
		if (today)	/* we had taken it out */
			strv_add(changed, name);
	} else if (object && (today ? json_type(today) == JSON_OBJECT : is_nested(ours)))
		find_taken(name, ours, today, gone, changed);
	else if (!today)
		strv_add(gone, name);
	else if (!json_equal(ours, today))
		strv_add(changed, name);
}

static void find_taken(const char *prefix, const struct json *ours, const struct json *today,
		       struct strv *gone, struct strv *changed)
{
	for json_each(m, ours) {
		char *name CLEANUP(freep) = xasprintf("%s%s%s", prefix, *prefix ? "." : "",
						      json_key(m));

		find_taken_key(name, m, json_get(today, json_key(m)), gone, changed);
	}
}

static void say_taken(const struct strv *keys, const char *what, struct buf *found)
{
	char *list CLEANUP(freep) = strv_join(keys, ", ");

	if (keys->n)
		buf_addf(found, "%s%s %s %s by somebody else", found->len ? "; " : "", list,
			 keys->n == 1 ? "was" : "were", what);
}

/* Ours is in force if merging it changes nothing. */
static enum report_state docker_config_drift(const struct json *entry, const char *key,
					     const struct action_ctx *ctx, struct buf *found)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT, same CLEANUP(buf_release) = BUF_INIT;
	struct strv gone CLEANUP(strv_release) = STRV_INIT;
	struct strv changed CLEANUP(strv_release) = STRV_INIT;
	struct json *today CLEANUP(json_freep) = NULL;
	const char *path = key + strlen("docker-config:");
	struct err err = ERR_INIT;

	if (root_read_optional(ctx->root, path, DOCKER_CONFIG_MAX, &text, &err) < 0 ||
	    json_splice(text.data, text.len, json_get(entry, "ours"), path, &same, &err)) {
		buf_adds(found, err.msg);
		return STATE_BAD;
	}
	if (buf_equal(&text, &same))
		return STATE_OK;
	if (docker_config_tree(&text, path, &today, &err))
		buf_adds(found, err.msg);
	find_taken("", json_get(entry, "ours"), today, &gone, &changed);
	say_taken(&gone, "taken out", found);
	say_taken(&changed, "changed", found);
	return STATE_BAD;
}

const struct action_ops docker_config_ops = {
	.kind = "docker-config",
	.prepare = docker_config_prepare,
	.commit = docker_config_commit,
	.undo = docker_config_undo,
	.finish = docker_config_finish,
	.verify = docker_config_verify,
	.invert = docker_config_invert,
	.fold = docker_config_fold,
	.encode = docker_config_encode,
	.decode = docker_config_decode,
	.describe = docker_config_describe,
	.index = docker_config_index,
	.adopt = docker_config_adopt,
	.drift = docker_config_drift,
	.release = docker_config_release,
};
