/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "sysbox": the package, by dpkg ("deb") or by unpacking it and owning every file ("files"),
 * and what belongs to both: the account with its subordinate ids, the live kernel settings, the
 * mount point, the running units (facts/sysbox.md 2.5, 3.3).
 */
#include "steps/sysbox.h"

#include "actions/account.h"
#include "actions/packages.h"
#include "backends/pkg/pkg.h"
#include "backends/service/systemd.h"
#include "base/embedded.h"
#include "engine/rollback.h"
#include "fetch/catalog.h"

#define STEP "sysbox"

static const char *const binaries[] = { "/usr/bin/sysbox-fs", "/usr/bin/sysbox-mgr", SYSBOX_RUNC,
					NULL };
/* In the order in which they start: sysbox.service wants the other two. */
static const char *const units[] = { "sysbox-mgr.service", "sysbox-fs.service", "sysbox.service",
				     NULL };

static const struct {
	const char *name;
	uint64_t min;
} sysctls[] = {
	{ "kernel.unprivileged_userns_clone", 1 },
	{ "fs.inotify.max_queued_events", 1048576 },
	{ "fs.inotify.max_user_watches", 1048576 },
	{ "fs.inotify.max_user_instances", 1048576 },
	{ "kernel.keys.maxkeys", 20000 },
	{ "kernel.keys.maxbytes", 1400000 },
	{ "kernel.pid_max", 4194304 },
};

static const struct {
	const char *dir, *link, *target;
} enabled[] = {
	{ "/etc/systemd/system/multi-user.target.wants",
	  "/etc/systemd/system/multi-user.target.wants/sysbox.service", "sysbox.service" },
	{ "/etc/systemd/system/sysbox.service.wants",
	  "/etc/systemd/system/sysbox.service.wants/sysbox-fs.service", "sysbox-fs.service" },
	{ "/etc/systemd/system/sysbox.service.wants",
	  "/etc/systemd/system/sysbox.service.wants/sysbox-mgr.service", "sysbox-mgr.service" },
};

bool sysbox_wanted(const struct step_ctx *ctx)
{
	return ctx->profile->sysbox.present && !str_eq(ctx->profile->sysbox.version, "absent");
}

bool sysbox_unwanted(const struct step_ctx *ctx)
{
	return ctx->profile->sysbox.present && str_eq(ctx->profile->sysbox.version, "absent");
}

static bool wanted(const struct step_ctx *ctx)
{
	return ctx->profile->sysbox.present;
}

/* ---- what is there ---- */

static bool systemd_dir_is_usr(const struct host *h)
{
	return root_exists(h->root, "/usr/lib/systemd/system");
}

/* Where unit files live here; the package says /lib, which is a link to /usr/lib on most
 * systems. */
static char *lib_path(const struct host *h, const char *rest)
{
	return path_join(systemd_dir_is_usr(h) ? "/usr/lib" : "/lib", rest);
}

static bool by_deb(const struct step_ctx *ctx)
{
	/* "auto" stays with how it came here: in an image that was by files. */
	bool by_files = json_get(ctx->index, "file:" SYSBOX_RUNC) != NULL;

	switch (ctx->profile->sysbox.method) {
	case METHOD_DEB:
		return true;
	case METHOD_FILES:
		return false;
	case METHOD_AUTO:
		break;
	}
	return ctx->host->running && !by_files && pkg_backend(ctx->host) != NULL;
}

/* What is installed by us, by that method: { "version", "sha256" ... }; NULL if nothing is. */
static const struct json *ours_by(const struct step_ctx *ctx, bool deb)
{
	return json_get(json_get(ctx->index, deb ? "packages" : "file:" SYSBOX_RUNC), "origin");
}

static bool is_wanted_package(const struct step_ctx *ctx, const struct json *origin)
{
	return str_eq(json_get_str(origin, "sha256"), ctx->entry->sha256);
}

