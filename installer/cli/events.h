/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a report as JSON objects; sysboxup(8) is their description for users. */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include "base/report.h"

struct json *event_new(const char *name);			/* { "event": name } */
struct json *event_from_line(const struct report_line *l);
void event_print(const struct json *event);			/* one line on stdout */

#endif
