/* SPDX-License-Identifier: Apache-2.0 */
#include "host/gather.h"

#include "sys/fs.h"
#include "sys/io.h"

#include <elf.h>
#include <endian.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SOME_MAX (64 * 1024)

bool read_some(const struct root *root, const char *path, struct buf *ret)
{
	int fd CLEANUP(closep) = root_openat(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	char chunk[4096];
	ssize_t n = -1;

	buf_clear(ret);
	while (fd >= 0 && ret->len < SOME_MAX && (n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(ret, chunk, (size_t)n);
	return fd >= 0 && n >= 0;
}

char *read_line(const struct root *root, const char *path)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char *line;

	if (!read_some(root, path, &text))
		return NULL;
	line = xstrndup(text.data, strcspn(text.data, "\n"));
	if (!*str_trim(line))
		free(STEAL(line));
	return line;
}

static const struct {
	const char *machine, *arch;
} machines[] = {
	{ "x86_64", "amd64" }, { "aarch64", "arm64" },
};

const char *host_arch_of_machine(const char *machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (str_eq(machines[i].machine, machine))
			return machines[i].arch;
	return "";
}

static const struct {
	unsigned int machine, class;
	const char *arch, *uname;
} elf_archs[] = {
	{ EM_X86_64, ELFCLASS64, "amd64", "x86_64" },
	{ EM_X86_64, ELFCLASS32, "x32", "x86_64" },
	{ EM_AARCH64, ELFCLASS64, "arm64", "aarch64" },
	{ EM_386, ELFCLASS32, "i386", "i686" },
	{ EM_ARM, ELFCLASS32, "armhf", "armv7l" },
	{ EM_RISCV, ELFCLASS64, "riscv64", "riscv64" },
	{ EM_PPC64, ELFCLASS64, "ppc64el", "ppc64le" },
	{ EM_S390, ELFCLASS64, "s390x", "s390x" },
};

/* Row of elf_archs for a program under the root, or -1. */
static int elf_arch(const struct root *root, const char *path)
{
	int fd CLEANUP(closep) = root_openat(root, path, O_RDONLY | O_NONBLOCK, 0);
	unsigned char h[20];
	unsigned int machine;

	if (fd < 0 || read(fd, h, sizeof(h)) != (ssize_t)sizeof(h) || memcmp(h, ELFMAG, SELFMAG))
		return -1;
	machine = h[EI_DATA] == ELFDATA2MSB ? h[18] << 8 | h[19] : h[19] << 8 | h[18];
	for (size_t i = 0; i < ARRAY_SIZE(elf_archs); i++)
		if (elf_archs[i].machine == machine && elf_archs[i].class == h[EI_CLASS])
			return (int)i;
	return -1;
}

/* dpkg's own binary is made for dpkg's architecture; a shell's comes next; the list of
 * architectures last. */
static void gather_arch(struct host *h)
{
	static const char *const programs[] = { "/usr/bin/dpkg", "/bin/sh", "/usr/bin/env" };
	struct utsname u;
	int row = -1;

	for (size_t i = 0; i < ARRAY_SIZE(programs) && row < 0; i++)
		row = elf_arch(h->root, programs[i]);
	h->arch = row >= 0 ? xstrdup(elf_archs[row].arch) :
			     read_line(h->root, "/var/lib/dpkg/arch");
	if (h->running && !uname(&u))
		h->machine = xstrdup(u.machine);
	else
		h->machine = xstrdup(row >= 0 ? elf_archs[row].uname : "");
	if (!h->arch)
		h->arch = xstrdup(h->running ? host_arch_of_machine(h->machine) : "");
}

static enum host_init init_of_image(const struct root *root)
{
	static const char *const paths[] = { "/usr/lib/systemd/systemd", "/lib/systemd/systemd" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (root_exists(root, paths[i]))
			return INIT_SYSTEMD;
	return root_exists(root, "/sbin/init") ? INIT_OTHER : INIT_NONE;
}

/* sd_booted(3) is the directory; a directory left behind by a bind mount or a package does not fool
 * pid 1's name. */
static enum host_init init_of_running(const struct root *root)
{
	char *comm CLEANUP(freep) = read_line(root, "/proc/1/comm");

	if (str_eq(comm, "systemd") && root_exists(root, "/run/systemd/system"))
		return INIT_SYSTEMD;
	return comm ? INIT_OTHER : INIT_NONE;
}

bool host_has_systemd(const struct host *h)
{
	return h->running && h->init == INIT_SYSTEMD &&
	       root_exists(h->root, "/run/systemd/private");
}

char *host_selinux_config(const struct root *root, const char *key)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	char *start CLEANUP(freep) = xasprintf("%s=", key), *value = NULL;

	if (read_some(root, "/etc/selinux/config", &text))
		str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n && !value; i++) {
		const char *at = lines.v[i] + strlen(start);

		if (str_starts(lines.v[i], start))
			value = xstrndup(at, strcspn(at, " \t\r"));
	}
	return value;
}

static void gather_security(struct host *h)
{
	char *enforce CLEANUP(freep) = read_line(h->root, "/sys/fs/selinux/enforce");
	char *config CLEANUP(freep) = h->running ? NULL : host_selinux_config(h->root, "SELINUX");
	bool boots = str_eq(config, "enforcing") || str_eq(config, "permissive");
	char *apparmor CLEANUP(freep) = read_line(h->root, "/sys/module/apparmor/parameters/enabled");

	h->selinux_enabled = h->running ? enforce != NULL : boots;
	h->selinux_enforcing = h->running ? str_eq(enforce, "1") : str_eq(config, "enforcing");
	h->apparmor_enabled = h->running && str_eq(apparmor, "Y");
	h->apparmor_fusermount3 = root_exists(h->root, "/etc/apparmor.d/fusermount3");
}

static bool any_exists(const struct root *root, const char *const *paths)
{
	for (; *paths; paths++)
		if (root_exists(root, *paths))
			return true;
	return false;
}

/* Booted from an ostree deployment, or the tree of one. */
static bool is_ostree(const struct root *root)
{
	static const char *const marks[] = { "/run/ostree-booted", "/ostree", "/sysroot/ostree",
					     NULL };

	return any_exists(root, marks);
}

/* Does what the package manager writes at runtime end up in /usr? statvfs tells; ostree remounts
 * for its own tools only. */
static bool usr_is_read_only(const struct host *h)
{
	int fd CLEANUP(closep) = root_openat(h->root, "/usr", O_PATH | O_DIRECTORY, 0);
	struct statvfs st;

	if (h->ostree)
		return true;
	return h->running && fd >= 0 && !fstatvfs(fd, &st) && (st.f_flag & ST_RDONLY);
}

static void gather_marks(struct host *h)
{
	static const char *const kubernetes[] = {
		"/etc/kubernetes/kubelet.conf", "/var/lib/kubelet/config.yaml", "/etc/rancher/k3s",
		"/etc/rancher/rke2", "/var/snap/microk8s", "/var/lib/k0s", NULL,
	};
	static const char *const reboot[] = { "/run/reboot-required", "/var/run/reboot-required",
					      NULL };

	h->dev_fuse = h->running && root_exists(h->root, "/dev/fuse");
	h->reboot_pending = h->running && any_exists(h->root, reboot);
	h->kubernetes_node = any_exists(h->root, kubernetes);
	h->ostree = is_ostree(h->root);
	h->usr_read_only = usr_is_read_only(h);
}

char *host_find_program(const struct root *root, const char *name)
{
	static const char *const path[] = {
		"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
	};

	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		char *full CLEANUP(freep) = path_join(path[i], name);
		struct stat st;
		if (!root_stat(root, full, &st) && S_ISREG(st.st_mode) && (st.st_mode & 0111))
			return STEAL(full);
	}
	return NULL;
}

