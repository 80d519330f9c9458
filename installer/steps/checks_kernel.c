/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/checks.h"

#define IDMAP_KERNEL "5.12"		/* facts/sysbox.md 1.4 */
#define OVERLAY_IDMAP_KERNEL "5.19"
#define MIB (1024ULL * 1024)
#define SPACE_NEEDED (512 * MIB)	/* programs, unpacked package, before-images */
#define SPACE_WANTED (10240 * MIB)	/* upstream's advice: facts/sysbox.md 1.5 */

enum report_state check_userns(CHECK_ARGS)
{
	if (root_exists(h->root, "/proc/self/ns/user"))
		return finding(f, STATE_OK, "user namespaces exist");
	return finding(f, STATE_BAD, "this kernel has no user namespaces");
}

/* An absent file is fine in both: other kernels do not have that switch (facts/sysbox.md 1.3). */
enum report_state check_max_user_namespaces(CHECK_ARGS)
{
	char *value CLEANUP(freep) = NULL;

	if (host_proc_sys(h, "user.max_user_namespaces", &value) < 0)
		return finding(f, STATE_OK, "no limit on user namespaces");
	return finding(f, str_eq(value, "0") ? STATE_BAD : STATE_OK,
		       "user.max_user_namespaces is %s", value);
}

enum report_state check_unprivileged_userns_clone(CHECK_ARGS)
{
	char *value CLEANUP(freep) = NULL;

	if (host_proc_sys(h, "kernel.unprivileged_userns_clone", &value) < 0)
		return finding(f, STATE_OK, "this kernel has no such switch");
	return finding(f, str_eq(value, "0") ? STATE_WARN : STATE_OK,
		       "kernel.unprivileged_userns_clone is %s", value);
}

static bool has_shiftfs(const struct host *h)
{
	char *path CLEANUP(freep) = xasprintf("/lib/modules/%s/modules.dep", h->kernel);
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (root_exists(h->root, "/sys/module/shiftfs"))
		return true;
	return root_read_optional(h->root, path, 64 * MIB, &text, &ignored) == 0 &&
	       strstr(text.data, "/shiftfs.ko");
}

enum report_state check_shiftfs(CHECK_ARGS)
{
	bool needed = version_compare_numeric(h->kernel, IDMAP_KERNEL) < 0;

	if (version_compare_numeric(h->kernel, OVERLAY_IDMAP_KERNEL) >= 0)
		return finding(f, STATE_OK, "kernel %s needs no shiftfs", h->kernel);
	if (has_shiftfs(h))
		return finding(f, STATE_OK, "kernel %s has shiftfs", h->kernel);
	return finding(f, needed ? STATE_BAD : STATE_WARN, "kernel %s %s shiftfs, which is not there", h->kernel,
		       needed ? "needs" : "works better with");
}

enum report_state check_idmap(CHECK_ARGS)
{
	static const enum report_state states[] = { STATE_OK, STATE_BAD };
	char *why CLEANUP(freep) = NULL;
	int got;

	if (version_compare_numeric(h->kernel, IDMAP_KERNEL) < 0)
		return finding(f, STATE_OK, "kernel %s does without", h->kernel);
	got = host_try_idmap(h, "/var/lib/sysbox", &why);
	if (got < 0)
		return finding(f, STATE_UNKNOWN, "a mount with mapped ids could not be tried: %s", why);
	return finding(f, states[got], "a mount of /var/lib/sysbox (%s) with mapped ids %s%s%s",
		       *h->var_lib_fs ? h->var_lib_fs : "file system unknown",
		       got ? "fails" : "works", got ? ": " : "", got ? why : "");
}

static const struct {
	const char *type;
	enum report_state state;
} file_systems[] = {
	{ "ext4", STATE_OK },      { "xfs", STATE_OK },    { "btrfs", STATE_OK },
	{ "tmpfs", STATE_BAD },    { "ramfs", STATE_BAD }, { "overlay", STATE_BAD },
	{ "shiftfs", STATE_BAD },  { "aufs", STATE_BAD },  { "nfs", STATE_BAD },
	{ "nfs4", STATE_BAD },     { "cifs", STATE_BAD },  { "9p", STATE_BAD },
	{ "virtiofs", STATE_BAD }, { "fuse", STATE_BAD },  { "squashfs", STATE_BAD },
	{ "vfat", STATE_BAD },
};

