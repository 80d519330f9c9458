/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors, each at the end of its cmd_NAME.c. */
#ifndef CLI_CMDS_H
#define CLI_CMDS_H

#include "cli/command.h"

extern const struct command cmd_apply;
extern const struct command cmd_cert;
extern const struct command cmd_ci;
extern const struct command cmd_completion;
extern const struct command cmd_confirm;
extern const struct command cmd_distros;
extern const struct command cmd_seal;
extern const struct command cmd_fetch;
extern const struct command cmd_firewall;
extern const struct command cmd_firstboot;
extern const struct command cmd_forget;
extern const struct command cmd_help;
extern const struct command cmd_history;
extern const struct command cmd_plan;
extern const struct command cmd_recover;
extern const struct command cmd_rollback;
extern const struct command cmd_status;
extern const struct command cmd_uninstall;
extern const struct command cmd_verify;

#endif
