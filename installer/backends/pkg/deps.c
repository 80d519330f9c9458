/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/deps.h"

#include "sys/proc.h"

enum { ASK_SECONDS = 120 };

void dep_list_release(struct dep_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].id);
		free(l->v[i].name);
		free(l->v[i].version);
		free(l->v[i].file);
	}
	free(l->v);
	*l = (struct dep_list){ 0 };
}

void dep_list_add(struct dep_list *l, const struct dep *d)
{
	struct dep copy = *d;

	copy.id = xstrdup(d->id);
	copy.name = xstrdup(d->name);
	copy.version = xstrdup(d->version);
	copy.file = xstrdup(d->file);
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = copy;
}

const struct dep *dep_find(const struct dep_list *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].id, id))
			return &l->v[i];
	return NULL;
}

void dep_ids(const struct dep_list *l, struct strv *ret)
{
	for (size_t i = 0; i < l->n; i++)
		strv_add(ret, l->v[i].id);
}

void dep_parse(const char *text, struct dep_list *ret)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		struct strv part CLEANUP(strv_release) = STRV_INIT;
		str_split(&part, lines.v[i], '\t');
		if (part.n == 3)
			dep_list_add(ret, &(struct dep){ .id = part.v[0], .name = part.v[1],
							 .version = part.v[2] });
	}
}

bool dep_is_package(const char *name)
{
	return str_ends(name, ".rpm") || str_ends(name, ".apk") ||
	       (strstr(name, ".pkg.tar") && !str_ends(name, ".sig"));
}

/* ---- the table of this host ---- */

static bool programs_there(const struct host *h, const struct dep_ops *ops)
{
	for (const char *const *p = ops->programs; *p; p++) {
		char *path CLEANUP(freep) = host_find_program(h->root, *p);
		if (!path)
			return false;
	}
	return true;
}

const struct dep_ops *dep_backend_named(const char *name)
{
	for (const struct dep_ops *const *ops = dep_backends; *ops; ops++)
		if (str_eq((*ops)->name, name))
			return *ops;
	return NULL;
}

const struct dep_ops *dep_backend(const struct host *h)
{
	const struct dep_ops *ops = h->running && h->distro ?
					    dep_backend_named(h->distro->package_manager) :
					    NULL;

	return ops && programs_there(h, ops) ? ops : NULL;
}

/* ---- programs ---- */

void dep_output_release(struct dep_output *o)
{
	buf_release(&o->out);
	buf_release(&o->errout);
}

int dep_run(const struct strv *argv, const char *input, unsigned int seconds, struct report *log,
	    struct dep_output *ret, struct err *err)
{
	struct proc p = PROC_INIT;

	p.argv = (const char *const *)argv->v;
	p.input = input;
	p.input_len = input ? strlen(input) : 0;
	p.timeout = seconds;
	p.log = log;
	p.ret_out = &ret->out;
	p.ret_errout = &ret->errout;
	return proc_run(&p, &ret->status, err);
}

static bool holds_any(const char *line, const char *const *words)
{
	for (; *words; words++)
		if (strstr(line, *words))
			return true;
	return false;
}

char *dep_complaint(const struct dep_ops *ops, const struct dep_output *o)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, o->errout.data, '\n');
	str_split(&lines, o->out.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (holds_any(lines.v[i], ops->complaints))
			return xstrdup(str_trim(lines.v[i]));
	return NULL;
}

void dep_why(const struct dep_ops *ops, const struct dep_output *o, struct buf *ret)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	char quoted[768];

	str_split(&lines, o->errout.data, '\n');
	str_split(&lines, o->out.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = str_trim(lines.v[i]);
		if (!*line || !holds_any(line, ops->telling))
			continue;
		err_quote(quoted, sizeof(quoted), line);
		if (!strstr(ret->data ? ret->data : "", quoted))
			buf_addf(ret, "%s%s", ret->len ? "; " : "", quoted);
	}
	if (!ret->len)
		buf_addf(ret, "exit status %d, no reason given", o->status);
}

int dep_ask(const struct dep_ops *ops, const struct strv *argv, const char *input,
	    unsigned int seconds, struct report *log, struct dep_output *ret, struct err *err)
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;

	if (dep_run(argv, input, seconds, log, ret, err))
		return -1;
	if (!ret->status)
		return 0;
	dep_why(ops, ret, &why);
	return err_set(err, ERR_REFUSED, "%s says no: %.700s", argv->v[0], why.data);
}

/* ---- who needs whom ---- */

static int try_remove(const struct dep_ops *ops, const struct strv *ids, struct strv *needed,
		      struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	ops->remove(&argv, ids, DEP_TRY);
	if (dep_run(&argv, NULL, ASK_SECONDS, NULL, &o, err) ||
	    ops->needed(&o, ids, needed, err))
		return -1;
	if (needed->n || !o.status)
		return 0;
	dep_why(ops, &o, &why);
	return err_set(err, ERR_REFUSED, "%s would not remove them: %.700s", argv.v[0], why.data);
}

int dep_removable(const struct dep_ops *ops, struct strv *ids, struct strv *stay, struct err *err)
{
	while (ids->n) {
		struct strv needed CLEANUP(strv_release) = STRV_INIT;
		struct strv rest = STRV_INIT;

		if (try_remove(ops, ids, &needed, err))
			return -1;
		if (!needed.n)
			return 0;
		for (size_t i = 0; i < ids->n; i++)
			strv_add(strv_has(&needed, ids->v[i]) ? stay : &rest, ids->v[i]);
		if (rest.n == ids->n) {
			strv_release(&rest);
			return err_set(err, ERR_FAILED, "%s names others than it was asked about", ops->name);
		}
		strv_release(ids);
		*ids = rest;
	}
	return 0;
}
