/* SPDX-License-Identifier: Apache-2.0 */
#include "ci/inside.h"

bool is_engine_socket(const char *path)
{
	static const char *const names[] = { "docker.sock", "containerd.sock", "podman.sock" };

	for (size_t i = 0; path && i < ARRAY_SIZE(names); i++)
		if (strstr(path, names[i]))
			return true;
	return false;
}

/* "INSIDE OUTSIDE COUNT"; nothing that can be read is nobody's. */
bool inside_own_users(const char *uid_map)
{
	struct strv w CLEANUP(strv_release) = STRV_INIT;
	uint64_t inside, outside;

	str_words(&w, uid_map);
	return w.n >= 3 && !str_to_u64(w.v[0], UINT32_MAX, &inside) &&
	       !str_to_u64(w.v[1], UINT32_MAX, &outside) && inside != outside;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime ...": the fifth word, in which a space is \040. */
static void take_mount(const char *line, struct strv *ret)
{
	enum { MOUNT_POINT = 4 };
	struct strv w CLEANUP(strv_release) = STRV_INIT;

	str_words(&w, line);
	if (w.n > MOUNT_POINT && is_engine_socket(w.v[MOUNT_POINT]))
		strv_add(ret, w.v[MOUNT_POINT]);
}

void inside_sockets(const char *mountinfo, struct strv *ret)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, mountinfo, '\n');
	for (size_t i = 0; i < lines.n; i++)
		take_mount(lines.v[i], ret);
}

bool inside_may_admin(const char *status)
{
	enum { SYS_ADMIN = 21 };
	const char *set = strstr(status, "\nCapBnd:");

	return set && strtoull(set + strlen("\nCapBnd:"), NULL, 16) >> SYS_ADMIN & 1;
}
