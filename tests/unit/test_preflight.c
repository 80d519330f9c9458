/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/preflight.h"

#include "fixture.h"
#include "test.h"

/* A host on which nothing is wrong, a profile that wants Sysbox, and what the run said. */
struct world {
	struct fixture f;
	struct host h;
	struct distro_list distros;
	struct profile p;
	struct preflight_ctx ctx;
};

static const char *const good_programs[] = {
	"/usr/bin/rsync",      "/usr/sbin/modprobe", "/usr/sbin/iptables", "/usr/bin/fusermount3",
	"/usr/bin/fusermount", "/usr/bin/dpkg",      "/usr/bin/apt-get",
};

static void good_host(struct world *w)
{
	struct strv none = STRV_INIT;

	w->h = (struct host){
		.root = &w->f.root,
		.running = true,
		.os = { .id = (char *)"debian",
			.version_id = (char *)"12",
			.codename = (char *)"",
			.pretty_name = (char *)"Debian 12" },
		.distro = distro_find(&w->distros, "debian", &none, NULL),
		.distro_by = (char *)"id",
		.kernel = (char *)"6.1.0-13-amd64",
		.machine = (char *)"x86_64",
		.arch = (char *)"amd64",
		.init = INIT_SYSTEMD,
		.virt_name = (char *)"",
		.dev_fuse = true,
		.var_lib_fs = (char *)"ext4",
		.var_lib_free = 100ULL << 30,
		.docker = { .installed = true,
			    .answers = true,
			    .binary = (char *)"/usr/bin/dockerd",
			    .version = (char *)"20.10.24",
			    .unit = (char *)"docker.service",
			    .main_pid = 4242,
			    .socket = (char *)"/var/run/docker.sock",
			    .config_file = (char *)"/etc/docker/daemon.json",
			    .data_root = (char *)"/var/lib/docker" },
	};
}

static void put_unit(struct world *w, const char *target, const char *unit, const char *does)
{
	char *path CLEANUP(freep) = xasprintf("/usr/lib/systemd/system/%s", unit);
	char *link CLEANUP(freep) = xasprintf("/usr/lib/systemd/system/%s.wants/%s", target, unit);
	char *text CLEANUP(freep) = xasprintf("[Service]\nType=oneshot\nExecStart=/usr/bin/sysboxup %s\n", does);

	fixture_put(&w->f, path, text);
	fixture_put(&w->f, link, "");
}

static void world_open(struct world *w)
{
	struct err err = ERR_INIT;

	memset(w, 0, sizeof(*w));
	fixture_open(&w->f, true);
	CHECK_INT(distro_list_load(&w->distros, &w->f.root, NULL, &err), 0);
	good_host(w);
	w->p = (struct profile){
		.sysbox = { .present = true, .version = (char *)"latest", .method = METHOD_AUTO }
	};
	w->ctx = (struct preflight_ctx){ .sysbox_version = "0.7.1",
					 .sysbox = true,
					 .method = METHOD_DEB };
	for (size_t i = 0; i < ARRAY_SIZE(good_programs); i++)
		fixture_program(&w->f, good_programs[i]);
	fixture_put(&w->f, "/proc/self/ns/user", "");
	fixture_put(&w->f, "/proc/sys/user/max_user_namespaces", "10000\n");
	fixture_put(&w->f, "/var/lib/dpkg/status",
		    "Package: a\nStatus: install ok installed\nVersion: 1\n");
	fixture_mkdir(&w->f, "/var/lib/dpkg/updates");
	fixture_mkdir(&w->f, "/var/lib/sysbox");
	put_unit(w, "sysinit.target", "sysboxup-recover.service", "recover --boot early");
	put_unit(w, "multi-user.target", "sysboxup-recover-late.service", "recover --boot late");
	put_unit(w, "sysinit.target", "sysboxup-firstboot.service", "first-boot --boot early");
	put_unit(w, "multi-user.target", "sysboxup-firstboot-late.service", "first-boot --boot late");
	fixture_program(&w->f, "/usr/bin/sysboxup");
}

static void world_close(struct world *w)
{
	json_free(w->p.docker.settings);
	distro_list_release(&w->distros);
	fixture_close(&w->f);
}

static void settings(struct world *w, const char *text)
{
	struct err err = ERR_INIT;

	w->p.docker.present = true;
	CHECK_INT(json_parse(text, strlen(text), JSON_STRICT, "settings", &w->p.docker.settings,
			     &err),
		  0);
}

/* ---- one check at a time ---- */

enum { NOT_RUN = -1 };

