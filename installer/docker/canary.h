/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canary: the unit's own command line on the candidate file in private mount, network and PID namespaces, with a private containerd
 * and empty roots bound over the real ones (facts/docker-tried.md 3, form EXACT). It answers GET /_ping or it does not. If any bind
 * fails it does not start: the live daemon's data must never be opened by it. 0 = would start; 1 = would not, and
 * *ret_why is dockerd's own last words (allocated); -1 = could not be tried.
 */
#ifndef DOCKER_CANARY_H
#define DOCKER_CANARY_H

#include "docker/flags.h"
#include "host/host.h"

int docker_canary(const struct host *h, const char *candidate, size_t len, const char *scratch_dir, unsigned int timeout_s,
		  char **ret_why, struct err *err);

#endif
