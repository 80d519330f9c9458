/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "docker": daemon.json. The profile's docker.settings, the runtime of Sysbox, optionally as
 * default. A key that we own and that left the profile goes back to what it was before us.
 */
#include "actions/kinds.h"
#include "base/splice.h"
#include "docker/api.h"
#include "docker/probe.h"
#include "engine/rollback.h"
#include "steps/api.h"
#include "steps/installed.h"
#include "steps/preflight.h"
#include "steps/sysbox.h"

#define STEP "docker"
#define DEFAULT_CONFIG "/etc/docker/daemon.json"
#define CONFIG_MAX (1024 * 1024)

/* What the profile wants in daemon.json, as a merge patch. Never NULL. */
static struct json *wanted_patch(const struct step_ctx *ctx)
{
	struct json *runtime, *runtimes, *wrap CLEANUP(json_freep) = json_obj();
	char *runc CLEANUP(freep) = sysbox_runc(ctx);
	const struct profile *p = ctx->profile;

	if (sysbox_wanted(ctx)) {
		runtime = json_obj();
		runtimes = json_obj();
		json_set_str(runtime, "path", runc);
		json_set(runtimes, SYSBOX_RUNTIME, runtime);
		json_set(wrap, "runtimes", runtimes);
		if (p->sysbox.default_runtime)
			json_set_str(wrap, "default-runtime", SYSBOX_RUNTIME);
	}
	if (api_wanted(ctx))
		api_settings(wrap);
	return json_patch_join(p->docker.present ? p->docker.settings : NULL, wrap);
}

/* An adopted Sysbox goes: every runtime that is it, and what says to use that by default, whoever
 * wrote them. */
static struct json *going_patch(const struct step_ctx *ctx, const struct json *today)
{
	struct json *runtimes = json_obj(), *ret = json_obj();
	const char *by_default = json_get_str(today, "default-runtime");
	char *runc CLEANUP(freep) = sysbox_runc(ctx);

	for json_each(r, json_get(today, "runtimes"))
		if (str_eq(json_get_str(r, "path"), runc))
			json_set(runtimes, json_key(r), json_null());
	if (by_default && json_get(runtimes, by_default))
		json_set(ret, "default-runtime", json_null());
	if (json_len(runtimes))
		json_set(ret, "runtimes", runtimes);
	else
		json_free(runtimes);
	return ret;
}

static bool is_going(const struct step_ctx *ctx)
{
	return sysbox_unwanted(ctx) && sysbox_adopted(sysbox_origin(ctx->index));
}

static const char *config_path(const struct host *h)
{
	return h->docker.config_file ? h->docker.config_file : DEFAULT_CONFIG;
}

static const struct json *index_entry(const struct step_ctx *ctx)
{
	char *key CLEANUP(freep) = xasprintf("docker-config:%s", config_path(ctx->host));

	return json_get(ctx->index, key);
}

static bool wanted(const struct step_ctx *ctx)
{
	return sysbox_wanted(ctx) || is_going(ctx) || api_wanted(ctx) ||
	       (ctx->profile->docker.present && ctx->profile->docker.settings) || index_entry(ctx);
}

/* The leaves of a that b does not set: what we own and the profile no longer names. */
static struct json *leaves_without(const struct json *a, const struct json *b)
{
	struct json *left = json_obj();

	for json_each(m, a) {
		const struct json *other = json_get(b, json_key(m));

		if (!other)
			json_set(left, json_key(m), json_dup(m));
		else if (json_type(m) == JSON_OBJECT && json_type(other) == JSON_OBJECT) {
			struct json *below = leaves_without(m, other);

			if (json_len(below))
				json_set(left, json_key(m), below);
			else
				json_free(below);
		}
	}
	return left;
}

static struct json *values_before(const struct json *want, const struct json *ours,
				  const struct json *was, const struct json *today);

/* A container that was not there and in which nothing was: null, so that it goes with our last
 * leaf. */
static struct json *container_before(const struct json *want, const struct json *ours,
				     const struct json *was, const struct json *today)
{
	bool absent = ours ? !was || json_type(was) == JSON_NULL : !today;
	struct json *ret = values_before(want, ours, was, today);

	for json_each(m, ret)
		absent = absent && json_type(m) == JSON_NULL;
	if (!absent)
		return ret;
	json_free(ret);
	return json_null();
}

