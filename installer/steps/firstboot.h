/* SPDX-License-Identifier: Apache-2.0 */
/* The two units of the program that look at FIRST_BOOT_MARK, and who asks for them. */
#ifndef STEPS_FIRSTBOOT_H
#define STEPS_FIRSTBOOT_H

#include "engine/step.h"

/* There in an image from its bake on, and until the first boot of a machine made from it has proven
 * that everything works there. */
#define FIRST_BOOT_MARK STATE_DIR "/first-boot"

/* Of a machine without systemd-creds: what opens the key of the authority that its first boot
 * makes. */
#define FIRST_BOOT_SECRET_DIR "/etc/sysboxup"
#define FIRST_BOOT_SECRET FIRST_BOOT_SECRET_DIR "/ca.secret"

/* Its second half, which proves it. */
#define FIRST_BOOT_UNIT "sysboxup-firstboot-late.service"

/* The program is in the image, with its units: those of the first boot and those that recover. */
bool firstboot_possible(const struct host *h);
/* Keys, and what opens by them, belong to one machine: an image has none, and its steps leave them
 * to the first boot of each machine made from it. ERR_REFUSED: no first boot would make them, or
 * the key of an authority is in the image. */
int firstboot_leave(const struct step_ctx *ctx, struct err *err);

#endif
