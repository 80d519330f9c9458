/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody who is not let in: for those who want to see it. */
#ifndef PKI_STRANGER_H
#define PKI_STRANGER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

/* Certificate and key in PEM of a client of another authority, which is forgotten at once; good for
 * an hour from now. In memory alone; key has to be released by secret_release. */
int pki_stranger(int64_t now, struct buf *ret_cert, struct buf *ret_key, struct err *err);

#endif
