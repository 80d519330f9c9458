/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/docker_config.h"

#include "base/splice.h"
#include "docker/api.h"
#include "docker/daemon.h"
#include "docker/gate.h"
#include "docker/impact.h"
#include "journal/ballast.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/replace.h"
#include "sys/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define SPACE (64 * 1024)
#define CLOSURE_ROUNDS 4

/* ---- the text wanted ---- */

int docker_config_read_fd(int fd, struct buf *ret, struct err *err)
{
	char chunk[16384];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(err, errno, "cannot read");
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(ret, chunk, (size_t)n);
	return n < 0 ? err_errno(err, errno, "cannot read") : 0;
}

static int old_text(const struct docker_config_data *d, const struct action_ctx *ctx,
		    struct buf *ret, struct err *err)
{
	int fd CLEANUP(closep) = -1;

	if (d->was_absent)
		return 0;
	if (txnlog_before_open(ctx->state, d->from_txn, d->from_index, &fd, err))
		return -1;
	return docker_config_read_fd(fd, ret, err);
}

int docker_config_tree(const struct buf *text, const char *path, struct json **ret, struct err *err)
{
	struct buf whole CLEANUP(buf_release) = BUF_INIT;
	struct json *nothing CLEANUP(json_freep) = json_obj();

	/* json_splice with an empty patch accepts what dockerd accepts (empty, BOM) and refuses the
	 * rest with line and column. */
	if (json_splice(text->data, text->len, nothing, path, &whole, err))
		return -1;
	if (whole.len >= 3 && !memcmp(whole.data, "\xef\xbb\xbf", 3))
		buf_splice(&whole, 0, 3, NULL, 0);
	return json_parse(whole.data, whole.len, JSON_BLANK, path, ret, err);
}

static int name_conflicts(const struct docker_config_data *d, const struct strv *conflicts,
			  struct err *err)
{
	char *list CLEANUP(freep) = strv_join(conflicts, ", ");

	err_set(err, ERR_REFUSED, "somebody else changed %s in '%s' since", list, d->path);
	return err_remedy(err, "look at it; rollback --force and uninstall --force let their values stay");
}

/*
 * What these transactions did to the file, leaf by leaf. Not their patches joined: where one took
 * an object out and a later one set a key in it, only the tree of before knows what the first took.
 */
static struct json *effect(const struct json *then, const struct json *patches)
{
	struct json *tree CLEANUP(json_freep) = then ? json_dup(then) : json_obj();

	for json_each(p, patches) {
		struct json *before CLEANUP(json_freep) = tree;

		tree = json_merge(before, p);
	}
	return json_patch_between(then, tree);
}

/* Somebody edited the file: only what is still ours goes back, key by key. */
static int three_way(const struct docker_config_data *d, const struct action_ctx *ctx,
		     const struct buf *today, bool today_absent, const struct buf *old,
		     struct buf *ret, bool *ret_absent, struct err *err)
{
	struct json *now CLEANUP(json_freep) = NULL, *then CLEANUP(json_freep) = NULL,
			 *patch CLEANUP(json_freep) = NULL;
	struct json *ours CLEANUP(json_freep) = NULL, *result CLEANUP(json_freep) = NULL;
	struct strv conflicts CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (docker_config_tree(today, d->path, &now, err) ||
	    (!d->was_absent && docker_config_tree(old, d->path, &then, err)))
		return -1;
	ours = effect(then, d->patches);
	if (json_unmerge(now, then, ours, &patch, &conflicts))
		return -1;
	if (conflicts.n && !ctx->force)
		return name_conflicts(d, &conflicts, err);
	for (size_t i = 0; i < conflicts.n; i++)
		report_warn(ctx->rep, NULL, "%s in '%s' stays as somebody else set it",
			    conflicts.v[i], d->path);
	if (json_splice(today->data, today->len, patch, d->path, &text, err) ||
	    docker_config_tree(&text, d->path, &result, err))
		return -1;
	*ret_absent = today_absent || (d->was_absent && !json_len(result));
	if (!*ret_absent)
		buf_add(ret, text.data, text.len);
	return 0;
}

bool docker_config_as_left(const struct docker_config_data *d, const struct buf *today,
			   bool today_absent)
{
	char hex[DIGEST_HEX + 1];

	if (d->edited_between)
		return false;
	if (today_absent || d->expected.type != NODE_FILE)
		return today_absent && d->expected.type == NODE_ABSENT;
	digest_hex(today->data, today->len, hex);
	return !strcmp(hex, d->expected.digest);
}

