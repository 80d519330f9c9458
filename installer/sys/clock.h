/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

uint64_t clock_boot_ms(void);			/* CLOCK_BOOTTIME, milliseconds */
int64_t clock_now(void);			/* seconds since the epoch; SOURCE_DATE_EPOCH is not looked at */
const char *clock_boot_id(void);		/* /proc/sys/kernel/random/boot_id, "" if unreadable; static */
void clock_iso(int64_t t, char buf[32]);	/* 2026-11-22T01:28:26Z */
int64_t clock_parse_iso(const char *s);		/* -1 if it is none */
void clock_pause_ms(unsigned int ms);		/* between two looks at a condition with a deadline */

#endif
