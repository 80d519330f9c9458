/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/control.h: what was read, written as five plain fields, reads as the same; a field given a
 * second time, a NUL byte, or the lack of a required field is refused.
 */
#include "fetch/control.h"
#include "fuzz.h"

static int parse(struct deb_control *c, const struct buf *b, struct err *err)
{
	return control_parse(c, b->data, b->len, "fuzz", err);
}

static void put(struct buf *b, const char *key, const char *value)
{
	if (value)
		buf_addf(b, "%s: %s\n", key, value);
}

static void write_out(const struct deb_control *c, struct buf *ret)
{
	put(ret, "Package", c->package);
	put(ret, "Version", c->version);
	put(ret, "Architecture", c->arch);
	put(ret, "Depends", c->depends);
	put(ret, "Pre-Depends", c->pre_depends);
	if (c->installed_size)
		buf_addf(ret, "Installed-Size: %llu\n", (unsigned long long)c->installed_size);
}

static void refused(const struct buf *b)
{
	struct deb_control c = { 0 };
	struct err err = ERR_INIT;

	must(parse(&c, b, &err) < 0);
	must_be_said(&err);
	must(!c.package && !c.version && !c.arch);
}

static void strict(const struct deb_control *c)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	write_out(c, &text);
	put(&text, "package", c->package);
	refused(&text);
	buf_clear(&text);
	write_out(c, &text);
	buf_addc(&text, 0);
	refused(&text);
	buf_clear(&text);
	put(&text, "Package", c->package);
	put(&text, "Version", c->version);
	refused(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deb_control c CLEANUP(control_release) = { 0 },
			     again CLEANUP(control_release) = { 0 };
	struct buf in CLEANUP(buf_release) = BUF_INIT, text CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	if (parse(&c, &in, &err) < 0) {
		must_be_said(&err);
		return 0;
	}
	must(!memchr(in.data, 0, in.len));
	must(!str_empty(c.package) && !str_empty(c.version) && !str_empty(c.arch));
	write_out(&c, &text);
	must(!parse(&again, &text, NULL));
	must(str_eq(c.package, again.package) && str_eq(c.version, again.version));
	must(str_eq(c.arch, again.arch) && str_eq(c.depends, again.depends));
	must(str_eq(c.pre_depends, again.pre_depends));
	must(c.installed_size == again.installed_size);
	strict(&c);
	return 0;
}
