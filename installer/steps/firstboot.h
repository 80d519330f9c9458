/* SPDX-License-Identifier: Apache-2.0 */
/* The two units of the program that look at FIRST_BOOT_MARK, and who asks for them. */
#ifndef STEPS_FIRSTBOOT_H
#define STEPS_FIRSTBOOT_H

#include "engine/step.h"

/* There in an image from its bake on, and until the first boot of a machine made from it has proven
 * that everything works there. */
#define FIRST_BOOT_MARK STATE_DIR "/first-boot"

/* The program is in the image, with its units: those of the first boot and those that recover. */
bool firstboot_possible(const struct host *h);

#endif
