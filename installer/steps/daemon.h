/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of step "docker-ci" share. */
#ifndef STEPS_DAEMON_H
#define STEPS_DAEMON_H

#include "engine/step.h"

#define CI_DIR "/etc/sysboxup/docker-ci"
#define CI_DATA "/var/lib/docker-ci" /* images, volumes, containers: never ours to delete */
#define CI_RUN "/run/docker-ci"
#define CI_SOCKET CI_RUN "/docker.sock"
#define CI_LINK "ci0"
#define CI_UNITS_KEY "units:docker-ci.socket"

/* Asked of what runs (steps/daemon_verify.c). */
int daemon_verify(const struct step_ctx *ctx, struct report *rep, struct err *err);

#endif
