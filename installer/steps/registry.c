/* SPDX-License-Identifier: Apache-2.0 */
/* THE ordered table of steps. */
#include "engine/step.h"

extern const struct step step_engine, step_dependencies, step_sysbox, step_apparmor, step_firewall,
	step_api, step_daemon, step_clients, step_docker, step_hold, step_firstboot, step_selinux,
	step_registration;

const struct step *const steps[] = {
	&step_engine,
	&step_dependencies,
	&step_sysbox,
	&step_registration,
	&step_apparmor,
	&step_firewall,
	&step_api,
	&step_daemon,
	&step_clients,
	&step_docker,
	&step_hold,
	&step_firstboot,
	&step_selinux,
	NULL,
};
