/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/manager.h"

extern const struct manager_ops manager_firewalld, manager_ufw, manager_iptables;

const struct manager_ops *const manager_list[] = {
	&manager_firewalld,
	&manager_ufw,
	&manager_iptables,
	NULL,
};

const struct manager_ops *manager_named(const char *name)
{
	for (size_t i = 0; manager_list[i]; i++)
		if (str_eq(manager_list[i]->name, name))
			return manager_list[i];
	return NULL;
}

const struct manager_ops *manager_active(const struct root *r)
{
	for (size_t i = 0; manager_list[i]; i++)
		if (manager_list[i]->active(r))
			return manager_list[i];
	return NULL;
}

char *manager_setting(const struct root *r, const char *path, const char *key)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	char *value = NULL, *start CLEANUP(freep) = xasprintf("%s=", key);
	struct err ignored = ERR_INIT;

	if (root_read_optional(r, path, 65536, &text, &ignored))
		return NULL;
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = str_trim(lines.v[i]);

		if (!str_starts(line, start))
			continue;
		line += strlen(start);
		free(value);
		value = xstrndup(line + strspn(line, "\"'"),
				 strcspn(line + strspn(line, "\"'"), "\"' #"));
	}
	return value;
}
