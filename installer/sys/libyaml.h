/* SPDX-License-Identifier: Apache-2.0 */
/* YAML 1.1, for ci/yaml.c alone (scripts/check-layers). */
#ifndef SYS_LIBYAML_H
#define SYS_LIBYAML_H

#include "sys/library.h"

#include <yaml.h>

#define LIBYAML_FUNCTIONS(X) \
	X(yaml_document_delete) \
	X(yaml_document_get_node) \
	X(yaml_document_get_root_node) \
	X(yaml_parser_delete) \
	X(yaml_parser_initialize) \
	X(yaml_parser_load) \
	X(yaml_parser_set_input_string)

LIBYAML_FUNCTIONS(LIBRARY_DECLARE)

/* Before the first call of one of them. */
int libyaml_load(struct err *err);

#endif
