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
#include "steps/installed.h"

#define STEP SYSBOX_STEP

const char *const sysbox_programs[] = { "sysbox-fs", "sysbox-mgr", SYSBOX_RUNTIME, NULL };
const char *const sysbox_units[SYSBOX_UNITS + 1] = { "sysbox-mgr.service", "sysbox-fs.service",
						     "sysbox.service", NULL };

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

char *sysbox_lib_path(const struct host *h, const char *rest)
{
	return path_join(systemd_dir_is_usr(h) ? "/usr/lib" : "/lib", rest);
}

/* "auto" stays with how it came here: in an image that was by files. */
static bool by_deb(const struct step_ctx *ctx, const struct sysbox_here *here)
{
	switch (ctx->profile->sysbox.method) {
	case METHOD_DEB:
		return true;
	case METHOD_FILES:
		return false;
	case METHOD_AUTO:
		break;
	}
	if (here->any)
		return here->deb;
	return !here->files_only && ctx->host->running && pkg_backend(ctx->host) != NULL;
}

/* Of one that others installed nobody knows the package file. */
static bool is_wanted_package(const struct step_ctx *ctx, const struct json *origin)
{
	const char *sha256 = json_get_str(origin, "sha256");

	return sha256 ? str_eq(sha256, ctx->entry->sha256) :
			str_eq(json_get_str(origin, "version"), ctx->entry->version);
}

/* The version that goes; NULL: none, or the same. */
static const char *replaced(const struct step_ctx *ctx, const struct sysbox_here *here)
{
	return here->any && !is_wanted_package(ctx, here->origin) ?
		       json_get_str(here->origin, "version") :
		       NULL;
}

bool sysbox_by_hand(const struct sysbox_here *here)
{
	return str_eq(json_get_str(here->origin, "adopted"), BY_HAND);
}

static int refuse_method(bool deb, const struct sysbox_here *here, struct err *err)
{
	err_set(err, ERR_REFUSED,
		"Sysbox %s here by \"%s\", and the profile wants it by \"%s\"",
		here->any ? "is installed" : "was installed", deb ? "files" : "deb",
		deb ? "deb" : "files");
	return err_remedy(err, "set \"method\": \"%s\"; or go by way of none: %s",
			  deb ? "files" : "deb",
			  here->any ? "apply with \"version\": \"absent\" first" :
				      "sysboxup uninstall, and remove what comes back");
}

/* ---- plan ---- */

bool sysbox_intact(const struct step_ctx *ctx, const char *key)
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

	return sysbox_intact(ctx, key);
}

static const struct json *file_origin(const struct step_ctx *ctx, const char *path)
{
	char *key CLEANUP(freep) = xasprintf("file:%s", path);

	return json_get(json_get(ctx->index, key), "origin");
}

/* That it was adopted once is inherited. */
static struct json *origin(const struct step_ctx *ctx, const struct sysbox_here *here)
{
	static const char *const inherited[] = { "adopted", "dir" };
	struct json *j = json_obj();

	json_set_str(j, "package", ctx->entry->name);
	json_set_str(j, "version", ctx->entry->version);
	json_set_str(j, "sha256", ctx->entry->sha256);
	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++)
		if (json_get_str(here->origin, inherited[i]))
			json_set_str(j, inherited[i], json_get_str(here->origin, inherited[i]));
	return j;
}

static bool has_member(const struct step_ctx *ctx, const char *path)
{
	return path_intact(ctx, "file", path) && is_wanted_package(ctx, file_origin(ctx, path));
}

static void add_member(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here,
		       const char *path, mode_t mode, const char *member, bool *ret_any)
{
	struct action *a;

	if (has_member(ctx, path))
		return;
	a = action_file_member(STEP, path, mode, member);
	a->origin = origin(ctx, here);
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
	const struct embedded *e = embedded_find(SYSBOX_SYSCTL_TEMPLATE);
	char *dir CLEANUP(freep) = sysbox_lib_path(ctx->host, "sysctl.d"),
		  *path CLEANUP(freep) = path_join(dir, SYSBOX_SYSCTL_FILE);

	add_dir(p, ctx, dir, 0755);
	if (!file_is(ctx, path, e->data, e->len))
		plan_add(p, action_file(STEP, path, 0644, e->data, e->len));
}

