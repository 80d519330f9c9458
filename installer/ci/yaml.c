/* SPDX-License-Identifier: Apache-2.0 */
#include "ci/yaml.h"

#include "sys/libyaml.h"

enum { NODES_MAX = 100000, DEPTH_MAX = 64 };

#define MERGE "<<"

struct reading {
	yaml_document_t *doc;
	const char *what;
	size_t left;			/* nodes that may still be made: aliases count each time */
	struct err *err;
};

static struct json *refuse(struct reading *r, const yaml_node_t *n, const char *why)
{
	err_set(r->err, ERR_USAGE, "%s, line %zu, column %zu: %s", r->what, n->start_mark.line + 1,
		n->start_mark.column + 1, why);
	return NULL;
}

static const char *scalar_text(const yaml_node_t *n)
{
	return (const char *)n->data.scalar.value;
}

static bool is_null(const yaml_node_t *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(scalar_text(n), words[i]))
			return true;
	return false;
}

static struct json *convert(struct reading *r, int id, unsigned int depth);

static struct json *convert_sequence(struct reading *r, const yaml_node_t *n, unsigned int depth)
{
	struct json *arr = json_arr();

	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		struct json *item = convert(r, *i, depth);

		if (!item) {
			json_free(arr);
			return NULL;
		}
		json_add(arr, item);
	}
	return arr;
}

/* What is there already, or comes of an earlier one, wins. */
static bool merge_one(struct json *into, const struct json *from)
{
	if (json_type(from) != JSON_OBJECT)
		return false;
	for json_each(m, from)
		if (!json_get(into, json_key(m)))
			json_set(into, json_key(m), json_dup(m));
	return true;
}

static bool merge(struct json *into, const struct json *from)
{
	if (json_type(from) != JSON_ARRAY)
		return merge_one(into, from);
	for json_each(one, from)
		if (!merge_one(into, one))
			return false;
	return true;
}

/* 0; -1: refused. Merges come when all keys of its own are there. */
static int convert_pairs(struct reading *r, const yaml_node_t *n, unsigned int depth, bool merges,
			 struct json *obj)
{
	yaml_node_pair_t *p = n->data.mapping.pairs.start;

	for (; p < n->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = sym_yaml_document_get_node(r->doc, p->key);
		struct json *value CLEANUP(json_freep) = NULL;

		if (key->type != YAML_SCALAR_NODE)
			return refuse(r, key, "a key that is no word") ? 0 : -1;
		if (merges != !strcmp(scalar_text(key), MERGE))
			continue;
		if (!merges && json_get(obj, scalar_text(key)))
			return refuse(r, key, "a key that is there already") ? 0 : -1;
		value = convert(r, p->value, depth);
		if (!value)
			return -1;
		if (!merges)
			json_set(obj, scalar_text(key), STEAL(value));
		else if (!merge(obj, value))
			return refuse(r, key, "what is merged is no mapping") ? 0 : -1;
	}
	return 0;
}

static struct json *convert_mapping(struct reading *r, const yaml_node_t *n, unsigned int depth)
{
	struct json *obj CLEANUP(json_freep) = json_obj();

	if (convert_pairs(r, n, depth, false, obj) || convert_pairs(r, n, depth, true, obj))
		return NULL;
	return STEAL(obj);
}

static struct json *convert(struct reading *r, int id, unsigned int depth)
{
	const yaml_node_t *n = sym_yaml_document_get_node(r->doc, id);

	if (depth > DEPTH_MAX)	/* an alias may stand for what it is in */
		return refuse(r, n, "nested too deep");
	if (!r->left--)
		return refuse(r, n, "too much of it");
	switch (n->type) {
	case YAML_SCALAR_NODE:
		if (strlen(scalar_text(n)) != n->data.scalar.length)
			return refuse(r, n, "a NUL byte");
		return is_null(n) ? json_null() : json_str(scalar_text(n));
	case YAML_SEQUENCE_NODE:
		return convert_sequence(r, n, depth + 1);
	case YAML_MAPPING_NODE:
		return convert_mapping(r, n, depth + 1);
	case YAML_NO_NODE:
		break;
	}
	return refuse(r, n, "nothing that is known");
}

static int bad(const yaml_parser_t *p, const char *what, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s, line %zu, column %zu: %s", what,
		       p->problem_mark.line + 1, p->problem_mark.column + 1,
		       p->problem ? p->problem : "no YAML");
}

/* The document and nothing behind it. *ret NULL: it is empty. */
static int load(yaml_parser_t *p, const char *what, struct json **ret, struct err *err)
{
	yaml_document_t doc, more;
	struct reading r = { &doc, what, NODES_MAX, err };
	bool empty, another;

	if (!sym_yaml_parser_load(p, &doc))
		return bad(p, what, err);
	empty = !sym_yaml_document_get_root_node(&doc);
	*ret = empty ? json_obj() : convert(&r, 1, 0);
	sym_yaml_document_delete(&doc);
	if (!*ret || empty)
		return *ret ? 0 : -1;
	if (!sym_yaml_parser_load(p, &more))
		return bad(p, what, err);
	another = sym_yaml_document_get_root_node(&more);
	sym_yaml_document_delete(&more);
	return another ? err_set(err, ERR_USAGE, "%s: more than one document", what) : 0;
}

int yaml_parse(const char *text, size_t len, const char *what, struct json **ret, struct err *err)
{
	struct json *tree CLEANUP(json_freep) = NULL;
	yaml_parser_t parser;
	int r;

	if (libyaml_load(err))
		return -1;
	if (!sym_yaml_parser_initialize(&parser))
		abort();
	sym_yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	r = load(&parser, what, &tree, err);
	sym_yaml_parser_delete(&parser);
	if (!r)
		*ret = STEAL(tree);
	return r;
}
