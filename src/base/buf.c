/* SPDX-License-Identifier: MIT */
#include <corail/base.h>

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CAPACITY_FIRST = 256 };

/*
 * Doubles, so that appending n bytes costs O(n) copies in all; one byte more than asked for the
 * final zero.
 */
int cr_buf_reserve(cr_buf *buf, size_t extra_bytes)
{
	size_t need, capacity;
	char *data;

	if (extra_bytes > SIZE_MAX / 2 - buf->size)
		return -ENOMEM;
	need = buf->size + extra_bytes;
	if (buf->limit_bytes != 0 && need > buf->limit_bytes)
		return -EMSGSIZE;
	if (need < buf->capacity_bytes)
		return 0;
	capacity = buf->capacity_bytes ? buf->capacity_bytes : CAPACITY_FIRST;
	while (capacity <= need)
		capacity *= 2;
	data = cr__realloc(buf->data, capacity);
	if (!data)
		return -ENOMEM;
	buf->data = data;
	buf->capacity_bytes = capacity;
	return 0;
}

int cr_buf_append(cr_buf *buf, const void *data, size_t size)
{
	int r = cr_buf_reserve(buf, size);

	if (r < 0)
		return r;
	if (size)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
	return 0;
}

int cr_buf_printf(cr_buf *buf, const char *format, ...)
{
	va_list args;
	int size, r;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0)
		return -EINVAL;
	r = cr_buf_reserve(buf, (size_t)size);
	if (r < 0)
		return r;
	va_start(args, format);
	vsnprintf(buf->data + buf->size, (size_t)size + 1, format, args);
	va_end(args);
	buf->size += (size_t)size;
	return 0;
}

void cr_buf_consume(cr_buf *buf, size_t size)
{
	if (size >= buf->size) {
		cr_buf_clear(buf);
		return;
	}
	memmove(buf->data, buf->data + size, buf->size - size);
	buf->size -= size;
	buf->data[buf->size] = '\0';
}

void cr_buf_clear(cr_buf *buf)
{
	buf->size = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void cr_buf_free(cr_buf *buf)
{
	if (!buf)
		return;
	cr__free(buf->data);
	buf->data = NULL;
	buf->size = buf->capacity_bytes = 0;
}
