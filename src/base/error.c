/* SPDX-License-Identifier: MIT */
#include <corail/base.h>

#include <limits.h>
#include <string.h>

static const struct error_text {
	int number;
	const char *name, *message;
} errors[] = {
#define X(name, number, message) {(number), #name, (message)},
	CORAIL_ERROR_MAP(X)
#undef X
};

static const struct error_text *find(int number)
{
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].number == number)
			return &errors[i];
	return NULL;
}

/* INT_MIN has no counterpart, and no meaning either. */
static int positive(int error)
{
	return error == INT_MIN ? INT_MAX : -error;
}

const char *cr_err_name(int error)
{
	const struct error_text *own;
	const char *name;

	if (error >= 0)
		return "OK";
	own = find(positive(error));
	if (own)
		return own->name;
	name = strerrorname_np(positive(error));
	return name ? name : "UNKNOWN";
}

const char *cr_strerror(int error)
{
	const struct error_text *own;
	const char *message;

	if (error >= 0)
		return "success";
	own = find(positive(error));
	if (own)
		return own->message;
	message = strerrordesc_np(positive(error));
	return message ? message : "unknown error";
}

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

const char *cr_version(void)
{
	return TEXT(CORAIL_VERSION_MAJOR) "." TEXT(CORAIL_VERSION_MINOR) "." TEXT(
		CORAIL_VERSION_PATCH);
}
