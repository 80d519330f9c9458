/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/shield.h"

#include "base/str.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/spawn.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#endif
#ifndef MOVE_MOUNT_T_SYMLINKS
#define MOVE_MOUNT_T_SYMLINKS 0x10
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum { PIDS_KEPT_FREE = 4000 };	/* from the first PID up to pid_max: more than any package starts at once */

#define MADE_MARK "made-etc-docker"
#define DOCKER_DIR "/etc/docker"
#define DOCKER_DATA "/var/lib/docker"

/* Nothing is left to do for scripts that would add the runtime, bip or pools (facts/dpkg-tried.md
 * 2.2). */
static const char scratch_daemon_json[] =
	"{\n"
	"    \"runtimes\": {\n"
	"        \"sysbox-runc\": {\n"
	"            \"path\": \"/usr/bin/sysbox-runc\"\n"
	"        }\n"
	"    },\n"
	"    \"bip\": \"172.20.0.1/16\",\n"
	"    \"default-address-pools\": [\n"
	"        {\n"
	"            \"base\": \"172.25.0.0/16\",\n"
	"            \"size\": 24\n"
	"        }\n"
	"    ]\n"
	"}\n";

static const char scratch_initramfs[] = "update_initramfs=no\nbackup_initramfs=no\n";

static const char *const shield_env[] = {
	"SYSTEMD_OFFLINE=1", "DEBIAN_FRONTEND=noninteractive", "DEBIAN_PRIORITY=critical",
	"DPKG_FRONTEND_LOCKED=true", "HOME=/tmp", NULL,
};

static const char *const image_devices[] = { "null", "zero", "full", "random", "urandom", "tty" };
static const char *const image_run_dirs[] = { "/run/lock", "/run/systemd", "/run/systemd/system" };
static const struct { const char *name, *target; } image_dev_links[] = {
	{ "/dev/fd", "/proc/self/fd" }, { "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" }, { "/dev/stderr", "/proc/self/fd/2" },
};

enum cover_kind { COVER_BIND, COVER_TMPFS, COVER_PROC };

/* One mount. All strings are made before the clone: the child must not allocate. */
struct cover {
	enum cover_kind kind;
	char *from;		/* COVER_BIND: as this machine sees it. COVER_TMPFS: mount options */
	char *at;		/* as the command sees it */
	char *what;		/* for the error */
	int tree;		/* COVER_BIND: opened in the child, before anything is covered */
};

struct covers {
	const struct shield *shield;
	struct cover *v;
	size_t n;
};

static void covers_release(struct covers *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].from);
		free(c->v[i].at);
		free(c->v[i].what);
	}
	free(c->v);
}

static void cover_add(struct covers *c, enum cover_kind kind, const char *from, const char *at)
{
	c->v = xreallocarray(c->v, c->n + 1, sizeof *c->v);
	c->v[c->n++] = (struct cover){ kind, xstrdup(from), xstrdup(at),
				       xasprintf("covering %s", at), -1 };
}

/* ---- in the child: no allocation ---- */

static int open_trees(struct covers *c, const char **ret_what)
{
	for (size_t i = 0; i < c->n; i++) {
		struct cover *v = &c->v[i];
		if (v->kind != COVER_BIND)
			continue;
		*ret_what = v->what;
		v->tree = (int)syscall(SYS_open_tree, AT_FDCWD, v->from,
				       OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);
		if (v->tree < 0)
			return -1;
	}
	return 0;
}

