/* SPDX-License-Identifier: Apache-2.0 */
#include "ci/compose.h"

#include "base/embedded.h"
#include "base/template.h"
#include "ci/inside.h"
#include "ci/words.h"
#include "ci/yaml.h"

/* ---- what is there ---- */

/* "SOURCE:TARGET[:MODE]": the source may be a ${NAME:-PATH} with colons of its own. */
static void take_short(const char *text, struct strv *ret)
{
	char *source CLEANUP(freep) = xstrdup(text), *colon = strrchr(source, ':');

	if (colon && !strchr(colon, '/')) {
		*colon = '\0';
		colon = strrchr(source, ':');
	}
	if (!colon)
		return;
	*colon = '\0';
	if (is_engine_socket(source))
		strv_add(ret, colon + 1);
}

static void take_volume(const struct json *v, struct strv *ret)
{
	if (json_string(v))
		take_short(json_string(v), ret);
	else if (is_engine_socket(json_get_str(v, "source")) && json_get_str(v, "target"))
		strv_add(ret, json_get_str(v, "target"));
}

static int check_words(const struct compose_service *s, const char *what, struct err *err)
{
	char shown[128];

	err_quote(shown, sizeof(shown), s->name);
	if (!word_is_name(s->name))
		return err_set(err, ERR_USAGE, "%s: '%s' is no name of a service", what, shown);
	if (str_eq(s->name, "sysboxup-docker"))
		return err_set(err, ERR_USAGE, "%s: service %s is called like the one of the override", what, shown);
	for (size_t i = 0; i < s->sockets.n; i++) {
		if (word_is_path(s->sockets.v[i]))
			continue;
		err_quote(shown, sizeof(shown), s->sockets.v[i]);
		return err_set(err, ERR_USAGE, "%s: service %s mounts a socket at '%s', which is no plain path", what,
			       s->name, shown);
	}
	return 0;
}

static int take_service(struct compose *c, const struct json *j, const char *what, struct err *err)
{
	struct compose_service s = { .sockets = STRV_INIT };

	for json_each(v, json_get(j, "volumes"))
		take_volume(v, &s.sockets);
	s.privileged = str_eq(json_get_str(j, "privileged"), "true");
	if (!s.sockets.n && !s.privileged)
		return 0;
	s.name = xstrdup(json_key(j));
	c->v = xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n++] = s;
	return check_words(&s, what, err);
}

int compose_read(struct compose *ret, const char *text, size_t len, const char *what,
		 struct err *err)
{
	struct json *tree CLEANUP(json_freep) = NULL;
	struct compose c CLEANUP(compose_release) = { 0 };
	const char *version;

	if (yaml_parse(text, len, what, &tree, err))
		return -1;
	if (json_type(json_get(tree, "services")) != JSON_OBJECT)
		return err_set(err, ERR_USAGE, "%s: no compose file: it has no services", what);
	version = json_get_str(tree, "version");
	if (version && !word_is_name(version))
		return err_set(err, ERR_USAGE, "%s: 'version' is none", what);
	c.version = xstrdup(version);
	for json_each(service, json_get(tree, "services"))
		if (take_service(&c, service, what, err))
			return -1;
	*ret = c;
	c = (struct compose){ 0 };
	return 0;
}

void compose_release(struct compose *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].name);
		strv_release(&c->v[i].sockets);
	}
	free(c->v);
	free(c->version);
	*c = (struct compose){ 0 };
}

/* ---- what ends it ---- */

static int piece(const char *name, const struct template_var *vars, struct buf *ret,
		 struct err *err)
{
	const struct embedded *e = embedded_find(name);

	if (!e)
		return err_set(err, ERR_FAILED, "'%s' is not part of this program", name);
	return template_render(name, e->data, e->len, vars, ret, err);
}

static int add_service(const struct compose_service *s, const struct compose_way *way,
		       struct buf *ret, struct err *err)
{
	const struct template_var vars[] = { { "SERVICE", s->name }, { "HOST", way->host },
					     { "CERTS", way->certs }, { NULL, NULL } };
	const char *name = way->tls	 ? "templates/ci-compose-tls" :
			   s->sockets.n ? "templates/ci-compose-client" :
					  "templates/ci-compose-inside";

	if (piece(name, vars, ret, err))
		return -1;
	for (size_t i = 0; i < s->sockets.n; i++) {
		const struct template_var at[] = { { "TARGET", s->sockets.v[i] }, { NULL, NULL } };

		if (piece("templates/ci-compose-mask", at, ret, err))
			return -1;
	}
	return 0;
}

static bool has_client(const struct compose *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].sockets.n)
			return true;
	return false;
}

int compose_override(const struct compose *c, const struct compose_way *way, const char *what,
		     struct buf *ret, struct err *err)
{
	const struct template_var vars[] = { { "FILE", what }, { "VERSION", c->version },
					     { NULL, NULL } };
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	bool sidecar = !way->tls && has_client(c);

	if (piece("templates/ci-compose-head", vars, &out, err) ||
	    (c->version && piece("templates/ci-compose-version", vars, &out, err)))
		return -1;
	buf_adds(&out, "services:\n");
	for (size_t i = 0; i < c->n; i++)
		if (add_service(&c->v[i], way, &out, err))
			return -1;
	if (sidecar && piece("templates/ci-compose-sidecar", vars, &out, err))
		return -1;
	buf_add(ret, out.data, out.len);
	return 0;
}