static const struct preflight_check *find(const char *id)
{
	for (const struct preflight_check *c = preflight_checks; c->id; c++)
		if (str_eq(c->id, id))
			return c;
	printf("# no check '%s'\n", id);
	exit(1);
}

static bool seen_good[64], seen_bad[64];

static int state_of(struct world *w, const char *id)
{
	const struct preflight_check *c = find(id);
	struct preflight_finding f = { BUF_INIT, BUF_INIT };
	int state;

	if (!c->applies(&w->h, &w->p, &w->ctx))
		return NOT_RUN;
	state = (int)c->run(&w->h, &w->p, &w->ctx, &f);
	CHECK(f.found.len > 0);
	if (state != STATE_OK && state != STATE_NONE)
		CHECK(f.remedy.len || c->remedy);
	seen_good[c - preflight_checks] |= state == STATE_OK;
	seen_bad[c - preflight_checks] |= state == STATE_BAD || state == STATE_WARN;
	buf_release(&f.found);
	buf_release(&f.remedy);
	return state;
}

#define H(field, value) static void set_##field(struct world *w) { w->h.field = value; }
#define D(field, value) static void docker_##field(struct world *w) { w->h.docker.field = value; }
#define F(name, path, text) \
	static void file_##name(struct world *w) { fixture_put(&w->f, path, text); }

/* Of /etc, as the administrator's units are: it wins over the one of good_host. */
#define RECOVER_UNIT "/etc/systemd/system/sysboxup-recover.service"
F(recover_elsewhere, RECOVER_UNIT, "[Service]\nExecStart=/opt/gone/sysboxup recover --boot\n")
F(recover_nothing, RECOVER_UNIT, "[Service]\n")
static void recover_fleeting(struct world *w)
{
	fixture_put(&w->f, RECOVER_UNIT, "[Service]\nExecStart=/tmp/sysboxup recover --boot\n");
	fixture_program(&w->f, "/tmp/sysboxup");
}
static void recover_disabled(struct world *w)
{
	fixture_unlink(&w->f, "/usr/lib/systemd/system/sysinit.target.wants/sysboxup-recover.service");
}
static void recover_late_disabled(struct world *w)
{
	fixture_unlink(&w->f, "/usr/lib/systemd/system/multi-user.target.wants/sysboxup-recover-late.service");
}
static void recover_late_gone(struct world *w)
{
	fixture_unlink(&w->f, "/usr/lib/systemd/system/sysboxup-recover-late.service");
}
H(init, INIT_OTHER)
H(virt, VIRT_CONTAINER)
H(selinux_enabled, true)
H(usr_read_only, true)
H(kubernetes_node, true)
H(reboot_pending, true)
H(dev_fuse, false)
D(snap, true)
D(podman, true)
D(answers, false)
D(main_pid, 0)
D(swarm, true)
F(no_userns, "/proc/sys/user/max_user_namespaces", "0\n")
F(no_clone, "/proc/sys/kernel/unprivileged_userns_clone", "0\n")
F(clone, "/proc/sys/kernel/unprivileged_userns_clone", "1\n")
F(fstab_nfs, "/etc/fstab", "# x\nnas:/v /var nfs defaults 0 0\n")
F(fstab_netdev, "/etc/fstab", "/dev/sdb /var/lib/sysboxup ext4 rw,_netdev 0 2\n")
F(mount_nfs, "/etc/systemd/system/var-lib.mount", "[Mount]\nWhat=nas:/v\nWhere=/var/lib\nType=nfs4\n")
F(mount_netdev, "/usr/lib/systemd/system/var.mount", "[Mount]\nType=ext4\nOptions=rw,_netdev\n")
F(mount_after, "/etc/systemd/system/var-lib-sysboxup.mount", "[Unit]\nAfter=network-online.target\n[Mount]\nType=ext4\n")
F(mount_local, "/etc/systemd/system/var.mount", "[Unit]\nAfter=blockdev@dev-sdb.target\n[Mount]\nType=ext4\n")
F(fstab_local, "/etc/fstab",
  "/dev/sda1 / ext4 rw 0 1\nnas:/h /home nfs rw 0 0\nnas:/x /var/lib/sysboxupx nfs rw 0 0\n")
F(broken, "/var/lib/dpkg/status", "Package: b\nStatus: install ok half-configured\nVersion: 1\n")
F(updates, "/var/lib/dpkg/updates/0001", "")
F(tmp_i, "/var/lib/dpkg/updates/tmp.i", "")
F(awaited, "/var/lib/dpkg/status", "Package: b\nStatus: install ok triggers-awaited\nVersion: 1\n")
F(ee, "/var/lib/dpkg/status", "Package: sysbox-ee\nStatus: install ok installed\nVersion: 0.6\n")

