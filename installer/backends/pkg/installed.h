/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One installed package as dpkg noted it, and whether it is still there as it was noted: what a
 * package file can be made of again (facts/dpkg-tried.md section 6). Of the notes in
 * /var/lib/dpkg: `status`, `info/`, `diversions`, `statoverride`. Nothing here writes.
 */
#ifndef BACKENDS_PKG_INSTALLED_H
#define BACKENDS_PKG_INSTALLED_H

#include "backends/pkg/dpkgdb.h"
#include "sys/node.h"

struct control_file {		/* of info/: "postinst", "md5sums" ... */
	char *name;
	mode_t mode;
	struct buf data;
};

struct installed_file {
	char *path;		/* as the package had it */
	char *at;		/* where it is: elsewhere, if somebody's diversion moves it */
	struct node node;	/* as found, files without content; a directory behind a link is that directory */
	char md5[DIGEST_MD5_HEX + 1];	/* files: of what the package had */
	bool conffile;
	const char *first;	/* the earlier path of the same file, or NULL */
};

struct installed {
	char *name, *version, *arch;
	struct buf control;	/* the paragraph, without what is of dpkg itself */
	struct control_file *control_files;	/* by name; not "control" */
	size_t control_files_n;
	struct installed_file *v;	/* in the order of its package */
	size_t n;
};

/*
 * package: "name" or "name:arch". Everything but the content of files is checked here; that is
 * hashed when it is read (installed_check_content). ERR_REFUSED, with the path, where the package
 * could not be told exactly: a file is missing, of another type, without a checksum, with
 * attributes that no package holds, or under a statoverride, which hides the mode it had.
 */
int installed_read(struct installed *ret, const struct root *r, const char *package,
		   struct err *err);
/* md5: of what was read from it. */
int installed_check_content(const struct installed_file *f, const char *md5, struct err *err);
void installed_release(struct installed *p);

#endif
