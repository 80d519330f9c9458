/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/catalog.h"

#include "base/digest.h"
#include "base/embedded.h"
#include "fetch/download.h"
#include "fetch/scratch.h"
#include "fetch/url.h"
#include "fetch/verify.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/stamp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define CATALOG_MAX (4 * 1024 * 1024)
#define SIGNATURE_MAX (64 * 1024)
#define KEYRING_MAX (1024 * 1024)
#define SKEW 600			/* seconds that clocks may differ */
#define EXPIRY_WARNING (14 * 86400)
#define PACKAGE_MAX (2048LL * 1024 * 1024)
#define KNOWN_DIR "/var/lib/sysboxup/known"
#define KNOWN_EVIDENCE "catalog-verified"
#define EVIDENCE_LIFE (24 * 60 * 60)	/* seconds */
#define KNOWN_SERIAL "catalog-serial"

/* --- reading --- */

enum shape { SHAPE_TEXT, SHAPE_WORD, SHAPE_DIGEST };

struct text_field {
	const char *key;
	enum shape shape;
	bool optional;
	size_t offset;		/* of a char * in struct catalog_entry */
};

#define AT(member) offsetof(struct catalog_entry, member)

static const struct text_field text_fields[] = {
	{ "name", SHAPE_WORD, false, AT(name) },
	{ "version", SHAPE_WORD, false, AT(version) },
	{ "package_version", SHAPE_WORD, true, AT(package_version) },
	{ "arch", SHAPE_WORD, false, AT(arch) },
	{ "sha256", SHAPE_DIGEST, false, AT(sha256) },
	{ "source", SHAPE_TEXT, true, AT(source) },
};

static bool shape_valid(enum shape shape, const char *s)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~:-";

	switch (shape) {
	case SHAPE_DIGEST:
		return digest_valid(s);
	case SHAPE_WORD:
		return *s && strspn(s, word) == strlen(s) && strlen(s) < 128;
	case SHAPE_TEXT:
		return strlen(s) < 1024;
	}
	return false;
}

static int bad_entry(const char *what, size_t i, const char *key, const char *must, struct err *err)
{
	return err_set(err, ERR_REFUSED, "%s: 'packages[%zu].%s' must be %s", what, i, key, must);
}

static int read_texts(struct catalog_entry *e, const struct json *j, const char *what, size_t i,
		      struct err *err)
{
	static const char *const must[] = {
		[SHAPE_TEXT] = "a short text",
		[SHAPE_WORD] = "a word",
		[SHAPE_DIGEST] = "64 lower-case hex digits",
	};

	for (size_t k = 0; k < ARRAY_SIZE(text_fields); k++) {
		const struct text_field *f = &text_fields[k];
		const char *s = json_get_str(j, f->key);

		if (!json_get(j, f->key) && f->optional)
			continue;
		if (!s || !shape_valid(f->shape, s))
			return bad_entry(what, i, f->key, must[f->shape], err);
		*(char **)((char *)e + f->offset) = xstrdup(s);
	}
	return 0;
}

static int read_urls(struct catalog_entry *e, const struct json *j, const char *what, size_t i,
		     struct err *err)
{
	const struct json *urls = json_get(j, "urls");

	if (json_type(urls) != JSON_ARRAY)
		return bad_entry(what, i, "urls", "a list of addresses", err);
	for json_each(it, urls) {
		if (!json_string(it) || strlen(json_string(it)) > 4096)
			return bad_entry(what, i, "urls", "a list of addresses", err);
		strv_add(&e->urls, json_string(it));
	}
	return e->urls.n ? 0 : bad_entry(what, i, "urls", "a list of addresses", err);
}

static int read_entry(struct catalog_entry *e, const struct json *j, const char *what, size_t i,
		      struct err *err)
{
	const char *provenance = json_get_str(j, "provenance");
	int64_t size = json_get_i64(j, "size", -1);

	if (read_texts(e, j, what, i, err) < 0 || read_urls(e, j, what, i, err) < 0)
		return -1;
	if (!str_eq(provenance, "upstream") && !str_eq(provenance, "third-party"))
		return bad_entry(what, i, "provenance", "\"upstream\" or \"third-party\"", err);
	e->upstream = str_eq(provenance, "upstream");
	if (json_get(j, "size") && (size <= 0 || size > PACKAGE_MAX))
		return bad_entry(what, i, "size", "a number of bytes", err);
	e->size = size > 0 ? (uint64_t)size : 0;
	return 0;
}

