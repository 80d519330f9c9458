/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/verify.h"
#include "fetch_help.h"

#include <dirent.h>

static const char text[] = "the catalog\n";
static struct err err;
static struct buf sig = BUF_INIT, keyring = BUF_INIT;
static struct strv pins = STRV_INIT;

TEST(keys, "keys and signatures for these tests can be made")
{
	dir_make();
	file_put("t", text, strlen(text));
	lib_run("d=$1; keys_make $d good; keys_make $d second; keys_make $d stranger; keys_make "
		"$d rsa rsa2048;"
		"keys_make $d weak rsa1024; keys_make $d revoked;"
		"KEY_EXPIRES=1d keys_make $d expired ed25519 --faked-system-time 20200101T000000;"
		"for k in good second stranger rsa weak revoked; do keys_sign $d $k $d/t "
		"$d/$k.sig; done;"
		"keys_sign $d expired $d/t $d/expired.sig --faked-system-time 20200101T010000;"
		"keys_revoke $d revoked;"
		"keys_sign $d rsa $d/t $d/sha1.sig --digest-algo SHA1;"
		"keys_sign $d good $d/t $d/future.sig --faked-system-time 20500101T000000;"
		"keys_sign $d good $d/t $d/armoured.sig --armor;"
		"keys_sign $d good $d/t $d/short.sig --default-sig-expire 1d --faked-system-time "
		"$(date -u -d '+2 min' +%Y%m%dT%H%M%S);"
		"echo other > $d/o; keys_sign $d good $d/o $d/forged.sig; keys_sign $d stranger "
		"$d/o $d/noise.sig;"
		"cat $d/*.gpg > $d/all; keys_gpg $d --armor --export > $d/all.asc; keys_stop $d");
}

static int check(const char *sigs, const char *ring, const char *pinned)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct buf part CLEANUP(buf_release) = BUF_INIT;

	err = (struct err)ERR_INIT;
	buf_clear(&sig);
	strv_release(&pins);
	str_words(&names, sigs);
	for (size_t i = 0; i < names.n; i++) {
		file_get(names.v[i], &part);
		buf_add(&sig, part.data, part.len);
	}
	file_get(ring, &keyring);
	strv_release(&names);
	str_words(&names, pinned);
	for (size_t i = 0; i < names.n; i++) {
		char *name CLEANUP(freep) = xasprintf("%s.fpr", names.v[i]);

		file_get(name, &part);
		strv_add(&pins, str_trim(part.data));
	}
	return verify_detached(text, strlen(text), sig.data, sig.len, keyring.data, keyring.len,
			       &pins, "the catalog", &err);
}

static void check_refused(const char *sigs, const char *ring, const char *pinned, const char *words)
{
	CHECK_INT(check(sigs, ring, pinned), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(str_starts(err.msg, words));
	if (!str_starts(err.msg, words))
		printf("# got <%s>\n", err.msg);
}

TEST(good, "a signature by a pinned key is accepted, binary or armoured, with a binary or "
	"armoured keyring")
{
	CHECK_INT(check("good.sig", "good.gpg", "good"), 0);
	CHECK_INT(check("armoured.sig", "all.asc", "good"), 0);
	CHECK_INT(check("rsa.sig", "all", "good rsa"), 0);
	CHECK_STR(err.msg, "");
}

TEST(unsigned_, "without a signature nothing is accepted")
{
	check_refused("", "all", "good", "the catalog is not signed");
	check_refused("t", "all", "good", "the catalog is not signed");
	check_refused("good.gpg", "all", "good", "the catalog is not signed");
}

TEST(stranger, "a stranger's signature is refused, in the keyring or not")
{
	check_refused("stranger.sig", "good.gpg", "good",
		      "the catalog is refused: its signature is by a stranger's key");
	check_refused("stranger.sig", "all", "good",
		      "the catalog is refused: its signature is by a stranger's key");
	check_refused("good.sig", "second.gpg", "good",
		      "the catalog is refused: its signature is by a stranger's key");
}

TEST(expired, "a signature by an expired key is refused, also one made in its time")
{
	check_refused("expired.sig", "all", "expired",
		      "the catalog is refused: its signature is by an expired key");
}

TEST(revoked, "a signature by a revoked key is refused, also one made before")
{
	check_refused("revoked.sig", "all", "revoked",
		      "the catalog is refused: its signature is by a revoked key");
}

TEST(weak, "SHA-1 and RSA of 1024 bits are refused")
{
	check_refused("sha1.sig", "all", "rsa",
		      "the catalog is refused: its signature uses a weak hash");
	check_refused("weak.sig", "all", "weak",
		      "the catalog is refused: its signature is by a key that is too weak");
}

TEST(future, "a signature from the future is refused, one from two minutes ahead is not")
{
	check_refused("future.sig", "all", "good",
		      "the catalog is refused: its signature is from the future");
	CHECK_INT(check("short.sig", "all", "good"), 0);
}

TEST(several, "one good signature is enough beside strangers', whatever these are worth")
{
	CHECK_INT(check("good.sig stranger.sig", "good.gpg", "good"), 0);
	CHECK_INT(check("stranger.sig good.sig", "good.gpg", "good"), 0);
	CHECK_INT(check("noise.sig good.sig", "all", "good"), 0);
	CHECK_INT(check("expired.sig good.sig", "all", "good expired"), 0);
}

TEST(forged, "a bad signature in a pinned key's name is refused, also beside a good one")
{
	check_refused("forged.sig", "all", "good",
		      "the catalog is refused: its signature does not belong to this text");
	check_refused("forged.sig second.sig", "all", "good second",
		      "the catalog is refused: its signature does not belong to this text");
	check_refused("second.sig forged.sig", "all", "good second",
		      "the catalog is refused: its signature does not belong to this text");
}

TEST(no_keys, "a keyring without keys is refused")
{
	check_refused("good.sig", "t", "good",
		      "cannot verify the catalog: the keyring holds no key");
}

static size_t leftovers(void)
{
	struct dirent *e;
	size_t n = 0;
	DIR *d = opendir("/run");
	char *mine CLEANUP(freep) = xasprintf("sysboxup-fetch.%d.", (int)getpid());

	while (d && (e = readdir(d)))
		n += str_starts(e->d_name, mine);
	closedir(d);
	return n;
}

TEST(clean, "no directory and no agent is left behind")
{
	const char *argv[] = { "pgrep", "-f", "/run/sysboxup-fetch", NULL };
	struct proc p = PROC_INIT;
	int status = 0;

	CHECK_INT(leftovers(), 0);
	p.argv = argv;
	CHECK_INT(proc_run(&p, &status, &err), 0);
	CHECK_INT(status, 1);
	dir_remove();
	buf_release(&sig);
	buf_release(&keyring);
	strv_release(&pins);
}

RUN_TESTS()
