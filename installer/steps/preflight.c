/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/preflight.h"

#include "backends/pkg/pkg.h"
#include "steps/checks.h"

#define APPLIES_ARGS const struct host *h, const struct profile *p, const struct preflight_ctx *ctx

static bool for_sysbox(APPLIES_ARGS) { return ctx->sysbox; }
static bool for_sysbox_running(APPLIES_ARGS) { return ctx->sysbox && h->running; }
static bool for_docker(APPLIES_ARGS) { return ctx->sysbox || p->docker.present; }
static bool for_docker_running(APPLIES_ARGS)
{
	return for_docker(h, p, ctx) && h->running && h->docker.installed;
}
static bool for_hold(APPLIES_ARGS) { return p->docker.hold; }
static bool for_running(APPLIES_ARGS) { return h->running; }
static bool for_systemd(APPLIES_ARGS) { return h->running && h->init == INIT_SYSTEMD; }
static bool for_image(APPLIES_ARGS) { return !h->running && h->init == INIT_SYSTEMD; }
static bool for_dpkg(APPLIES_ARGS)
{
	return p->sysbox.present && h->running && ctx->method == METHOD_DEB;
}

const struct preflight_check preflight_checks[] = {
	{
		"kernel-version", "kernel is new enough",
		"Sysbox needs system calls that older kernels do not have, and its package does "
		"not really check",
		"install a newer kernel, boot it, and come back",
		for_sysbox_running, check_kernel_version, true,
	},
	{
		"arch", "processor is one that Sysbox exists for",
		"Sysbox is published for amd64 and arm64 only",
		"use a host with one of these processors",
		for_sysbox, check_arch, false,
	},
	{
		"userland-arch", "user land is made for the same processor as the kernel",
		"the package is of the kernel's architecture; the package manager here expects "
		"another one",
		"use a system whose packages are of the kernel's architecture",
		for_sysbox, check_userland_arch, true,
	},
	{
		"distro", "distribution is known",
		"names of packages and places of files differ per distribution; guesses would be "
		"paid for in a rollback",
		"describe it in /etc/sysboxup/distros.d/ID.json (see `sysboxup distros`)",
		for_sysbox, check_distro, true,
	},
	{
		"systemd-pid1", "systemd is pid 1",
		"Sysbox's daemons are units of systemd",
		"boot this host with systemd",
		for_sysbox, check_systemd_pid1, true,
	},
	{
		"container", "this is no container",
		"Sysbox mounts and makes user namespaces as real root; inside of a container it "
		"is not supported",
		"install Sysbox on the host of this container",
		for_sysbox_running, check_container, true,
	},
	{
		"wsl", "this is no WSL",
		"Sysbox works under WSL 2 with systemd enabled, but nobody promises it",
		"set systemd=true in /etc/wsl.conf",
		for_sysbox_running, check_wsl, true,
	},
	{
		"immutable", "/usr can be written",
		"Sysbox's programs live in /usr/bin",
		"use a system with a writable /usr",
		for_sysbox, check_immutable, true,
	},
	{
		"method", "the way of installing exists here",
		"sysbox.method \"deb\" needs dpkg and apt on a running system",
		"set sysbox.method to \"files\" or \"auto\"",
		for_sysbox, check_method, false,
	},
	{
		"selinux", "SELinux does not enforce",
		"Sysbox does not support SELinux: its containers do not start",
		"set SELINUX=disabled in /etc/selinux/config and boot again, or use another host",
		for_sysbox, check_selinux, true,
	},
	{
		"kubernetes", "this is no Kubernetes node",
		"on nodes Sysbox comes from its own daemon set; both together overwrite each "
		"other's files",
		"use sysbox-deploy-k8s there",
		for_sysbox, check_kubernetes, true,
	},
	{
		"reboot-pending", "no reboot is pending",
		"modules of the running kernel may be gone, and what is proven now may not hold "
		"after it",
		"boot, then come back",
		for_running, check_reboot_pending, true,
	},
	{
		"recover-unit", "an interrupted run is undone at the next boot",
		"if the power fails in the middle, nothing but this unit puts the host back before Docker starts",
		"install sysboxup with: sudo make install",
		for_systemd, check_recover_unit, true,
	},
	{
		"image-program", "sysboxup itself is in the image",
		"without it nobody proves at the first boot that this works, and nothing can be taken back there",
		"put it there before: make install DESTDIR=DIR, and the libraries it needs from the distribution",
		for_image, check_image_program, true,
	},
	{
		"userns", "kernel has user namespaces",
		"every Sysbox container lives in one of its own",
		"use a kernel with CONFIG_USER_NS",
		for_sysbox_running, check_userns, true,
	},
	{
		"max-user-namespaces", "user namespaces may be made",
		"every Sysbox container lives in one of its own",
		"sysctl user.max_user_namespaces=10000, and the same in /etc/sysctl.d",
		for_sysbox_running, check_max_user_namespaces, true,
	},
	{
		"unprivileged-userns-clone", "user namespaces are not switched off",
		"sysbox-runc refuses to start a container while kernel.unprivileged_userns_clone "
		"is 0",
		"it is set to 1 with Sysbox's other sysctls; take out whatever sets it to 0 at "
		"boot",
		for_sysbox_running, check_unprivileged_userns_clone, true,
	},
	{
		"shiftfs", "shiftfs is there where the kernel needs it",
		"kernels before 5.12 cannot map the ids of mounts, before 5.19 not those of "
		"overlays: files would belong to nobody",
		"use a kernel from 5.19 on, or install the shiftfs module of this kernel",
		for_sysbox_running, check_shiftfs, true,
	},
	{
		"idmap", "mounts of /var/lib take mapped ids",
		"sysbox-mgr tries it when it starts, and gives up if it fails",
		"put /var/lib/sysbox on ext4, xfs or btrfs",
		for_sysbox_running, check_idmap, true,
	},
	{
		"var-lib-fs", "file system of /var/lib carries Sysbox's data",
		"inner images and volumes live below /var/lib/sysbox, and overlays are mounted "
		"on them",
		"put /var/lib/sysbox on ext4, xfs or btrfs",
		for_sysbox_running, check_var_lib_fs, true,
	},
	{
		"disk-space", "enough space in /var/lib",
		"inner images of every container are kept there",
		"make room, or put /var/lib/sysbox on a file system of its own",
		for_sysbox, check_disk_space, true,
	},
	{
		"dev-fuse", "/dev/fuse is there",
		"sysbox-fs is a FUSE file system",
		"modprobe fuse",
		for_sysbox_running, check_dev_fuse, true,
	},
	{
		"fusermount", "FUSE's helper is there",
		"sysbox-fs mounts through it; from Sysbox 0.7.0 on it is fusermount3",
		NULL,
		for_sysbox, check_fusermount, true,
	},
	{
		"tools", "the programs that sysbox-mgr calls are there",
		"sysbox-mgr looks for them when it starts, and gives up if one is missing",
		NULL,
		for_sysbox, check_tools, true,
	},
	{
		"apparmor-fusermount3", "AppArmor lets fusermount3 mount for Sysbox",
		"a profile that came with Ubuntu 25.04 denies the mount at /var/lib/sysboxfs: no "
		"container starts",
		"add this line before the profile's last brace: include if exists <local/fusermount3>",
		for_sysbox, check_apparmor_fusermount3, true,
	},
	{
		"sysbox-ee", "Sysbox EE is not installed",
		"both editions have the same files, units and account",
		"apt-get purge sysbox-ee",
		for_sysbox, check_sysbox_ee, true,
	},
	{
		"subids", "subordinate ids of sysbox are in order",
		"Sysbox wants one range of 65536 with the same start in both files, and "
		"otherwise rewrites them itself",
		"leave one line sysbox:START:65536 in /etc/subuid, and the same in /etc/subgid",
		for_sysbox, check_subids, true,
	},
	{
		"dpkg-state", "dpkg has nothing unfinished",
		"dpkg would configure strangers' packages in our transaction, and could not be "
		"rolled back",
		"dpkg --configure -a, then apt-get -f install",
		for_dpkg, check_dpkg_state, false,
	},
	{
		"docker-present", "Docker is installed",
		"there is no daemon that could use what is set up here",
		NULL,
		for_docker, check_docker_present, true,
	},
	{
		"snap-docker", "Docker is not the snap",
		"its confinement hides /usr/bin/sysbox-runc and /etc/docker from it",
		"snap remove docker, then install the distribution's or Docker's own package",
		for_docker, check_snap_docker, true,
	},
	{
		"rootless-docker", "Docker runs as root",
		"Sysbox works with a daemon that runs as root only",
		"install and start a system-wide Docker",
		for_docker, check_rootless_docker, true,
	},
	{
		"podman-docker", "Docker is not Podman",
		"Podman reads no daemon.json and does not work with Sysbox",
		"install Docker",
		for_docker, check_podman_docker, true,
	},
	{
		"docker-running", "Docker runs and answers",
		"what cannot be asked cannot be proven",
		"systemctl start docker",
		for_docker_running, check_docker_running, true,
	},
	{
		"docker-time-namespaces", "Docker and Sysbox agree about time namespaces",
		"from 29.5 on Docker asks for a time namespace, which Sysbox up to 0.7.0 does "
		"not know: no container starts",
		"install Sysbox 0.7.1 or later, or set docker.settings.features.time-namespaces "
		"to false",
		for_sysbox, check_docker_time_namespaces, true,
	},
	{
		"docker-gpu", "GPUs reach containers under Sysbox",
		"from 29.2 on Docker hands out GPUs by CDI, which does not work under Sysbox: `docker run --gpus` "
		"fails there",
		"set docker.settings.features.cdi to false",
		for_sysbox, check_docker_gpu, true,
	},
	{
		"swarm", "this Docker is no member of a swarm",
		"live-restore does not go with swarm: a restart stops containers, and dockerd "
		"does not start with both",
		"docker node update --availability drain, docker swarm leave; or leave "
		"live-restore out",
		for_docker, check_swarm, true,
	},
	{
		"docker-hold", "Docker's packages can be put on hold",
		"docker.hold asks dpkg for it",
		"take docker.hold out of the profile, and hold them with the package manager",
		for_hold, check_docker_hold, true,
	},
	{
		"state-mount-order", "our state is mounted before the network is up",
		"recovery at boot runs before Docker and the network; systemd breaks such a "
		"cycle by dropping docker.socket",
		"put /var/lib/sysboxup on a local file system",
		for_running, check_state_mount_order, true,
	},
	{ 0 },
};

