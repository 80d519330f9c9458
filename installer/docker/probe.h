/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prove a runtime by running a container under it: GET /info lists runtimes whose binary is missing
 * (facts/dockerd.md 1.6). The image is made on the spot from one static program that prints
 * /proc/self/uid_map (POST /images/create, nothing pulled); the container has no network. Image and
 * container are called sysboxup-probe-PID-START and are gone afterwards, also after a failure; what
 * a probe that was killed left is removed at the start of the next one.
 */
#ifndef DOCKER_PROBE_H
#define DOCKER_PROBE_H

#include "docker/api.h"

struct docker_probe {
	bool ran;			/* started, ended with status 0, and its output was understood */
	uint32_t uid_start;		/* what uid 0 of the container is outside */
	uint32_t uid_count;
	bool userns;			/* not "0 0 4294967295": the container has ids of its own */
};

/* runtime NULL: the default one. 0 with the result, or -1 and why it did not run. */
int docker_probe_runtime(struct docker_api *api, const char *runtime, struct docker_probe *ret,
			 struct report *rep, struct err *err);

/* The parts that need no daemon. */
void docker_probe_tar(struct buf *ret);					/* the image's file system */
/* Docker's multiplexed stream of the output; -1 not understood */
int docker_probe_parse(const char *log, size_t len, struct docker_probe *ret);

#endif