static void add_links(struct plan *p, const struct step_ctx *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(enabled); i++) {
		char *rest CLEANUP(freep) = path_join("systemd/system", enabled[i].target);
		char *target CLEANUP(freep) = sysbox_lib_path(ctx->host, rest),
			     *now CLEANUP(freep) = NULL;

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

static char *program_path(const struct sysbox_here *here, const char *program)
{
	const char *dir = json_get_str(here->origin, "dir");

	return path_join(dir ? dir : "/usr/bin", program);
}

static void add_programs(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here,
			 bool *ret_any)
{
	for (size_t i = 0; sysbox_programs[i]; i++) {
		char *path CLEANUP(freep) = program_path(here, sysbox_programs[i]);
		char *member CLEANUP(freep) = path_join("/usr/bin", sysbox_programs[i]);

		add_member(p, ctx, here, path, 0755, member, ret_any);
	}
}

static void add_units(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here,
		      bool *ret_any)
{
	char *unit_dir CLEANUP(freep) = sysbox_lib_path(ctx->host, "systemd/system");

	add_dir(p, ctx, unit_dir, 0755);
	for (size_t i = 0; sysbox_units[i]; i++) {
		char *path CLEANUP(freep) = path_join(unit_dir, sysbox_units[i]);
		char *member CLEANUP(freep) = path_join("/lib/systemd/system", sysbox_units[i]);

		add_member(p, ctx, here, path, 0644, member, ret_any);
	}
}

static void plan_files(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here)
{
	bool any = false;
	size_t before = p->n;

	add_programs(p, ctx, here, &any);
	if (!sysbox_by_hand(here))
		add_units(p, ctx, here, &any);
	if (any)
		plan_add(p, action_unpack(STEP, ctx->entry, replaced(ctx, here)));
	if (!sysbox_by_hand(here)) {
		add_sysctl_file(p, ctx);
		add_links(p, ctx);
	}
	if (p->n > before)
		add_reloads(p);
}

static void plan_deb(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here)
{
	/* fusermount3 is needed from 0.7.0 on, and left alone apt picks the old fuse
	 * (facts/sysbox.md 2.4). */
	static const char *const with_fuse3[] = { "fuse3", NULL }, *const nothing[] = { NULL };
	bool fuse3 = version_compare(ctx->entry->version, "0.7.0") >= 0;
	struct action *a;

	if (here->any && is_wanted_package(ctx, here->origin) && sysbox_intact(ctx, "packages"))
		return;
	a = action_packages(STEP, fuse3 ? with_fuse3 : nothing, ctx->entry->name,
			    ctx->entry->version, ctx->entry->arch, false);
	a->origin = origin(ctx, here);
	if (replaced(ctx, here))
		packages_replace(a, replaced(ctx, here), json_get_str(here->origin, "sha256"));
	plan_add(p, a);
	add_reloads(p);
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

static void plan_units(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here)
{
	if (!host_has_systemd(ctx->host)) {
		plan_warn(p, "systemd does not run here: Sysbox's services are not started");
		return;
	}
	bool swapped = plan_has(p, "packages") || plan_has(p, SYSBOX_UNPACK_KEY);

	if (p->n || !sysbox_intact(ctx, SYSBOX_UNITS_KEY))
		plan_add(p, action_units(STEP, sysbox_units, SYSBOX_RUNTIME, swapped && here->any));
}

/* They did not run before, and will from the first boot on: that is what the way back needs to
 * know. */
static void plan_units_of_image(struct plan *p, const struct step_ctx *ctx)
{
	if (!json_get(ctx->index, SYSBOX_UNITS_KEY))
		plan_add(p, action_units(STEP, sysbox_units, SYSBOX_RUNTIME, false));
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

/* ---- what others installed ---- */

/* Nothing to install: what else it may lack (account, kernel settings) is not asked of one that was
 * adopted and works. */
static bool is_settled(const struct step_ctx *ctx, const struct sysbox_here *here)
{
	bool settled = is_wanted_package(ctx, here->origin);

	if (here->theirs)
		return settled;
	if (here->deb)
		return settled && sysbox_intact(ctx, "packages");
	for (size_t i = 0; sysbox_programs[i]; i++) {
		char *path CLEANUP(freep) = program_path(here, sysbox_programs[i]);

		settled = settled && has_member(ctx, path);
	}
	return settled;
}

static int refuse_theirs(const struct sysbox_here *here, struct err *err)
{
	char *words CLEANUP(freep) = sysbox_words(here);

	err_set(err, ERR_REFUSED, "%s, and not by sysboxup", words);
	return err_remedy(
		err, "remove it yourself; or apply with \"version\": \"%s\" first, which adopts it",
		json_get_str(here->origin, "version"));
}

/* "latest" is no wish to go back. */
static int check_newer(const struct step_ctx *ctx, const struct sysbox_here *here, struct err *err)
{
	const char *version = json_get_str(here->origin, "version");
	char *words CLEANUP(freep) = NULL;

	if (!here->theirs || !str_eq(ctx->profile->sysbox.version, "latest") ||
	    version_compare(version, ctx->entry->version) <= 0)
		return 0;
	words = sysbox_words(here);
	err_set(err, ERR_REFUSED, "%s: newer than %s, the latest one of the catalog", words,
		ctx->entry->version);
	return err_remedy(err, "name the version that you want in the profile: \"%s\" or \"%s\"",
			  version, ctx->entry->version);
}

/* ---- the whole ---- */

/* Each path as it was before us; none of what was adopted. */
static int plan_absent(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here,
		       struct err *err)
{
	if (here->theirs)
		return refuse_theirs(here, err);
	if (sysbox_adopted(here->origin))
		sysbox_drop(p, ctx, here);
	return take_back_plan(p, ctx->state, STEP, err);
}

static int plan_all(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here,
		    struct err *err)
{
	if (plan_account(p, ctx, err))
		return -1;
	if (ctx->host->running)
		plan_live(p, ctx);
	/* Sysbox makes the first by itself and leaves it empty when it stops; the second is its
	 * mount point. */
	add_dir(p, ctx, "/var/lib/sysbox", 0700);
	add_dir(p, ctx, "/var/lib/sysboxfs", 0755);
	if (by_deb(ctx, here))
		plan_deb(p, ctx, here);
	else
		plan_files(p, ctx, here);
	if (ctx->host->running)
		plan_units(p, ctx, here);
	else
		plan_units_of_image(p, ctx);
	return 0;
}

static int plan_present(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here,
			struct err *err)
{
	if (by_deb(ctx, here) != here->deb && (here->any || here->files_only))
		return refuse_method(by_deb(ctx, here), here, err);
	if (check_newer(ctx, here, err))
		return -1;
	if (here->theirs)
		sysbox_adopt(p, here);
	if (!sysbox_adopted(here->origin) || !is_settled(ctx, here))
		return plan_all(p, ctx, here, err);
	if (!here->theirs)
		plan_units(p, ctx, here);
	return 0;
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct sysbox_here here CLEANUP(sysbox_here_release) = { 0 };

	if (sysbox_find(ctx, &here, err))
		return -1;
	return sysbox_unwanted(ctx) ? plan_absent(p, ctx, &here, err) :
				      plan_present(p, ctx, &here, err);
}

/* ---- verify ---- */

static int verify_units(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct unit_status st[SYSBOX_UNITS];

	if (unit_query_all(sysbox_units, st, err))
		return -1;
	for (size_t i = 0; sysbox_units[i]; i++) {
		bool active = str_eq(st[i].active, "active");
		/* without an [Install] section, as people write them, another unit wants it */
		bool at_boot = str_eq(st[i].enabled, "enabled") || str_eq(st[i].enabled, "static");

		if (active && !at_boot)	/* a postinst does not mind when that fails */
			report_check(rep, sysbox_units[i], STATE_BAD,
				     "it would not start at the next boot",
				     "systemctl enable sysbox sysbox-mgr sysbox-fs",
				     "active, but %s", st[i].enabled);
		else
			report_check(rep, sysbox_units[i], active ? STATE_OK : STATE_BAD,
				     "containers need it while they run",
				     "journalctl -b -u sysbox-mgr -u sysbox-fs", "%s",
				     st[i].active);
	}
	return 0;
}

static void verify_installed(const struct step_ctx *ctx, struct report *rep)
{
	char *runc CLEANUP(freep) = sysbox_runc(ctx), *dir CLEANUP(freep) = path_dirname(runc);

	for (size_t i = 0; sysbox_programs[i]; i++) {
		char *path CLEANUP(freep) = path_join(dir, sysbox_programs[i]);
		struct stat st;
		bool ok = !root_stat(ctx->host->root, path, &st) && S_ISREG(st.st_mode) &&
			  (st.st_mode & 0111);

		report_check(rep, path, ok ? STATE_OK : STATE_BAD, NULL, "sysboxup apply",
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
