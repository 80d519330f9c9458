/* SPDX-License-Identifier: Apache-2.0 */
#include "host/gather.h"

/* Inode numbers of the first namespaces: include/linux/proc_ns.h, part of the kernel's interface
 * since 3.8. */
static const struct {
	const char *path, *first;
} namespaces[] = {
	{ "/proc/self/ns/pid", "pid:[4026531836]" },
	{ "/proc/self/ns/uts", "uts:[4026531838]" },
	{ "/proc/self/ns/cgroup", "cgroup:[4026531835]" },
	{ "/proc/self/ns/user", "user:[4026531837]" },
};

static const struct {
	const char *in_cgroup, *name;
} cgroups[] = {
	{ "/lxc/", "lxc" },
	{ "/lxc.payload", "lxc" },
	{ "/docker/", "docker" },
	{ "/docker-", "docker" },
	{ "/kubepods", "kubernetes" },
	{ "/libpod", "podman" },
	{ "/machine.slice/machine-", "systemd-nspawn" },
};

static const struct {
	const char *in_dmi, *name;
} vms[] = {
	{ "KVM", "kvm" },
	{ "QEMU", "qemu" },
	{ "VMware", "vmware" },
	{ "VirtualBox", "oracle" },
	{ "innotek", "oracle" },
	{ "Xen", "xen" },
	{ "Microsoft Corporation Virtual", "microsoft" },
	{ "Amazon EC2", "amazon" },
	{ "Google", "google" },
	{ "Parallels", "parallels" },
	{ "OpenStack", "openstack" },
	{ "Apple Virtualization", "apple" },
	{ "Hetzner", "kvm" },
	{ "DigitalOcean", "kvm" },
};

/* container=NAME among the strings of pid 1's environment. */
static char *container_of_environ(const struct root *root)
{
	struct buf env CLEANUP(buf_release) = BUF_INIT;

	if (!read_some(root, "/proc/1/environ", &env))
		return NULL;
	for (size_t at = 0; at < env.len; at += strlen(env.data + at) + 1)
		if (str_starts(env.data + at, "container=") && env.data[at + 10])
			return xstrdup(env.data + at + 10);
	return NULL;
}

static char *container_of_cgroup(const struct root *root)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (!read_some(root, "/proc/1/cgroup", &text))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++)
		if (strstr(text.data, cgroups[i].in_cgroup))
			return xstrdup(cgroups[i].name);
	return NULL;
}

/* Are we where the kernel started? Unknown counts as no. */
static bool in_first_namespaces(const struct root *root)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char *target CLEANUP(freep) = NULL;
		if (root_readlink(root, namespaces[i].path, &target) < 0 ||
		    !str_eq(target, namespaces[i].first))
			return false;
	}
	return true;
}

/* A mark in the file system may come from an image that was made out of a container and now boots
 * on its own. */
static char *container_of_marks(const struct root *root)
{
	bool docker = root_exists(root, "/.dockerenv"),
	     podman = root_exists(root, "/run/.containerenv");

	if ((!docker && !podman) || in_first_namespaces(root))
		return NULL;
	return xstrdup(docker ? "docker" : "podman");
}

static char *find_container(const struct root *root)
{
	static char *(*const looks[])(const struct root *) = { container_of_environ,
							       container_of_cgroup,
							       container_of_marks };
	char *name = read_line(root, "/run/systemd/container");

	for (size_t i = 0; i < ARRAY_SIZE(looks) && !name; i++)
		name = looks[i](root);
	return name;
}

static bool is_wsl(const char *kernel)
{
	return strcasestr(kernel, "microsoft") || strstr(kernel, "WSL");
}

static char *vm_of_dmi(const struct root *root)
{
	char *vendor CLEANUP(freep) = read_line(root, "/sys/class/dmi/id/sys_vendor");
	char *product CLEANUP(freep) = read_line(root, "/sys/class/dmi/id/product_name");
	char *both CLEANUP(freep) = xasprintf("%s %s", vendor ? vendor : "",
					      product ? product : "");

	for (size_t i = 0; i < ARRAY_SIZE(vms); i++)
		if (strstr(both, vms[i].in_dmi))
			return xstrdup(vms[i].name);
	return NULL;
}

/* The first processor's flags are within what read_some reads, however many there are. */
static char *vm_of_cpu(const struct root *root)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	return read_some(root, "/proc/cpuinfo", &text) && strstr(text.data, " hypervisor") ?
		       xstrdup("vm") :
		       NULL;
}

static void set_virt(struct host *h, enum host_virt virt, char *name)
{
	h->virt = virt;
	h->virt_name = name;
}

void gather_virt(struct host *h)
{
	char *name = h->running ? find_container(h->root) : NULL;

	if (is_wsl(h->kernel) && (!name || str_eq(name, "wsl"))) {
		free(name);
		set_virt(h, VIRT_WSL, xstrdup("wsl"));
	} else if (name) {
		set_virt(h, VIRT_CONTAINER, name);
	} else {
		name = h->running ? vm_of_dmi(h->root) : NULL;
		if (!name && h->running)
			name = vm_of_cpu(h->root);
		set_virt(h, name ? VIRT_VM : VIRT_NONE, name ? name : xstrdup(""));
	}
}
