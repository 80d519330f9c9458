/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/docker_config.h"

#include "docker/canary.h"
#include "docker/validate.h"
#include "sys/proc.h"

#define CANARY_SECONDS 30
#define TICK_MS 10

/* Keys that a reload takes up and whose values of this type cannot stop the next start: no trial of
 * it. */
static bool is_harmless(const char *key, const struct json *v)
{
	static const struct {
		const char *key;
		enum json_type type;
	} harmless[] = {
		{ "runtimes", JSON_OBJECT },
		{ "default-runtime", JSON_STRING },
		{ "live-restore", JSON_BOOL },
		{ "debug", JSON_BOOL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (str_eq(harmless[i].key, key))
			return !v || json_type(v) == harmless[i].type;
	return false;
}

/* Keys for a listener name files that are not there yet; whoever opens it judges them. */
static bool is_for_listener(const struct docker_config_data *d, const char *key)
{
	return d->tls_idle && str_starts(key, "tls");
}

static bool is_risky(const struct docker_config_data *d, const struct json *from,
		     const struct json *to)
{
	struct strv keys CLEANUP(strv_release) = STRV_INIT;

	docker_config_takeup(from, to, &keys);
	for (size_t i = 0; i < keys.n; i++)
		if (!is_harmless(keys.v[i], json_get(to, keys.v[i])) &&
		    !is_for_listener(d, keys.v[i]))
			return true;
	return false;
}

/* The new file, but for those keys, which stay as they are. */
static void without_listener(const struct docker_config_data *d, const struct json *from,
			     const struct json *to, struct buf *ret)
{
	struct json *tried CLEANUP(json_freep) = json_dup(to);
	struct strv keys CLEANUP(strv_release) = STRV_INIT;

	docker_config_takeup(from, to, &keys);
	for (size_t i = 0; i < keys.n; i++) {
		const struct json *now = json_get(from, keys.v[i]);

		if (!is_for_listener(d, keys.v[i]))
			continue;
		json_del(tried, keys.v[i]);
		if (now)
			json_set(tried, keys.v[i], json_dup(now));
	}
	json_print(tried, ret);
}

/*
 * Somebody wrote the file after the daemon had started, which may never have read it. Where dockerd
 * can be asked what it thinks of a file, it was (docker/validate.h).
 */
static bool is_unread(const struct docker_config_data *d, const struct host *h)
{
	if (d->before.type != NODE_FILE || !d->was_running || docker_validate_available(h) ||
	    (d->inverted && docker_config_as_left(d, &d->before_text, false)))
		return false;
	/* a file's times are those of the last tick, and a daemon reads its file a little later */
	int64_t written = 1000 * (int64_t)d->before.ctime.tv_sec +
			  d->before.ctime.tv_nsec / 1000000 + TICK_MS;
	return written >= proc_began_ms(h->docker.main_starttime);
}

/* As docker_canary. */
static int try_text(const struct action_ctx *ctx, const struct buf *text, char **ret_why,
		    struct err *err)
{
	return docker_canary(ctx->host, text->data, text->len, STATE_DIR, CANARY_SECONDS, ret_why,
			     err);
}

static int refuse_of_today(const struct docker_config_data *d, const char *why, struct err *err)
{
	err_set(err, ERR_REFUSED, "Docker would not start with '%s' as others have left it: %s",
		d->path, why);
	return err_remedy(err, "correct that first");
}

/* What we change in it cannot be the reason; that it cannot be tried is none to refuse it. */
static int try_unread(struct docker_config_data *d, const struct action_ctx *ctx,
		      const struct buf *candidate, struct err *err)
{
	char *why CLEANUP(freep) = NULL;
	struct err untried = ERR_INIT;
	int r = try_text(ctx, candidate, &why, &untried);

	if (r < 0)
		report_warn(ctx->rep, untried.remedy,
			    "'%s' was written since Docker started, and was not tried: %s", d->path,
			    untried.msg);
	return r > 0 ? refuse_of_today(d, why, err) : 0;
}

static int try_risky(struct docker_config_data *d, const struct action_ctx *ctx,
		     const struct buf *candidate, bool unread, struct err *err)
{
	char *why CLEANUP(freep) = NULL, *today CLEANUP(freep) = NULL;
	struct err ignored = ERR_INIT;
	int r = try_text(ctx, candidate, &why, err);

	if (r <= 0)
		return r;
	if (unread && try_text(ctx, &d->before_text, &today, &ignored) > 0)
		return refuse_of_today(d, today, err);
	err_set(err, ERR_REFUSED, "Docker would not start with the new '%s': %s", d->path, why);
	return err_remedy(err, "correct docker.settings in the profile");
}

int docker_config_try_start(struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct json *from, const struct json *to, struct err *err)
{
	struct buf without CLEANUP(buf_release) = BUF_INIT;
	const struct buf *candidate = d->tls_idle ? &without : &d->after_text;
	bool unread;

	if (!to)
		return 0;
	unread = is_unread(d, ctx->host);
	if (d->tls_idle)
		without_listener(d, from, to, &without);
	if (is_risky(d, from, to))
		return try_risky(d, ctx, candidate, unread, err);
	return unread ? try_unread(d, ctx, candidate, err) : 0;
}
