/* SPDX-License-Identifier: Apache-2.0 */
/* What step "docker" has to know of step "api". */
#ifndef STEPS_API_H
#define STEPS_API_H

#include "engine/step.h"
#include "pki/store.h"

#define API_CA "/etc/sysboxup/api/ca.pem"
#define API_SERVER "/etc/sysboxup/api/server"
#define API_CERT API_SERVER "/cert.pem"
#define API_KEY API_SERVER "/key.pem"
/* Said in every plan, and by verify. */
#define API_WARNING "whoever holds a client certificate is root on this host"

bool api_wanted(const struct step_ctx *ctx);
bool api_concerned(const struct step_ctx *ctx);	/* or it was there, and goes */
/* What Docker was given last is not what it would be given now. */
bool api_is_behind(const struct root *root, const struct pki *p);
/* The keys of daemon.json. */
void api_settings(struct json *patch);

#endif
