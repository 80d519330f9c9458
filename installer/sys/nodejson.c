/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes in records. Strings of a file system are bytes: what is not plain ASCII goes into KEY_hex
 * instead of KEY. */
#include "sys/node.h"

#include "sys/stamp.h"

#include <stdio.h>

static const char *const type_names[] = {
	[NODE_ABSENT] = "absent", [NODE_FILE] = "file",   [NODE_DIR] = "dir",
	[NODE_LINK] = "link",     [NODE_OTHER] = "other",
};

/* ---- encode ---- */

static char *to_hex(const void *data, size_t len)
{
	struct buf b = BUF_INIT;

	buf_reserve(&b, 2 * len);
	for (size_t i = 0; i < len; i++)
		buf_addf(&b, "%02x", ((const unsigned char *)data)[i]);
	return buf_detach(&b);
}

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			return false;
	return true;
}

static void set_bytes(struct json *obj, const char *key, const char *s)
{
	char *hex_key CLEANUP(freep) = xasprintf("%s_hex", key);
	char *hex CLEANUP(freep) = to_hex(s, strlen(s));

	json_set_str(obj, is_plain(s) ? key : hex_key, is_plain(s) ? s : hex);
}

/* As a string: numbers of JSON are exact up to 2^53 only. */
static void set_u64(struct json *obj, const char *key, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	json_set_str(obj, key, text);
}

static void set_time(struct json *obj, const char *key, struct timespec t)
{
	char text[48];

	snprintf(text, sizeof text, "%lld.%09ld", (long long)t.tv_sec, t.tv_nsec);
	json_set_str(obj, key, text);
}

static struct json *encode_xattrs(const struct node *n)
{
	struct json *arr = json_arr();

	for (size_t i = 0; i < n->xattrs_n; i++) {
		char *value CLEANUP(freep) = to_hex(n->xattrs[i].value, n->xattrs[i].len);
		struct json *x = json_obj();
		set_bytes(x, "name", n->xattrs[i].name);
		json_set_str(x, "value", value);
		json_add(arr, x);
	}
	return arr;
}

static void set_fingerprint(struct json *j, const struct node *n)
{
	set_u64(j, "dev", n->dev);
	set_u64(j, "ino", n->ino);
	set_time(j, "ctime", n->ctime);
}

struct json *node_encode(const struct node *n)
{
	struct json *j = json_obj();

	json_set_str(j, "type", type_names[n->type]);
	if (n->type == NODE_ABSENT)
		return j;
	json_set_i64(j, "mode", n->mode);
	json_set_i64(j, "uid", n->uid);
	json_set_i64(j, "gid", n->gid);
	set_time(j, "mtime", n->mtime);
	set_u64(j, "size", n->size);
	if (*n->digest)
		json_set_str(j, "sha256", n->digest);
	if (n->target)
		set_bytes(j, "target", n->target);
	if (n->xattrs_n)
		json_set(j, "xattrs", encode_xattrs(n));
	if (n->type == NODE_OTHER) {
		set_u64(j, "rdev", n->rdev);
		json_set_i64(j, "format", n->format);
	}
	if (!stamp_sealed())
		set_fingerprint(j, n);
	return j;
}

