/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is there: read-only facts, gathered once. With a root that is not "/", only what its tree says; nothing runs in it.
 * Facts that cost a process or a mount are gathered on demand by the functions below.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/json.h"
#include "host/distro.h"
#include "sys/root.h"

#include <sys/types.h>

enum host_virt { VIRT_NONE, VIRT_VM, VIRT_CONTAINER, VIRT_WSL };
enum host_init { INIT_NONE, INIT_SYSTEMD, INIT_OTHER };

struct host {
	const struct root *root;	/* borrowed */
	bool running;			/* root is "/": services can be asked */
	struct os_release {
		char *id, *version_id, *codename, *pretty_name;
		struct strv id_like;
	} os;
	const struct distro *distro;	/* how it was recognised, or NULL */
	char *kernel;			/* uname -r; "" for an image */
	char *machine;			/* uname -m */
	char *arch;			/* userland's, Debian's name: "amd64", "arm64" */
	enum host_init init;
	enum host_virt virt;
	char *virt_name;		/* "lxc", "docker", "systemd-nspawn", "wsl", "kvm" or "" */
	bool selinux_enabled, selinux_enforcing;
	bool apparmor_enabled;
	bool apparmor_fusermount3;	/* /etc/apparmor.d/fusermount3 exists */
	bool dev_fuse;
	bool reboot_pending;
	bool kubernetes_node;
	char *fusermount;		/* path of fusermount3, else fusermount, else NULL */
	char *var_lib_fs;		/* "ext4", "overlay" ... of /var/lib */
	uint64_t var_lib_free;		/* bytes */
	struct {
		bool installed;		/* a dockerd binary is there */
		char *binary;		/* "/usr/bin/dockerd" */
		char *version;		/* by the API if it answers, else by package data or `dockerd --version`; or NULL */
		bool snap, rootless;	/* found as such (then unsupported) */
		bool from_desktop;
		char *unit;		/* "docker.service" or NULL (started by hand) */
		pid_t main_pid;		/* of the daemon that serves the socket, 0 = not running */
		uint64_t main_starttime;
		char *socket;		/* "/var/run/docker.sock" unless flags say otherwise */
		char *config_file;	/* daemon.json as this daemon uses it */
		char *data_root;
		struct docker_flags *flags;	/* docker/flags.h: the effective command line and where each flag comes from */
	} docker;
};

int host_gather(struct host *ret, const struct root *root, struct err *err);
void host_release(struct host *h);

/* Is pid 1 systemd and does it answer? Only then units can be asked. */
bool host_has_systemd(const struct host *h);
/* Really tries an idmapped mount on a directory below path (in a private mount namespace): 0 works, 1 does not (why in *ret_why), -1 could not be tried. */
int host_try_idmap(const struct host *h, const char *path, char **ret_why);
/* The tools Sysbox needs that are missing ("rsync", "modprobe", "iptables", "fusermount3"). */
void host_missing_tools(const struct host *h, const char *sysbox_version, struct strv *ret);
/* /proc/sys value of a dotted name ("fs.inotify.max_user_watches"): 0, or -1 if it does not exist. */
int host_sysctl(const char *name, char **ret);

#endif
