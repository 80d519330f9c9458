/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of host_gather. Inside of host/ only. What cannot be read counts as not there. */
#ifndef HOST_GATHER_H
#define HOST_GATHER_H

#include "host/host.h"

void gather_platform(struct host *h);	/* kernel, arch, init, security modules, tools, file systems */
void gather_virt(struct host *h);	/* after gather_platform: needs the kernel's name */
int gather_docker(struct host *h, struct err *err);	/* after os, distro and init */
void release_docker(struct host *h);

/* First line of a small file, allocated, trimmed; NULL if it cannot be read or is empty. */
char *read_line(const struct root *root, const char *path);
/* A small file whole, or as much as the first 64 KiB of it; false if it cannot be read. */
bool read_some(const struct root *root, const char *path, struct buf *ret);

#endif
