/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/docker_config_put.h"

#include "actions/put.h"
#include "base/hex.h"
#include "base/splice.h"
#include "docker/daemon.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>

#define EDITS_MAX 8	/* of one way back; whoever writes more often does not stop */
#define WAY_MAX (64 * 1024 * 1024)

/* What is there now, as we read it or as we put it on the way, and what it shall be again. */
struct way_back {
	struct buf now, target;
	struct buf taken;	/* the text that Docker has taken up last, of this way back */
	bool now_absent, target_absent, taken_absent, has_taken;
	bool stranger;		/* somebody edited it: only our keys go back */
	bool untouched;		/* the bytes of before and no text of ours: what else was done to it is theirs */
	bool broken;		/* what they made of it is no JSON: it is beside, and all of ours goes back */
	bool interim;		/* a text of this way back is over it by now */
	bool noted;		/* a way back was killed, and nobody knows what Docker has taken up of it */
};

static void way_back_release(struct way_back *w)
{
	buf_release(&w->now);
	buf_release(&w->target);
	buf_release(&w->taken);
}

static int read_old(const struct docker_config_data *d, const struct action_ctx *ctx,
		    struct buf *ret, struct err *err)
{
	int fd CLEANUP(closep) = -1;

	if (d->before.type != NODE_FILE)
		return 0;
	if (txnlog_before_open(ctx->state, ctx->log->id, ctx->index, &fd, err))
		return -1;
	return docker_config_read_fd(fd, ret, err);
}

/* Theirs stays, but what of it is as `ours` made it of `then`. */
static int take_back_keys(const struct docker_config_data *d, const struct action_ctx *ctx,
			  struct way_back *w, const struct json *then, const struct json *ours,
			  struct err *err)
{
	struct json *now CLEANUP(json_freep) = NULL, *patch CLEANUP(json_freep) = NULL;
	struct strv conflicts CLEANUP(strv_release) = STRV_INIT;

	if (docker_config_tree(&w->now, d->path, &now, err))
		return err_remedy(err, "make '%s' valid JSON again, then run: sysboxup recover", d->path);
	if (json_unmerge(now, then, ours, &patch, &conflicts))
		return -1;
	if (conflicts.n) {
		char *list CLEANUP(freep) = strv_join(&conflicts, ", ");

		if (!ctx->force) {
			err_set(err, ERR_FAILED, "somebody else changed %s in '%s' meanwhile", list, d->path);
			return err_remedy(
				err,
				"set it as you want it to stay, with no key of ours in it, then run: sysboxup recover");
		}
		report_warn(ctx->rep, NULL, "%s in '%s' was changed by somebody else and stays", list, d->path);
	}
	buf_clear(&w->target);
	return json_splice(w->now.data, w->now.len, patch, d->path, &w->target, err);
}

static void find_owner(const struct docker_config_data *d, struct way_back *w)
{
	char hex[DIGEST_HEX + 1];

	if (w->now_absent) {
		w->stranger = d->before.type != NODE_ABSENT && d->after.type != NODE_ABSENT;
		return;
	}
	digest_hex(w->now.data, w->now.len, hex);
	/* the last text of each way back is known too: it is that of before */
	w->untouched = d->before.type == NODE_FILE && !strcmp(hex, d->before.digest) &&
		       strcmp(hex, d->after.digest);
	w->stranger = !w->untouched && !strv_has(&d->known, hex);
}

/* What lies behind the path, symlinks followed as sys/replace.c follows them. */
static int node_there(const struct docker_config_data *d, const struct action_ctx *ctx,
		      struct node *ret, struct err *err)
{
	int dir CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (root_parent(ctx->root, d->path, true, &dir, &name, NULL, err))
		return docker_config_nowhere(d, ctx->root, err);
	return node_read_at(ret, dir, name, NODE_DIGEST, err);
}

/* ---- somebody's edit on the way ---- */

static struct json *text_encode(const struct buf *text, bool absent)
{
	char *hex CLEANUP(freep) = absent ? NULL : hex_encode(text);

	return json_str(hex);
}

/*
 * A text of ours goes over somebody's, which is nowhere else then: in the end it is to be the
 * target. Noted for a recovery, durably: { "target": HEX or null, "texts": [ HEX ... ] }. Without
 * space for that the way back goes on all the same.
 */
static void note_way(const struct action_ctx *ctx, const struct way_back *w,
		     const struct docker_stage *stages, size_t n)
{
	struct json *note CLEANUP(json_freep) = json_obj(), *texts = json_arr();
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	int dir CLEANUP(closep) = -1;

	for (size_t i = 0; i < n; i++)
		json_add(texts, text_encode(&stages[i].text, stages[i].absent));
	json_set(note, "target", text_encode(&w->target, w->target_absent));
	json_set(note, "texts", texts);
	json_print(note, &text);
	if (!txnlog_stage(ctx->log, &dir, &ignored))
		(void)fs_put(dir, WAY, 0600, text.data, text.len, &ignored);
}