static void no_ns(struct world *w) { fixture_unlink(&w->f, "/proc/self/ns/user"); }
static void not_running(struct world *w) { docker_answers(w); docker_main_pid(w); }
static void enforcing(struct world *w) { w->h.selinux_enabled = w->h.selinux_enforcing = true; }
static void wsl(struct world *w) { w->h.virt = VIRT_WSL; }
static void old_kernel(struct world *w) { w->h.kernel = (char *)"5.4.0"; }
static void no_kernel(struct world *w) { w->h.kernel = (char *)""; }
static void kernel_511(struct world *w) { w->h.kernel = (char *)"5.11.0"; }
static void kernel_515(struct world *w) { w->h.kernel = (char *)"5.15.0"; }

static void shiftfs(struct world *w)
{
	kernel_511(w);
	fixture_put(&w->f, "/lib/modules/5.11.0/modules.dep",
		    "kernel/x.ko:\nupdates/dkms/shiftfs.ko:\n");
}

static void jammy(struct world *w, const char *kernel)
{
	struct strv none = STRV_INIT;

	w->h.os.id = (char *)"ubuntu";
	w->h.os.version_id = (char *)"22.04";
	w->h.distro = distro_find(&w->distros, "ubuntu", &none, NULL);
	w->h.kernel = (char *)kernel;
}

static void jammy_old(struct world *w) { jammy(w, "5.14.9"); }
static void jammy_new(struct world *w) { jammy(w, "5.15.0-91-generic"); }
static void mint(struct world *w)
{
	jammy(w, "6.1");
	w->h.os.id = (char *)"linuxmint";
	w->h.distro_by = (char *)"id_like ubuntu";
}
static void sid(struct world *w) { w->h.os.version_id = (char *)""; }
static void refused(struct world *w) { w->h.distro = distro_find(&w->distros, "nixos", NULL, NULL); }
static void rolling(struct world *w) { w->h.distro = distro_find(&w->distros, "arch", NULL, NULL); }
static void by_option(struct world *w) { w->h.distro_by = (char *)"--distro"; }
static void ostree(struct world *w) { w->h.ostree = true; w->h.usr_read_only = true; }
static void unknown(struct world *w)
{
	w->h.distro = NULL;
	w->h.distro_by = NULL;
	w->h.os.id = (char *)"slackware";
}
static void riscv(struct world *w)
{
	w->h.machine = (char *)"riscv64";
	w->h.arch = (char *)"riscv64";
}
static void userland32(struct world *w) { w->h.arch = (char *)"i386"; }
static void no_arch(struct world *w) { w->h.machine = (char *)""; w->h.arch = (char *)""; }
static void image(struct world *w)
{
	w->f.root.is_host = false;
	w->h.running = false;
	w->ctx.method = METHOD_FILES;
}
static void image_without_program(struct world *w)
{
	image(w);
	fixture_unlink(&w->f, "/usr/bin/sysboxup");
}
static void image_without_first_boot(struct world *w)
{
	image(w);
	fixture_unlink(&w->f, "/usr/lib/systemd/system/multi-user.target.wants/sysboxup-firstboot-late.service");
}
static void image_deb(struct world *w) { image(w); w->p.sysbox.method = METHOD_DEB; }
static void deb_without_apt(struct world *w) { unknown(w); w->p.sysbox.method = METHOD_DEB; }
static void deb_with_apt(struct world *w) { w->p.sysbox.method = METHOD_DEB; }
static void by_files(struct world *w) { w->ctx.method = METHOD_FILES; }
static void tmpfs(struct world *w) { w->h.var_lib_fs = (char *)"tmpfs"; }
static void zfs(struct world *w) { w->h.var_lib_fs = (char *)"zfs"; }
static void sshfs(struct world *w) { w->h.var_lib_fs = (char *)"fuse.sshfs"; }
static void unknown_fs(struct world *w) { w->h.var_lib_fs = (char *)""; }
static void full(struct world *w) { w->h.var_lib_free = 100 << 20; }
static void tight(struct world *w) { w->h.var_lib_free = 1ULL << 30; }
static void tight_image(struct world *w) { tight(w); image(w); }
static void no_rsync(struct world *w) { fixture_unlink(&w->f, "/usr/bin/rsync"); }
static void no_rsync_files(struct world *w) { no_rsync(w); by_files(w); }
static void no_fuse3(struct world *w) { fixture_unlink(&w->f, "/usr/bin/fusermount3"); }
static void no_fuse3_files(struct world *w) { no_fuse3(w); by_files(w); }
static void no_fuse3_old(struct world *w) { no_fuse3_files(w); w->ctx.sysbox_version = "0.6.7"; }