static int read_time(const struct json *j, const char *key, int64_t *ret, const char *what,
		     struct err *err)
{
	const char *s = json_get_str(j, key);
	int64_t t = s ? clock_parse_iso(s) : -1;

	if (t < 0)
		return err_set(err, ERR_REFUSED,
			       "%s: '%s' must be a time such as \"2026-11-01T00:00:00Z\"", what,
			       key);
	*ret = t;
	return 0;
}

static int read_head(struct catalog *c, const struct json *j, const char *what, struct err *err)
{
	if (json_type(j) != JSON_OBJECT || json_get_i64(j, "format", 0) != 1)
		return err_set(err, ERR_REFUSED, "%s is not a catalog of format 1", what);
	c->serial = json_get_i64(j, "serial", 0);
	if (c->serial < 1)
		return err_set(err, ERR_REFUSED, "%s: 'serial' must be a number from 1", what);
	if (read_time(j, "created", &c->created, what, err) < 0)
		return -1;
	if (json_get(j, "expires") && read_time(j, "expires", &c->expires, what, err) < 0)
		return -1;
	if (!json_len(json_get(j, "packages")) || json_type(json_get(j, "packages")) != JSON_ARRAY)
		return err_set(err, ERR_REFUSED, "%s lists no packages", what);
	return 0;
}

int catalog_parse(struct catalog *ret, const char *text, size_t len, const char *what,
		  struct err *err)
{
	struct catalog c CLEANUP(catalog_release) = { 0 };
	struct json *tree CLEANUP(json_freep) = NULL;

	if (json_parse(text, len, JSON_STRICT, what, &tree, err) < 0)
		return err_raise(err, ERR_REFUSED);
	if (read_head(&c, tree, what, err) < 0)
		return -1;
	c.v = xcalloc(json_len(json_get(tree, "packages")), sizeof(*c.v));
	for json_each(it, json_get(tree, "packages")) {
		c.n++;
		if (read_entry(&c.v[c.n - 1], it, what, c.n - 1, err) < 0)
			return -1;
	}
	*ret = c;
	c = (struct catalog){ 0 };
	return 0;
}

void catalog_single(struct catalog *ret, const char *name, const char *version, const char *arch,
		    const char *sha256)
{
	struct catalog c = { .embedded = true, .v = xcalloc(1, sizeof(*c.v)), .n = 1 };

	c.v->name = xstrdup(name);
	c.v->version = xstrdup(version);
	c.v->arch = xstrdup(arch);
	c.v->sha256 = xstrdup(sha256);
	*ret = c;
}

void catalog_release(struct catalog *c)
{
	for (size_t i = 0; i < c->n; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(text_fields); k++)
			free(*(char **)((char *)&c->v[i] + text_fields[k].offset));
		strv_release(&c->v[i].urls);
	}
	free(c->v);
	*c = (struct catalog){ 0 };
}

/* --- an external one --- */

static int fetch_one(const struct profile *p, const char *url, const char *name, size_t max,
		     int dirfd, struct buf *ret, struct report *rep, struct err *err)
{
	const char *const urls[] = { url, NULL };
	const struct download d = {
		.what = name,
		.urls = urls,
		.name = path_basename(name),
		.max_size = max,
		.proxy = p->catalog.proxy,
		.ca_file = p->catalog.ca_file,
		.plain_mirrors = &p->catalog.plain_mirrors,
		.rep = rep,
		.remedy = "check the network and the profile's 'catalog': url, proxy, ca_file; the signature is "
			  "expected beside the catalog, with '.sig' after its name",
	};
	int fd CLEANUP(closep) = -1;

	if (download_run(&d, dirfd, &fd, err) < 0)
		return -1;
	return fs_read_fd(fd, max, ret, err);
}

/* One digest over everything that the verdict depends on, lengths included. */
static void evidence_digest(const struct profile *p, const struct buf *text, const struct buf *sig,
			    const struct buf *keys, char hex[65])
{
	char *pins CLEANUP(freep) = strv_join(&p->catalog.fingerprints, " ");
	struct buf all CLEANUP(buf_release) = BUF_INIT;

	buf_addf(&all, "%zu %zu %zu %s\n", text->len, sig->len, keys->len, pins);
	buf_add(&all, text->data, text->len);
	buf_add(&all, sig->data, sig->len);
	buf_add(&all, keys->data, keys->len);
	digest_hex(all.data, all.len, hex);
}

