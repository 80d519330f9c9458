/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of action that exist. A name in a journal is for ever. */
#include "actions/action.h"

extern const struct action_ops file_ops, dir_ops, unpack_ops, account_ops, sysctl_ops, reload_ops,
	units_ops, halt_ops, containers_ops, packages_ops, dependencies_ops, docker_config_ops,
	labels_ops, hold_ops, listener_ops, adopt_ops, certificates_ops, nftables_ops,
	openings_ops, registration_ops;

const struct action_ops *const action_kinds[] = {
	&unpack_ops,
	&account_ops,
	&sysctl_ops,
	&dir_ops,
	&file_ops,
	&packages_ops,
	&dependencies_ops,
	&reload_ops,
	&units_ops,
	&halt_ops,
	&containers_ops,
	&docker_config_ops,
	&labels_ops,
	&hold_ops,
	&listener_ops,
	&nftables_ops,
	&openings_ops,
	&registration_ops,
	&adopt_ops,
	&certificates_ops,
	NULL,
};