/* /var/lib/sysbox, or the nearest directory above it that is there. */
static int open_data_dir(const struct root *root)
{
	static const char *const dirs[] = { "/var/lib/sysbox", "/var/lib", "/var", "/" };
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && fd < 0; i++)
		fd = root_openat(root, dirs[i], O_PATH | O_DIRECTORY, 0);
	return fd;
}

/* "22 27 0:21 / /proc rw - proc proc rw": the word behind the lone dash, of the mount with this
 * number. */
static char *mount_type(const char *mountinfo, uint64_t id)
{
	char *want CLEANUP(freep) = xasprintf("%llu ", (unsigned long long)id);

	for (const char *line = mountinfo; line && *line;
	     line = strchr(line, '\n'), line += !!line) {
		const char *dash = strstr(line, " - "), *end = strchrnul(line, '\n');
		if (str_starts(line, want) && dash && dash < end)
			return xstrndup(dash + 3, strcspn(dash + 3, " \n"));
	}
	return NULL;
}

static bool mount_id(int fd, uint64_t *ret)
{
	char *path CLEANUP(freep) = xasprintf("/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "re");
	char line[128];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		if (str_starts(line, "mnt_id:"))
			found = !str_to_u64(str_trim(line + 7), UINT64_MAX, ret);
	if (f)
		fclose(f);
	return found;
}

static bool read_whole(const char *path, struct buf *ret)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	while (f && (n = fread(chunk, 1, sizeof(chunk), f)))
		buf_add(ret, chunk, n);
	if (f)
		fclose(f);
	return f;
}

static void gather_file_system(struct host *h)
{
	struct buf mountinfo CLEANUP(buf_release) = BUF_INIT;
	int fd CLEANUP(closep) = open_data_dir(h->root);
	struct statvfs st;
	uint64_t id;

	if (fd >= 0 && mount_id(fd, &id) && read_whole("/proc/self/mountinfo", &mountinfo))
		h->var_lib_fs = mount_type(mountinfo.data, id);
	if (!h->var_lib_fs)
		h->var_lib_fs = xstrdup("");
	if (fd >= 0 && !fstatvfs(fd, &st))
		h->var_lib_free = (uint64_t)st.f_bavail * st.f_frsize;
}

void gather_platform(struct host *h)
{
	char *release = h->running ? read_line(h->root, "/proc/sys/kernel/osrelease") : NULL;

	h->kernel = release ? release : xstrdup("");
	h->init = h->running ? init_of_running(h->root) : init_of_image(h->root);
	h->fusermount = host_find_program(h->root, "fusermount3");
	if (!h->fusermount)
		h->fusermount = host_find_program(h->root, "fusermount");
	gather_arch(h);
	gather_security(h);
	gather_marks(h);
	gather_file_system(h);
}