/*
 * "DIGEST TIME": the evidence that was found good last, in a directory that only root can write.
 * An image's own directory is not believed: whoever made the image wrote it.
 */
static bool verified_lately(const struct root *root, const char *evidence)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv words CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;
	int64_t then, now = clock_now();

	if (!root->is_host ||
	    root_read_optional(root, KNOWN_DIR "/" KNOWN_EVIDENCE, 256, &text, &ignored))
		return false;
	str_words(&words, text.data);
	return words.n == 2 && str_eq(words.v[0], evidence) &&
	       !str_to_i64(words.v[1], 0, INT64_MAX, &then) && then <= now &&
	       now - then < EVIDENCE_LIFE;
}

/* The name's end is before a query, where there is one. */
static char *signature_url(const char *url)
{
	size_t n = strcspn(url, "?#");

	return xasprintf("%.*s.sig%s", (int)n, url, url + n);
}

static int fetch_signed(const struct root *root, const struct profile *p, struct buf *ret,
			char evidence[65], struct report *rep, struct err *err)
{
	struct scratch dir CLEANUP(scratch_release) = SCRATCH_INIT;
	struct buf sig CLEANUP(buf_release) = BUF_INIT, keys CLEANUP(buf_release) = BUF_INIT;
	char *sig_url CLEANUP(freep) = signature_url(p->catalog.url);
	int rc = fs_read_at(AT_FDCWD, p->catalog.keyring, KEYRING_MAX, &keys, err);

	if (rc > 0) {
		err_set(err, ERR_USAGE, "there is no keyring '%s'", p->catalog.keyring);
		return err_remedy(err, "put the publisher's public key there, as gpg --export writes it");
	}
	if (rc < 0 || scratch_make(&dir, err) < 0 ||
	    fetch_one(p, sig_url, "signature", SIGNATURE_MAX, dir.fd, &sig, rep, err) < 0 ||
	    fetch_one(p, p->catalog.url, "catalog", CATALOG_MAX, dir.fd, ret, rep, err) < 0)
		return -1;
	evidence_digest(p, ret, &sig, &keys, evidence);
	if (verified_lately(root, evidence))
		return 0;
	return verify_detached(ret->data, ret->len, sig.data, sig.len, keys.data, keys.len,
			       &p->catalog.fingerprints, "the catalog", err);
}

/* The highest serial seen, 0 if none was. */
static int known_serial(const struct root *root, int64_t *ret, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int rc = root_read_optional(root, KNOWN_DIR "/" KNOWN_SERIAL, 64, &text, err);

	if (rc < 0)
		return -1;
	if (rc > 0)
		*ret = 0;
	else if (str_to_i64(str_trim(text.data), 0, INT64_MAX, ret) < 0)
		return err_set(err, ERR_REFUSED,
			       "'" KNOWN_DIR "/" KNOWN_SERIAL "' does not hold a number");
	return 0;
}

static int check_times(const struct catalog *c, const char *what, struct report *rep,
		       struct err *err)
{
	int64_t now = clock_now();
	char created[32], expires[32], today[32];

	clock_iso(c->created, created);
	clock_iso(c->expires, expires);
	clock_iso(now, today);
	if (c->created > now + SKEW) {
		err_set(err, ERR_REFUSED, "%s is from the future: created %s", what, created);
		return err_remedy(err, "set this host's clock if it is wrong: it says %s", today);
	}
	if (!c->expires) {
		err_set(err, ERR_REFUSED, "%s does not say when it expires", what);
		return err_remedy(err, "publish it with 'expires'");
	}
	if (c->expires <= now) {
		err_set(err, ERR_REFUSED, "%s expired %s", what, expires);
		return err_remedy(err, "publish a newer one, or set this host's clock if it is wrong: it says %s", today);
	}
	if (c->expires - now < EXPIRY_WARNING)
		report_warn(rep, "publish a newer one", "%s expires %s", what, expires);
	return 0;
}

static int check_fresh(const struct catalog *c, const struct root *root, const char *what,
		       struct report *rep, struct err *err)
{
	int64_t known;

	if (known_serial(root, &known, err) < 0)
		return -1;
	if (c->serial < known) {
		err_set(err, ERR_REFUSED, "%s is older than one seen before: serial %" PRId64 ", seen %" PRId64, what,
			c->serial, known);
		return err_remedy(err, "wait until the mirror has the newer one, or name another in 'catalog.url'");
	}
	return check_times(c, what, rep, err);
}