static void confined(struct world *w, const char *profile)
{
	w->h.apparmor_enabled = w->h.apparmor_fusermount3 = true;
	fixture_put(&w->f, "/etc/apparmor.d/fusermount3", profile);
}

static void profile_open(struct world *w) { confined(w, "profile fusermount3 { include if exists <local/fusermount3> }"); }
static void profile_closed(struct world *w) { confined(w, "profile fusermount3 { }"); }
static void profile_off(struct world *w) { profile_closed(w); w->h.apparmor_enabled = false; }

static void profile_allowed(struct world *w)
{
	profile_open(w);
	fixture_put(&w->f, "/etc/apparmor.d/local/fusermount3", "umount /var/lib/sysboxfs/**/,\n");
}

static void subids(struct world *w, const char *uid, const char *gid)
{
	fixture_put(&w->f, "/etc/subuid", uid);
	fixture_put(&w->f, "/etc/subgid", gid);
}

static void ids_good(struct world *w)
{
	subids(w, "a:1:2\nsysbox:100000:65536\n", "sysbox:100000:65536\n");
}
static void ids_twice(struct world *w) { subids(w, "sysbox:100000:65536\nsysbox:200000:65536\n", "sysbox:100000:65536\n"); }
static void ids_start(struct world *w)
{
	subids(w, "sysbox:100000:65536\n", "sysbox:200000:65536\n");
}
static void ids_count(struct world *w)
{
	subids(w, "sysbox:100000:1000\n", "sysbox:100000:1000\n");
}
static void ids_one(struct world *w)
{
	subids(w, "sysbox:100000:65536\n", "sysboxes:100000:65536\n");
}
static void ids_torn(struct world *w) { subids(w, "sysbox:\n", "sysbox\n"); }

static void no_docker(struct world *w)
{
	w->h.docker.installed = false;
	w->h.docker.version = NULL;
	not_running(w);
}
static void no_docker_image(struct world *w) { no_docker(w); image(w); }
static void snap_only(struct world *w) { no_docker(w); docker_snap(w); }
static void desktop(struct world *w) { no_docker(w); w->h.docker.from_desktop = true; }
static void rootless_only(struct world *w) { not_running(w); w->h.docker.rootless = true; }
static void rootless_too(struct world *w) { w->h.docker.rootless = true; }
static void docker_295(struct world *w, const char *sysbox)
{
	w->h.docker.version = (char *)"29.5.0";
	w->ctx.sysbox_version = sysbox;
}
static void time_070(struct world *w) { docker_295(w, "0.7.0"); }
static void time_071(struct world *w) { docker_295(w, "0.7.1"); }
static void time_294(struct world *w) { time_070(w); w->h.docker.version = (char *)"29.4.3"; }
static void time_off(struct world *w)
{
	time_070(w);
	settings(w, "{\"features\":{\"time-namespaces\":false}}");
}
static void time_unknown(struct world *w) { time_070(w); w->h.docker.version = NULL; }

static void gpu(struct world *w)
{
	time_071(w);
	w->h.docker.version = (char *)"29.2";
	fixture_put(&w->f, "/dev/nvidiactl", "");
}
static void gpu_291(struct world *w) { gpu(w); w->h.docker.version = (char *)"29.1.9"; }
static void gpu_off(struct world *w)
{
	gpu(w);
	settings(w, "{\"features\":{\"cdi\":false}}");
}

static void time_off_file(struct world *w)
{
	time_070(w);
	fixture_put(&w->f, "/etc/docker/daemon.json", "{\"features\":{\"time-namespaces\":false}}");
}

static void time_on_again(struct world *w)
{
	time_off_file(w);
	settings(w, "{\"features\":{\"time-namespaces\":null}}");
}

static void swarm_live(struct world *w) { docker_swarm(w); settings(w, "{\"live-restore\":true}"); }

static void hold(struct world *w) { w->p.docker.hold = true; }
static void hold_image(struct world *w) { hold(w); w->h.running = false; }
static void hold_rpm(struct world *w)
{
	struct strv none = STRV_INIT;

	hold(w);
	w->h.distro = distro_find(&w->distros, "fedora", &none, NULL);
}

static void installing(struct world *w)
{
	no_docker(w);
	w->p.docker.present = w->p.docker.install = true;
}
static void installing_rpm(struct world *w)
{
	installing(w);
	hold_rpm(w);
}
static void installing_dnf(struct world *w)
{
	installing_rpm(w);
	fixture_program(&w->f, "/usr/bin/dnf");
	fixture_program(&w->f, "/usr/bin/rpm");
}
static void installing_dnf_no_systemd(struct world *w)
{
	installing_dnf(w);
	w->h.init = INIT_OTHER;
}
static void installing_third_party(struct world *w)
{
	struct strv none = STRV_INIT;

	installing_dnf(w);
	w->h.distro = distro_find(&w->distros, "rocky", &none, NULL);
}

