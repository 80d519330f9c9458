/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command in private PID, mount and network namespaces that hold no Docker, no systemd and no
 * D-Bus: where dpkg runs (DESIGN.md section 7; every line tried: facts/dpkg-tried.md 2.2). Its init
 * is ours, dies with us and takes the rest along; its pid and start time are handed to on_started
 * before the command begins, so that `recover` can wait for it.
 *
 * Covered: /etc/docker by a scratch directory with a daemon.json that leaves scripts nothing to do;
 * /run/systemd by one that looks booted and is dead (system/ exists and is empty, journal/ is the
 * real one); tmpfs over /run/dbus, /run/containerd, /tmp, the data-root and /var/lib/docker, which
 * docker.io's scripts wipe by that name wherever the data-root is; /dev/null over
 * /run/initctl and each socket given; update-initramfs switched off; a /proc of its own; PIDs that
 * begin near pid_max, so that stale PID files and shadow's locks are seen to be stale outside. A
 * mount that fails stops it before the command runs. Nothing of the host is made for it, with one
 * exception: where /etc/docker is absent it is made (there is no other way to mount there) and
 * removed again if still empty, by shield_cleanup or the next run after a crash; a caller whose
 * packages own that directory makes it before. Where /run/systemd is absent it stays absent. In an
 * image /run is a tmpfs (with systemd/system), /dev holds null, zero, full, random, urandom and tty
 * only.
 */
#ifndef SYS_SHIELD_H
#define SYS_SHIELD_H

#include "sys/proc.h"
#include "sys/root.h"

struct shield {
	const struct root *root;	/* "/" or an image: then the command is chrooted into it */
	/* a 0700 directory of ours, path on this machine ("/var/lib/sysboxup/run/shield"); filled
	 * here */
	const char *scratch;
	const char *data_root;		/* Docker's, or NULL */
	/* What systemd's presets say there before anybody else's do: lines of systemd.preset(5), or
	 * NULL. Only where it runs. */
	const char *presets;
	const char *const *sockets;	/* unix sockets to hide, NULL-terminated, or NULL */
	/* or NULL; -1: nothing is run */
	int (*on_started)(void *user, pid_t init, uint64_t starttime);
	void *user;
};

/* p->argv runs inside, with SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive
 * DEBIAN_PRIORITY=critical DPKG_FRONTEND_LOCKED=true HOME=/tmp (its own). As proc_run; p->chroot_to
 * is not used. The command's exit status, or its death by a signal, is what counts. */
int shield_run(const struct shield *s, const struct proc *p, int *ret_status, struct err *err);
/* What a killed shield_run left on disk; root and scratch are looked at. Only when its init is
 * known to be gone. */
int shield_cleanup(const struct shield *s, struct err *err);

#endif
