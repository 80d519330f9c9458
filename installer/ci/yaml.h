/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML of others, as far as it is asked: a tree of objects, arrays and strings. Scalars stay text
 * ("true", "3.8"), but for null; aliases are what they stand for, `<<` is merged as YAML 1.1 has
 * it, tags are passed over. Nothing is written in YAML from a tree.
 */
#ifndef CI_YAML_H
#define CI_YAML_H

#include "base/json.h"

/* ERR_USAGE with line and column: no YAML, several documents, a key that is no scalar or occurs
 * twice, or more nodes than a person writes. what names the text in errors. */
int yaml_parse(const char *text, size_t len, const char *what, struct json **ret, struct err *err);

#endif
