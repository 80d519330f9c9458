/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/manager.h"

extern const struct manager_ops manager_ufw;

const struct manager_ops *const manager_list[] = {
	&manager_ufw,
	NULL,
};

const struct manager_ops *manager_named(const char *name)
{
	for (size_t i = 0; manager_list[i]; i++)
		if (str_eq(manager_list[i]->name, name))
			return manager_list[i];
	return NULL;
}

const struct manager_ops *manager_active(const struct root *r, const struct json *ruleset)
{
	for (size_t i = 0; manager_list[i]; i++)
		if (manager_list[i]->active(r, ruleset))
			return manager_list[i];
	return NULL;
}