/* The version that ours replaces; NULL: none, or the same. */
static const char *replaced(const struct step_ctx *ctx, const struct json *ours)
{
	return ours && !is_wanted_package(ctx, ours) ? json_get_str(ours, "version") : NULL;
}

static int refuse_method_change(const struct step_ctx *ctx, bool deb, struct err *err)
{
	err_set(err, ERR_REFUSED,
		"Sysbox is installed here by \"%s\", and the profile wants it by \"%s\"",
		deb ? "files" : "deb", deb ? "deb" : "files");
	return err_remedy(err,
			  "set \"method\": \"%s\"; or go by way of none: "
			  "apply with \"version\": \"absent\" first",
			  deb ? "files" : "deb");
}

/* Somebody else's Sysbox is not ours to replace. */
static int check_strangers(const struct step_ctx *ctx, struct err *err)
{
	const struct pkg_ops *pkg = pkg_backend(ctx->host);
	struct pkg_status st = { .known = false };

	if (pkg && pkg->status(ctx->host, SYSBOX_PACKAGE, &st, err))
		return -1;
	if (st.known && st.version && !str_eq(st.state, "config-files") &&
	    !str_eq(st.state, "not-installed")) {
		err_set(err, ERR_REFUSED, "%s %s is installed already, and not by sysboxup", SYSBOX_PACKAGE, st.version);
		err_remedy(err, "remove it first: apt-get purge %s", SYSBOX_PACKAGE);
	} else if (root_exists(ctx->host->root, SYSBOX_RUNC)) {
		err_set(err, ERR_REFUSED, "'%s' exists already, and not by sysboxup", SYSBOX_RUNC);
		err_remedy(err, "remove the Sysbox that was installed by hand first");
	}
	pkg_status_release(&st);
	return err_is_set(err) ? -1 : 0;
}

/* ---- plan ---- */

static bool key_intact(const struct step_ctx *ctx, const char *key)
{
	const struct json *entry = json_get(ctx->index, key);
	const struct action_ops *ops = entry ? action_kind(json_get_str(entry, "kind")) : NULL;
	struct action_ctx actx = {
		.host = ctx->host, .root = ctx->host->root, .state = ctx->state, .rep = NULL
	};
	struct buf found CLEANUP(buf_release) = BUF_INIT;

	return ops && ops->drift && ops->drift(entry, key, &actx, &found) == STATE_OK;
}

static bool path_intact(const struct step_ctx *ctx, const char *kind, const char *path)
{
	char *key CLEANUP(freep) = xasprintf("%s:%s", kind, path);

	return key_intact(ctx, key);
}

static const struct json *file_origin(const struct step_ctx *ctx, const char *path)
{
	char *key CLEANUP(freep) = xasprintf("file:%s", path);

	return json_get(json_get(ctx->index, key), "origin");
}

static struct json *origin(const struct step_ctx *ctx)
{
	struct json *j = json_obj();

	json_set_str(j, "package", ctx->entry->name);
	json_set_str(j, "version", ctx->entry->version);
	json_set_str(j, "sha256", ctx->entry->sha256);
	return j;
}

static void add_member(struct plan *p, const struct step_ctx *ctx, const char *path, mode_t mode,
		       const char *member, bool *ret_any)
{
	struct action *a;

	if (path_intact(ctx, "file", path) && is_wanted_package(ctx, file_origin(ctx, path)))
		return;
	a = action_file_member(STEP, path, mode, member);
	a->origin = origin(ctx);
	plan_add(p, a);
	*ret_any = true;
}

static void add_dir(struct plan *p, const struct step_ctx *ctx, const char *path, mode_t mode)
{
	char *key CLEANUP(freep) = xasprintf("dir:%s", path);

	if (!root_exists(ctx->host->root, path) && !plan_has(p, key))
		plan_add(p, action_dir(STEP, path, mode));
}

static bool file_is(const struct step_ctx *ctx, const char *path, const char *data, size_t len)
{
	struct buf now CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	return !root_read_optional(ctx->host->root, path, len + 1, &now, &ignored) &&
	       now.len == len && !memcmp(now.data, data, len);
}

