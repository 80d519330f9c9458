/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STANDIN_H
#define STANDIN_H

/*
 * What the programs of the stand-in package share. It stands in for Sysbox in tests: same paths,
 * same sockets, same words where other programs read them (shared facts on Sysbox, 1.5 and 2.5),
 * none of its code.
 *
 * STANDIN_BLOCK is patched by `build` with "VERSION MODE...", padded with spaces, so that one
 * compiled program serves every version of the package.
 */

#include <stdio.h>
#include <string.h>

#define STANDIN_BLOCK "@STANDIN@                                                       "
#define STANDIN_MGR_SOCKET "/run/sysbox/sysmgr.sock"
#define STANDIN_FS_SOCKET "/run/sysbox/sysfs.sock"
#define STANDIN_DATA "/var/lib/sysbox"
#define STANDIN_MOUNT "/var/lib/sysboxfs"

/* volatile: the compiler must not know what stands in it. */
static const volatile char standin_block[] = STANDIN_BLOCK;

/* The patched block as a string of its own. */
static inline const char *standin_words(void)
{
	static char words[sizeof(standin_block)];

	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = standin_block[i];
	return words;
}

/* Was the package built with this MODE? */
static inline int standin_mode(const char *mode)
{
	size_t len = strlen(mode);

	for (const char *at = strchr(standin_words(), ' '); at; at = strchr(at + 1, ' '))
		if (!strncmp(at + 1, mode, len) && at[1 + len] == ' ')
			return 1;
	return 0;
}

static inline void standin_print_version(const char *name, const char *oci_specs)
{
	const char *words = standin_words();

	printf("%s\n\tedition: \tCommunity Edition (CE)\n\tversion: \t%.*s\n\tcommit: \tstand-in for tests\n"
	       "\tbuilt at: \tThu Jan  1 00:00:00 UTC 1970\n\tbuilt by: \tsysboxup's tests\n",
	       name, (int)strcspn(words, " "), words);
	if (oci_specs)
		printf("\toci-specs: \t%s\n", oci_specs);
}

#endif