static void swarm_live_file(struct world *w)
{
	docker_swarm(w);
	fixture_put(&w->f, "/etc/docker/daemon.json", "{\"live-restore\":true}");
}

static const struct {
	const char *id;
	void (*set)(struct world *w);
	int want;
} cases[] = {
	{ "kernel-version", old_kernel, STATE_BAD },
	{ "kernel-version", no_kernel, STATE_UNKNOWN },
	{ "kernel-version", jammy_old, STATE_BAD },
	{ "kernel-version", jammy_new, STATE_OK },
	{ "kernel-version", unknown, STATE_OK },
	{ "kernel-version", image, NOT_RUN },
	{ "arch", riscv, STATE_BAD },
	{ "arch", no_arch, STATE_UNKNOWN },
	{ "userland-arch", userland32, STATE_BAD },
	{ "userland-arch", no_arch, STATE_UNKNOWN },
	{ "distro", unknown, STATE_BAD },
	{ "distro", mint, STATE_WARN },
	{ "distro", sid, STATE_WARN },
	{ "distro", jammy_new, STATE_NONE },
	{ "systemd-pid1", set_init, STATE_BAD },
	{ "container", set_virt, STATE_BAD },
	{ "container", wsl, STATE_OK },
	{ "wsl", wsl, STATE_WARN },
	{ "immutable", set_usr_read_only, STATE_BAD },
	{ "immutable", ostree, STATE_BAD },
	{ "distro", refused, STATE_BAD },
	{ "distro", rolling, STATE_NONE },
	{ "distro", by_option, STATE_WARN },
	{ "method", deb_with_apt, STATE_OK },
	{ "method", deb_without_apt, STATE_BAD },
	{ "method", image_deb, STATE_BAD },
	{ "selinux", set_selinux_enabled, STATE_WARN },
	{ "selinux", enforcing, STATE_BAD },
	{ "kubernetes", set_kubernetes_node, STATE_BAD },
	{ "reboot-pending", set_reboot_pending, STATE_WARN },
	{ "recover-unit", file_recover_elsewhere, STATE_BAD },
	{ "recover-unit", file_recover_nothing, STATE_BAD },
	{ "recover-unit", recover_fleeting, STATE_BAD },
	{ "recover-unit", recover_disabled, STATE_BAD },
	{ "recover-unit", recover_late_disabled, STATE_BAD },
	{ "recover-unit", recover_late_gone, STATE_BAD },
	{ "recover-unit", set_init, NOT_RUN },
	{ "recover-unit", image, NOT_RUN },
	{ "image-program", image, STATE_OK },
	{ "image-program", image_without_program, STATE_WARN },
	{ "image-program", image_without_first_boot, STATE_WARN },
	{ "image-program", set_init, NOT_RUN },
	{ "userns", no_ns, STATE_BAD },
	{ "max-user-namespaces", file_no_userns, STATE_BAD },
	{ "unprivileged-userns-clone", file_no_clone, STATE_WARN },
	{ "unprivileged-userns-clone", file_clone, STATE_OK },
	{ "shiftfs", kernel_511, STATE_BAD },
	{ "shiftfs", kernel_515, STATE_WARN },
	{ "shiftfs", shiftfs, STATE_OK },
	{ "idmap", kernel_511, STATE_OK },
	{ "var-lib-fs", tmpfs, STATE_BAD },
	{ "var-lib-fs", sshfs, STATE_BAD },
	{ "var-lib-fs", zfs, STATE_WARN },
	{ "var-lib-fs", unknown_fs, STATE_UNKNOWN },
	{ "disk-space", full, STATE_BAD },
	{ "disk-space", tight, STATE_WARN },
	{ "disk-space", tight_image, STATE_OK },
	{ "dev-fuse", set_dev_fuse, STATE_BAD },
	{ "dev-fuse", image, NOT_RUN },
	{ "fusermount", no_fuse3, STATE_NONE },
	{ "fusermount", no_fuse3_files, STATE_BAD },
	{ "fusermount", no_fuse3_old, STATE_OK },
	{ "tools", no_rsync, STATE_NONE },
	{ "tools", no_rsync_files, STATE_BAD },
	{ "tools", no_fuse3_files, STATE_OK },
	{ "apparmor-fusermount3", profile_open, STATE_NONE },
	{ "apparmor-fusermount3", profile_closed, STATE_BAD },
	{ "apparmor-fusermount3", profile_allowed, STATE_OK },
	{ "apparmor-fusermount3", profile_off, STATE_OK },
	{ "sysbox-ee", file_ee, STATE_BAD },
	{ "subids", ids_good, STATE_OK },
	{ "subids", ids_twice, STATE_BAD },
	{ "subids", ids_start, STATE_BAD },
	{ "subids", ids_count, STATE_BAD },
	{ "subids", ids_one, STATE_BAD },
	{ "subids", ids_torn, STATE_BAD },
	{ "dpkg-state", file_broken, STATE_BAD },
	{ "dpkg-state", file_updates, STATE_BAD },
	{ "dpkg-state", file_tmp_i, STATE_OK },
	{ "dpkg-state", file_awaited, STATE_BAD },
	{ "dpkg-state", by_files, NOT_RUN },
	{ "docker-present", no_docker, STATE_BAD },
	{ "docker-present", no_docker_image, STATE_WARN },
	{ "docker-present", installing, STATE_NONE },
	{ "docker-present", installing_rpm, STATE_BAD },
	{ "docker-present", installing_dnf, STATE_NONE },
	{ "docker-present", installing_dnf_no_systemd, STATE_BAD },
	{ "docker-present", installing_third_party, STATE_BAD },
	{ "docker-present", desktop, STATE_BAD },
	{ "docker-present", snap_only, STATE_OK },
	{ "snap-docker", snap_only, STATE_BAD },
	{ "rootless-docker", rootless_only, STATE_BAD },
	{ "rootless-docker", rootless_too, STATE_OK },
	{ "podman-docker", docker_podman, STATE_BAD },
	{ "docker-running", not_running, STATE_BAD },
	{ "docker-running", no_docker, NOT_RUN },
	{ "docker-running", image, NOT_RUN },
	{ "docker-time-namespaces", time_070, STATE_BAD },
	{ "docker-time-namespaces", time_071, STATE_OK },
	{ "docker-time-namespaces", time_294, STATE_OK },
	{ "docker-time-namespaces", time_off, STATE_OK },
	{ "docker-time-namespaces", time_off_file, STATE_OK },
	{ "docker-time-namespaces", time_on_again, STATE_BAD },
	{ "docker-time-namespaces", time_unknown, STATE_UNKNOWN },
	{ "docker-time-namespaces", no_docker, STATE_OK },
	{ "docker-gpu", gpu, STATE_WARN },
	{ "docker-gpu", gpu_291, STATE_OK },
	{ "docker-gpu", gpu_off, STATE_OK },
	{ "docker-gpu", time_071, STATE_OK },
	{ "swarm", docker_swarm, STATE_WARN },
	{ "swarm", swarm_live, STATE_BAD },
	{ "swarm", swarm_live_file, STATE_BAD },
	{ "docker-hold", hold, STATE_OK },
	{ "docker-hold", hold_image, STATE_WARN },
	{ "docker-hold", hold_rpm, STATE_BAD },
	{ "state-mount-order", file_fstab_nfs, STATE_BAD },
	{ "state-mount-order", file_fstab_netdev, STATE_BAD },
	{ "state-mount-order", file_mount_nfs, STATE_BAD },
	{ "state-mount-order", file_mount_netdev, STATE_BAD },
	{ "state-mount-order", file_mount_after, STATE_BAD },
	{ "state-mount-order", file_mount_local, STATE_OK },
	{ "state-mount-order", file_fstab_local, STATE_OK },
};

