/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distros/NAME.json: what differs per distribution, as data. Embedded; a file of the same name
 * under /etc/sysboxup/distros.d/ wins. Strictly validated: an unknown key, a wrong type, a word
 * that means nothing to us is an ERR_USAGE with file and key. The id is the file's name.
 *
 *	{ "format": 1, "id": "debian", "name": "Debian", "package_manager": "apt",
 *	  "tier": "proven",				// or "recognised", or "refused"
 *	  "releases": [ { "version_id": "12", "codename": "bookworm", "tier": "proven",
 *	                  "kernel_min": "5.5", "notes": "..." } ],
 *	  "kernel_min": "5.5",
 *	  "docker": { "unit": "docker.service", "config": "/etc/docker/daemon.json",
 *	              "env_files": ["/etc/default/docker"], "package": "docker.io",
 *	              "third_party": false },		// is it somebody else's package?
 *	  "firewall": "ufw",				// what guards it by default
 *	  "remedies": { "selinux": "..." },		// check of preflight: what to do here
 *	  "refuse": { "why": "...", "instead": "..." },	// of tier "refused"
 *	  "packages": { "fusermount3": "fuse3", "rsync": "rsync", "modprobe": "kmod" },
 *	  "derivatives": [ { "file": "/etc/rpi-issue", "id": "raspbian" } ] }	// with our
 *										os-release
 *
 * Required: format, id, name, package_manager, tier, kernel_min, docker (unit, config); refuse
 * where the tier is "refused", and nowhere else. No releases: it has none, it rolls. "9" means 9.4
 * too. Comments are allowed. The tier says what we know: "proven" by our own tests on that system,
 * "recognised" by what others report. Kernel minima: facts/sysbox.md 1.1, 1.3.
 */
#ifndef HOST_DISTRO_H
#define HOST_DISTRO_H

#include "base/json.h"
#include "sys/root.h"

struct distro_release {
	char *version_id, *codename, *tier, *kernel_min, *notes;	/* codename, kernel_min, notes may be NULL */
};

/* One that says of itself that it is another: where this file is, it is that one. */
struct distro_derivative {
	char *file, *id;
};

struct distro {
	char *file;			/* where it came from */
	char *id, *name, *tier, *package_manager, *kernel_min;
	struct {
		char *unit, *config;
		char *package;		/* may be NULL */
		bool third_party;	/* it is not the distribution's own, which has none */
		struct strv env_files;
	} docker;
	char *firewall;			/* NULL: not said */
	struct { char *why, *instead; } refuse;	/* NULL unless tier is "refused" */
	struct json *remedies;		/* check -> words; may be NULL */
	struct json *packages;		/* tool -> package; may be NULL */
	struct distro_release *releases;
	size_t releases_n;
	struct distro_derivative *derivatives;
	size_t derivatives_n;
};

struct distro_list {
	struct distro *v;		/* sorted by id */
	size_t n;
};

/* All of the root's /etc/sysboxup/distros.d, and of the embedded ones those whose id is among
 * `only` (NULL: all). */
int distro_list_load(struct distro_list *ret, const struct root *root, const struct strv *only,
		     struct err *err);
void distro_list_release(struct distro_list *l);
/* By ID, then by each word of ID_LIKE in order; *ret_by (may be NULL) says how ("id", "id_like
 * debian"). NULL if unknown. */
const struct distro *distro_find(const struct distro_list *l, const char *id,
				 const struct strv *id_like, char **ret_by);
/* By the whole number, else by the part before its first dot. */
const struct distro_release *distro_release_find(const struct distro *d, const char *version_id);
/* The id of the derivative that the root is, and by which file; NULL: none that is known. */
const char *distro_derivative_of(const struct distro *d, const struct root *root,
				 const char **ret_file);
/* What to do here where that preflight check refuses, or NULL; d may be NULL. */
const char *distro_remedy(const struct distro *d, const char *check);
/* The package that brings a tool here, or the tool's own name. */
const char *distro_package(const struct distro *d, const char *tool);
/* "apt-get install fuse3 rsync" in this distribution's words; d may be NULL. Allocated. */
char *distro_install_command(const struct distro *d, const struct strv *packages);

int distro_parse(struct distro *ret, const char *text, size_t len, const char *file,
		 struct err *err);
void distro_release_all(struct distro *d);

#endif
