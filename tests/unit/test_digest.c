/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "test.h"

TEST(vectors, "SHA-256 of the vectors in FIPS 180-4's examples")
{
	char hex[DIGEST_HEX + 1];

	digest_hex("", 0, hex);
	CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_hex("abc", 3, hex);
	CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(pieces, "pieces add up to the whole")
{
	char whole[DIGEST_HEX + 1], pieces[DIGEST_HEX + 1];
	struct digest *d = digest_new();

	digest_hex("one two", 7, whole);
	digest_add(d, "one", 3);
	digest_add(d, "", 0);
	digest_add(d, " two", 4);
	digest_end(d, pieces);
	CHECK_STR(pieces, whole);
}

TEST(md5, "MD5 of the vectors in RFC 1321")
{
	static const char *const vectors[][2] = { { "", "d41d8cd98f00b204e9800998ecf8427e" },
						  { "message digest", "f96b697d7cb7938d525a2f31aaf161d0" } };
	char hex[DIGEST_HEX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct digest *d = digest_new_md5();

		digest_add(d, vectors[i][0], strlen(vectors[i][0]));
		digest_end(d, hex);
		CHECK_STR(hex, vectors[i][1]);
	}
}

TEST(given_up, "a hash that is given up leaves nothing behind")
{
	struct digest *d CLEANUP(digest_freep) = digest_new();
	struct digest *none = NULL;

	digest_add(d, "x", 1);
	digest_freep(&none);
	CHECK(!none);
}

TEST(validity, "a digest is 64 lower-case hex digits")
{
	char hex[DIGEST_HEX + 2];

	digest_hex("", 0, hex);
	CHECK(digest_valid(hex));
	hex[0] = 'E';
	CHECK(!digest_valid(hex));
	hex[0] = 'g';
	CHECK(!digest_valid(hex));
	hex[0] = 'e';
	hex[DIGEST_HEX - 1] = '\0';
	CHECK(!digest_valid(hex));
	memset(hex, 'a', DIGEST_HEX + 1);
	hex[DIGEST_HEX + 1] = '\0';
	CHECK(!digest_valid(hex));
	CHECK(!digest_valid(NULL) && !digest_valid(""));
}

RUN_TESTS()
