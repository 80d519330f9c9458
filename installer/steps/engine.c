/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "engine": docker.install of the profile. On a host without Docker the distribution's own
 * package of it, through apt and dpkg, so that all of it is one transaction. It starts when
 * daemon.json is as it shall be, and is proven as any other Docker.
 *
 * The way back takes out the packages and leaves their data: images, volumes, containers, what is
 * in /etc/docker, and the group, whose number may own files. The scripts that would delete images
 * see an empty directory (sys/shield.h).
 */
#include "steps/engine.h"

#include "actions/kinds.h"
#include "actions/packages.h"
#include "backends/pkg/pkg.h"
#include "engine/step.h"

#define STEP "engine"
#define KEY "packages:"

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

bool engine_wanted(const struct host *h, const struct profile *p)
{
	return p->docker.install && !has_another(h) && h->init == INIT_SYSTEMD && pkg_backend(h) &&
	       str_eq(package_of(h), "docker.io");
}

bool plan_has_engine(const struct plan *p)
{
	return plan_has(p, KEY "docker.io");
}

static bool wanted(const struct step_ctx *ctx)
{
	return ctx->profile->docker.install;
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	const char *unit = "docker.service";

	if (!engine_wanted(ctx->host, ctx->profile))
		return 0;
	plan_add(p, action_package_named(STEP, package_of(ctx->host)));
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
