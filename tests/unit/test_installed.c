/* SPDX-License-Identifier: Apache-2.0 */
/* steps/installed.c: what versions are understood. */
#include "steps/installed.h"
#include "test.h"

static void check_plain(const char *package_version, const char *want)
{
	char *got CLEANUP(freep) = sysbox_plain_version(package_version);

	CHECK_STR(got ? got : "none", want);
}

TEST(plain, "the version that the catalog knows is in front of what a package adds to it")
{
	check_plain("0.7.0.linux", "0.7.0");
	check_plain("0.5.0-0.linux", "0.5.0");
	check_plain("0.7.1", "0.7.1");
	check_plain("10.20.300-1~bpo12", "10.20.300");
	check_plain("linux", "none");
	check_plain("", "none");
	check_plain(".7", "none");
	check_plain(NULL, "none");
}

static void check_said(const char *said, const char *want)
{
	char *got CLEANUP(freep) = sysbox_said_version(said);

	CHECK_STR(got ? got : "none", want);
}

TEST(said, "a program's version is in the line that says so, and nowhere else")
{
	check_said("sysbox-runc\n\tedition: \tCommunity Edition (CE)\n\tversion: \t0.7.0\n"
		   "\tcommit: \tabc\n\toci-specs: \t1.1.0+dev\n",
		   "0.7.0");
	check_said("sysbox-fs\n\tversion: 0.6.7-dev\n", "0.6.7");
	check_said("runc version 1.1.12\nspec: 1.0.2\n", "none");
	check_said("\tversion: \tunknown\n", "none");
	check_said("", "none");
}

RUN_TESTS()
