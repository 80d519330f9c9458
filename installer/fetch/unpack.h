/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verified .deb, read with libarchive from an open descriptor. Nothing is parsed before it is
 * verified, and what was verified is what is used (the same open file).
 */
#ifndef FETCH_UNPACK_H
#define FETCH_UNPACK_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#include <sys/types.h>

struct deb_control {
	char *package, *version, *arch, *depends, *pre_depends;
	uint64_t installed_size;	/* KiB */
};

struct deb_member {
	char *path;			/* normalised, absolute: "/usr/bin/sysbox-runc" */
	char type;			/* 'f', 'd', 'l'; 'h': another name of a file, from deb_list only */
	mode_t mode;
	uint64_t size;
	char *target;			/* links; 'h': the path of the file */
	char sha256[65];		/* files */
};

struct deb {
	struct deb_control control;
	struct strv conffiles;		/* as it lists them, flags such as remove-on-upgrade left out */
	struct deb_member *v;		/* in archive order */
	struct deb_member **sorted;	/* by path */
	size_t n;
};

#define DEB_UNPACKED_MAX (4ULL * 1024 * 1024 * 1024)

/* Reads control and the whole data member, checking every rule: ar with debian-binary 2.x,
 * control.tar.*, data.tar.*; no ".." or absolute path, no path twice, none through a member that is
 * no directory, no set-id, no device, no hard link; at most max_bytes unpacked and 10,000 members.
 * ERR_REFUSED. */
int deb_read(struct deb *ret, int fd, const char *what, uint64_t max_bytes, struct err *err);
/* The same of a package that is dpkg's to unpack, such as one of the distribution: set-id files and
 * hard links are as good as others, and it may have 100,000 members. Not for deb_extract. */
int deb_list(struct deb *ret, int fd, const char *what, uint64_t max_bytes, struct err *err);
void deb_release(struct deb *d);
/* The member that has what is at path: of a hard link, the file. NULL: there is none. */
const struct deb_member *deb_find(const struct deb *d, const char *path);
/* Name, version, architecture are what the catalog said (NULL = not asked). "all"/"any"
 * architectures per Debian's rules. */
int deb_check_control(const struct deb *d, const char *package, const char *version,
		      const char *arch, const char *what, struct err *err);
/* Writes the content of one member to out_fd (checked against d's digest). */
int deb_extract(const struct deb *d, int fd, const char *path, int out_fd, struct err *err);
/* Several files in one pass over the archive: open_member gives a descriptor for a file to be
 * extracted (it stays the caller's), or
 * -1 to skip it. Each is checked against d's digest; nothing is synced. */
int deb_extract_all(const struct deb *d, int fd,
		    int (*open_member)(void *user, const struct deb_member *m), void *user,
		    struct err *err);
/* Each file of the control part, "control" too. Of a package that was read: the rules were checked
 * then. take returns 0, or -1 with err set. */
int deb_control_files(int fd,
		      int (*take)(void *user, const struct deb_member *m, const struct buf *text,
				  struct err *err),
		      void *user, struct err *err);

#endif