static void add_sysctl_file(struct plan *p, const struct step_ctx *ctx)
{
	const struct embedded *e = embedded_find("templates/sysbox-sysctl.conf");
	char *dir CLEANUP(freep) = lib_path(ctx->host, "sysctl.d"),
		  *path CLEANUP(freep) = path_join(dir, "99-sysbox-sysctl.conf");

	add_dir(p, ctx, dir, 0755);
	if (!file_is(ctx, path, e->data, e->len))
		plan_add(p, action_file(STEP, path, 0644, e->data, e->len));
}

static void add_links(struct plan *p, const struct step_ctx *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(enabled); i++) {
		char *rest CLEANUP(freep) = path_join("systemd/system", enabled[i].target);
		char *target CLEANUP(freep) = lib_path(ctx->host, rest), *now CLEANUP(freep) = NULL;

		add_dir(p, ctx, enabled[i].dir, 0755);
		if (root_readlink(ctx->host->root, enabled[i].link, &now) || !str_eq(now, target))
			plan_add(p, action_link(STEP, enabled[i].link, target));
	}
}

/* Files of the unit kind changed: systemd reads them, on the way there behind them and on the way
 * back in front of them. */
static void add_reloads(struct plan *p)
{
	plan_add(p, action_reload(STEP, RELOAD_SYSTEMD, NULL, RELOAD_ON_UNDO));
	plan_add(p, action_reload(STEP, RELOAD_SYSTEMD, NULL, RELOAD_ON_COMMIT));
}

static int plan_files(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	char *unit_dir CLEANUP(freep) = lib_path(ctx->host, "systemd/system");
	bool any = false;
	size_t before = p->n;

	for (size_t i = 0; binaries[i]; i++)
		add_member(p, ctx, binaries[i], 0755, binaries[i], &any);
	add_dir(p, ctx, unit_dir, 0755);
	for (size_t i = 0; units[i]; i++) {
		char *path CLEANUP(freep) = path_join(unit_dir, units[i]);
		char *member CLEANUP(freep) = path_join("/lib/systemd/system", units[i]);

		add_member(p, ctx, path, 0644, member, &any);
	}
	if (any)
		plan_add(p, action_unpack(STEP, ctx->entry, replaced(ctx, ours_by(ctx, false))));
	add_sysctl_file(p, ctx);
	add_links(p, ctx);
	if (p->n > before)
		add_reloads(p);
	return 0;
}

static int plan_deb(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	/* fusermount3 is needed from 0.7.0 on, and left alone apt picks the old fuse
	 * (facts/sysbox.md 2.4). */
	static const char *const with_fuse3[] = { "fuse3", NULL }, *const nothing[] = { NULL };
	bool fuse3 = version_compare(ctx->entry->version, "0.7.0") >= 0;
	const struct json *ours = ours_by(ctx, true);
	struct action *a;

	if (ours && is_wanted_package(ctx, ours) && key_intact(ctx, "packages"))
		return 0;
	a = action_packages(STEP, fuse3 ? with_fuse3 : nothing, ctx->entry->name,
			    ctx->entry->version, ctx->entry->arch, false);
	a->origin = origin(ctx);
	if (replaced(ctx, ours))
		packages_replace(a, replaced(ctx, ours), json_get_str(ours, "sha256"));
	plan_add(p, a);
	add_reloads(p);
	return 0;
}

static void plan_live(struct plan *p, const struct step_ctx *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		char *now CLEANUP(freep) = NULL;
		uint64_t value;

		if (!host_sysctl(sysctls[i].name, &now) &&
		    !str_to_u64(str_trim(now), UINT64_MAX, &value) && value < sysctls[i].min)
			plan_add(p, action_sysctl(STEP, sysctls[i].name, sysctls[i].min));
	}
}