enum report_state check_var_lib_fs(CHECK_ARGS)
{
	if (str_empty(h->var_lib_fs))
		return finding(f, STATE_UNKNOWN, "the file system of /var/lib cannot be told");
	for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++)
		if (str_eq(h->var_lib_fs, file_systems[i].type))
			return finding(f, file_systems[i].state, "/var/lib/sysbox is on %s",
				       h->var_lib_fs);
	return finding(f, str_starts(h->var_lib_fs, "fuse.") ? STATE_BAD : STATE_WARN,
		       "/var/lib/sysbox is on %s, which nobody tests Sysbox on", h->var_lib_fs);
}

/* An image grows when it is put on a disk: there only what we need now counts. */
enum report_state check_disk_space(CHECK_ARGS)
{
	unsigned long long free_mib = h->var_lib_free / MIB;

	if (h->var_lib_free < SPACE_NEEDED)
		return finding(f, STATE_BAD, "%llu MiB free in /var/lib, needed are %llu", free_mib, SPACE_NEEDED / MIB);
	if (h->running && h->var_lib_free < SPACE_WANTED)
		return finding(f, STATE_WARN, "%llu MiB free in /var/lib, advised are %llu", free_mib, SPACE_WANTED / MIB);
	return finding(f, STATE_OK, "%llu MiB free in /var/lib", free_mib);
}

enum report_state check_dev_fuse(CHECK_ARGS)
{
	if (h->dev_fuse)
		return finding(f, STATE_OK, "/dev/fuse is there");
	return finding(f, STATE_BAD, "/dev/fuse is not there");
}

#define STATE_DIR "/var/lib/sysboxup"

static bool holds_state(const char *mount_point)
{
	size_t n = strlen(mount_point);

	return str_starts(STATE_DIR, mount_point) && (STATE_DIR[n] == '/' || !STATE_DIR[n]) &&
	       n > 1;
}

static bool is_network_type(const char *type)
{
	static const char *const types[] = { "nfs",       "nfs4",   "cifs",  "smb3", "ceph",
					     "glusterfs", "lustre", "ocfs2", "gfs2" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(type, types[i]))
			return true;
	return str_starts(type, "fuse.");
}

static bool has_option(const char *options, const char *option)
{
	struct strv list CLEANUP(strv_release) = STRV_INIT;

	str_split(&list, options, ',');
	return strv_has(&list, option);
}

/* A line of fstab(5): what, where, type, options. */
static bool is_late_mount(const char *line)
{
	struct strv word CLEANUP(strv_release) = STRV_INIT;

	str_words(&word, line);
	if (word.n < 4 || word.v[0][0] == '#' || !holds_state(word.v[1]))
		return false;
	return is_network_type(word.v[2]) || has_option(word.v[3], "_netdev");
}

/* A line of systemd.mount(5) or systemd.unit(5) that has the mount wait for the network. */
static bool is_late_line(const char *line)
{
	static const char *const late[] = { "network.target", "network-online.target",
					    "remote-fs-pre.target", "remote-fs.target" };
	const char *value = strchr(line, '=');

	if (!value++)
		return false;
	if (str_starts(line, "Type="))
		return is_network_type(value);
	if (str_starts(line, "Options="))
		return has_option(value, "_netdev");
	for (size_t i = 0; i < ARRAY_SIZE(late) && str_starts(line, "After="); i++)
		if (strstr(value, late[i]))
			return true;
	return false;
}

/* Mounts that fstab knows nothing of: the unit of one that holds our state, the first found, as
 * systemd takes it. */
static bool unit_is_late(const struct host *h, const char *unit)
{
	static const char *const dirs[] = { "/etc/systemd/system", "/run/systemd/system",
					    "/usr/lib/systemd/system", "/lib/systemd/system" };
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !text.len; i++) {
		char *path CLEANUP(freep) = path_join(dirs[i], unit);

		(void)root_read_optional(h->root, path, MIB, &text, &ignored);	/* unreadable: as if absent */
	}
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (is_late_line(lines.v[i]))
			return true;
	return false;
}

enum report_state check_state_mount_order(CHECK_ARGS)
{
	static const char *const units[] = { "var.mount", "var-lib.mount",
					     "var-lib-sysboxup.mount" };
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;

	if (root_read_optional(h->root, "/etc/fstab", MIB, &text, &err) < 0)
		return finding(f, STATE_UNKNOWN, "%s", err.msg);
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (is_late_mount(lines.v[i]))
			return finding(f, STATE_BAD,
				       "/etc/fstab line %zu mounts what holds " STATE_DIR
				       " over the network",
				       i + 1);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (unit_is_late(h, units[i]))
			return finding(f, STATE_BAD,
				       "%s mounts what holds " STATE_DIR " over the network",
				       units[i]);
	return finding(f, STATE_OK, STATE_DIR " is local");
}
