/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of its own for one test, and what its tree looks like as one string. In TMPDIR, else
 * not in /tmp: a tmpfs may lack user xattrs. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include "sys/fs.h"
#include "sys/node.h"
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct scratch {
	char path[96];
	struct root root;
	int fd;
};

static inline const char *scratch_parent(void)
{
	const char *dir = getenv("TMPDIR");

	return dir ? dir : "/var/tmp";
}

static inline void scratch_open(struct scratch *s)
{
	struct err err = ERR_INIT;

	*s = (struct scratch){ .fd = -1 };
	snprintf(s->path, sizeof(s->path), "%s/sysboxup-unit-XXXXXX", scratch_parent());
	if (!mkdtemp(s->path) || root_open(&s->root, s->path, &err) ||
	    (s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		fprintf(stderr, "no scratch directory: %s\n", err.msg);
		exit(2);
	}
}

static inline void scratch_close(struct scratch *s)
{
	struct err err = ERR_INIT;

	int parent CLEANUP(closep) = open(scratch_parent(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs_remove_tree(parent, path_basename(s->path), &err))
		fprintf(stderr, "left behind: %s: %s\n", s->path, err.msg);
	root_release(&s->root);
	closep(&s->fd);
}

__attribute__((unused)) static void put(const struct scratch *s, const char *name, const char *text)
{
	int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = write(fd, text, strlen(text));

	if (n != (ssize_t)strlen(text))
		abort();
	close(fd);
}

/* Static storage: good until the next call. */
__attribute__((unused)) static const char *get(const struct scratch *s, const char *name)
{
	static char text[4096];
	int fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n < 0 ? NULL : text;
}

/* Every entry with all its metadata but ctime; with_inodes: the very same files. */
__attribute__((unused)) static char *tree(const struct scratch *s, const char *dir,
					  bool with_inodes)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	CHECK_INT(root_list(&s->root, dir, &names, &err), 0);
	for (size_t i = 0; i < names.n; i++) {
		struct node n CLEANUP(node_release) = NODE_INIT;
		char *path CLEANUP(freep) = path_join(dir, names.v[i]);
		CHECK_INT(node_read(&n, &s->root, path, NODE_DIGEST, &err), 0);
		struct json *j CLEANUP(json_freep) = node_encode(&n);
		json_del(j, "ctime");
		if (n.type == NODE_DIR)
			json_del(j, "mtime");
		if (!with_inodes)
			json_del(j, "ino");
		buf_addf(&b, "%s ", names.v[i]);
		json_print(j, &b);
		buf_addc(&b, '\n');
	}
	return buf_detach(&b);
}

/* body(arg) in a child: its exit status, or 128 + the signal it died by. */
__attribute__((unused)) static int in_child(int (*body)(void *), void *arg)
{
	int status;

	fflush(NULL);
	pid_t pid = fork();
	if (!pid)
		_exit(body(arg));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
