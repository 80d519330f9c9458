/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "engine": docker.install of the profile. On a host without Docker the distribution's own
 * package of it, through apt and dpkg or whatever package manager brings what Sysbox needs, so that
 * all of it is one transaction. It starts when daemon.json is as it shall be, and is proven as any
 * other Docker.
 *
 * The way back takes out the packages and leaves their data: images, volumes, containers, what is
 * in /etc/docker, and the group, whose number may own files. The scripts that would delete images
 * see an empty directory (sys/shield.h).
 */
#include "steps/engine.h"

#include "actions/dependencies.h"
#include "actions/kinds.h"
#include "actions/packages.h"
#include "backends/pkg/pkg.h"
#include "engine/step.h"
#include "steps/dependencies.h"

#define STEP "engine"
#define KEY "packages:"
#define BY_DPKG "docker.io"

#define WANTS_DIR "/etc/systemd/system/multi-user.target.wants"
#define WANTS_LINK WANTS_DIR "/docker.service"
#define UNIT_FILE "/usr/lib/systemd/system/docker.service"

/* In the order in which they start. */
static const char *const units[] = { "containerd.service", "docker.socket", "docker.service",
				     NULL };

static const char *package_of(const struct host *h)
{
	return h->distro ? h->distro->docker.package : NULL;
}

/* A daemon of another kind is somebody's decision, and preflight has a check for each. */
static bool has_another(const struct host *h)
{
	return h->docker.installed || h->docker.snap || h->docker.podman || h->docker.rootless ||
	       h->docker.from_desktop;
}

const char *engine_manager(const struct host *h, const char **ret_why)
{
	const struct dep_ops *deps = dep_backend(h);

	*ret_why = NULL;
	if (h->distro && h->distro->docker.third_party)
		*ret_why = "this distribution has none of its own";
	else if (h->init != INIT_SYSTEMD)
		*ret_why = "docker.install needs systemd, which starts it";
	else if (pkg_backend(h) && str_eq(package_of(h), BY_DPKG))
		return "apt";
	else if (!h->distro)
		*ret_why = "this distribution is not known: which package is its own?";
	else if (!deps || !package_of(h))
		*ret_why = "no package manager that docker.install drives is here";
	else
		return deps->name;
	return NULL;
}

bool engine_wanted(const struct host *h, const struct profile *p)
{
	const char *why;

	return p->docker.install && !has_another(h) && engine_manager(h, &why);
}

bool plan_has_docker_io(const struct plan *p)
{
	return plan_has(p, KEY BY_DPKG);
}

static bool wanted(const struct step_ctx *ctx)
{
	return ctx->profile->docker.install;
}

/* Nobody but Debian starts a service at boot because its package was installed. */
static void plan_enabled(struct plan *p, const struct host *h)
{
	if (!root_exists(h->root, WANTS_DIR))
		plan_add(p, action_dir(STEP, WANTS_DIR, 0755));
	if (!root_exists(h->root, WANTS_LINK))
		plan_add(p, action_link(STEP, WANTS_LINK, UNIT_FILE));
}

static void plan_packages(struct plan *p, const struct host *h)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (pkg_backend(h)) {
		plan_add(p, action_package_named(STEP, package_of(h)));
		return;
	}
	strv_add(&names, package_of(h));
	dependencies_must_go(dependencies_want(p, STEP, &names), package_of(h));
	plan_enabled(p, h);
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	const char *unit = "docker.service";

	if (!engine_wanted(ctx->host, ctx->profile))
		return 0;
	plan_packages(p, ctx->host);
	plan_add(p, action_reload(STEP, RELOAD_SYSTEMD, unit, RELOAD_ON_UNDO));
	plan_add(p, action_reload(STEP, RELOAD_SYSTEMD, unit, RELOAD_ON_COMMIT));
	plan_add(p, action_daemon(STEP, units));
	return 0;
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	const struct host *h = ctx->host;

	if (h->running)
		report_check(rep, STEP, h->docker.answers ? STATE_OK : STATE_BAD, NULL,
			     h->docker.installed ? "systemctl status docker" : "sysboxup apply",
			     h->docker.answers ? "Docker %s answers" : "Docker %s does not answer",
			     h->docker.version ? h->docker.version : "");
	return 0;
}

const struct step step_engine = {
	.name = STEP,
	.summary = "Docker itself, the distribution's own, where there is none",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
