/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define NO_GNUTLS "GNUTLS_NO_IMPLICIT_INIT"

static int fail(const struct library *l, struct err *err)
{
	char shown[256];

	err_quote(shown, sizeof(shown), dlerror());
	err_set(err, ERR_FAILED, "cannot load %s: %s", l->soname, shown);
	return err_remedy(err, "install the package that has %s", l->soname);
}

/*
 * libcurl brings in GnuTLS by way of librtmp, and GnuTLS makes itself ready in its constructor: 0.6
 * MiB that nobody needs. The variable, for that long, keeps it from it (gnutls_global_init(3)); a
 * libcurl that does its TLS by GnuTLS calls gnutls_global_init() itself. No thread is there yet.
 */
static void *load(const struct library *l)
{
	bool ours = l->brings_gnutls && !getenv(NO_GNUTLS) && !setenv(NO_GNUTLS, "1", 0);
	void *handle = dlopen(l->soname, RTLD_NOW | RTLD_LOCAL);

	if (ours)
		unsetenv(NO_GNUTLS);
	return handle;
}

int library_load(struct library *l, struct err *err)
{
	void *handle = l->handle ? l->handle : load(l);

	if (!handle)
		return fail(l, err);
	for (size_t i = 0; !l->handle && i < l->n; i++) {
		void *found = dlsym(handle, l->symbols[i].name);

		if (!found) {
			fail(l, err);
			dlclose(handle);
			return -1;
		}
		memcpy(l->symbols[i].pointer, &found, sizeof(found));
	}
	l->handle = handle;
	return 0;
}

void library_unload(struct library *l)
{
	if (!l->handle)
		return;
	for (size_t i = 0; i < l->n; i++)
		memset(l->symbols[i].pointer, 0, sizeof(void *));
	dlclose(l->handle);
	l->handle = NULL;
}