static int cover_mount(const struct cover *v)
{
	switch (v->kind) {
	case COVER_BIND:
		return (int)syscall(SYS_move_mount, v->tree, "", AT_FDCWD, v->at,
				    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
	case COVER_TMPFS:
		return mount("tmpfs", v->at, "tmpfs", MS_NOSUID | MS_NODEV, v->from);
	case COVER_PROC:
		return mount("proc", v->at, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	}
	errno = EINVAL;
	return -1;
}

/* In an image, on the tmpfs just mounted there: what scripts may expect of a machine that runs. */
static int fill_image(const char *at)
{
	char path[64];

	if (!strcmp(at, "/run")) {
		for (size_t i = 0; i < ARRAY_SIZE(image_run_dirs); i++)
			if (mkdir(image_run_dirs[i], 0755))
				return -1;
	} else if (!strcmp(at, "/dev")) {
		for (size_t i = 0; i < ARRAY_SIZE(image_devices); i++) {
			snprintf(path, sizeof path, "/dev/%s", image_devices[i]);
			int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
			if (fd < 0 || close(fd))
				return -1;
		}
		for (size_t i = 0; i < ARRAY_SIZE(image_dev_links); i++)
			if (symlink(image_dev_links[i].target, image_dev_links[i].name))
				return -1;
	}
	return 0;
}

/* The next PID is near pid_max, which is per namespace since Linux 6.14. Where it cannot be set,
 * PIDs are low: no harm by itself. */
static void raise_pids(void)
{
	char text[32];
	int fd CLEANUP(closep) = open("/proc/sys/kernel/pid_max", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n <= 0)
		return;
	text[n] = '\0';
	long max = strtol(text, NULL, 10);
	n = snprintf(text, sizeof text, "%ld",
		     max > 2 * PIDS_KEPT_FREE ? max - PIDS_KEPT_FREE : max / 2);
	int last CLEANUP(closep) = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	if (last >= 0 && write(last, text, (size_t)n) != n)
		errno = 0;	/* EPERM in some containers */
}

static int inside(void *user, const char **ret_what)
{
	struct covers *c = user;
	const struct root *root = c->shield->root;

	*ret_what = "leaving the mounts of the host alone";
	/* slave, not private: what the host unmounts must not stay pinned here (facts/dpkg-tried.md
	 * 2.1) */
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) || open_trees(c, ret_what))
		return -1;
	/* below the image's root its links cannot lead a mount elsewhere */
	*ret_what = root->path;
	if ((!root->is_host && chroot(root->path)) || chdir("/"))
		return -1;
	for (size_t i = 0; i < c->n; i++) {
		*ret_what = c->v[i].what;
		if (cover_mount(&c->v[i]) || (!root->is_host && fill_image(c->v[i].at)))
			return -1;
	}
	raise_pids();
	return 0;
}

/* ---- what is to be covered ---- */

static void cover_tmpfs_if(struct covers *c, const char *at, const char *options)
{
	struct stat st;

	if (!root_stat(c->shield->root, at, &st) && S_ISDIR(st.st_mode))
		cover_add(c, COVER_TMPFS, options, at);
}

static void cover_null_if(struct covers *c, const char *at)
{
	struct stat st;

	/* followed: a dangling link hides nothing */
	if (!root_stat(c->shield->root, at, &st) && !S_ISDIR(st.st_mode))
		cover_add(c, COVER_BIND, "/dev/null", at);
}

static void covers_of_host(struct covers *c, const char *scratch_systemd)
{
	const struct root *r = c->shield->root;

	if (root_exists(r, "/run/systemd"))
		cover_add(c, COVER_BIND, scratch_systemd, "/run/systemd");
	if (root_exists(r, "/run/systemd/journal"))
		cover_add(c, COVER_BIND, "/run/systemd/journal", "/run/systemd/journal");
	cover_tmpfs_if(c, "/run/dbus", "mode=0755");
	cover_tmpfs_if(c, "/run/containerd", "mode=0711");
	cover_null_if(c, "/run/initctl");
	for (size_t i = 0; c->shield->sockets && c->shield->sockets[i]; i++)
		cover_null_if(c, c->shield->sockets[i]);
}

static void covers_of_image(struct covers *c)
{
	cover_tmpfs_if(c, "/run", "mode=0755");
	cover_tmpfs_if(c, "/dev", "mode=0755");
	for (size_t i = 0; root_exists(c->shield->root, "/dev") && i < ARRAY_SIZE(image_devices);
	     i++) {
		char *device CLEANUP(freep) = path_join("/dev", image_devices[i]);
		cover_add(c, COVER_BIND, device, device);
	}
}

static void covers_collect(struct covers *c)
{
	const struct shield *s = c->shield;
	char *docker CLEANUP(freep) = path_join(s->scratch, "docker");
	char *systemd CLEANUP(freep) = path_join(s->scratch, "systemd");
	char *initramfs CLEANUP(freep) = path_join(s->scratch, "update-initramfs.conf");

	cover_add(c, COVER_BIND, docker, DOCKER_DIR);
	if (root_exists(s->root, "/etc/initramfs-tools/update-initramfs.conf"))
		cover_add(c, COVER_BIND, initramfs, "/etc/initramfs-tools/update-initramfs.conf");
	if (s->root->is_host)
		covers_of_host(c, systemd);
	else
		covers_of_image(c);
	cover_tmpfs_if(c, "/tmp", "mode=1777");
	cover_tmpfs_if(c, DOCKER_DATA, "mode=0710");
	if (s->data_root && !str_eq(s->data_root, DOCKER_DATA))
		cover_tmpfs_if(c, s->data_root, "mode=0710");
	if (root_exists(s->root, "/proc"))
		cover_add(c, COVER_PROC, NULL, "/proc");
}

/* ---- the scratch directory ---- */

