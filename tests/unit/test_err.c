/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/report.h"
#include "test.h"

#include <errno.h>

TEST(setting, "an error has a kind, a message, and gives -1")
{
	struct err err = ERR_INIT;

	CHECK(!err_is_set(&err));
	CHECK_INT(err_set(&err, ERR_REFUSED, "no '%s'", "x"), -1);
	CHECK(err_is_set(&err));
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK_STR(err.msg, "no 'x'");
}

TEST(from_errno, "the system's words are appended in lower case")
{
	struct err err = ERR_INIT;

	CHECK_INT(err_errno(&err, ENOSPC, "cannot replace '%s'", "/f"), -1);
	CHECK_STR(err.msg, "cannot replace '/f': no space left on device");
	CHECK_INT(err.errnum, ENOSPC);
	CHECK_INT(err.kind, ERR_FAILED);
}

TEST(on_the_way_up, "prefix and kind change, leaf and remedy stay")
{
	struct err err = ERR_INIT;

	err_errno(&err, EIO, "leaf");
	CHECK_INT(err_remedy(&err, "try %d", 2), -1);
	CHECK_INT(err_prefix(&err, "step '%s'", "s"), -1);
	CHECK_INT(err_raise(&err, ERR_UNDO), -1);
	CHECK_STR(err.msg, "step 's': leaf: input/output error");
	CHECK_STR(err.remedy, "try 2");
	CHECK_INT(err.kind, ERR_UNDO);
	CHECK_INT(err.errnum, EIO);
	err_set(&err, ERR_FAILED, "again: %s", err.msg);
	CHECK_STR(err.msg, "again: step 's': leaf: input/output error");
	CHECK_STR(err.remedy, "");
}

TEST(too_long, "a message that does not fit is cut, not overrun")
{
	struct err err = ERR_INIT;

	for (int i = 0; i < 300; i++)
		err_prefix(&err, "%0100d", i);
	CHECK_INT(strlen(err.msg), sizeof(err.msg) - 1);
}

TEST(nobody_asks, "a caller that wants no words passes NULL")
{
	CHECK_INT(err_set(NULL, ERR_FAILED, "x"), -1);
	CHECK_INT(err_errno(NULL, EIO, "x"), -1);
	CHECK_INT(err_prefix(NULL, "x"), -1);
	CHECK_INT(err_remedy(NULL, "x"), -1);
	CHECK_INT(err_raise(NULL, ERR_UNDO), -1);
	CHECK(!err_is_set(NULL));
}

TEST(quoting, "nothing that steers a terminal gets through")
{
	char q[64], small[7];

	err_quote(q, sizeof(q), "a\x1b[31m\nb\x7f");
	CHECK_STR(q, "a\\x1b[31m\\x0ab\\x7f");
	err_quote(q, sizeof(q), "gr\u00fcn \xff \xc2\x9b");
	CHECK_STR(q, "gr\u00fcn \\xff \\xc2\\x9b");
	err_quote(q, sizeof(q), "x\u202ey");
	CHECK_STR(q, "x\\xe2\\x80\\xaey");
	err_quote(small, sizeof(small), "abcd\x01");
	CHECK_STR(small, "abcd");
	err_quote(small, 1, "abc");
	CHECK_STR(small, "");
}

struct recorder {
	struct report r;
	char last[128];
	struct report_line line;
};

static void record(struct report *r, const struct report_line *line)
{
	struct recorder *rec = (struct recorder *)r;

	snprintf(rec->last, sizeof(rec->last), "%s|%s", line->subject ? line->subject : "",
		 line->text ? line->text : "");
	rec->line = *line;
}

TEST(reporting, "lines arrive as they were said, warnings and bad checks are counted")
{
	struct recorder rec = { .r = { .emit = record } };

	report_warn(&rec.r, "do that", "odd %d", 1);
	CHECK_STR(rec.last, "|odd 1");
	CHECK_STR(rec.line.remedy, "do that");
	report_check(&rec.r, "kernel", STATE_BAD, "why", "fix", "found %s", "5.4");
	CHECK_STR(rec.last, "kernel|found 5.4");
	CHECK_INT(rec.line.state, STATE_BAD);
	report_check(&rec.r, "fuse", STATE_WARN, NULL, NULL, "x");
	report_check(&rec.r, "arch", STATE_OK, NULL, NULL, "x");
	report_change(&rec.r, "/f", "replaced");
	CHECK_STR(rec.last, "/f|replaced");
	report_progress(&rec.r, "p", 5, 9);
	CHECK_INT(rec.line.done, 5);
	CHECK_INT(rec.line.total, 9);
	report_diff(&rec.r, "100% raw");
	CHECK_STR(rec.last, "|100% raw");
	CHECK_INT(rec.r.warnings, 2);
	CHECK_INT(rec.r.bad, 1);
}

TEST(no_report, "a NULL report swallows everything, and one without emit still counts")
{
	struct report counting = { 0 };

	report_info(NULL, "x");
	report_log(NULL, "x");
	report_diff(NULL, "x");
	report_progress(NULL, "x", 1, 2);
	report_warn(NULL, NULL, "x");
	report_warn(&counting, NULL, "x");
	CHECK_INT(counting.warnings, 1);
}

RUN_TESTS()
