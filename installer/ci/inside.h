/* SPDX-License-Identifier: Apache-2.0 */
/* What a job can tell of the container it is in, from the texts of /proc. */
#ifndef CI_INSIDE_H
#define CI_INSIDE_H

#include "base/str.h"

/* /proc/self/uid_map: root in here is somebody else outside. Sysbox makes it so, and
 * userns-remap. */
bool inside_own_users(const char *uid_map);
/* /proc/self/mountinfo: mount points that are called like a socket of Docker, containerd or
 * Podman. */
void inside_sockets(const char *mountinfo, struct strv *ret);
/* /proc/self/status: somebody here may have CAP_SYS_ADMIN, which is all that --privileged needs. */
bool inside_may_admin(const char *status);
/* Called like one of these sockets, in a path or in what stands for one. */
bool is_engine_socket(const char *path);

#endif
