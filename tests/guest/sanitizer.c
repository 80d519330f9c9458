/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sanitizer builds are given so that libraries can be loaded when they are needed
 * (installer/sys/library.h); linked at once instead, they would double what a start of the program
 * costs. LeakSanitizer takes the thread-local storage of a library that was loaded later for
 * something else, and crashes: it is not to follow it. And what a library holds for good is no leak
 * because the library is gone: it stays.
 */
#include <dlfcn.h>

const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "intercept_tls_get_addr=0"; }

int dlclose(void *handle)
{
	(void)handle;
	return 0;
}
