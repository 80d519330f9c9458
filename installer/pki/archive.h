/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_ARCHIVE_H
#define PKI_ARCHIVE_H

#include "pki/files.h"

/* These files as a tar in memory, with the end that GNU tar wants; ret is to be wiped. */
int archive_make(const struct pki_files *f, struct buf *ret, struct err *err);

#endif
