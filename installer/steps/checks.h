/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of the table in preflight.c: what a check is for, and how it looks. Inside of
 * steps/ only. */
#ifndef STEPS_CHECKS_H
#define STEPS_CHECKS_H

#include "steps/preflight.h"

#define CHECK_ARGS \
	const struct host *h, const struct profile *p, const struct preflight_ctx *ctx, \
		struct preflight_finding *f
#define DECLARE_CHECK(name) enum report_state check_##name(CHECK_ARGS)

/* checks_system.c: what kind of system this is */
DECLARE_CHECK(kernel_version);
DECLARE_CHECK(arch);
DECLARE_CHECK(userland_arch);
DECLARE_CHECK(distro);
DECLARE_CHECK(systemd_pid1);
DECLARE_CHECK(container);
DECLARE_CHECK(wsl);
DECLARE_CHECK(immutable);
DECLARE_CHECK(selinux);
DECLARE_CHECK(kubernetes);
DECLARE_CHECK(reboot_pending);
DECLARE_CHECK(recover_unit);
DECLARE_CHECK(image_program);

/* checks_kernel.c: what Sysbox asks of the kernel and the file systems */
DECLARE_CHECK(userns);
DECLARE_CHECK(max_user_namespaces);
DECLARE_CHECK(unprivileged_userns_clone);
DECLARE_CHECK(shiftfs);
DECLARE_CHECK(idmap);
DECLARE_CHECK(var_lib_fs);
DECLARE_CHECK(disk_space);
DECLARE_CHECK(dev_fuse);
DECLARE_CHECK(state_mount_order);

/* checks_packages.c: what must be installed, or must not */
DECLARE_CHECK(method);
DECLARE_CHECK(fusermount);
DECLARE_CHECK(tools);
DECLARE_CHECK(apparmor_fusermount3);
DECLARE_CHECK(sysbox_ee);
DECLARE_CHECK(subids);
DECLARE_CHECK(dpkg_state);

/* checks_docker.c */
DECLARE_CHECK(docker_present);
DECLARE_CHECK(snap_docker);
DECLARE_CHECK(rootless_docker);
DECLARE_CHECK(podman_docker);
DECLARE_CHECK(docker_running);
DECLARE_CHECK(docker_time_namespaces);
DECLARE_CHECK(docker_gpu);
DECLARE_CHECK(swarm);
DECLARE_CHECK(docker_hold);

/* found, and the state, in one go: return finding(f, STATE_BAD, "..."); */
enum report_state finding(struct preflight_finding *f, enum report_state state, const char *fmt,
			  ...) PRINTF(3, 4);

#endif