static int load_external(struct catalog *ret, const struct root *root, const struct profile *p,
			 struct report *rep, struct err *err)
{
	struct catalog c CLEANUP(catalog_release) = { 0 };
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char evidence[65];

	if (fetch_signed(root, p, &text, evidence, rep, err) < 0)
		return -1;
	if (catalog_parse(&c, text.data, text.len, "the catalog", err) < 0)
		return err_remedy(err, "tell its publisher: it is signed, but it cannot be read");
	if (check_fresh(&c, root, "the catalog", rep, err) < 0)
		return -1;
	snprintf(c.evidence, sizeof(c.evidence), "%s", evidence);
	*ret = c;
	c = (struct catalog){ 0 };
	return 0;
}

static int load_embedded(struct catalog *ret, struct err *err)
{
	const struct embedded *e = embedded_find("templates/catalog.json");

	if (!e)
		return err_set(err, ERR_FAILED, "this program was built without its catalog");
	if (catalog_parse(ret, e->data, e->len, "the embedded catalog", err) < 0)
		return -1;
	ret->embedded = true;
	return 0;
}

int catalog_load(struct catalog *ret, const struct root *root, const struct profile *p,
		 struct report *rep, struct err *err)
{
	char shown[256];

	if (!p->catalog.url)
		return load_embedded(ret, err);
	if (load_external(ret, root, p, rep, err) == 0)
		return 0;
	url_shown(p->catalog.url, shown, sizeof(shown));
	return err_prefix(err, "catalog '%s'", shown);
}

static int remember(const struct root *root, const char *name, const char *text, struct err *err)
{
	int dirfd CLEANUP(closep) = -1;

	if (fs_mkdir_path(root, KNOWN_DIR, 0755, err) < 0)
		return -1;
	dirfd = root_openat(root, KNOWN_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (dirfd < 0)
		return err_errno(err, errno, "cannot open '" KNOWN_DIR "'");
	return fs_put(dirfd, name, 0644, text, strlen(text), err);
}

int catalog_remember(const struct catalog *c, const struct root *root, struct err *err)
{
	int64_t known;
	char text[128];

	if (c->embedded)
		return 0;
	if (known_serial(root, &known, err) < 0)
		return -1;
	snprintf(text, sizeof(text), "%" PRId64 "\n", c->serial);
	if (c->serial > known && remember(root, KNOWN_SERIAL, text, err) < 0)
		return -1;
	if (verified_lately(root, c->evidence))
		return 0;
	snprintf(text, sizeof(text), "%s %" PRId64 "\n", c->evidence, stamp_now());
	return remember(root, KNOWN_EVIDENCE, text, err);
}

/* --- choosing --- */

static char *known_versions(const struct catalog *c, const char *name, const char *arch)
{
	struct strv known CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->v[i].name, name) && str_eq(c->v[i].arch, arch))
			strv_add(&known, c->v[i].version);
	return known.n ? strv_join(&known, ", ") : xstrdup("none");
}

static const struct catalog_entry *newest(const struct catalog *c, const char *name,
					  const char *arch)
{
	const struct catalog_entry *best = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const struct catalog_entry *e = &c->v[i];

		if (!e->upstream || !str_eq(e->name, name) || !str_eq(e->arch, arch))
			continue;
		if (!best || version_compare(e->version, best->version) > 0)
			best = e;
	}
	return best;
}

static const struct catalog_entry *exactly(const struct catalog *c, const char *name,
					   const char *version, const char *arch)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->v[i].name, name) && str_eq(c->v[i].arch, arch) &&
		    str_eq(c->v[i].version, version))
			return &c->v[i];
	return NULL;
}

const struct catalog_entry *catalog_find(const struct catalog *c, const char *name,
					 const char *version, const char *arch, struct err *err)
{
	bool latest = str_eq(version, "latest");
	const struct catalog_entry *e = latest ? newest(c, name, arch) :
						 exactly(c, name, version, arch);

	if (e)
		return e;
	char *known CLEANUP(freep) = known_versions(c, name, arch);

	if (latest && !str_eq(known, "none")) {
		err_set(err, ERR_USAGE, "for %s on %s upstream published no hash, others did: name a version: %s",
			name, arch, known);
		err_remedy(
			err,
			"set \"sysbox\": { \"version\": ... } in the profile to trust one of them");
	} else {
		err_set(err, ERR_USAGE, "the catalog has no %s %s for %s; known: %s", name, version, arch, known);
		err_remedy(err, "name one of them in the profile's 'sysbox.version'");
	}
	return NULL;
}
