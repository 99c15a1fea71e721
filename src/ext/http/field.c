/* SPDX-License-Identifier: MIT */
#include "field.h"

#include <string.h>

bool cr__http_is_token(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789!#$%&'*+-.^_`|~";

	return *text && text[strspn(text, allowed)] == 0;
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