int docker_config_candidate(struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct buf *today, bool today_absent, struct buf *ret,
			    bool *ret_absent, struct err *err)
{
	struct buf old CLEANUP(buf_release) = BUF_INIT;

	*ret_absent = false;
	if (!d->inverted)
		return json_splice(today->data, today->len, d->patch, d->path, ret, err);
	if (old_text(d, ctx, &old, err))
		return -1;
	if (!docker_config_as_left(d, today, today_absent))
		return three_way(d, ctx, today, today_absent, &old, ret, ret_absent, err);
	*ret_absent = d->was_absent;
	buf_add(ret, old.data, old.len);
	return 0;
}

/* ---- known states ---- */

static void know(struct strv *known, const struct buf *text)
{
	char hex[DIGEST_HEX + 1];

	digest_hex(text->data, text->len, hex);
	if (!strv_has(known, hex))
		strv_add(known, hex);
}

struct texts {
	struct buf *v;
	size_t n;
};

static void texts_release(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		buf_release(&t->v[i]);
	free(t->v);
}

static void texts_add(struct texts *t, const struct buf *text)
{
	for (size_t i = 0; i < t->n; i++)
		if (buf_equal(&t->v[i], text))
			return;
	t->v = xreallocarray(t->v, t->n + 1, sizeof(*t->v));
	t->v[t->n] = (struct buf)BUF_INIT;
	buf_add(&t->v[t->n++], text->data, text->len);
}

static int texts_add_way(struct texts *t, const struct docker_way *of, const struct buf *from,
			 const struct buf *to, struct err *err)
{
	struct docker_way way = *of;
	struct docker_stage *stages = NULL;
	size_t n = 0;

	for (int keep = 0; keep <= 1; keep++) {
		way.keep_containers = keep;
		if (docker_config_stages(&way, from, to, &stages, &n, err))
			return -1;
		for (size_t i = 0; i < n; i++)
			if (!stages[i].absent)
				texts_add(t, &stages[i].text);
		docker_stages_free(stages, n);
	}
	return 0;
}

/*
 * Everything that we may leave in place: the way there, and the ways back from each of its texts,
 * until nothing new comes (or, for recovery of a recovery of a recovery, the rounds are up).
 */
static int know_all(struct docker_config_data *d, const struct action_ctx *ctx,
		    const struct buf *before, const struct buf *after, struct err *err)
{
	struct texts t CLEANUP(texts_release) = { NULL, 0 };
	struct docker_way way = docker_config_way(d, ctx);
	size_t done = 0;

	texts_add(&t, &d->after_text);
	if (texts_add_way(&t, &way, before, after, err))
		return -1;
	for (int round = 0; round < CLOSURE_ROUNDS && done < t.n; round++)
		for (size_t end = t.n; done < end; done++) {
			struct buf from CLEANUP(buf_release) = BUF_INIT;

			buf_add(&from, t.v[done].data, t.v[done].len);
			if (texts_add_way(&t, &way, &from, before, err))
				return -1;
		}
	for (size_t i = 0; i < t.n; i++)
		know(&d->known, &t.v[i]);
	return 0;
}

/* ---- prepare ---- */

int docker_config_nowhere(const struct docker_config_data *d, const struct root *root,
			  struct err *err)
{
	char *dir CLEANUP(freep) = path_dirname(d->path);
	const char *const names[] = { dir, d->path };
	struct stat st;

	for (size_t i = 0; err->errnum == ENOENT && i < ARRAY_SIZE(names); i++) {
		char *to CLEANUP(freep) = NULL;

		if (!root_stat(root, names[i], &st) || root_readlink(root, names[i], &to))
			continue;
		err_set(err, ERR_FAILED,
			"'%s' is a symbolic link into a directory that does not exist", names[i]);
		return err_remedy(err, "mend or remove the link");
	}
	return -1;
}

static int read_before(struct docker_config_data *d, struct action_ctx *ctx, struct node *before,
		       struct err *err)
{
	struct replace rp = REPLACE_INIT;
	char *dir CLEANUP(freep) = path_dirname(d->path);
	struct stat st;
	int r, fd CLEANUP(closep) = -1;

