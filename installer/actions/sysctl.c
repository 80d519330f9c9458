/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "sysctl": a live kernel setting, raised to at least a minimum and never lowered. It lives in
 * memory only, so the way back carries the boot id and restores the value only in the same boot and
 * only if it is still the one we set.
 */
#include "actions/kinds.h"
#include "sys/clock.h"
#include "sys/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct sysctl_data {
	char *name;
	uint64_t want;		/* what commit writes */
	uint64_t before;
	bool lower;		/* inverted: want is the old value, and the present one must be `expected` */
	uint64_t expected;
	char *boot_id;
	bool skip;		/* nothing to do: absent, high enough, or another boot */
};

extern const struct action_ops sysctl_ops;

static void sysctl_release(struct action *a)
{
	struct sysctl_data *d = a->data;

	free(d->name);
	free(d->boot_id);
	free(d);
}

static struct action *sysctl_action(const char *step, const char *name, uint64_t want,
				    struct sysctl_data **ret)
{
	struct sysctl_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("sysctl:%s", name);

	d->name = xstrdup(name);
	d->want = want;
	d->boot_id = xstrdup(clock_boot_id());
	*ret = d;
	return action_new(&sysctl_ops, key, step, RANK_SYSCTL, d);
}

struct action *action_sysctl(const char *step, const char *name, uint64_t min)
{
	struct sysctl_data *d;

	return sysctl_action(step, name, min, &d);
}

static int sysctl_read(const char *name, uint64_t *ret)
{
	char *text CLEANUP(freep) = NULL;

	return host_sysctl(name, &text) || str_to_u64(str_trim(text), UINT64_MAX, ret) ? -1 : 0;
}

static int sysctl_write(const struct action_ctx *ctx, const char *name, uint64_t value,
			struct err *err)
{
	char *path CLEANUP(freep) = xasprintf("/proc/sys/%s", name);
	char number[32];
	int fd CLEANUP(closep) = -1, n = snprintf(number, sizeof(number), "%" PRIu64 "\n", value);

	for (char *p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	fd = io_openat(AT_FDCWD, path, O_WRONLY, 0);
	if (fd >= 0 && !io_write_all(fd, number, (size_t)n))
		return 0;
	return err_errno(err, errno, "cannot set %s to %" PRIu64, name, value);
}

static int sysctl_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct sysctl_data *d = a->data;

	if (!ctx->host->running || sysctl_read(d->name, &d->before))
		d->skip = true;
	else if (d->lower)
		d->skip = strcmp(d->boot_id, clock_boot_id()) || d->before != d->expected;
	else
		d->skip = d->before >= d->want;
	return 0;
}

static int sysctl_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct sysctl_data *d = a->data;

	return d->skip ? 0 : sysctl_write(ctx, d->name, d->want, err);
}

static int sysctl_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct sysctl_data *d = a->data;
	uint64_t now;

	/* the record of an image says nothing about the kernel of the machine that builds it */
	if (!ctx->host->running || d->skip || strcmp(d->boot_id, clock_boot_id()) ||
	    sysctl_read(d->name, &now) || now != d->want)
		return 0;
	return sysctl_write(ctx, d->name, d->before, err);
}

/* The first that was written in the boot in which the last one was: before it, the value came from
 * elsewhere. */
static const struct sysctl_data *first_of_boot(const struct record *oldest, const char *boot_id)
{
	for (const struct record *r = oldest; r; r = r->next) {
		const struct sysctl_data *d = r->action->data;

		if (!d->skip && !strcmp(d->boot_id, boot_id))
			return d;
	}
	return NULL;
}

static const struct sysctl_data *last_written(const struct record *oldest)
{
	const struct sysctl_data *last = NULL;

	for (const struct record *r = oldest; r; r = r->next) {
		const struct sysctl_data *d = r->action->data;

		if (!d->skip)
			last = d;
	}
	return last;
}

static int sysctl_invert(const struct record *oldest, const struct record *newest,
			 struct action **ret, struct err *err)
{
	const struct sysctl_data *n = last_written(oldest), *o;
	struct sysctl_data *d;

	*ret = NULL;
	if (!n)
		return 0;
	o = first_of_boot(oldest, n->boot_id);
	*ret = sysctl_action("rollback", o->name, o->before, &d);
	d->lower = true;
	d->expected = n->want;
	str_replace(&d->boot_id, o->boot_id);
	return 0;
}

/* Within one boot the first value before and the last one wanted; of another boot nothing
 * counts. */
static bool sysctl_fold(struct action *older, const struct action *newer)
{
	struct sysctl_data *o = older->data;
	const struct sysctl_data *n = newer->data;

	if (n->skip)
		return true;
	if (o->skip || strcmp(o->boot_id, n->boot_id)) {
		o->before = n->before;
		str_replace(&o->boot_id, n->boot_id);
	}
	o->want = n->want;
	o->skip = false;
	return true;
}

static int sysctl_encode(const struct action *a, struct json *j)
{
	const struct sysctl_data *d = a->data;

	json_set_str(j, "name", d->name);
	json_set_i64(j, "want", (int64_t)d->want);
	json_set_i64(j, "before", (int64_t)d->before);
	json_set_str(j, "boot_id", d->boot_id);
	json_set_bool(j, "skip", d->skip);
	return 0;
}

static int sysctl_decode(struct action *a, const struct json *j, struct err *err)
{
	struct sysctl_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->name = xstrdup(json_get_str(j, "name"));
	d->want = (uint64_t)json_get_i64(j, "want", 0);
	d->before = (uint64_t)json_get_i64(j, "before", 0);
	d->boot_id = xstrdup(json_get_str(j, "boot_id"));
	d->skip = json_get_bool(j, "skip", false);
	return d->name && d->boot_id ? 0 : err_set(err, ERR_FAILED, "no name or boot id");
}

static void sysctl_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct sysctl_data *d = a->data;
	uint64_t now = d->before;

	if (ctx->log ? d->skip : sysctl_read(d->name, &now))
		return;
	if (d->lower)
		report_change(r, d->name, "live value back to %" PRIu64 ", if it is still %" PRIu64,
			      d->want, d->expected);
	else if (ctx->log || now < d->want)
		report_change(r, d->name, "live value %" PRIu64 " -> %" PRIu64, now, d->want);
}

const struct action_ops sysctl_ops = {
	.kind = "sysctl",
	.prepare = sysctl_prepare,
	.commit = sysctl_commit,
	.undo = sysctl_undo,
	.invert = sysctl_invert,
	.fold = sysctl_fold,
	.encode = sysctl_encode,
	.decode = sysctl_decode,
	.describe = sysctl_describe,
	.release = sysctl_release,
};
