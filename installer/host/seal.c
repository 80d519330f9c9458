/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal.h"

#include "sys/fs.h"
#include "sys/io.h"

#include <fnmatch.h>

#define DATA_ROOT "/var/lib/docker"
#define MACHINE_ID_MAX 4096

const struct seal_item seal_items[] = {
	{ .id = "docker-engine-id",
	  .dir = "@",
	  .name = "engine-id",
	  .why = "Docker tells its engines apart by it; it makes one where there is none" },
	{ .id = "docker-key",
	  .dir = "/etc/docker",
	  .name = "key.json",
	  .why = "the private key of this one Docker, older versions' engine id" },
	{ .id = "docker-swarm",
	  .dir = "@/swarm",
	  .name = "?*",
	  .stopped = true,
	  .why = "keys and name of a member of a swarm: two members of one name break it" },
	{ .id = "docker-containers",
	  .dir = "@/containers",
	  .name = "?*",
	  .way = SEAL_ASK,
	  .why = "containers of this machine would exist in every clone, with their names and addresses",
	  .remedy = "docker rm those that are not meant for the clones" },
	{ .id = "containerd-uuid",
	  .dir = "/var/lib/containerd/io.containerd.grpc.v1.introspection",
	  .name = "uuid",
	  .why = "containerd tells its daemons apart by it" },
	{ .id = "containerd-tasks",
	  .dir = "/var/lib/containerd/io.containerd.runtime.v2.task/moby",
	  .name = "?*",
	  .way = SEAL_ASK,
	  .why = "what containerd remembers of containers that ran here",
	  .remedy = "stop the containers, then look again" },
	{ .id = "machine-id",
	  .dir = "/etc",
	  .name = "machine-id",
	  .way = SEAL_EMPTY,
	  .why = "DHCP leases, the journal and much else take two machines of one id for one" },
	{ .id = "dbus-machine-id",
	  .dir = "/var/lib/dbus",
	  .name = "machine-id",
	  .why = "a copy of the machine id" },
	{ .id = "random-seed",
	  .dir = "/var/lib/systemd",
	  .name = "random-seed",
	  .why = "clones would begin with the same random numbers" },
	{ .id = "credential-secret",
	  .dir = "/var/lib/systemd",
	  .name = "credential.secret",
	  .why = "the key that this machine's credentials are encrypted with" },
	{ .id = "ssh-host-keys",
	  .dir = "/etc/ssh",
	  .name = "ssh_host_*_key*",
	  .why = "who has the private key of one clone can pose as any other" },
	{ .id = "certificates",
	  .dir = "/var/lib/sysboxup/pki",
	  .name = "[gr]e*",	/* gen, requests */
	  .way = SEAL_ASK,
	  .why = "keys of certificates, and of the authority that signs them: who has one clone has them all",
	  .remedy = "rm -r /var/lib/sysboxup/pki, if nobody relies on what was issued here" },
	{ .id = "authority-secret",
	  .dir = "/etc/sysboxup",
	  .name = "ca.secret",	/* steps/firstboot.h */
	  .way = SEAL_ASK,
	  .why = "it opens the key of the authority that this machine's first boot made",
	  .remedy = "rm /etc/sysboxup/ca.secret, together with that authority" },
	{ .id = "unfinished",
	  .dir = "/var/lib/sysboxup",
	  .name = "unfinished",
	  .way = SEAL_ASK,
	  .why = "a run of sysboxup was interrupted: clones would undo it when they boot",
	  .remedy = "sysboxup recover" },
	{ 0 },
};

static char *dir_of(const struct seal_item *i, const struct host *h)
{
	const char *data_root = h->docker.data_root ? h->docker.data_root : DATA_ROOT;

	return *i->dir == '@' ? xasprintf("%s%s", data_root, i->dir + 1) : xstrdup(i->dir);
}

/* A link is not shared itself, and an id that nobody has made yet is none. */
static bool is_shared(const struct seal_item *i, const struct host *h, const char *path)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct stat st;

	if (root_lstat(h->root, path, &st) || S_ISLNK(st.st_mode))
		return false;
	if (i->way != SEAL_EMPTY)
		return true;
	return st.st_size && (root_read(h->root, path, MACHINE_ID_MAX, &text, &ignored) ||
			      !str_starts(text.data, "uninitialized"));
}

int seal_find(const struct seal_item *i, const struct host *h, struct strv *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	char *dir CLEANUP(freep) = dir_of(i, h);

	if (root_list(h->root, dir, &names, err) < 0)
		return -1;
	for (size_t n = 0; n < names.n; n++) {
		char *path CLEANUP(freep) = path_join(dir, names.v[n]);

		if (!fnmatch(i->name, names.v[n], 0) && is_shared(i, h, path))
			strv_add(ret, path);
	}
	return 0;
}

int seal_fix(const struct seal_item *i, const struct host *h, const char *path, struct err *err)
{
	int dir CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (root_parent(h->root, path, false, &dir, &name, NULL, err))
		return -1;
	if (i->way == SEAL_EMPTY)
		return fs_put(dir, name, 0444, "", 0, err);
	return fs_remove_tree(dir, name, err) || fs_sync_dir(dir, err) ? -1 : 0;
}

int seal_settle(const struct seal_item *i, const struct host *h, struct err *err)
{
	char *path CLEANUP(freep) = dir_of(i, h);
	int dir CLEANUP(closep) = root_openat(h->root, path, O_RDONLY | O_DIRECTORY, 0);

	return dir < 0 ? 0 : fs_settle(dir, path, err);
}
