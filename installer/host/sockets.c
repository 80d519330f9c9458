/* SPDX-License-Identifier: Apache-2.0 */
/* Which unix sockets the daemons of this host listen on: asked of the kernel, since a second one
 * may take its addresses from flags, from a file or from systemd (unix(7), proc(5)). */
#include "host/gather.h"

#include <ctype.h>

enum { NET_UNIX_MAX = 16 * 1024 * 1024 };

#define LISTENS "00010000" /* __SO_ACCEPTCON, in the field Flags */

/* Links of /proc/PID/fd that say "socket:[INODE]": the INODE of each. */
static void inodes_of(const struct root *root, const char *pid, struct strv *ret)
{
	char *dir CLEANUP(freep) = xasprintf("/proc/%s/fd", pid);
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (root_list(root, dir, &names, &ignored) != 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		char *path CLEANUP(freep) = path_join(dir, names.v[i]);
		char *target CLEANUP(freep) = NULL;
		if (!root_readlink(root, path, &target) && str_starts(target, "socket:[") &&
		    str_ends(target, "]"))
			strv_take(ret, xstrndup(target + 8, strlen(target) - 9));
	}
}

/* "Num RefCount Protocol Flags Type St Inode Path" */
static void take_line(const char *line, const struct strv *inodes, struct strv *ret)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;
	const char *path = strchr(line, '/');

	str_words(&words, line);
	if (path && words.n >= 8 && *words.v[7] == '/' && str_eq(words.v[3], LISTENS) &&
	    strv_has(inodes, words.v[6]) && !strv_has(ret, path))
		strv_add(ret, path);
}

/* Those of `inodes` that are in the network namespace of that process. */
static void sockets_beside(const struct root *root, const char *pid, const struct strv *inodes,
			   struct strv *ret)
{
	char *table CLEANUP(freep) = xasprintf("/proc/%s/net/unix", pid);
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (root_read(root, table, NET_UNIX_MAX, &text, &ignored))
		return;
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		take_line(lines.v[i], inodes, ret);
}

/* A daemon in a namespace of its own may have got its sockets from systemd, which is in another. */
static void sockets_of(const struct root *root, const char *pid, struct strv *ret)
{
	struct strv inodes CLEANUP(strv_release) = STRV_INIT;

	inodes_of(root, pid, &inodes);
	if (!inodes.n)
		return;
	sockets_beside(root, pid, &inodes, ret);
	sockets_beside(root, "1", &inodes, ret);
}

void host_docker_sockets(const struct host *h, struct strv *ret)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (!h->running || root_list(h->root, "/proc", &names, &ignored) != 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		int64_t pid;
		if (isdigit((unsigned char)names.v[i][0]) &&
		    !str_to_i64(names.v[i], 2, INT32_MAX, &pid) && host_is_dockerd(h, (pid_t)pid))
			sockets_of(h->root, names.v[i], ret);
	}
}