	if (root_stat(ctx->root, dir, &st))
		return 0;
	rp.root = ctx->root;
	rp.path = d->path;
	rp.tag = ctx->tag;
	rp.after.type = NODE_FILE;
	r = replace_check(&rp, err);
	if (!r)
		node_copy(before, &rp.before);
	replace_release(&rp);
	if (r) {
		docker_config_nowhere(d, ctx->root, err);
		return err_raise(err, ERR_REFUSED);
	}
	if (before->type != NODE_FILE)
		return 0;
	fd = root_openat(ctx->root, d->path, O_RDONLY, 0);
	if (fd < 0)
		return err_errno(err, errno, "cannot read '%s'", d->path);
	if (before->size > DOCKER_CONFIG_MAX)
		return err_set(err, ERR_REFUSED, "'%s' is larger than 1 MiB", d->path);
	return txnlog_before_put(ctx->log, ctx->index, fd, before->digest, err) ||
			       docker_config_read_fd(fd, &d->before_text, err) ?
		       -1 :
		       0;
}

/* Owner, mode and xattrs of what is there; of what was there, when going back; else root's,
 * 0644. */
static void fill_after(struct docker_config_data *d, const struct node *before,
		       const struct node *old, bool absent)
{
	if (absent) {
		d->after.type = NODE_ABSENT;
		return;
	}
	if (d->inverted && old->type == NODE_FILE && !d->edited_between &&
	    node_equal(before, &d->expected, NODE_CMP_PLAIN)) {
		node_copy(&d->after, old);
		return;
	}
	if (before->type == NODE_FILE)
		node_copy(&d->after, before);
	d->after.type = NODE_FILE;
	if (before->type != NODE_FILE)
		d->after.mode = 0644;
	d->after.size = d->after_text.len;
	digest_hex(d->after_text.data, d->after_text.len, d->after.digest);
	if (!str_eq(d->after.digest, before->digest))
		d->after.mtime = (struct timespec){ .tv_sec = stamp_now() };
}

static void remember(struct json *list, const struct docker_container *c)
{
	struct json *j = json_obj();

	json_set_str(j, "id", c->id);
	json_set_str(j, "name", c->name);
	json_set_i64(j, "pid", c->pid);
	json_add(list, j);
}

static int remember_containers(struct docker_config_data *d, struct docker_api *api,
			       struct err *err)
{
	struct docker_container *c = NULL;
	size_t n = 0;

	if (docker_containers(api, true, &c, &n, err))
		return -1;
	d->containers = json_arr();
	d->stopped = json_arr();
	for (size_t i = 0; i < n; i++)
		if (c[i].pid > 0)
			remember(d->containers, &c[i]);
		else if (str_eq(c[i].restart_policy, "always") && !str_eq(c[i].state, "restarting"))
			remember(d->stopped, &c[i]);
	docker_containers_free(c, n);
	return 0;
}

/* Containers that run under a runtime which `to` does not have any more. */
static void users_of_leaving(const struct docker_container *c, size_t n, const struct json *from,
			     const struct json *to, struct strv *ret)
{
	const struct json *had = json_get(from, "runtimes"), *has = json_get(to, "runtimes");

	for (size_t i = 0; i < n; i++)
		if (c[i].pid > 0 && c[i].runtime && json_get(had, c[i].runtime) &&
		    !json_get(has, c[i].runtime))
			strv_add(ret, c[i].name);
}

/* What such a container needs from the runtime's daemons while it runs would go in the middle of
 * its work. */
static int refuse_used_runtimes(const struct action_ctx *ctx, struct docker_api *api,
				const struct json *from, const struct json *to, struct err *err)
{
	struct strv users CLEANUP(strv_release) = STRV_INIT;
	struct docker_container *c = NULL;
	size_t n = 0;

	if (ctx->force || ctx->stop_containers)
		return 0;
	if (docker_containers(api, false, &c, &n, err))
		return -1;
	users_of_leaving(c, n, from, to, &users);
	docker_containers_free(c, n);
	if (!users.n)
		return 0;
	char *list CLEANUP(freep) = strv_join(&users, ", ");

	err_set(err, ERR_REFUSED, "containers run under a runtime that would go: %s", list);
	return err_remedy(err, "stop them first (docker stop ...); rollback --force and uninstall --force take it from them");
}

static int allow_restart(struct docker_config_data *d, const struct action_ctx *ctx,
			 struct docker_api *api, const struct json *from, const struct json *to,
			 struct err *err)
{
	struct docker_impact impact;
	int r;

