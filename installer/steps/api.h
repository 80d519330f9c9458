/* SPDX-License-Identifier: Apache-2.0 */
/* What steps "docker" and "docker-ci" have to know of step "api". */
#ifndef STEPS_API_H
#define STEPS_API_H

#include "engine/step.h"
#include "pki/store.h"

#define API_DIR "/etc/sysboxup/api"
#define API_CA_NAME "ca.pem"	/* whose clients are let in */
#define API_SERVER_NAME "server"	/* a link to the directory of key and certificate */
#define API_CA API_DIR "/" API_CA_NAME
#define API_SERVER API_DIR "/" API_SERVER_NAME
#define API_CERT API_SERVER "/cert.pem"
#define API_KEY API_SERVER "/key.pem"
/* Said in every plan, and by verify. */
#define API_WARNING "whoever holds a client certificate is root on this host"

bool api_wanted(const struct step_ctx *ctx);	/* on the host's own daemon, and here: no image */
bool api_concerned(const struct step_ctx *ctx);	/* or it was there, and goes */
/* What Docker was given last is not what it would be given now. */
bool api_is_behind(const struct root *root, const struct pki *p);
/* The certificate that a Docker of this host was given, and that is over soon: a sixth of its life
 * is left, or less. NULL: there is none, or it has time. */
const struct ledger_cert *api_ends_soon(const struct root *root, const struct pki *p);
/* By the index: some Docker of this host is open to whoever holds a client certificate. */
bool api_is_open(const struct json *index);
/* The keys of daemon.json. */
void api_settings(struct json *patch);

/* In an image: refused is what the first boot would refuse too, as far as it can be told; the rest
 * is left to that, and said. ERR_REFUSED. */
int api_leave(struct plan *p, const struct step_ctx *ctx, const char *step, struct err *err);
/* Docker listens on TCP already, and without TLS for all we know. ERR_REFUSED. */
int api_refuse_plain(const struct step_ctx *ctx, struct err *err);
/* Into this directory what API_CA_NAME and API_SERVER_NAME say, of the newest server certificate in
 * force that has the names of the profile. Without one it is issued, in the plan too; ERR_REFUSED
 * where that takes a person. rank: behind RANK_CERTIFICATES. */
int api_plan_keys(struct plan *p, const struct step_ctx *ctx, const char *step, const char *dir,
		  int rank, struct err *err);
/* Where it is not so already; a file: whether it is in the plan now. */
void api_add_dir(struct plan *p, const struct step_ctx *ctx, const char *step, const char *path,
		 int rank);
bool api_add_file(struct plan *p, const struct step_ctx *ctx, const char *step, const char *path,
		  mode_t mode, const struct buf *data, int rank);
void api_add_link(struct plan *p, const struct step_ctx *ctx, const char *step, const char *path,
		  const char *target, int rank);

#endif
