/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon.json as dockerd understands it: which keys a reload takes up, which need a restart, which are refused while
 * containers run; what dockerd would refuse, checked before it is written (DESIGN.md section 8, facts/dockerd.md 1.1, 1.5,
 * facts/docker-tried.md 1 to 3).
 */
#ifndef DOCKER_CONFIG_H
#define DOCKER_CONFIG_H

#include "base/json.h"
#include "base/report.h"
#include "host/host.h"

enum docker_key_class { KEY_RELOAD, KEY_RESTART, KEY_BRIDGE /* restart, and no container may run to take effect */, KEY_REFUSED_RUNNING, KEY_UNKNOWN };
enum docker_key_class docker_key_class(const char *key);
enum docker_takeup { TAKEUP_NONE, TAKEUP_RELOAD, TAKEUP_RESTART };

/* What must happen so that a daemon running with `from` has `to` (trees; NULL = no file). keys (may be NULL) gets the
 * top-level keys that differ. The answer knows that a reload adds but does not subtract: a key that went is a restart, except where an
 * explicit interim text can take it back (runtimes, default-runtime, live-restore, debug ...). */
enum docker_takeup docker_config_takeup(const struct json *from, const struct json *to, struct strv *keys);

/*
 * The texts to be put in place and reloaded, one after the other, for a reload that has to take something back; the last
 * one is `to` itself. E.g. { runtimes: {others}, default-runtime: "runc" } first, then the final bytes.
 * Each is a splice of to's text.
 */
int docker_config_interims(const struct json *from, const char *to_text, size_t to_len, struct buf **ret, size_t *ret_n, struct err *err);

/*
 * Refuse a candidate text: own checks (syntax, duplicate keys, default-runtime that is not among the runtimes, reserved name
 * runc, binary of a runtime of ours missing (planned_paths exist later), bip with bridge, icc false with iptables false, keys given
 * both as flag and in the file with file and line, swarm with live-restore ...), then `dockerd --validate` with the unit's own
 * flags where the version has it. A defect that was there before and is not made worse is a warning through rep.
 * current NULL = no file today. Errors are ERR_REFUSED.
 */
int docker_config_check(const struct host *h, const struct json *current, const char *candidate, size_t len,
			const struct strv *planned_paths, struct report *rep, struct err *err);

#endif