static int scratch_open(const struct shield *s, struct err *err)
{
	struct root host CLEANUP(root_release) = ROOT_INIT;

	if (root_open(&host, "/", err) || fs_mkdir_path(&host, s->scratch, 0700, err))
		return -1;
	int fd = root_openat(&host, s->scratch, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? err_errno(err, errno, "cannot open '%s'", s->scratch) : fd;
}

static int scratch_clear(int fd, struct err *err)
{
	return fs_remove_tree(fd, "docker", err) || fs_remove_tree(fd, "systemd", err) ||
	       fs_unlink(fd, "update-initramfs.conf", err) ? -1 : 0;
}

/* "-" comes before "0": even somebody's 00-mine.preset stands behind it. */
static int fill_presets(int fd, const char *text, struct err *err)
{
	if (!text)
		return 0;
	if (fs_mkdir(fd, "systemd/system-preset", 0755, err))
		return -1;
	int dir CLEANUP(closep) = io_open_existing(fd, "systemd/system-preset",
						   O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return err_errno(err, errno, "cannot open the scratch directory");
	return fs_put(dir, "0-sysboxup.preset", 0644, text, strlen(text), err);
}

static int scratch_fill(const struct shield *s, int fd, struct err *err)
{
	if (fs_mkdir(fd, "docker", 0755, err) || fs_mkdir(fd, "systemd", 0755, err) ||
	    fs_mkdir(fd, "systemd/system", 0755, err) ||
	    fs_mkdir(fd, "systemd/journal", 0755, err) || fill_presets(fd, s->presets, err) ||
	    fs_put(fd, "update-initramfs.conf", 0644, scratch_initramfs, strlen(scratch_initramfs),
		   err))
		return -1;
	int docker CLEANUP(closep) = io_open_existing(fd, "docker", O_RDONLY | O_DIRECTORY);
	if (docker < 0)
		return err_errno(err, errno, "cannot open the scratch directory");
	return fs_put(docker, "daemon.json", 0644, scratch_daemon_json, strlen(scratch_daemon_json),
		      err);
}

/* ---- the mount point /etc/docker ---- */

static int docker_dir_make(const struct shield *s, int scratch, struct err *err)
{
	struct stat st;
	int dirfd CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (!root_stat(s->root, DOCKER_DIR, &st))
		return 0;
	if (fs_put(scratch, MADE_MARK, 0600, "", 0, err) ||	/* durable before the directory is there */
	    root_parent(s->root, DOCKER_DIR, true, &dirfd, &name, NULL, err))
		return -1;
	return fs_mkdir(dirfd, name, 0755, err);
}

static int docker_dir_unmake(const struct shield *s, int scratch, struct err *err)
{
	int dirfd CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (faccessat(scratch, MADE_MARK, F_OK, 0))
		return 0;
	if (root_parent(s->root, DOCKER_DIR, true, &dirfd, &name, NULL, err))
		return -1;
	/* somebody put something into it: then it is theirs */
	if (io_unlinkat(dirfd, name, AT_REMOVEDIR) && errno != ENOENT && errno != ENOTEMPTY &&
	    errno != EEXIST)
		return err_errno(err, errno, "cannot remove '%s', made for the time of the run", DOCKER_DIR);
	return fs_sync_dir(dirfd, err) || fs_unlink(scratch, MADE_MARK, err) ? -1 : 0;
}

int shield_cleanup(const struct shield *s, struct err *err)
{
	int fd CLEANUP(closep) = scratch_open(s, err);

	if (fd < 0)
		return -1;
	return scratch_clear(fd, err) || docker_dir_unmake(s, fd, err) ? -1 : 0;
}

/* ---- running ---- */

static int started(void *user, pid_t pid)
{
	const struct shield *s = ((struct covers *)user)->shield;

	return s->on_started ? s->on_started(s->user, pid, proc_starttime(pid)) : 0;
}

static int run_covered(const struct shield *s, const struct proc *p, int *ret_status,
		       struct err *err)
{
	struct covers c CLEANUP(covers_release) = { .shield = s };
	struct strv env CLEANUP(strv_release) = STRV_INIT;
	struct proc inner = *p;
	struct spawn spawn = {
		.proc = &inner, .namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET,
		.started = started, .inside = inside, .user = &c,
	};

	covers_collect(&c);
	if (root_looks_good(err))	/* what could not be seen would not be covered */
		return -1;
	strv_addv(&env, shield_env);
	if (p->env)
		strv_addv(&env, p->env);
	inner.env = (const char *const *)env.v;
	return spawn_run(&spawn, ret_status, err);
}

int shield_run(const struct shield *s, const struct proc *p, int *ret_status, struct err *err)
{
	struct err ignored = ERR_INIT;
	int fd CLEANUP(closep) = scratch_open(s, err);

	if (fd < 0 || docker_dir_unmake(s, fd, err) || scratch_clear(fd, err) ||
	    scratch_fill(s, fd, err) || docker_dir_make(s, fd, err))
		return -1;
	int got = run_covered(s, p, ret_status, err);
	/* the command's own failure is the one to tell */
	return shield_cleanup(s, got ? &ignored : err) ? -1 : got;
}
