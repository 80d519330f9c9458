/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "registration": sysbox.register of the profile. What came as files is registered with dpkg,
 * so that dpkg and apt on the machine know it by its package: its files have an owner, its version
 * is listed, an upgrade by them is one. By its own package it is that anyway.
 */
#include "actions/kinds.h"
#include "backends/pkg/dpkgdb.h"
#include "base/embedded.h"
#include "engine/rollback.h"
#include "steps/installed.h"
#include "steps/sysbox.h"

#define STEP "registration"

static bool asked(const struct step_ctx *ctx)
{
	return sysbox_wanted(ctx) && ctx->profile->sysbox.registered;
}

static bool wanted(const struct step_ctx *ctx)
{
	char *key CLEANUP(freep) = registration_key(SYSBOX_PACKAGE);

	return asked(ctx) || json_get(ctx->index, key);
}

/* As the package has it, where /lib leads to where it was put. */
static char *listed_path(const struct host *h, const char *dir, const char *name)
{
	char *lib CLEANUP(freep) = root_same(h->root, "/lib", "/usr/lib") ? path_join("/lib", dir) :
									    sysbox_lib_path(h, dir);

	return path_join(lib, name);
}

static void add_files(struct action *a, const struct step_ctx *ctx)
{
	const struct embedded *sysctls = embedded_find(SYSBOX_SYSCTL_TEMPLATE);
	char *sysctl_path CLEANUP(freep) = listed_path(ctx->host, "sysctl.d", SYSBOX_SYSCTL_FILE);

	for (size_t i = 0; sysbox_programs[i]; i++) {
		char *path CLEANUP(freep) = path_join("/usr/bin", sysbox_programs[i]);

		registration_add_member(a, path, path);
	}
	for (size_t i = 0; sysbox_units[i]; i++) {
		char *path CLEANUP(freep) =
			listed_path(ctx->host, "systemd/system", sysbox_units[i]);
		char *member CLEANUP(freep) = path_join("/lib/systemd/system", sysbox_units[i]);

		registration_add_member(a, path, member);
	}
	registration_add_text(a, sysctl_path, sysctls->data, sysctls->len);
}

/* The unpacked package of this plan; one is fetched for its control part alone where nothing else
 * is to be put here. */
static struct action *unpacked(struct plan *p, const struct step_ctx *ctx)
{
	struct action *a = plan_find(p, SYSBOX_UNPACK_KEY);

	if (!a) {
		a = action_unpack(STEP, ctx->entry, NULL);
		plan_add(p, a);
	}
	return a;
}

static void plan_registration(struct plan *p, const struct step_ctx *ctx, const char *key)
{
	const char *ours = json_get_str(json_get(ctx->index, key), "version");
	struct action *a = action_registration(STEP, SYSBOX_PACKAGE, ours);

	unpack_control(unpacked(p, ctx));
	add_files(a, ctx);
	plan_add(p, a);
}

static int refuse_by_hand(const struct sysbox_here *here, struct err *err)
{
	err_set(err, ERR_REFUSED,
		"Sysbox %s was installed by hand, in its own places: dpkg cannot be told that it is package '%s'",
		json_get_str(here->origin, "version"), SYSBOX_PACKAGE);
	return err_remedy(err, "take \"register\" out of the profile");
}

static int refuse_no_dpkg(struct err *err)
{
	err_set(err, ERR_REFUSED, "there is no '" DPKG_STATUS "': dpkg is not used here");
	return err_remedy(err, "take \"register\" out of the profile");
}

static int plan_wanted(struct plan *p, const struct step_ctx *ctx, const char *key, struct err *err)
{
	struct sysbox_here here CLEANUP(sysbox_here_release) = { 0 };

	if (sysbox_find(ctx, &here, err))
		return -1;
	if (here.deb || plan_has(p, "packages"))
		return 0;
	if (!root_exists(ctx->host->root, DPKG_STATUS))
		return refuse_no_dpkg(err);
	if (sysbox_by_hand(&here))
		return refuse_by_hand(&here, err);
	if (plan_has(p, SYSBOX_UNPACK_KEY) || !sysbox_intact(ctx, key))
		plan_registration(p, ctx, key);
	return 0;
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	char *key CLEANUP(freep) = registration_key(SYSBOX_PACKAGE);

	return asked(ctx) ? plan_wanted(p, ctx, key, err) :
			    take_back_plan(p, ctx->state, STEP, err);
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct pkg_status st = { 0 };
	bool installed;

	if (!asked(ctx))
		return 0;
	if (dpkgdb_look(ctx->host->root, SYSBOX_PACKAGE, &st, err))
		return -1;
	installed = st.version && str_eq(st.state, "installed");
	report_check(rep, STEP, installed ? STATE_OK : STATE_BAD,
		     "dpkg and apt do not know what is here", "sysboxup apply",
		     installed ? "dpkg has package '%s' %s" : "dpkg does not have package '%s'",
		     SYSBOX_PACKAGE, st.version);
	pkg_status_release(&st);
	return 0;
}

const struct step step_registration = {
	.name = STEP,
	.summary = "Sysbox is known to dpkg, where it came as files",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