static struct json *value_before(const struct json *want, const struct json *ours,
				 const struct json *was, const struct json *today)
{
	bool merges = json_type(want) == JSON_OBJECT && (!today || json_type(today) == JSON_OBJECT);
	bool replaced = ours && was && json_type(was) != JSON_OBJECT && json_type(was) != JSON_NULL;
	const struct json *v = ours ? was : today;

	if (merges && !replaced)
		return container_before(want, ours, was, today);
	return v ? json_dup(v) : json_null();
}

/* For each leaf of want the value it had before us: as `was` remembers it, else as the file has it
 * today, null if absent. */
static struct json *values_before(const struct json *want, const struct json *ours,
				  const struct json *was, const struct json *today)
{
	struct json *ret = json_obj();

	for json_each(m, want) {
		const char *key = json_key(m);

		json_set(ret, key, value_before(m, json_get(ours, key), json_get(was, key),
						json_get(today, key)));
	}
	return ret;
}

static int read_config(const struct step_ctx *ctx, struct buf *text, struct json **ret,
		       struct err *err)
{
	const char *path = config_path(ctx->host);
	struct json *nothing CLEANUP(json_freep) = json_obj();
	struct buf whole CLEANUP(buf_release) = BUF_INIT;
	const char *p;

	if (root_read_optional(ctx->host->root, path, CONFIG_MAX, text, err) < 0 ||
	    json_splice(text->data, text->len, nothing, path, &whole, err))
		return err_raise(err, ERR_REFUSED);
	p = str_starts(whole.data, "\xef\xbb\xbf") ? whole.data + 3 : whole.data;
	return json_parse(p, whole.len - (size_t)(p - whole.data), JSON_BLANK, path, ret, err);
}

/* The patch: what is wanted, and what of ours goes back. A leaf that somebody else changed
 * meanwhile stays theirs. */
static int make_patch(struct plan *p, const struct json *today, const struct json *want,
		      const struct json *left, const struct json *was, struct json **ret,
		      bool *ret_theirs, struct err *err)
{
	struct json *before CLEANUP(json_freep) = json_merge(NULL, was);
	struct json *back CLEANUP(json_freep) = NULL, *without CLEANUP(json_freep) = NULL,
			 *after CLEANUP(json_freep) = NULL;
	struct strv conflicts CLEANUP(strv_release) = STRV_INIT;

	if (json_unmerge(today, before, left, &back, &conflicts))
		return err_set(err, ERR_REFUSED, "daemon.json is not an object");
	for (size_t i = 0; i < conflicts.n; i++)
		plan_warn(p, "%s was ours and was changed by somebody else: it stays as it is", conflicts.v[i]);
	*ret_theirs = conflicts.n > 0;
	/* by way of the trees: "take the object out, then set a key in it" is no merge patch */
	without = json_merge(today, back);
	after = json_merge(without, want);
	*ret = json_patch_between(today, after);
	return 0;
}

static void add_directory(struct plan *p, const struct step_ctx *ctx)
{
	char *dir CLEANUP(freep) = path_dirname(config_path(ctx->host));

	if (!root_exists(ctx->host->root, dir))
		plan_add(p, action_dir(STEP, dir, 0755));
}

/* Binaries that actions before daemon.json put there: a runtime may name them. */
static void planned_paths(const struct plan *p, const char *runc, struct strv *ret)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_starts(p->v[i]->key, "file:"))
			strv_add(ret, p->v[i]->key + strlen("file:"));
	if (plan_has(p, "packages"))
		strv_add(ret, runc);
	if (plan_has(p, "file:" API_SERVER)) {
		strv_add(ret, API_CERT);
		strv_add(ret, API_KEY);
	}
}

