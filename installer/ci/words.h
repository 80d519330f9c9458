/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in the files of others without quotes, whatever their syntax. */
#ifndef CI_WORDS_H
#define CI_WORDS_H

#include <stdbool.h>

bool word_is_name(const char *s);	/* [A-Za-z0-9._-], not empty */
bool word_is_path(const char *s);	/* absolute, of these and / + = , */
bool word_is_host(const char *s);	/* tcp://NAME:PORT, tcp://[ADDRESS]:PORT */

#endif
