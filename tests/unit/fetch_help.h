/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of fetch/ share: a directory of their own, files in it, the bash libraries of
 * tests/lib. */
#ifndef UNIT_FETCH_HELP_H
#define UNIT_FETCH_HELP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/fs.h"
#include "sys/proc.h"
#include "test.h"

#include <unistd.h>

static char test_dir[64];
static int test_dirfd = -1;

__attribute__((unused)) static char *in_dir(const char *name)
{
	return path_join(test_dir, name);
}

__attribute__((unused)) static void dir_make(void)
{
	snprintf(test_dir, sizeof(test_dir), "/tmp/sysboxup-test.XXXXXX");
	if (!mkdtemp(test_dir))
		abort();
	test_dirfd = open(test_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

__attribute__((unused)) static void dir_remove(void)
{
	int base CLEANUP(closep) = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fs_remove_tree(base, path_basename(test_dir), NULL);
	closep(&test_dirfd);
	test_dirfd = -1;
}

__attribute__((unused)) static void file_put(const char *name, const void *data, size_t len)
{
	int fd CLEANUP(closep) = io_openat(test_dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || io_write_all(fd, data, len) < 0)
		abort();
}

__attribute__((unused)) static void file_get(const char *name, struct buf *ret)
{
	buf_clear(ret);
	if (fs_read_at(test_dirfd, name, 1 << 28, ret, NULL) != 0) {
		printf("# no file %s\n", name);
		test_failed = true;
	}
}

__attribute__((unused)) static bool file_exists(const char *name)
{
	return faccessat(test_dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* script runs with both libraries sourced and $1 = the directory; its failure is the test's. */
__attribute__((unused)) static void lib_run(const char *script)
{
	char *text CLEANUP(freep) = xasprintf("set -euo pipefail; . tests/lib/pki.bash; . tests/lib/keys.bash; %s", script);
	const char *argv[] = { "bash", "-c", text, "lib", test_dir, NULL };
	struct proc p = PROC_INIT;
	struct err err = ERR_INIT;

	p.argv = argv;
	p.timeout = 120;
	if (proc_run(&p, NULL, &err) < 0) {
		printf("# %s\n# %s\n", script, err.msg);
		test_failed = true;
	}
}

#endif