static int plan_units(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	if (!host_has_systemd(ctx->host)) {
		plan_warn(p, "systemd does not run here: Sysbox's services are not started");
		return 0;
	}
	bool swapped = plan_has(p, "packages") || plan_has(p, "unpack:" SYSBOX_PACKAGE);

	if (p->n || !key_intact(ctx, "units:sysbox-mgr.service"))
		plan_add(p, action_units(STEP, units, SYSBOX_RUNTIME,
					 swapped && ours_by(ctx, by_deb(ctx))));
	return 0;
}

/* They did not run before, and will from the first boot on: that is what the way back needs to
 * know. */
static void plan_units_of_image(struct plan *p, const struct step_ctx *ctx)
{
	if (!json_get(ctx->index, "units:sysbox-mgr.service"))
		plan_add(p, action_units(STEP, units, SYSBOX_RUNTIME, false));
}

static int plan_account(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	bool needed;

	if (account_needed(ctx->host->root, "sysbox", &needed, err))
		return -1;
	if (needed)
		plan_add(p, action_account(STEP, "sysbox"));
	return 0;
}

/* Each path as it was before us. */
static int plan_absent(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	if (!ours_by(ctx, true) && !ours_by(ctx, false) && check_strangers(ctx, err))
		return -1;
	return take_back_plan(p, ctx->state, STEP, err);
}

static int plan_present(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	bool deb = by_deb(ctx);

	if (ours_by(ctx, !deb))
		return refuse_method_change(ctx, deb, err);
	if (!ours_by(ctx, deb) && check_strangers(ctx, err))
		return -1;
	if (plan_account(p, ctx, err))
		return -1;
	if (ctx->host->running)
		plan_live(p, ctx);
	/* Sysbox makes the first by itself and leaves it empty when it stops; the second is its
	 * mount point. */
	add_dir(p, ctx, "/var/lib/sysbox", 0700);
	add_dir(p, ctx, "/var/lib/sysboxfs", 0755);
	if (deb ? plan_deb(p, ctx, err) : plan_files(p, ctx, err))
		return -1;
	if (ctx->host->running)
		return plan_units(p, ctx, err);
	plan_units_of_image(p, ctx);
	return 0;
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	return sysbox_unwanted(ctx) ? plan_absent(p, ctx, err) : plan_present(p, ctx, err);
}

/* ---- verify ---- */

static int verify_units(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct unit_status st[ARRAY_SIZE(units)];

	if (unit_query_all(units, st, err))
		return -1;
	for (size_t i = 0; units[i]; i++) {
		bool active = str_eq(st[i].active, "active");
		bool at_boot = str_eq(st[i].enabled, "enabled");

		if (active && !at_boot)	/* a postinst does not mind when that fails */
			report_check(rep, units[i], STATE_BAD,
				     "it would not start at the next boot",
				     "systemctl enable sysbox sysbox-mgr sysbox-fs",
				     "active, but %s", st[i].enabled);
		else
			report_check(rep, units[i], active ? STATE_OK : STATE_BAD,
				     "containers need it while they run",
				     "journalctl -b -u sysbox-mgr -u sysbox-fs", "%s",
				     st[i].active);
	}
	return 0;
}

static void verify_installed(const struct step_ctx *ctx, struct report *rep)
{
	for (size_t i = 0; binaries[i]; i++) {
		struct stat st;
		bool ok = !root_stat(ctx->host->root, binaries[i], &st) && S_ISREG(st.st_mode) &&
			  (st.st_mode & 0111);

		report_check(rep, binaries[i], ok ? STATE_OK : STATE_BAD, NULL, "sysboxup apply",
			     ok ? "installed" : "missing");
	}
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	if (!sysbox_wanted(ctx))
		return 0;
	verify_installed(ctx, rep);
	if (!ctx->host->running)
		return 0;
	if (host_has_systemd(ctx->host))
		return verify_units(ctx, rep, err);
	report_check(rep, "sysbox.service", STATE_UNKNOWN, NULL, NULL,
		     "cannot be asked: systemd does not run here");
	return 0;
}

const struct step step_sysbox = {
	.name = STEP,
	.summary = "Sysbox: package, account, kernel settings, services",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