	d->restarts = docker_config_takeup_idle(from, to, d->tls_idle, NULL) == TAKEUP_RESTART;
	if (!d->restarts)
		return 0;
	if (docker_restart_possible(ctx->host, err) ||
	    docker_restart_impact(ctx->host, api, from, to, &impact, err))
		return -1;
	r = docker_impact_refuse(&impact, ctx->allow_restart, err);
	if (!r && !d->bridge && json_get(from, "bip") && !json_get(to, "bip"))
		report_warn(ctx->rep, "name the address of before as bip in docker.settings",
			    "Docker remembers the address %s of docker0 and keeps it",
			    json_get_str(from, "bip"));
	d->keep_containers = impact.keep_containers;
	docker_impact_release(&impact);
	return r;
}

/* Where it cannot be asked the plan of the way back warns. */
static void remember_bridge(struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct json *from, const struct json *to)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct err ignored = ERR_INIT;

	if (d->was_running && !d->bridge && !json_get(from, "bip") && json_get(to, "bip") &&
	    !docker_api_open(&api, ctx->host->docker.socket, &ignored))
		d->bridge = docker_bridge_address(api);
}

/* Not running now, but systemd will start it one day. */
static bool may_be_started(const struct host *h)
{
	return h->running && h->init == INIT_SYSTEMD && h->docker.unit && h->docker.installed;
}

static int prepare_daemon(struct docker_config_data *d, struct action_ctx *ctx,
			  const struct json *from, const struct json *to, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;

	if (!d->was_running)
		return may_be_started(ctx->host) ? docker_config_try_start(d, ctx, from, to, err) :
						   0;
	if (docker_api_open(&api, ctx->host->docker.socket, err) ||
	    remember_containers(d, api, err) || refuse_used_runtimes(ctx, api, from, to, err) ||
	    allow_restart(d, ctx, api, from, to, err))
		return -1;
	return docker_config_try_start(d, ctx, from, to, err);
}

/* Last of all: nobody is asked to make room for what fails anyway. */
static int pass_gate(const struct docker_config_data *d, const struct action_ctx *ctx,
		     struct err *err)
{
	return d->restarts && ctx->gate ?
		       gate_pass(ctx->gate, ctx->host, ctx->state, ctx->rep, err) :
		       0;
}

/* The texts of a way back are written one after the other, over the one before. */
static int set_aside(const struct docker_config_data *d, const struct action_ctx *ctx,
		     struct err *err)
{
	char *dir CLEANUP(freep) = path_dirname(d->path);
	const char *const dirs[] = { dir, STATE_DIR, NULL };

	return ballast_need(ctx->log, dirs, 2 * (d->before_text.len + d->after_text.len) + SPACE,
			    err);
}

static const struct buf *or_null(const struct buf *b, bool absent)
{
	return absent ? NULL : b;
}

int docker_config_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct docker_config_data *d = a->data;
	struct node before CLEANUP(node_release) = NODE_INIT, old CLEANUP(node_release) = NODE_INIT;
	struct json *from CLEANUP(json_freep) = NULL, *to CLEANUP(json_freep) = NULL;
	const struct buf *b, *t;
	bool absent;

	node_copy(&old, &d->before);		/* of an inverted one: what it goes back to */
	if (read_before(d, ctx, &before, err))
		return -1;
	node_copy(&d->before, &before);
	if (!d->inverted && before.type == NODE_FILE &&
	    docker_config_check_found(ctx->host, d->before_text.data, d->before_text.len, err))
		return -1;
	if (docker_config_candidate(d, ctx, &d->before_text, before.type != NODE_FILE,
				    &d->after_text, &absent, err))
		return err_raise(err, ERR_REFUSED);
	fill_after(d, &before, &old, absent);
	b = or_null(&d->before_text, before.type != NODE_FILE);
	t = or_null(&d->after_text, absent);
	if ((b && docker_config_tree(b, d->path, &from, err)) ||
	    (t && docker_config_tree(t, d->path, &to, err)))
		return err_raise(err, ERR_REFUSED);
	if (d->inverted) {
		json_free(d->patch);
		d->patch = json_patch_between(from, to);
	}
	if (t &&
	    docker_config_check(ctx->host, from, t->data, t->len, &d->planned_paths, ctx->rep, err))
		return -1;
	d->was_running = ctx->host->running && ctx->host->docker.main_pid > 0;
	str_replace(&d->boot_id, stamp_boot_id());
	remember_bridge(d, ctx, from, to);
	return know_all(d, ctx, b, t, err) || prepare_daemon(d, ctx, from, to, err) ||
			       set_aside(d, ctx, err) ?
		       -1 :
		       pass_gate(d, ctx, err);
}
