/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host.h"

#include "host/gather.h"
#include "host/osrelease.h"
#include "sys/idmap.h"
#include "sys/io.h"

/* One that has the os-release of the distribution it is made from, as it is known by a file. */
static int look_closer(struct host *h, struct err *err)
{
	struct strv ids CLEANUP(strv_release) = STRV_INIT;
	const char *file, *id = h->distro ? distro_derivative_of(h->distro, h->root, &file) : NULL;
	struct distro_list l CLEANUP(distro_list_release) = { 0 };

	if (!id)
		return 0;
	strv_add(&ids, id);
	if (distro_list_load(&l, h->root, &ids, err) < 0)
		return -1;
	if (!distro_find(&l, id, NULL, NULL))
		return 0;
	str_replace(&h->distro_by, file);
	distro_list_release(&h->distros);
	h->distros = l;
	l = (struct distro_list){ 0 };
	h->distro = distro_find(&h->distros, ids.v[0], NULL, NULL);
	return 0;
}

/* distro: an id that goes before what os-release says, or NULL. */
static int recognise(struct host *h, const char *distro, struct err *err)
{
	struct strv ids CLEANUP(strv_release) = STRV_INIT;

	strv_add(&ids, distro ? distro : h->os.id);
	if (!distro)
		strv_addv(&ids, (const char *const *)h->os.id_like.v);
	if (distro_list_load(&h->distros, h->root, &ids, err) < 0)
		return -1;
	h->distro = distro_find(&h->distros, ids.v[0], &h->os.id_like, &h->distro_by);
	if (!distro)
		return look_closer(h, err);
	free(h->distro_by);
	h->distro_by = xstrdup("--distro");
	if (h->distro && str_eq(h->distro->id, distro))
		return 0;
	err_set(err, ERR_USAGE, "no distribution is called '%s'", distro);
	return err_remedy(err, "sysboxup distros lists the known ones");
}

static int gather(struct host *h, const char *distro, struct err *err)
{
	if (osrelease_read(&h->os, h->root, err) < 0 || recognise(h, distro, err) < 0)
		return -1;
	gather_platform(h);
	gather_virt(h);
	return gather_docker(h, err);
}

int host_gather(struct host *ret, const struct root *root, struct err *err)
{
	return host_gather_as(ret, root, NULL, err);
}

static int gather_root(struct host *ret, const struct root *root, bool running, const char *distro,
		       struct err *err)
{
	struct host h = { .root = root, .running = running };

	if (gather(&h, distro, err) < 0 || root_looks_good(err) < 0) {
		host_release(&h);
		return -1;
	}
	*ret = h;
	return 0;
}

int host_gather_as(struct host *ret, const struct root *root, const char *distro, struct err *err)
{
	return gather_root(ret, root, root->is_host, distro, err);
}

int host_gather_image(struct host *ret, const struct root *root, const char *distro,
		      struct err *err)
{
	return gather_root(ret, root, false, distro, err);
}

void host_release(struct host *h)
{
	osrelease_release(&h->os);
	distro_list_release(&h->distros);
	free(h->distro_by);
	free(h->kernel);
	free(h->machine);
	free(h->arch);
	free(h->virt_name);
	free(h->fusermount);
	free(h->var_lib_fs);
	release_docker(h);
	*h = (struct host){ 0 };
}

int host_docker_refresh(struct host *h, struct err *err)
{
	struct host fresh = *h;

	fresh.docker = (__typeof__(fresh.docker)){ 0 };
	if (gather_docker(&fresh, err) < 0 || root_looks_good(err) < 0) {
		release_docker(&fresh);
		return -1;
	}
	release_docker(h);
	h->docker = fresh.docker;
	return 0;
}

static int read_sysctl(const struct root *root, const char *name, char **ret)
{
	char *path CLEANUP(freep) = xasprintf("/proc/sys/%s", name);
	char *value;

	for (char *p = path + strlen("/proc/sys/"); *p; p++)
		if (*p == '.')
			*p = '/';
	value = read_line(root, path);
	if (!value)
		return -1;
	*ret = value;
	return 0;
}

int host_proc_sys(const struct host *h, const char *name, char **ret)
{
	return read_sysctl(h->root, name, ret);
}

int host_sysctl(const char *name, char **ret)
{
	struct root root CLEANUP(root_release) = ROOT_INIT;
	struct err ignored = ERR_INIT;

	return root_open(&root, "/", &ignored) < 0 ? -1 : read_sysctl(&root, name, ret);
}

int host_try_idmap(const struct host *h, const char *path, char **ret_why)
{
	int fd CLEANUP(closep) = -1;
	char *at CLEANUP(freep) = xstrdup(path);

	while ((fd = root_openat(h->root, at, O_PATH | O_DIRECTORY, 0)) < 0 && !str_eq(at, "/")) {
		char *up = path_dirname(at);
		free(at);
		at = up;
	}
	if (fd >= 0)
		return idmap_try(fd, ret_why);
	*ret_why = xasprintf("cannot open '%s'", at);
	return -1;
}

const char *host_fusermount_name(const char *sysbox_version)
{
	bool old = !str_empty(sysbox_version) &&
		   version_compare_numeric(sysbox_version, "0.7.0") < 0;

	return old ? "fusermount" : "fusermount3";
}

void host_missing_tools(const struct host *h, const char *sysbox_version, struct strv *ret)
{
	const char *const tools[] = { "rsync", "modprobe", "iptables",
				      host_fusermount_name(sysbox_version) };

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		char *path CLEANUP(freep) = host_find_program(h->root, tools[i]);
		if (!path)
			strv_add(ret, tools[i]);
	}
}
