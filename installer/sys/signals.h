/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals to this program: SIGINT and SIGTERM are noted, the engine asks between two actions;
 * SIGHUP (the terminal went away), SIGPIPE and SIGXFSZ are ignored: the call then fails and the
 * failure is handled. Children get defaults back (sys/proc.c).
 *
 * Waiting for others ends when one is noted; nothing waits differently on the way back, which is
 * gone to its end whatever comes (signals_hold).
 */
#ifndef SYS_SIGNALS_H
#define SYS_SIGNALS_H

void signals_init(void);		/* once, at the start of main */
int signals_pending(void);		/* the last SIGINT or SIGTERM noted, or 0 */
void signals_hold(void);		/* from here on none is pending any more */

#endif