TEST(good, "on a good host every check that applies is content")
{
	struct world w;

	world_open(&w);
	hold(&w);
	for (const struct preflight_check *c = preflight_checks; c->id; c++) {
		int want = str_eq(c->id, "idmap") && geteuid() ? STATE_UNKNOWN : STATE_OK;
		int got = state_of(&w, c->id);
		if (str_eq(c->id, "image-program"))	/* this is none */
			want = NOT_RUN;
		CHECK_INT(got, want);
		if (got != want)
			printf("# %s\n", c->id);
	}
	world_close(&w);
}

TEST(each, "each check says what it is there to say")
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w;
		world_open(&w);
		cases[i].set(&w);
		int got = state_of(&w, cases[i].id);
		CHECK_INT(got, cases[i].want);
		if (got != cases[i].want)
			printf("# case %zu, %s\n", i, cases[i].id);
		world_close(&w);
	}
}

TEST(no_answer, "a daemon that runs and does not answer is refused, unless it is us who may not ask")
{
	struct world w;

	world_open(&w);
	docker_answers(&w);
	CHECK_INT(state_of(&w, "docker-running"), geteuid() ? STATE_UNKNOWN : STATE_BAD);
	world_close(&w);
}

TEST(no_idmap, "a file system without mapped ids is refused because it was tried")
{
	struct root proc = ROOT_INIT;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	CHECK_INT(root_open(&proc, "/proc", &err), 0);
	w.h.root = &proc;
	CHECK_INT(state_of(&w, "idmap"), geteuid() ? STATE_UNKNOWN : STATE_BAD);
	w.h.root = &w.f.root;
	root_release(&proc);
	world_close(&w);
}