/* ---- decode: 0, or -1 for anything we would not have written ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int from_hex(const char *hex, void **ret, size_t *ret_len)
{
	size_t len = hex ? strlen(hex) : 1;
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	if (len % 2)
		return -1;
	for (size_t i = 0; i < len; i += 2) {
		int hi = hex_digit(hex[i]), lo = hex_digit(hex[i + 1]);
		if (hi < 0 || lo < 0)
			return -1;
		buf_addc(&b, (char)(hi << 4 | lo));
	}
	*ret = xmemdup(b.data, b.len + 1);
	*ret_len = b.len;
	return 0;
}

static int get_bytes(const struct json *j, const char *key, char **ret)
{
	char *hex_key CLEANUP(freep) = xasprintf("%s_hex", key);
	const char *s = json_get_str(j, key);
	void *bytes;
	size_t len;

	if (!s) {
		if (from_hex(json_get_str(j, hex_key), &bytes, &len))
			return -1;
		*ret = bytes;
		return 0;
	}
	*ret = xstrdup(s);
	return 0;
}

static int get_u64(const struct json *j, const char *key, uint64_t *ret)
{
	const char *s = json_get_str(j, key);

	return s ? str_to_u64(s, UINT64_MAX, ret) : -1;
}

static int get_id(const struct json *j, const char *key, int64_t max, unsigned int *ret)
{
	int64_t n = json_get_i64(j, key, -1);

	if (n < 0 || n > max)
		return -1;
	*ret = (unsigned int)n;
	return 0;
}

static int get_time(const struct json *j, const char *key, struct timespec *ret)
{
	struct strv part CLEANUP(strv_release) = STRV_INIT;
	int64_t sec, nsec;

	if (!json_get_str(j, key))
		return -1;
	str_split(&part, json_get_str(j, key), '.');
	if (part.n != 2 || strlen(part.v[1]) != 9 ||
	    str_to_i64(part.v[0], INT64_MIN, INT64_MAX, &sec))
		return -1;
	/* leading zeros are ours, a leading sign is not */
	nsec = 0;
	for (const char *c = part.v[1]; *c; c++) {
		if (*c < '0' || *c > '9')
			return -1;
		nsec = nsec * 10 + (*c - '0');
	}
	*ret = (struct timespec){ sec, (long)nsec };
	return 0;
}

static int decode_xattrs(struct node *n, const struct json *arr)
{
	for json_each(x, arr) {
		struct xattr got = { NULL, NULL, 0 };
		if (get_bytes(x, "name", &got.name))
			return -1;
		if (from_hex(json_get_str(x, "value"), &got.value, &got.len)) {
			free(got.name);
			return -1;
		}
		n->xattrs = xreallocarray(n->xattrs, n->xattrs_n + 1, sizeof *n->xattrs);
		n->xattrs[n->xattrs_n++] = got;
	}
	return 0;
}

static int decode_content(struct node *n, const struct json *j)
{
	const char *digest = json_get_str(j, "sha256");

	if (digest && !digest_valid(digest))
		return -1;
	if (digest)
		memcpy(n->digest, digest, sizeof n->digest);
	if (n->type == NODE_LINK)
		return get_bytes(j, "target", &n->target);
	if (n->type == NODE_OTHER)
		return get_u64(j, "rdev", &n->rdev) || get_id(j, "format", S_IFMT, &n->format) ?
			       -1 :
			       0;
	return 0;
}

/* One of a sealed run has none: then no file has it. */
static int decode_fingerprint(struct node *n, const struct json *j)
{
	if (!json_get(j, "ino"))
		return 0;
	return get_time(j, "ctime", &n->ctime) || get_u64(j, "dev", &n->dev) ||
			       get_u64(j, "ino", &n->ino) ?
		       -1 :
		       0;
}

static int decode(struct node *n, const struct json *j)
{
	const char *type = json_get_str(j, "type");
	size_t t = 0;

	while (t < ARRAY_SIZE(type_names) && !str_eq(type, type_names[t]))
		t++;
	if (t == ARRAY_SIZE(type_names))
		return -1;
	n->type = (enum node_type)t;
	if (n->type == NODE_ABSENT)
		return 0;
	if (get_id(j, "mode", 07777, &n->mode) || get_id(j, "uid", UINT32_MAX, &n->uid) ||
	    get_id(j, "gid", UINT32_MAX, &n->gid) || get_time(j, "mtime", &n->mtime) ||
	    get_u64(j, "size", &n->size) || decode_fingerprint(n, j))
		return -1;
	return decode_content(n, j) || decode_xattrs(n, json_get(j, "xattrs")) ? -1 : 0;
}

int node_decode(struct node *ret, const struct json *j, struct err *err)
{
	struct node n CLEANUP(node_release) = NODE_INIT;

	if (decode(&n, j))
		return err_set(err, ERR_FAILED, "the record of a file is not one of ours");
	node_release(ret);
	*ret = n;
	n = (struct node)NODE_INIT;
	return 0;
}
