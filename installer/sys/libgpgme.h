/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures, for fetch/verify.c alone (scripts/check-layers). */
#ifndef SYS_LIBGPGME_H
#define SYS_LIBGPGME_H

#include "sys/library.h"

#include <gpgme.h>

#define LIBGPGME_FUNCTIONS(X) \
	X(gpgme_check_version_internal) \
	X(gpgme_ctx_set_engine_info) \
	X(gpgme_data_new_from_mem) \
	X(gpgme_data_release) \
	X(gpgme_engine_check_version) \
	X(gpgme_get_key) \
	X(gpgme_key_unref) \
	X(gpgme_new) \
	X(gpgme_op_delete_ext) \
	X(gpgme_op_import) \
	X(gpgme_op_import_result) \
	X(gpgme_op_verify) \
	X(gpgme_op_verify_result) \
	X(gpgme_release) \
	X(gpgme_result_ref) \
	X(gpgme_result_unref) \
	X(gpgme_set_offline) \
	X(gpgme_set_protocol) \
	X(gpgme_strerror_r)

LIBGPGME_FUNCTIONS(LIBRARY_DECLARE)

/* Before the first call of one of them. */
int libgpgme_load(struct err *err);

/* When all that it made is released: a download comes next, which wants memory of its own. */
void libgpgme_unload(void);

#endif
