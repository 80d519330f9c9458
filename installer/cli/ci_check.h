/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sysboxup ci --check`, run inside of a job. Which way the job takes is told by DOCKER_HOST,
 * unless `way` says it ("sysbox", "tls"). Each finding is a check in the report.
 */
#ifndef CLI_CI_CHECK_H
#define CLI_CI_CHECK_H

#include "base/report.h"

/* ERR_DRIFT: the job does not use it. */
int ci_check(struct report *rep, const char *way, struct err *err);

#endif
