/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that looks like a host, made by a test and gone with it. Paths are absolute inside of
 * it. */
#ifndef UNIT_FIXTURE_H
#define UNIT_FIXTURE_H

#include "base/str.h"
#include "sys/root.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct root root;
};

static inline void fixture_fail(const char *what)
{
	perror(what);
	exit(1);
}

static inline void fixture_open(struct fixture *f, bool is_host)
{
	struct err err = ERR_INIT;

	snprintf(f->dir, sizeof(f->dir), "/tmp/sysboxup-unit-XXXXXX");
	if (!mkdtemp(f->dir) || root_open(&f->root, f->dir, &err) < 0)
		fixture_fail(f->dir);
	f->root.is_host = is_host;
}

static inline int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void fixture_close(struct fixture *f)
{
	root_release(&f->root);
	nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline char *fixture_path(const struct fixture *f, const char *path)
{
	return xasprintf("%s%s", f->dir, path);
}

static inline void fixture_mkdir(const struct fixture *f, const char *path)
{
	char *full CLEANUP(freep) = fixture_path(f, path);

	for (char *p = full + strlen(f->dir) + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(full, 0755);
			*p = '/';
		}
	mkdir(full, 0755);
}

static inline void fixture_parent(const struct fixture *f, const char *path)
{
	char *dir CLEANUP(freep) = path_dirname(path);

	fixture_mkdir(f, dir);
}

static inline void fixture_put_bytes(const struct fixture *f, const char *path, const void *data,
				     size_t len)
{
	char *full CLEANUP(freep) = fixture_path(f, path);

	fixture_parent(f, path);
	FILE *out = fopen(full, "w");
	if (!out || fwrite(data, 1, len, out) != len || fclose(out))
		fixture_fail(full);
}

static inline void fixture_put(const struct fixture *f, const char *path, const char *text)
{
	fixture_put_bytes(f, path, text, strlen(text));
}

static inline void fixture_program(const struct fixture *f, const char *path)
{
	char *full CLEANUP(freep) = fixture_path(f, path);

	fixture_put(f, path, "#!/bin/sh\n");
	if (chmod(full, 0755))
		fixture_fail(full);
}

static inline void fixture_link(const struct fixture *f, const char *path, const char *target)
{
	char *full CLEANUP(freep) = fixture_path(f, path);

	fixture_parent(f, path);
	if (symlink(target, full))
		fixture_fail(full);
}

static inline void fixture_unlink(const struct fixture *f, const char *path)
{
	char *full CLEANUP(freep) = fixture_path(f, path);

	if (remove(full))
		fixture_fail(full);
}

#endif
