/* SPDX-License-Identifier: MIT */
#ifndef CR__HTTP_FIELD_H
#define CR__HTTP_FIELD_H

/* What may stand in a header, for both sides. */

#include <stdbool.h>
#include <stddef.h>

/* RFC 9110, section 5.6.2: a method, a header's name. */
bool cr__http_is_token(const char *text);

/* Whether some bytes could be a part of one. */
bool cr__http_is_token_of(const char *data, size_t size);

/* RFC 9110, section 5.5: a header's value has no control character but the tab. */
bool cr__http_is_value(const char *text);

#endif
