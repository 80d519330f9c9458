/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Months later: somebody's upgrade of Docker or containerd. sysboxup-watch.path sees their programs
 * exchanged and starts `verify --quick --changed`, which notes in the state what it found:
 *
 *	changed.json	{ "time", "docker": version of then, "from": of the look before it,
 *			  "bad": how many proofs failed }
 *
 * As long as that is not 0, `status` looks again whether they still fail; where Docker has another
 * version by now, it says that nobody has looked yet.
 */
#ifndef CLI_CHANGED_H
#define CLI_CHANGED_H

#include "cli/session.h"

/* Until no package manager and no run of sysboxup is at work any more, and systemd has no job left
 * for what will be looked at. */
int changed_wait(struct cli *cli, struct err *err);
/* After a quick look; s has the host. What failed is said in err, with what changed. */
int changed_note(struct session *s, unsigned int bad, struct err *err);
/* For status: ERR_DRIFT where proofs failed after a change, and do so still; where nobody has
 * looked after one; or where others manage daemon.json (docker.managed) and a proof fails. */
int changed_check(struct session *s, struct err *err);
/* Docker's version as it is now, for the next look; and the watch begins, where it is installed.
 * Nothing of it can fail what was done. */
void changed_begin(struct session *s);

#endif
