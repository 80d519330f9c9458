/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backends/pkg/aptsim.h: the plan that was understood, written as apt would, is understood the
 * same, batches included; an address that was read is read again from what it says; an archive's
 * name has no colon.
 */
#include "backends/pkg/aptsim.h"
#include "fuzz.h"

static const char *const words[] = {
	[PKG_INSTALL] = "Inst",
	[PKG_UPGRADE] = "Inst",
	[PKG_REMOVE] = "Remv",
	[PKG_CONFIGURE_STRANGER] = "Conf",
};

static bool is_inst(const struct pkg_op *op)
{
	return op->what == PKG_INSTALL || op->what == PKG_UPGRADE;
}

static void write_op(const struct pkg_op *op, struct buf *ret)
{
	buf_addf(ret, "%s %s", words[op->what], op->name);
	if (op->old_version)
		buf_addf(ret, " [%s]", op->old_version);
	if (op->what != PKG_REMOVE)
		buf_addf(ret, " (%s [%s])", op->new_version, op->arch);
	buf_addc(ret, '\n');
}

/* A Conf of what was installed last ends a batch and is no operation itself. */
static void write_out(const struct pkg_plan *p, struct buf *ret)
{
	const struct pkg_op *last = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct pkg_op *op = &p->v[i];

		if (is_inst(op) && last && op->batch != last->batch)
			buf_addf(ret, "Conf %s (1 [all])\n", last->name);
		write_op(op, ret);
		if (is_inst(op))
			last = op;
	}
}

static void same(const struct pkg_plan *a, const struct pkg_plan *b)
{
	must(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct pkg_op *x = &a->v[i], *y = &b->v[i];

		must(x->what == y->what && str_eq(x->name, y->name) && str_eq(x->arch, y->arch));
		must(str_eq(x->old_version, y->old_version) &&
		     str_eq(x->new_version, y->new_version));
	}
}

/* Batches as such: which installations go together. A stranger's Conf may begin one as well. */
static void same_batches(const struct pkg_plan *a, const struct pkg_plan *b)
{
	const struct pkg_op *p = NULL, *q = NULL;

	for (size_t i = 0; i < a->n; i++) {
		if (!is_inst(&a->v[i]))
			continue;
		must(!p || (p->batch == a->v[i].batch) == (q->batch == b->v[i].batch));
		must(!p || a->v[i].batch >= p->batch);
		p = &a->v[i];
		q = &b->v[i];
	}
}

static void check_names(const struct pkg_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (!is_inst(&p->v[i]))
			continue;
		char *name CLEANUP(freep) = apt_archive_name(&p->v[i]);
		char *colon = strchr(name, ':');

		must(str_ends(name, ".deb"));
		must(!colon || strchr(p->v[i].arch, ':'));
	}
}

static void check_uri(const char *line)
{
	struct apt_uri u = { 0 }, again = { 0 };

	if (!apt_uri_parse(line, &u))
		return;
	char *path CLEANUP(freep) = apt_uri_path(u.uri);
	char *text CLEANUP(freep) = xasprintf("'%s' %s %llu %s", u.uri, u.file, (unsigned long long)u.size,
					      u.hash ? u.hash : "");

	must(!path == !str_starts(u.uri, "file:"));
	must(!path || strlen(path) <= strlen(u.uri));
	must(apt_uri_parse(text, &again));
	must(str_eq(u.uri, again.uri) && str_eq(u.file, again.file) && str_eq(u.hash, again.hash));
	must(u.size == again.size);
	apt_uri_release(&u);
	apt_uri_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in CLEANUP(buf_release) = BUF_INIT, text CLEANUP(buf_release) = BUF_INIT;
	struct pkg_plan p = { 0 }, again = { 0 };
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	check_uri(in.data);
	if (aptsim_parse(in.data, &p, &err) < 0) {
		must_be_said(&err);
		return 0;
	}
	write_out(&p, &text);
	must(!aptsim_parse(text.data, &again, NULL));
	same(&p, &again);
	same_batches(&p, &again);
	check_names(&p);
	pkg_plan_release(&p);
	pkg_plan_release(&again);
	return 0;
}
