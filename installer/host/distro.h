/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distros/NAME.json: what differs per distribution, as data. Embedded; a file of the same name under
 * /etc/sysboxup/distros.d/ wins. Strictly validated: an unknown key is an error with file and key.
 *
 *	{ "format": 1, "id": "debian", "name": "Debian", "package_manager": "apt",
 *	  "tier": "proven",				// or "recognised"
 *	  "releases": [ { "version_id": "12", "codename": "bookworm", "tier": "proven", "kernel_min": "5.5",
 *	                  "notes": "..." } ],
 *	  "kernel_min": "5.5",
 *	  "docker": { "unit": "docker.service", "config": "/etc/docker/daemon.json",
 *	              "env_files": ["/etc/default/docker"], "package": "docker.io" },
 *	  "packages": { "fusermount3": "fuse3", "rsync": "rsync", "iptables": "iptables", "modprobe": "kmod", "jq": "jq" } }
 */
#ifndef HOST_DISTRO_H
#define HOST_DISTRO_H

#include "base/json.h"
#include "sys/root.h"

struct distro_release {
	char *version_id, *codename, *tier, *kernel_min, *notes;
};

struct distro {
	char *file;			/* where it came from */
	char *id, *name, *tier, *package_manager, *kernel_min;
	struct { char *unit, *config, *package; struct strv env_files; } docker;
	struct json *packages;		/* tool -> package */
	struct distro_release *releases;
	size_t releases_n;
};

/* All known, sorted by id; loaded once. root gives /etc/sysboxup/distros.d. */
int distro_load_all(const struct root *root, const struct distro *const **ret, size_t *ret_n, struct err *err);
/* By ID, then by each word of ID_LIKE; *ret_by says how ("id", "id_like debian"). NULL if unknown. */
const struct distro *distro_find(const char *id, const struct strv *id_like, char **ret_by);
const struct distro_release *distro_release_find(const struct distro *d, const char *version_id);
int distro_parse(struct distro *ret, const char *text, size_t len, const char *file, struct err *err);
void distro_release_all(struct distro *d);

#endif