static bool is_noted(const struct json *texts, const struct way_back *w)
{
	char *hex CLEANUP(freep) = w->now_absent ? NULL : hex_encode(&w->now);

	for json_each(t, texts)
		if (str_eq(hex, json_string(t)))
			return true;
	return false;
}

/* A way back was killed with one of its texts in place: what was edited is to be kept. */
static int find_noted(const struct action_ctx *ctx, struct way_back *w, struct err *err)
{
	struct json *note CLEANUP(json_freep) = NULL;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int absent = fs_read_at(ctx->log->fd, "stage/" WAY, WAY_MAX, &text, err);

	if (absent)
		return absent < 0 ? -1 : 0;
	if (json_parse(text.data, text.len, JSON_STRICT, "'stage/" WAY "'", &note, err))
		return -1;
	w->noted = is_noted(json_get(note, "texts"), w);
	if (!w->noted)
		return 0;
	w->stranger = true;
	w->target_absent = !json_get_str(note, "target");
	if (hex_decode(json_get_str(note, "target"), &w->target))
		return 0;
	return err_set(err, ERR_FAILED, "'stage/" WAY "' holds what cannot be read");
}

static bool is_json(const struct buf *text)
{
	struct json *j CLEANUP(json_freep) = NULL;
	struct err ignored = ERR_INIT;

	return !docker_config_tree(text, "", &j, &ignored);
}

/* Their file, in which no key can be told from another, beside. */
static int keep_beside(const struct docker_config_data *d, const struct action_ctx *ctx,
		       const struct way_back *w, struct err *err)
{
	struct node now CLEANUP(node_release) = NODE_INIT;
	char *beside CLEANUP(freep) = xasprintf("%s.sysboxup-kept-%u", d->path, ctx->log->id);

	if (node_there(d, ctx, &now, err))
		return -1;
	report_warn(ctx->rep, NULL, "'%s' is not valid JSON any more: it is kept as '%s'", d->path,
		    beside);
	return put_node(ctx, beside, &now, w->now.data, w->now.len, true, err);
}

/* The target after somebody's edit of what `ours` made of `then`; the one of before if no key can
 * be told from another in it. */
static int find_kept(const struct docker_config_data *d, const struct action_ctx *ctx,
		     struct way_back *w, const struct json *then, const struct json *ours,
		     struct err *err)
{
	w->stranger = true;
	w->broken = ctx->force && !w->now_absent && !is_json(&w->now);
	if (w->broken)
		return keep_beside(d, ctx, w, err);
	w->target_absent = w->now_absent; /* somebody took it away: away it stays */
	if (!w->now_absent)
		return take_back_keys(d, ctx, w, then, ours, err);
	buf_clear(&w->target);
	return 0;
}

static int find_way_back(const struct docker_config_data *d, const struct action_ctx *ctx,
			 struct way_back *w, struct err *err)
{
	struct buf old CLEANUP(buf_release) = BUF_INIT;
	struct json *then CLEANUP(json_freep) = NULL;
	int absent = root_read_optional(ctx->root, d->path, DOCKER_CONFIG_MAX, &w->now, err);

	if (absent < 0 || read_old(d, ctx, &old, err))
		return -1;
	w->now_absent = absent;
	if (find_noted(ctx, w, err))
		return -1;
	if (w->noted)
		return 0;
	find_owner(d, w);
	if (w->stranger && ((d->before.type == NODE_FILE &&
			     docker_config_tree(&old, d->path, &then, err)) ||
			    find_kept(d, ctx, w, then, d->patch, err)))
		return -1;
	if (w->stranger && !w->broken)
		return 0;
	w->target_absent = d->before.type != NODE_FILE;
	buf_add(&w->target, old.data, old.len);
	return 0;
}

/* Somebody edited what we read, or put, on the way back: with the keys of ours, those go that were
 * to be there in passing. */
static int find_way_again(const struct docker_config_data *d, const struct action_ctx *ctx,
			  struct way_back *w, struct err *err)
{
	struct json *put CLEANUP(json_freep) = NULL, *then CLEANUP(json_freep) = NULL,
			*ours CLEANUP(json_freep) = NULL;
	int absent;

	const struct buf *known = w->broken ? &d->after_text : &w->now;	/* theirs is beside */

