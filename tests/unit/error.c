/* SPDX-License-Identifier: MIT */
/* Names and messages of errors. */

#include "support/test.h"

#include <corail/base.h>

static const struct {
	int number;
	const char *name, *message;
} own[] = {
#define X(name, number, message) {(number), #name, (message)},
	CORAIL_ERROR_MAP(X)
#undef X
};

enum { OWN_COUNT = sizeof own / sizeof *own };

static void errno_has_its_names(void)
{
	CHECK_STR(cr_err_name(-ECONNREFUSED), "ECONNREFUSED");
	CHECK_STR(cr_err_name(-ECANCELED), "ECANCELED");
	CHECK_STR(cr_err_name(-ETIMEDOUT), "ETIMEDOUT");
	CHECK_STR(cr_strerror(-ENOENT), strerror(ENOENT));
}

static void success_is_ok(void)
{
	CHECK_STR(cr_err_name(0), "OK");
	CHECK_STR(cr_err_name(42), "OK");
	CHECK_STR(cr_strerror(0), "success");
	CHECK_STR(cr_strerror(INT32_MAX), "success");
}

static void own_errors_have_names_and_messages(void)
{
	for (int i = 0; i < OWN_COUNT; i++) {
		CHECK_STR(cr_err_name(-own[i].number), own[i].name);
		CHECK_STR(cr_strerror(-own[i].number), own[i].message);
		CHECK_GT(strlen(own[i].message), 5);
	}
	CHECK_EQ(CORAIL_E_DNS_NOTFOUND, 10000);
	CHECK_EQ(CORAIL_E_TLS_HANDSHAKE, 11000);
	CHECK_EQ(CORAIL_E_HTTP_URL, 12000);
}

static void numbers_are_unique_and_outside_errno(void)
{
	for (int i = 0; i < OWN_COUNT; i++) {
		CHECK_GE(own[i].number, 10000);
		for (int j = 0; j < i; j++) {
			CHECK_NE(own[i].number, own[j].number);
			CHECK(strcmp(own[i].name, own[j].name) != 0);
		}
	}
}

static void unknown_ones_are_unknown(void)
{
	CHECK_STR(cr_err_name(-9999), "UNKNOWN");
	CHECK_STR(cr_err_name(-10999), "UNKNOWN");
	CHECK_STR(cr_err_name(INT32_MIN), "UNKNOWN");
	CHECK_STR(cr_strerror(-9999), "unknown error");
	CHECK_STR(cr_strerror(INT32_MIN), "unknown error");
}

int main(void)
{
	RUN(errno_has_its_names);
	RUN(success_is_ok);
	RUN(own_errors_have_names_and_messages);
	RUN(numbers_are_unique_and_outside_errno);
	RUN(unknown_ones_are_unknown);
	return test_done();
}
