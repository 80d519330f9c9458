/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/checks.h"

#include "backends/pkg/pkg.h"
#include "steps/engine.h"

#include <unistd.h>

#define SNAP_CONFIG "/var/snap/docker/current/config/daemon.json"
#define CONFIG_MAX (1024 * 1024)

enum report_state check_docker_present(CHECK_ARGS)
{
	const char *package = h->distro && h->distro->docker.package ? h->distro->docker.package :
								       "docker";
	struct strv packages CLEANUP(strv_release) = STRV_INIT;
	const char *why, *manager = engine_manager(h, &why);

	if (h->docker.installed)
		return finding(f, STATE_OK, "%s", h->docker.binary ? h->docker.binary : "dockerd");
	if (h->docker.snap)
		return finding(f, STATE_OK, "a snap");		/* has a check of its own */
	if (engine_wanted(h, p))
		return finding(f, STATE_NONE, "Docker is not installed yet: %s will install %s", manager,
			       package);
	strv_add(&packages, package);
	char *command CLEANUP(freep) = distro_install_command(h->distro, &packages);
	buf_adds(&f->remedy, command);
	if (h->docker.from_desktop)
		return finding(f, STATE_BAD, "there is Docker Desktop, whose daemon lives in a virtual machine");
	if (p->docker.install && h->running && why)
		return finding(f, STATE_BAD, "Docker is not installed, and %s", why);
	return finding(f, h->running ? STATE_BAD : STATE_WARN, "Docker is not installed");
}

enum report_state check_snap_docker(CHECK_ARGS)
{
	if (!h->docker.snap)
		return finding(f, STATE_OK, "no snap");
	return finding(f, STATE_BAD, "Docker is a snap, whose options live in '%s'", SNAP_CONFIG);
}

enum report_state check_rootless_docker(CHECK_ARGS)
{
	if (!h->docker.rootless || h->docker.main_pid)
		return finding(f, STATE_OK, "no rootless daemon in the way");
	return finding(f, STATE_BAD, "the only daemon that runs is rootless");
}

enum report_state check_podman_docker(CHECK_ARGS)
{
	if (!h->docker.podman)
		return finding(f, STATE_OK, "no Podman");
	return finding(f, STATE_BAD, "'%s' belongs to Podman", h->docker.socket);
}

enum report_state check_docker_running(CHECK_ARGS)
{
	if (h->docker.answers)
		return finding(f, STATE_OK, "Docker %s answers on '%s'",
			       h->docker.version ? h->docker.version : "", h->docker.socket);
	if (!h->docker.main_pid)
		return finding(f, STATE_BAD, "Docker does not run");
	return finding(f, geteuid() ? STATE_UNKNOWN : STATE_BAD, "dockerd (pid %d) does not answer on '%s'",
		       (int)h->docker.main_pid, h->docker.socket);
}

/* daemon.json as the profile would have it; what is wrong with the file is said elsewhere. */
static struct json *wanted_config(const struct host *h, const struct profile *p)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct json *now CLEANUP(json_freep) = NULL;
	struct err ignored = ERR_INIT;

	if (root_read_optional(h->root, h->docker.config_file, CONFIG_MAX, &text, &ignored) == 0)
		json_parse(text.data, text.len, JSON_STRICT, "", &now, &ignored);
	if (!p->docker.settings)
		return now ? STEAL(now) : json_obj();
	return json_merge(now, p->docker.settings);
}

enum report_state check_docker_time_namespaces(CHECK_ARGS)
{
	const char *docker = h->docker.version, *sysbox = ctx->sysbox_version;
	struct json *config CLEANUP(json_freep) = wanted_config(h, p);

	if (!h->docker.installed)
		return finding(f, STATE_OK, "no Docker yet");
	if (!docker || str_empty(sysbox))
		return finding(f, STATE_UNKNOWN, "the version of %s cannot be told",
			       docker ? "Sysbox" : "Docker");
	if (version_compare_numeric(docker, "29.5") < 0 ||
	    version_compare_numeric(sysbox, "0.7.0") > 0)
		return finding(f, STATE_OK, "Docker %s and Sysbox %s agree", docker, sysbox);
	if (!json_get_bool(json_get(config, "features"), "time-namespaces", true))
		return finding(f, STATE_OK, "time namespaces are switched off");
	return finding(f, STATE_BAD, "Docker %s asks for time namespaces, Sysbox %s knows none", docker, sysbox);
}

/* A warning: only those who use GPUs are concerned. */
enum report_state check_docker_gpu(CHECK_ARGS)
{
	struct json *config CLEANUP(json_freep) = wanted_config(h, p);

	if (!h->docker.version || version_compare_numeric(h->docker.version, "29.2") < 0 ||
	    !root_exists(h->root, "/dev/nvidiactl"))
		return finding(f, STATE_OK, "no GPU, or a Docker that does not use CDI for it");
	if (!json_get_bool(json_get(config, "features"), "cdi", true))
		return finding(f, STATE_OK, "CDI is switched off");
	return finding(f, STATE_WARN, "Docker %s, and NVIDIA's devices are here", h->docker.version);
}

enum report_state check_swarm(CHECK_ARGS)
{
	struct json *config CLEANUP(json_freep) = wanted_config(h, p);

	if (!h->docker.swarm)
		return finding(f, STATE_OK, "no swarm");
	if (json_get_bool(config, "live-restore", false))
		return finding(f, STATE_BAD, "this Docker is in a swarm, and live-restore is wanted");
	return finding(f, STATE_WARN, "this Docker is in a swarm: its services do not use Sysbox, and a restart stops them");
}

/* What a person types where only dpkg's holds are driven. */
static const struct {
	const char *manager, *command;
} holds[] = {
	{ "dnf", "dnf versionlock add" },
	{ "zypper", "zypper addlock" },
};

enum report_state check_docker_hold(CHECK_ARGS)
{
	const char *manager = h->distro ? h->distro->package_manager : NULL;

	if (!h->running)
		return finding(f, STATE_WARN,
			       "an image has no dpkg that runs: its first apply once booted does docker.hold");
	if (pkg_backend(h))
		return finding(f, STATE_OK, "by dpkg");
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++)
		if (str_eq(manager, holds[i].manager) && h->distro->docker.package)
			buf_addf(&f->remedy,
				 "take docker.hold out of the profile; then: %s '%s*' 'containerd*' runc",
				 holds[i].command, h->distro->docker.package);
	return finding(f, STATE_BAD, "docker.hold is for dpkg and apt, and this system has %s",
		       manager ? manager : "no package manager that is known");
}