	if ((!w->now_absent && docker_config_tree(known, d->path, &put, err)) ||
	    (!w->target_absent && docker_config_tree(&w->target, d->path, &then, err)))
		return -1;
	ours = json_patch_between(then, put);
	buf_clear(&w->now);
	absent = root_read_optional(ctx->root, d->path, DOCKER_CONFIG_MAX, &w->now, err);
	if (absent < 0)
		return -1;
	w->now_absent = absent;
	w->untouched = false;
	return find_kept(d, ctx, w, then, ours, err);
}

/* What we read or put, on which the way was decided, is there still. */
static bool is_as_known(const struct way_back *w, const struct node *now)
{
	char hex[DIGEST_HEX + 1];

	if (w->now_absent || now->type != NODE_FILE)
		return w->now_absent && now->type == NODE_ABSENT;
	digest_hex(w->now.data, w->now.len, hex);
	return str_eq(hex, now->digest);
}

/* Owner, mode and the like are those of before; interim texts have what they found. */
static bool has_meta_of_before(const struct docker_config_data *d, const struct node *now)
{
	struct node was CLEANUP(node_release) = NODE_INIT;

	node_copy(&was, &d->before);
	was.size = now->size;
	memcpy(was.digest, now->digest, sizeof(was.digest));
	return node_equal(&was, now, NODE_CMP_PLAIN);
}

/* The last text of the way back: the original inode, if nobody else edited the file. 0, -1 or
 * CONFIG_EDITED. */
static int put_target(const struct docker_config_data *d, const struct action_ctx *ctx,
		      const struct way_back *w, struct err *err)
{
	struct replace rp = docker_config_replace(d, ctx, ctx->tag);
	struct node now CLEANUP(node_release) = NODE_INIT;
	char *interim CLEANUP(freep) = xasprintf("%s.i", ctx->tag);
	int fd CLEANUP(closep) = -1, r = 0;

	if (w->untouched && !w->interim)
		return 0;
	if (node_there(d, ctx, &now, err))
		return -1;
	if (!is_as_known(w, &now))
		return CONFIG_EDITED;
	if (w->stranger || (w->untouched && !has_meta_of_before(d, &now)))
		return docker_config_put_over(d, ctx, &w->target, w->target_absent, &now, err);
	if (docker_config_tidy(d, ctx, interim, err))	/* its directory may go next */
		return -1;
	node_copy(&rp.before, &d->before);
	node_copy(&rp.after, &d->after);
	rp.set_mtime = d->after.type == NODE_FILE;
	if (d->before.type == NODE_FILE)
		r = txnlog_before_open(ctx->state, ctx->log->id, ctx->index, &fd, err);
	rp.content_fd = fd;
	/* Whatever text of ours is there by now is the one interim state that replace_undo has to
	 * know. */
	rp.interim = &now;
	rp.interim_n = 1;
	if (!r)
		r = replace_undo(&rp, err);
	replace_release(&rp);
	return r;
}

static bool in_this_boot(const struct docker_config_data *d)
{
	return str_eq(d->boot_id, clock_boot_id());
}

static bool is_back(const struct way_back *w)
{
	return w->now_absent == w->target_absent && buf_equal(&w->now, &w->target);
}

/*
 * Nobody recovered at boot, and the daemon that was started since has read a text of ours. One that
 * does not run is left alone: who stopped it in this boot was not we.
 */
static bool read_since(const struct docker_config_data *d, const struct action_ctx *ctx,
		       const struct way_back *w)
{
	return !in_this_boot(d) && !is_back(w) && docker_answers(ctx->host);
}

/* A dead daemon hears no reload: the way back begins with the start, under live-restore where that
 * keeps the containers that outlived it. n: there is no such stage. */
static size_t first_restart(const struct docker_stage *stages, size_t n)
{
	size_t i = 0;

	while (i < n && stages[i].takeup != TAKEUP_RESTART)
		i++;
	return i;
}

static void know_put(struct way_back *w, const struct docker_stage *s)
{
	buf_clear(&w->now);
	buf_add(&w->now, s->text.data, s->text.len);
	w->now_absent = s->absent;
	w->interim = true;
}

static void know_taken(struct way_back *w, const struct docker_stage *s)
{
	buf_clear(&w->taken);
	buf_add(&w->taken, s->text.data, s->text.len);
	w->taken_absent = s->absent;
	w->has_taken = true;
}

/* A text on the way, taken up. What somebody wrote there while Docker did, which may be why it
 * could not, is seen here or by the next. 0, -1 or CONFIG_EDITED. */
