/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_ADDRESSES_H
#define HOST_ADDRESSES_H

#include "base/err.h"
#include "base/str.h"
#include "sys/root.h"

/* The names under which this host is reached: "localhost" and 127.0.0.1, its host name, and the
 * addresses that its interfaces have, without link-local ones. Of a tree whose system does not run,
 * the names alone. */
int host_addresses(const struct root *root, struct strv *ret, struct err *err);

#endif
