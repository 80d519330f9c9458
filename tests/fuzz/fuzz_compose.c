/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ci/compose.h: a file that is read gives an override that is read again; in it nothing is left
 * that was found, and no service or mount is made up.
 */
#include "ci/compose.h"
#include "ci/yaml.h"
#include "fuzz.h"

static int read_text(struct compose *ret, const struct buf *text, struct err *err)
{
	return compose_read(ret, text->data, text->len, "fuzz", err);
}

/* One member of the services for each that was found, and the one that they share. */
static void same_services(const struct compose *c, const struct buf *out, bool tls)
{
	struct json *j CLEANUP(json_freep) = NULL;
	bool shared = false;

	must(!yaml_parse(out->data, out->len, "fuzz", &j, NULL));
	const struct json *services = json_get(j, "services");
	for (size_t i = 0; i < c->n; i++) {
		must(json_get(services, c->v[i].name));
		shared |= !tls && c->v[i].sockets.n;
	}
	must(json_len(services) == c->n + shared);
}

static void override(const struct compose *c, bool tls)
{
	const struct compose_way way = { tls, "tcp://h:2376", "/certs" };
	struct compose left CLEANUP(compose_release) = { 0 };
	struct buf out CLEANUP(buf_release) = BUF_INIT;

	must(!compose_override(c, &way, "fuzz", &out, NULL));
	must(!read_text(&left, &out, NULL));
	must(!left.n);
	must(str_eq(left.version, c->version) || (!left.version && !c->version));
	same_services(c, &out, tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct compose c CLEANUP(compose_release) = { 0 };
	struct buf in CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	if (read_text(&c, &in, &err)) {
		must_be_said(&err);
		return 0;
	}
	if (!c.n)
		return 0;
	override(&c, false);
	override(&c, true);
	return 0;
}
