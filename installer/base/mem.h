/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that never fails, and clean-up at the end of a scope.
 *
 * Running out of memory aborts: an abort is one more crash, and crashes are recoverable
 * by design (DESIGN.md section 4). So no caller checks for NULL.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#define CLEANUP(f) __attribute__((cleanup(f)))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define STEAL(p) __extension__({ __typeof__(p) stolen_ = (p); (p) = NULL; stolen_; })
#define STEAL_FD(fd) __extension__({ int stolen_ = (fd); (fd) = -1; stolen_; })

/* char *s CLEANUP(freep) = NULL; */
static inline void freep(void *p)
{
	free(*(void **)p);
}

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
void *xmemdup(const void *p, size_t len);
char *xstrdup(const char *s);			/* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);
char *xvasprintf(const char *fmt, va_list ap) PRINTF(1, 0);

/* *dst = copy of s, the old value freed. */
void str_replace(char **dst, const char *s);

#endif
