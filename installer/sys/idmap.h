/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the file system of a directory take ID-mapped mounts? Asked the way sysbox-mgr asks
 * (facts/sysbox.md 1.5), by doing it: a detached copy of the mount (open_tree, in no namespace,
 * gone when its descriptor closes) is mapped to a user namespace that maps 0 to 100000. The
 * namespace belongs to a child that waits and is killed. Nothing is visible to anybody, nothing is
 * left.
 */
#ifndef SYS_IDMAP_H
#define SYS_IDMAP_H

/* dirfd may be O_PATH. 0: it works. 1: it does not. -1: it could not be tried (not root, no user
 * namespaces). *ret_why is then a text to be freed, else untouched. */
int idmap_try(int dirfd, char **ret_why);

#endif
