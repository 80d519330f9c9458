/* SPDX-License-Identifier: Apache-2.0 */
/* `dockerd --validate` with the unit's own flags (facts/dockerd.md 1.1): it sees conflicts only
 * with them. */
#ifndef DOCKER_VALIDATE_H
#define DOCKER_VALIDATE_H

#include "base/report.h"
#include "host/host.h"

/* Whether this dockerd is of a version that has it (23.0 and later). False for an image: nothing of
 * it is run. */
bool docker_validate_available(const struct host *h);

/* ERR_REFUSED with dockerd's own words. Words about a path that is planned count for nothing; the
 * same words for the text of today are a warning, unless a daemon runs: it would take up nothing.
 * 0 too where there is no --validate. */
int docker_validate(const struct host *h, const struct json *current, const char *candidate,
		    size_t len, const struct strv *planned_paths, struct report *rep,
		    struct err *err);

#endif
