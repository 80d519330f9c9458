/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dedicated daemon, asked: does it answer and run a container, does the kernel hold the slice
 * to its limits, and is what keeps jobs away from this host in place? Who is let in from outside is
 * asked by step "api".
 */
#include "docker/api.h"
#include "docker/probe.h"
#include "steps/daemon.h"
#include "sys/proc.h"

#include <inttypes.h>
#include <stdio.h>

#define SLICE "dockerci.slice"
#define CGROUPS "/sys/fs/cgroup/"
#define SMALL_MAX 65536

/* ---- limits ---- */

enum holds { AT_MOST, ANY_NUMBER, NAMED };

struct limit {
	const char *word;
	enum holds holds;
	const char *unified;           /* cgroup v2's file; */
	const char *controller, *file; /* v1's controller and file, NULL: it holds no slice to it */
	const char *key;               /* NAMED: "rbps" of "259:0 rbps=52428800 wbps=max ..." */
	uint64_t want;
};

static int read_limit(const struct root *root, const struct limit *l, struct buf *ret)
{
	char *v2 CLEANUP(freep) = xasprintf(CGROUPS SLICE "/%s", l->unified);
	char *v1 CLEANUP(freep) =
		l->file ? xasprintf(CGROUPS "%s/" SLICE "/%s", l->controller, l->file) : NULL;
	struct err ignored = ERR_INIT;

	return root_read_optional(root, v2, SMALL_MAX, ret, &ignored) &&
			       (!v1 || root_read_optional(root, v1, SMALL_MAX, ret, &ignored)) ?
		       -1 :
		       0;
}

/* Of one disk: systemd names that of the data alone. */
static bool is_named(const struct limit *l, const char *text)
{
	char *want CLEANUP(freep) = xasprintf(" %s=%" PRIu64, l->key, l->want);
	const char *found = strstr(text, want);

	return found && strchr(" \n", found[strlen(want)]);
}

/* "max" and "-1" are no numbers: no limit. */
static bool is_held(const struct limit *l, const char *text)
{
	char *number CLEANUP(freep) = xstrndup(text, strspn(text, "0123456789"));
	uint64_t value;

	if (l->holds == NAMED)
		return is_named(l, text);
	return *number && !str_to_u64(number, UINT64_MAX, &value) &&
	       (l->holds == ANY_NUMBER || value <= l->want);
}

static void verify_limits(const struct step_ctx *ctx, struct report *rep)
{
	const struct profile_limits *p = &ctx->profile->api.limits;
	const struct limit limits[] = {
		{ "cpus", ANY_NUMBER, "cpu.max", "cpu", "cpu.cfs_quota_us", NULL, p->cpus > 0 },
		{ "memory", AT_MOST, "memory.max", "memory", "memory.limit_in_bytes", NULL,
		  p->memory },
		{ "tasks", AT_MOST, "pids.max", "pids", "pids.max", NULL, p->tasks },
		{ "io_read", NAMED, "io.max", NULL, NULL, "rbps", p->io_read },
		{ "io_write", NAMED, "io.max", NULL, NULL, "wbps", p->io_write },
	};
	struct strv held CLEANUP(strv_release) = STRV_INIT, loose CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		bool ok;

		if (!limits[i].want)
			continue;
		ok = !read_limit(ctx->host->root, &limits[i], &text) &&
		     is_held(&limits[i], text.data);
		strv_add(ok ? &held : &loose, limits[i].word);
	}
	char *list CLEANUP(freep) = strv_join(loose.n ? &loose : &held, ", ");
	if (held.n || loose.n)
		report_check(rep, "docker-ci-limits", loose.n ? STATE_BAD : STATE_OK,
			     "one job could take all that this host has", "systemctl show " SLICE,
			     loose.n ? "the kernel does not hold " SLICE " to: %s" :
				       "the kernel holds " SLICE " to: %s",
			     list);
}

/* ---- the link ---- */

static bool succeeds(const char *const *argv)
{
	struct proc p = PROC_INIT;
	struct buf out CLEANUP(buf_release) = BUF_INIT, errout CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	int status;

	p.argv = argv;
	p.ret_out = &out;
	p.ret_errout = &errout;
	return !proc_run(&p, &status, &ignored) && !status;
}

static void verify_firewall(struct report *rep)
{
	static const char *const table[] = { "nft", "list", "table", "inet", "docker_ci", NULL };
	static const char *const chain[] = { "iptables", "-w", "-n", "-L", "DOCKER-USER", NULL };
	static const char *const rule[] = { "iptables", "-w", "-C",     "DOCKER-USER", "-i",
					    CI_LINK,    "-j", "ACCEPT", NULL };
	bool kept = succeeds(table);
	bool let_out = !succeeds(chain) || succeeds(rule);

	report_check(rep, "docker-ci-firewall", kept && let_out ? STATE_OK : STATE_BAD,
		     "others flush rules that are not theirs", "systemctl start docker-ci-firewall",
		     !kept    ? "the table inet docker_ci is gone: jobs reach this host" :
		     !let_out ? "the rule in DOCKER-USER is gone: jobs do not reach the world" :
				"jobs reach the world, and neither this host nor its containers");
}

/* ---- the daemon ---- */

static void verify_container(struct docker_api *api, const struct step_ctx *ctx, struct report *rep)
{
	bool sysbox = ctx->profile->api.default_runtime;
	struct docker_probe probe = { .ran = false };
	struct err err = ERR_INIT;

	if (docker_probe_runtime(api, NULL, &probe, rep, &err)) {
		report_check(rep, "docker-ci-container", STATE_BAD, NULL,
			     "journalctl -b -u docker-ci -u docker-ci-containerd", "%s", err.msg);
		return;
	}
	report_check(
		rep, "docker-ci-container", probe.userns || !sysbox ? STATE_OK : STATE_BAD,
		"root in the container must not be root here", NULL,
		probe.userns ?
			"ran under its default runtime, with ids of its own" :
			"ran under its default runtime, without ids of its own: its root is root here");
}

int daemon_verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;

	if (!ctx->profile->api.present || !ctx->profile->api.dedicated || !ctx->host->running)
		return 0;
	if (docker_api_open(&api, CI_SOCKET, err))
		return -1;
	bool answers = docker_api_ping(api, 20000);

	report_check(rep, "docker-ci", answers ? STATE_OK : STATE_BAD, NULL,
		     "systemctl status docker-ci", answers ? "answers" : "does not answer");
	verify_firewall(rep);
	if (answers && !ctx->quick)
		verify_container(api, ctx, rep);
	/* new ones take effect when the next container starts in the slice (systemd 257) */
	verify_limits(ctx, rep);
	return 0;
}