/* Sysbox goes: the runtime before that. */
static void add_config(struct plan *p, const struct step_ctx *ctx, const struct json *patch,
		       const struct json *want, const struct json *was)
{
	struct strv planned CLEANUP(strv_release) = STRV_INIT;
	char *runc CLEANUP(freep) = sysbox_runc(ctx);
	struct action *a;

	planned_paths(p, runc, &planned);
	if (sysbox_unwanted(ctx) && !strv_has(&planned, runc))
		strv_add(&planned, runc);	/* there again before it, if this is taken back */
	a = action_docker_config(STEP, config_path(ctx->host), patch, want, was, &planned);
	if (sysbox_unwanted(ctx))
		a->rank = -a->rank;
	if (api_concerned(ctx))
		action_docker_config_tls_idle(a);
	plan_add(p, a);
}

/* What is missing, as text to be put in: {} if nothing is. */
static int missing(const struct step_ctx *ctx, const struct json *want, struct buf *ret,
		   struct err *err)
{
	struct json *today CLEANUP(json_freep) = NULL, *after CLEANUP(json_freep) = NULL,
			 *patch CLEANUP(json_freep) = NULL;
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (read_config(ctx, &text, &today, err))
		return -1;
	after = json_merge(today, want);
	patch = json_patch_between(today, after);
	if (json_len(patch))
		json_print(patch, ret);
	return 0;
}

/* The keys that were ours stay in the file and in the index: whoever manages it decides on them. */
static int plan_elsewhere(struct plan *p, const struct step_ctx *ctx, const struct json *want,
			  struct err *err)
{
	struct buf snippet CLEANUP(buf_release) = BUF_INIT;

	if (missing(ctx, want, &snippet, err))
		return -1;
	if (snippet.len)
		plan_warn(p,
			  "docker.managed is \"elsewhere\": merge this into '%s' there, "
			  "and reload Docker: %s",
			  config_path(ctx->host), snippet.data);
	return 0;
}

/* It is as wanted: with a Sysbox that others installed, so is what they wrote here for it. */
static void adopt(struct plan *p, const struct step_ctx *ctx, const struct json *want,
		  const struct json *was)
{
	char *key CLEANUP(freep) = xasprintf("docker-config:%s", config_path(ctx->host));
	struct json *as CLEANUP(json_freep) = json_obj();
	struct action *a;

	if (!plan_has(p, ADOPT_KEY SYSBOX_STEP))
		return;
	a = action_adopt(STEP, config_path(ctx->host), "it has the runtime of Sysbox");
	json_set(as, "ours", json_dup(want));
	json_set(as, "was", json_dup(was));
	adopt_target(a, "docker-config", key, as);
	plan_add(p, a);
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct json *want CLEANUP(json_freep) = wanted_patch(ctx),
			  *today CLEANUP(json_freep) = NULL, *going CLEANUP(json_freep) = NULL,
			  *all CLEANUP(json_freep) = NULL, *left CLEANUP(json_freep) = NULL;
	struct json *patch CLEANUP(json_freep) = NULL, *was CLEANUP(json_freep) = NULL;
	const struct json *entry = index_entry(ctx), *ours = json_get(entry, "ours");
	struct buf text CLEANUP(buf_release) = BUF_INIT, after CLEANUP(buf_release) = BUF_INIT;

	bool theirs = false;

	if (read_config(ctx, &text, &today, err))
		return -1;
	going = is_going(ctx) ? going_patch(ctx, today) : json_obj();
	all = json_patch_join(going, want);
	if (ctx->profile->docker.elsewhere)
		return plan_elsewhere(p, ctx, all, err);
	left = leaves_without(ours, all);
	if (make_patch(p, today, all, left, json_get(entry, "was"), &patch, &theirs, err) ||
	    json_splice(text.data, text.len, patch, config_path(ctx->host), &after, err))
		return -1;
	was = values_before(want, ours, json_get(entry, "was"), today);
	/* what left the profile stops being ours, even where somebody else took it out already */
	if (buf_equal(&text, &after) && !json_len(left)) {
		adopt(p, ctx, want, was);
		return 0;
	}
	if (entry && !json_len(all) && !theirs)	/* as it was before us, to the byte */
		return take_back_plan(p, ctx->state, STEP, err);
	add_directory(p, ctx);
	add_config(p, ctx, patch, want, was);
	return 0;
}

/* ---- verify ---- */

/* Whoever manages the file may do it after us: no reason to take everything back. */
static enum report_state not_there(const struct step_ctx *ctx)
{
	return ctx->profile->docker.elsewhere && ctx->proving ? STATE_WARN : STATE_BAD;
}