static int pass_stage(const struct docker_config_data *d, const struct action_ctx *ctx,
		      struct way_back *w, const struct docker_stage *s, struct err *err)
{
	struct node now CLEANUP(node_release) = NODE_INIT, then CLEANUP(node_release) = NODE_INIT;
	struct err why = ERR_INIT, ignored = ERR_INIT;
	int r;

	if (node_there(d, ctx, &now, err))
		return -1;
	if (!is_as_known(w, &now))
		return CONFIG_EDITED;
	r = docker_config_put_over(d, ctx, &s->text, s->absent, &now, err);
	if (r)
		return r;
	know_put(w, s);
	if (!docker_stage_takeup(ctx->host, s, ctx->rep, &why)) {
		know_taken(w, s);
		return 0;
	}
	if (!node_there(d, ctx, &then, &ignored) && !is_as_known(w, &then))
		return CONFIG_EDITED;
	*err = why;
	return -1;
}

/* 0, -1 or CONFIG_EDITED. */
static int go_back(const struct docker_config_data *d, const struct action_ctx *ctx,
		   struct way_back *w, const struct docker_stage *stages, size_t n, bool down,
		   struct err *err)
{
	size_t i = down ? first_restart(stages, n) : 0;
	bool plain = down && (i == n || (i + 1 == n && !d->keep_containers));
	int r = 0;

	for (; !r && !plain && i + 1 < n; i++)
		r = pass_stage(d, ctx, w, &stages[i], err);
	if (!r)
		r = put_target(d, ctx, w, err);
	if (r)
		return r;
	if (plain)
		return docker_restart(ctx->host, NULL, DOCKER_RESTART_TIMEOUT, ctx->rep, err);
	return n ? docker_stage_takeup(ctx->host, &stages[n - 1], ctx->rep, err) : 0;
}

static int bring_back(const struct docker_config_data *d, const struct action_ctx *ctx,
		      struct way_back *w, struct err *err)
{
	const struct buf *to = w->target_absent ? NULL : &w->target,
			 *from = w->now_absent ? NULL : &w->now;
	bool down = d->was_running && !docker_answers(ctx->host);	/* a text of ours has killed it */
	struct docker_way way = docker_config_way(d, ctx);
	struct docker_stage *stages = NULL;
	size_t n = 0;
	int r;

	if (w->has_taken)	/* what was written there since it has not read */
		from = w->taken_absent ? NULL : &w->taken;
	/* The file is back already, but the daemon may not be: it had the after-image at most. */
	if (down || (!w->has_taken && (is_back(w) || w->broken || w->noted)))
		from = docker_config_text(&d->after_text, &d->after);
	if (docker_config_stages(&way, from, to, &stages, &n, err))
		return -1;
	if (w->stranger)
		note_way(ctx, w, stages, n);
	r = go_back(d, ctx, w, stages, n, down, err);
	docker_stages_free(stages, n);
	return r;
}

static int changed_meanwhile(const struct docker_config_data *d, struct err *err)
{
	err_set(err, ERR_FAILED, "'%s' is changed again and again by somebody else", d->path);
	return err_remedy(err, "sysboxup recover, when nobody writes it any more");
}

/* Has a daemon to be brought back too? The daemon that was told is gone with the boot of then; the
 * one that starts behind us reads the file. */
static bool has_heard(const struct docker_config_data *d, const struct action_ctx *ctx,
		      const struct way_back *w)
{
	struct err ignored = ERR_INIT;

	if (!ctx->host->running || !ctx->host->docker.installed || ctx->at_boot)
		return false;
	if (docker_config_is_marked(ctx))
		return true;
	if (!read_since(d, ctx, w))
		return false;
	(void)docker_config_mark(ctx, &ignored);	/* for an undo of this undo; it needs space */
	return true;
}

int docker_config_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct docker_config_data *d = a->data;
	struct way_back w CLEANUP(way_back_release) = { .now = BUF_INIT, .target = BUF_INIT,
							  .taken = BUF_INIT };
	char *dir CLEANUP(freep) = path_dirname(d->path);
	bool heard;
	int r;

	if (!root_exists(ctx->root, dir))
		return 0;
	if (find_way_back(d, ctx, &w, err))
		return -1;
	heard = has_heard(d, ctx, &w);
	for (unsigned int edits = 0;; edits++) {
		r = heard ? bring_back(d, ctx, &w, err) : put_target(d, ctx, &w, err);
		if (r != CONFIG_EDITED)
			break;
		if (edits == EDITS_MAX)
			return changed_meanwhile(d, err);
		if (find_way_again(d, ctx, &w, err))
			return -1;
	}
	if (r || !heard)
		return r;
	if (in_this_boot(d))
		docker_config_settle(d, ctx);
	return docker_config_unmark(ctx, err);
}