enum sysbox_method preflight_method(const struct host *h, const struct profile *p)
{
	if (p->sysbox.method != METHOD_AUTO)
		return p->sysbox.method;
	return h->running && pkg_backend(h) ? METHOD_DEB : METHOD_FILES;
}

enum report_state finding(struct preflight_finding *f, enum report_state state, const char *fmt,
			  ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&f->found, fmt, ap);
	va_end(ap);
	return state;
}

static const struct preflight_check *find_check(const char *id)
{
	for (const struct preflight_check *c = preflight_checks; c->id; c++)
		if (str_eq(c->id, id))
			return c;
	return NULL;
}

static int check_forced(const struct strv *forced, struct err *err)
{
	const char *ids[ARRAY_SIZE(preflight_checks)] = { NULL };
	char shown[128];

	for (size_t i = 0; preflight_checks[i].id; i++)
		ids[i] = preflight_checks[i].id;
	for (size_t i = 0; forced && i < forced->n; i++) {
		if (find_check(forced->v[i]))
			continue;
		const char *near = str_nearest(forced->v[i], ids);
		err_quote(shown, sizeof(shown), forced->v[i]);
		err_set(err, ERR_USAGE, "no check is called '%s'%s%s%s", shown,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		return err_remedy(err, "--force takes the id of a check, as preflight prints it");
	}
	return 0;
}

struct refusals {
	struct strv ids;
	struct strv forces;	/* "--force ID" of those that can be overridden */
	struct strv firm;	/* ids of those that cannot */
};

/* What depends on the finding goes before what depends on the distribution, and that before the
 * table. */
static const char *remedy_of(const struct preflight_check *c, const struct host *h,
			     const struct preflight_finding *f)
{
	const char *here = distro_remedy(h->distro, c->id);

	if (f->remedy.len)
		return f->remedy.data;
	return here ? here : c->remedy;
}

static void emit(const struct preflight_check *c, const struct host *h, enum report_state state,
		 const struct preflight_finding *f, struct report *rep)
{

	if (state == STATE_OK)
		report_log(rep, "preflight %s: %s", c->id,
			   f->found.len ? f->found.data : c->summary);
	else if (state == STATE_NONE)
		report_info(rep, "%s: %s", c->id, f->found.data);
	else
		report_check(rep, c->id, state, c->why, remedy_of(c, h, f), "%s", f->found.data);
}

static enum report_state ask(const struct preflight_check *c, const struct host *h,
			     const struct profile *p, const struct preflight_ctx *ctx, bool forced,
			     struct report *rep)
{
	struct preflight_finding f = { BUF_INIT, BUF_INIT };
	enum report_state state = c->run(h, p, ctx, &f);

	if (state == STATE_BAD && forced && c->can_force) {
		state = STATE_WARN;
		buf_adds(&f.found, " (forced)");
	}
	emit(c, h, state, &f, rep);
	buf_release(&f.found);
	buf_release(&f.remedy);
	return state;
}

static void run_check(const struct preflight_check *c, const struct host *h,
		      const struct profile *p, const struct preflight_ctx *ctx, bool forced,
		      struct report *rep, struct refusals *no)
{
	enum report_state state = ask(c, h, p, ctx, forced, rep);

	if (state == STATE_BAD)
		strv_add(&no->ids, c->id);
	if (state == STATE_BAD && c->can_force)
		strv_addf(&no->forces, "--force %s", c->id);
	if (state == STATE_BAD && !c->can_force)
		strv_add(&no->firm, c->id);
}

static int refuse(const struct refusals *no, struct err *err)
{
	char *ids CLEANUP(freep) = strv_join(&no->ids, ", ");
	char *forces CLEANUP(freep) = strv_join(&no->forces, " ");
	char *firm CLEANUP(freep) = strv_join(&no->firm, ", ");

	if (!no->firm.n)
		return err_set(err, ERR_REFUSED, "preflight refuses: %s; to go on all the same: %s", ids,
			       forces);
	if (!no->forces.n)
		return err_set(err, ERR_REFUSED, "preflight refuses: %s; nothing overrides that", ids);
	return err_set(err, ERR_REFUSED, "preflight refuses: %s; %s overrides; nothing overrides: %s", ids, forces,
		       firm);
}

static struct preflight_ctx context(const struct host *h, const struct profile *p,
				    const char *sysbox_version)
{
	return (struct preflight_ctx){
		.sysbox_version = sysbox_version ? sysbox_version : "",
		.sysbox = p->sysbox.present && !str_eq(p->sysbox.version, "absent"),
		.method = preflight_method(h, p),
	};
}

enum report_state preflight_one(const char *id, const struct host *h, const struct profile *p,
				const char *sysbox_version, struct report *rep)
{
	const struct preflight_check *c = find_check(id);
	struct preflight_ctx ctx = context(h, p, sysbox_version);

	return c && c->applies(h, p, &ctx) ? ask(c, h, p, &ctx, false, rep) : STATE_OK;
}

int preflight_run(const struct host *h, const struct profile *p,
		  const char *resolved_sysbox_version, const struct strv *forced,
		  struct report *rep, struct err *err)
{
	struct preflight_ctx ctx = context(h, p, resolved_sysbox_version);
	struct refusals no = { STRV_INIT, STRV_INIT, STRV_INIT };
	int ret = check_forced(forced, err);

	for (const struct preflight_check *c = preflight_checks; !ret && c->id; c++)
		if (c->applies(h, p, &ctx))
			run_check(c, h, p, &ctx, forced && strv_has(forced, c->id), rep, &no);
	if (!ret && no.ids.n)
		ret = refuse(&no, err);
	strv_release(&no.ids);
	strv_release(&no.forces);
	strv_release(&no.firm);
	return ret;
}