static void verify_runtime(struct docker_api *api, const struct step_ctx *ctx, struct report *rep)
{
	struct json *info CLEANUP(json_freep) = NULL;
	struct docker_probe probe = { .ran = false };
	struct err err = ERR_INIT;
	bool listed;

	if (docker_info(api, &info, &err)) {
		report_check(rep, "docker-info", STATE_BAD, NULL, "systemctl status docker", "%s",
			     err.msg);
		return;
	}
	listed = json_get(json_get(info, "Runtimes"), SYSBOX_RUNTIME) != NULL;
	report_check(rep, "runtime-listed", listed ? STATE_OK : not_there(ctx),
		     "docker run --runtime=" SYSBOX_RUNTIME " needs it",
		     ctx->profile->docker.elsewhere ? "systemctl reload docker" : "sysboxup apply",
		     listed ? "Docker knows " SYSBOX_RUNTIME :
			      "Docker does not know " SYSBOX_RUNTIME);
	if (!listed || ctx->quick)
		return;
	if (docker_probe_runtime(api, SYSBOX_RUNTIME, &probe, rep, &err))
		report_check(rep, "container", STATE_BAD,
			     "units active and a runtime listed prove nothing",
			     "journalctl -b -u sysbox-mgr -u sysbox-fs", "%s", err.msg);
	else
		report_check(rep, "container", probe.userns ? STATE_OK : STATE_BAD,
			     "root in the container must not be root here", NULL,
			     "ran under " SYSBOX_RUNTIME "; its ids 0-%u are %u-%u here",
			     probe.uid_count - 1, probe.uid_start,
			     probe.uid_start + probe.uid_count - 1);
}

static void verify_config(const struct step_ctx *ctx, struct report *rep)
{
	struct json *want CLEANUP(json_freep) = wanted_patch(ctx);
	struct buf snippet CLEANUP(buf_release) = BUF_INIT;
	char *merge CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;

	if (missing(ctx, want, &snippet, &err)) {
		report_check(rep, "daemon.json", STATE_BAD, NULL, NULL, "%s", err.msg);
		return;
	}
	if (!snippet.len) {
		report_check(rep, "daemon.json", STATE_OK, NULL, NULL,
			     "has every key of the profile");
		return;
	}
	merge = xasprintf("merge this into '%s' where it is managed, and reload Docker: %s",
			  config_path(ctx->host), snippet.data);
	report_check(rep, "daemon.json", not_there(ctx), NULL,
		     ctx->profile->docker.elsewhere ? merge : "sysboxup apply",
		     "a key of the profile is missing or has another value");
}

static const char *sysbox_version(const struct step_ctx *ctx)
{
	const char *version = json_get_str(sysbox_origin(ctx->index), "version");

	return version ? version : ctx->entry ? ctx->entry->version : NULL;
}

/* Versions that are known not to work together (facts/sysbox.md 4). A container that runs proves
 * more. */
static void verify_pairs(const struct step_ctx *ctx, struct report *rep)
{
	static const char *const pairs[] = { "docker-time-namespaces", "docker-gpu" };

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		(void)preflight_one(pairs[i], ctx->host, ctx->profile, sysbox_version(ctx), rep);
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;

	verify_config(ctx, rep);
	if (ctx->quick)
		verify_pairs(ctx, rep);
	if (!ctx->host->running)
		return 0;
	if (docker_api_open(&api,
			    ctx->host->docker.socket ? ctx->host->docker.socket :
						       "/var/run/docker.sock",
			    err))
		return -1;
	if (!docker_api_ping(api, 20000)) {
		report_check(rep, "docker", sysbox_wanted(ctx) ? STATE_BAD : STATE_UNKNOWN, NULL,
			     "systemctl start docker", "does not answer");
		return 0;
	}
	report_check(rep, "docker", STATE_OK, NULL, NULL, "answers");
	if (sysbox_wanted(ctx))
		verify_runtime(api, ctx, rep);
	return 0;
}

const struct step step_docker = {
	.name = STEP,
	.summary = "Docker: daemon.json, and what the daemon makes of it",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
