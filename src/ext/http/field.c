/* SPDX-License-Identifier: MIT */
#include "field.h"

#include <string.h>

static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789!#$%&'*+-.^_`|~";

bool cr__http_is_token(const char *text)
{
	return *text && text[strspn(text, token)] == 0;
}

bool cr__http_is_token_of(const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!data[i] || !strchr(token, data[i]))
			return false;
	}
	return true;
}

bool cr__http_is_value(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}
