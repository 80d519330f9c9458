/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canary: the next start's own command line on the candidate file in private mount, network and
 * PID namespaces, with a private containerd and empty roots bound over the real ones
 * (facts/docker-tried.md 3, form EXACT). It answers GET /_ping or it does not. If any bind fails it
 * does not start: the live daemon's data must never be opened by it.
 *
 * It cannot see: a port that is taken outside, a swarm that is active, a runtime whose binary is
 * missing (docker/config.h checks those). It cannot be tried where dockerd would listen on no unix
 * socket, or where its data-root lies in / and does not exist yet.
 */
#ifndef DOCKER_CANARY_H
#define DOCKER_CANARY_H

#include "docker/flags.h"
#include "host/host.h"

/* seconds; an authorization plugin that does not exist takes 15.5, a TCP listener without TLS 16 */
#define DOCKER_CANARY_TIMEOUT 45

/*
 * 0: it would start. 1: it would not, and *ret_why is dockerd's own last words (allocated). -1:
 * could not be tried. scratch_dir: an existing directory of ours, best on the file system of
 * /var/lib/docker (storage drivers are judged by it); "canary" is made in it and taken away again,
 * also one that a killed canary left.
 */
int docker_canary(const struct host *h, const char *candidate, size_t len, const char *scratch_dir,
		  unsigned int timeout_s, char **ret_why, struct err *err);

#endif
