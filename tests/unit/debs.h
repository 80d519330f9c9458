/* SPDX-License-Identifier: Apache-2.0 */
/* Packages written byte by byte, so that they can be wrong in any way: ar(5) and ustar. */
#ifndef UNIT_DEBS_H
#define UNIT_DEBS_H

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define CONTROL(name, version, arch) \
	"Package: " name "\nVersion: " version "\nArchitecture: " arch \
	"\nDepends: jq,\n rsync\nInstalled-Size: 40000\n"

__attribute__((unused)) static void ar_add(struct buf *b, const char *name, const void *data,
					   size_t len)
{
	if (!b->len)
		buf_adds(b, "!<arch>\n");
	buf_addf(b, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644", len);
	buf_add(b, data, len);
	if (len % 2)
		buf_addc(b, '\n');
}

/* type as in ustar: '0' file, '1' hard link, '2' symlink, '3' device, '5' directory, '6' fifo. */
__attribute__((unused)) static void tar_add(struct buf *b, char type, const char *path,
					    unsigned int mode, const char *link, const void *data,
					    size_t len)
{
	static const char zeros[512];
	char h[512] = { 0 };
	unsigned int sum = 0;

	snprintf(h, 100, "%s", path);
	snprintf(h + 100, 8, "%07o", mode);
	snprintf(h + 108, 8, "%07o", 0);
	snprintf(h + 116, 8, "%07o", 0);
	snprintf(h + 124, 12, "%011o", (unsigned int)len);
	snprintf(h + 136, 12, "%011o", 0);
	memset(h + 148, ' ', 8);
	h[156] = type;
	snprintf(h + 157, 100, "%s", link);
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	buf_add(b, h, sizeof(h));
	buf_add(b, data, len);
	buf_add(b, zeros, (512 - len % 512) % 512);
}

__attribute__((unused)) static void tar_end(struct buf *b)
{
	static const char zeros[1024];

	buf_add(b, zeros, sizeof(zeros));
}

/* A package with this control file and this data.tar, none of them compressed. */
__attribute__((unused)) static void deb_make(struct buf *deb, const char *control,
					     const struct buf *data)
{
	struct buf tar CLEANUP(buf_release) = BUF_INIT;

	tar_add(&tar, '5', "./", 0755, "", "", 0);
	tar_add(&tar, '0', "./postinst", 0755, "", "#!/bin/sh\n", 10);
	tar_add(&tar, '0', "./control", 0644, "", control, strlen(control));
	tar_end(&tar);
	ar_add(deb, "debian-binary", "2.0\n", 4);
	ar_add(deb, "control.tar", tar.data, tar.len);
	ar_add(deb, "data.tar", data->data, data->len);
}

#endif
