/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is there: read-only facts, gathered once. With a root that is not "/", only what its tree
 * says; nothing runs in it. Facts that cost a process or a mount are gathered on demand by the
 * functions below; host_gather itself reads small files and asks the daemon one /_ping, so it costs
 * less than one `curl .../info`.
 *
 * Everything on a running host is read through `root`, /proc and /sys too (but not uname's machine
 * and what /proc/self tells about mounts), so a directory that looks like a host serves as one in
 * tests: root_open, then set is_host.
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
	bool running;			/* services can be asked: root is "/", and is not taken for an image */
	struct os_release {
		char *id, *version_id, *codename, *pretty_name;	/* never NULL */
		struct strv id_like;
	} os;
	struct distro_list distros;	/* those that may be this one */
	const struct distro *distro;	/* how it was recognised, or NULL; one of distros */
	char *distro_by;		/* "id", "id_like debian", "--distro", or NULL */
	char *kernel;			/* uname -r; "" for an image */
	char *machine;			/* uname -m; for an image what its userland is made for */
	char *arch;			/* userland's, Debian's name: "amd64", "arm64"; "" if it cannot be told */
	enum host_init init;
	enum host_virt virt;
	char *virt_name;		/* "lxc", "docker", "systemd-nspawn", "wsl", "kvm" or "" */
	bool selinux_enabled, selinux_enforcing;	/* of an image: as it will boot */
	bool apparmor_enabled;
	bool apparmor_fusermount3;	/* /etc/apparmor.d/fusermount3 exists */
	bool dev_fuse;
	bool reboot_pending;
	bool kubernetes_node;
	bool usr_read_only;		/* /usr is mounted read-only, or the system is an ostree deployment */
	bool ostree;			/* /usr and the defaults of /etc come as one image */
	char *fusermount;		/* path of fusermount3, else fusermount, else NULL */
	char *var_lib_fs;		/* "ext4", "overlay" ... of /var/lib/sysbox, or where it will be made; "" if unknown */
	uint64_t var_lib_free;		/* bytes */
	struct {
		bool installed;		/* a dockerd binary is there */
		char *binary;		/* "/usr/bin/dockerd" or NULL */
		char *version;		/* by the API if it answers, else by package data; or NULL */
		bool snap, rootless;	/* found as such (then unsupported) */
		bool podman;		/* what answers on the socket is Podman */
		bool from_desktop;
		bool by_hand;		/* runs, but not as a service of systemd: reload is SIGHUP, there is no restart */
		bool answers;		/* the API answered on socket */
		bool swarm;		/* this engine is a member of a swarm, or was when it ran last */
		char *unit;		/* "docker.service"; NULL: there is none, or the daemon was started by hand */
		pid_t main_pid;		/* of the daemon that serves the socket, 0 = not running */
		uint64_t main_starttime;
		char *socket;		/* "/var/run/docker.sock" unless flags or file say otherwise */
		char *config_file;	/* daemon.json as this daemon uses it; where it would be without Docker */
		char *data_root;
		struct docker_flags *flags;	/* of the unit (the next start); of the process if by_hand; or NULL */
	} docker;
};

/* Errors: what must be readable is not, a file of distros.d is wrong, the unit's files cannot be
 * understood. */
int host_gather(struct host *ret, const struct root *root, struct err *err);
/* Taken for the distribution of this id, whatever os-release says; NULL: as host_gather. */
int host_gather_as(struct host *ret, const struct root *root, const char *distro, struct err *err);
/* As the image that root is, or will be made from it: its services, if they run, are nobody's
 * concern. */
int host_gather_image(struct host *ret, const struct root *root, const char *distro,
		      struct err *err);
void host_release(struct host *h);

/* After the daemon was reloaded or restarted, or its files changed: h->docker read anew. On failure
 * it stays as it was. */
int host_docker_refresh(struct host *h, struct err *err);

/* A daemon of this host that runs as root: by its name, its PID namespace and its user. */
bool host_is_dockerd(const struct host *h, pid_t pid);
/* Paths of the unix sockets that such daemons listen on, a second one's too; none where none
 * runs. */
void host_docker_sockets(const struct host *h, struct strv *ret);
/* Is pid 1 systemd and does it answer? Only then units can be asked. */
bool host_has_systemd(const struct host *h);
/* Really tries an idmapped mount of the file system of path (sys/idmap.h), or of its nearest parent
 * that exists:
 * 0 works, 1 does not (why in *ret_why), -1 could not be tried (why in *ret_why). */
int host_try_idmap(const struct host *h, const char *path, char **ret_why);
/* The tools Sysbox needs that are missing ("rsync", "modprobe", "iptables", "fusermount3"). */
void host_missing_tools(const struct host *h, const char *sysbox_version, struct strv *ret);
/* fusermount3 from Sysbox 0.7.0 on, before that fusermount (facts/sysbox.md 1.4). */
const char *host_fusermount_name(const char *sysbox_version);
/* Path of a program in the PATH that systemd gives to services, inside the root; allocated, or
 * NULL. */
char *host_find_program(const struct root *root, const char *name);
/* A value of /etc/selinux/config; allocated, or NULL. */
char *host_selinux_config(const struct root *root, const char *key);
/* /proc/sys value of a dotted name ("fs.inotify.max_user_watches"): 0, or -1 if it does not
 * exist. */
int host_sysctl(const char *name, char **ret);
/* The same on the host h is about. */
int host_proc_sys(const struct host *h, const char *name, char **ret);
/* Debian's name of what uname -m says; "" if Sysbox does not exist for it (facts/sysbox.md 1.2). */
const char *host_arch_of_machine(const char *machine);

#endif