TEST(complete, "no check is without a case for content and one for discontent")
{
	for (size_t i = 0; preflight_checks[i].id; i++) {
		bool tried = !str_eq(preflight_checks[i].id, "idmap") || !geteuid();
		CHECK(!tried || (seen_good[i] && seen_bad[i]));
		if (!seen_good[i] || !seen_bad[i])
			printf("# %s\n", preflight_checks[i].id);
	}
}

TEST(table, "ids are unique, and each check says why it matters")
{
	for (const struct preflight_check *c = preflight_checks; c->id; c++) {
		CHECK(find(c->id) == c);
		CHECK(strspn(c->id, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(c->id));
		CHECK(c->summary && c->why && c->applies && c->run);
	}
}

/* ---- the run ---- */

struct capture {
	struct report r;
	struct strv lines;	/* "KIND STATE ID: found | remedy" */
};

static void capture_emit(struct report *r, const struct report_line *l)
{
	static const char *const kinds[] = { "log",  "info",  "warn",    "change",
					     "diff", "check", "progress" };
	static const char *const states[] = { "", " ok", " WARN", " BAD", " unknown" };
	struct capture *c = (struct capture *)r;

	if (l->kind != REPORT_LOG)
		strv_addf(&c->lines, "%s%s %s%s%s%s%s", kinds[l->kind], states[l->state],
			  l->subject ? l->subject : "", l->subject ? ": " : "", l->text,
			  l->remedy ? " | " : "", l->remedy ? l->remedy : "");
}

static int run(struct world *w, const char *force, char **ret_lines, struct err *err)
{
	struct capture c = { .r = { .emit = capture_emit } };
	struct strv forced CLEANUP(strv_release) = STRV_INIT;
	int ret;

	str_words(&forced, force);
	ret = preflight_run(&w->h, &w->p, "0.7.1", &forced, &c.r, err);
	*ret_lines = strv_join(&c.lines, "\n");
	strv_release(&c.lines);
	return ret;
}

TEST(quiet, "a good host is let through without a word")
{
	char *lines CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	CHECK_INT(run(&w, geteuid() ? "idmap" : "", &lines, &err), 0);
	CHECK_STR(geteuid() ? "" : lines, "");
	world_close(&w);
}

TEST(refusal, "refusals are named in one line with the --force that overrides them")
{
	char *lines CLEANUP(freep) = NULL, *forced CLEANUP(freep) = NULL;
	struct err err = ERR_INIT, err2 = ERR_INIT;
	struct world w;

	world_open(&w);
	enforcing(&w);
	set_init(&w);
	CHECK_INT(run(&w, "", &lines, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK_STR(err.msg,
		  "preflight refuses: systemd-pid1, selinux; to go on all the same: --force systemd-pid1 --force selinux");
	CHECK(strstr(lines, "check BAD systemd-pid1: pid 1 is not systemd | boot this host with systemd"));
	CHECK(strstr(lines, "check BAD selinux: SELinux is enforcing | "));
	CHECK_INT(run(&w, "selinux", &forced, &err2), -1);
	CHECK_STR(err2.msg, "preflight refuses: systemd-pid1; to go on all the same: --force systemd-pid1");
	CHECK(strstr(forced, "check WARN selinux: SELinux is enforcing (forced)"));
	world_close(&w);
}

TEST(remedies, "a distribution's own remedies are for checks that exist, and go before the table's")
{
	char *here CLEANUP(freep) = NULL, *elsewhere CLEANUP(freep) = NULL;
	struct err err = ERR_INIT, err2 = ERR_INIT;
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < w.distros.n; i++)
		for json_each(m, w.distros.v[i].remedies)
			CHECK(find(json_key(m)));
	enforcing(&w);
	CHECK_INT(run(&w, "", &elsewhere, &err), -1);
	CHECK(strstr(elsewhere, "SELinux is enforcing | set SELINUX=disabled in"));
	w.h.distro = distro_find(&w.distros, "rocky", NULL, NULL);
	CHECK_INT(run(&w, "", &here, &err2), -1);
	CHECK(strstr(here, "SELinux is enforcing | set SELINUX=permissive in"));
	world_close(&w);
}

TEST(forced, "with all refusals forced by name it goes on")
{
	char *lines CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	enforcing(&w);
	set_init(&w);
	CHECK_INT(run(&w, "selinux systemd-pid1 kubernetes", &lines, &err), 0);
	CHECK_STR(err.msg, "");
	world_close(&w);
}

TEST(not_forced, "what cannot work at all is not let through by --force")
{
	char *lines CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	riscv(&w);
	enforcing(&w);
	CHECK_INT(run(&w, "arch", &lines, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK_STR(err.msg, "preflight refuses: arch, selinux; --force selinux overrides; nothing overrides: arch");
	world_close(&w);
}

TEST(unknown_force, "an unknown id behind --force is a usage error that names the nearest, and nothing runs")
{
	char *lines CLEANUP(freep) = NULL, *far CLEANUP(freep) = NULL;
	struct err err = ERR_INIT, err2 = ERR_INIT;
	struct world w;

	world_open(&w);
	enforcing(&w);
	CHECK_INT(run(&w, "selinux idmpa", &lines, &err), -1);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK_STR(err.msg, "no check is called 'idmpa'; did you mean 'idmap'?");
	CHECK_STR(lines, "");
	CHECK_INT(run(&w, "zzzzzzzzzzzzzzz", &far, &err2), -1);
	CHECK_STR(err2.msg, "no check is called 'zzzzzzzzzzzzzzz'");
	world_close(&w);
}

TEST(docker_only, "a profile without Sysbox is not asked about Sysbox")
{
	char *lines CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	w.p.sysbox.present = false;
	settings(&w, "{\"debug\":true}");
	enforcing(&w);
	riscv(&w);
	set_virt(&w);
	old_kernel(&w);
	file_broken(&w);
	tmpfs(&w);
	CHECK_INT(run(&w, "", &lines, &err), 0);
	CHECK_STR(lines, "");
	not_running(&w);
	free(STEAL(lines));
	CHECK_INT(run(&w, "", &lines, &err), -1);
	CHECK_STR(err.msg, "preflight refuses: docker-running; to go on all the same: --force docker-running");
	world_close(&w);
}

TEST(absent, "a profile that takes Sysbox away is not refused for what would keep Sysbox from working")
{
	char *lines CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	w.p.sysbox.version = (char *)"absent";
	enforcing(&w);
	CHECK_INT(run(&w, "", &lines, &err), 0);
	world_close(&w);
}

TEST(an_image, "of an image nothing is asked that only a running system can answer")
{
	char *lines CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	image(&w);
	not_running(&w);
	set_virt(&w);
	old_kernel(&w);
	set_dev_fuse(&w);
	file_no_userns(&w);
	tmpfs(&w);
	file_fstab_nfs(&w);
	CHECK_INT(run(&w, "", &lines, &err), 0);
	CHECK_STR(lines, "");
	no_rsync(&w);
	free(STEAL(lines));
	CHECK_INT(run(&w, "", &lines, &err), -1);
	CHECK_STR(lines, "check BAD tools: not there: rsync | apt-get install rsync");
	world_close(&w);
}

TEST(will_install, "by the deb method missing tools are announced, not refused")
{
	char *lines CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	no_rsync(&w);
	fixture_unlink(&w.f, "/usr/sbin/modprobe");
	no_fuse3(&w);
	CHECK_INT(run(&w, "idmap", &lines, &err), 0);
	CHECK(strstr(lines, "info fusermount: fusermount3 not there yet: apt will install fuse3"));
	CHECK(strstr(lines, "info tools: rsync, modprobe not there yet: apt will install rsync, kmod"));
	world_close(&w);
}

TEST(methods, "auto is dpkg on a running system with apt, files elsewhere; what the profile says goes before")
{
	struct world w;

	world_open(&w);
	CHECK_INT(preflight_method(&w.h, &w.p), METHOD_DEB);
	w.h.running = false;
	CHECK_INT(preflight_method(&w.h, &w.p), METHOD_FILES);
	w.h.running = true;
	w.p.sysbox.method = METHOD_FILES;
	CHECK_INT(preflight_method(&w.h, &w.p), METHOD_FILES);
	w.p.sysbox.method = METHOD_AUTO;
	fixture_unlink(&w.f, "/usr/bin/apt-get");
	CHECK_INT(preflight_method(&w.h, &w.p), METHOD_FILES);
	w.p.sysbox.method = METHOD_DEB;
	CHECK_INT(preflight_method(&w.h, &w.p), METHOD_DEB);
	world_close(&w);
}

RUN_TESTS()
