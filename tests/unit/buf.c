/* SPDX-License-Identifier: MIT */
/* The growing byte buffer. */

#include "support/test.h"

#include "base/alloc.h"

#include <corail/base.h>

static void all_zero_is_an_empty_buffer(void)
{
	cr_buf buf = {0};

	cr_buf_clear(&buf);
	cr_buf_consume(&buf, 10);
	CHECK_EQ(buf.size, 0);
	CHECK_EQ(cr_buf_append(&buf, NULL, 0), 0);
	CHECK_STR(buf.data, "");
	cr_buf_free(&buf);
	cr_buf_free(&buf);
	cr_buf_free(NULL);
	CHECK(buf.data == NULL);
}

static void it_is_always_text(void)
{
	cr_buf buf = {0};

	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(cr_buf_append(&buf, "abc", 3), 0);
		CHECK_EQ(buf.data[buf.size], 0);
		CHECK_GT(buf.capacity_bytes, buf.size);
	}
	CHECK_EQ(buf.size, 3000);
	CHECK_EQ(strlen(buf.data), 3000);
	cr_buf_clear(&buf);
	CHECK_STR(buf.data, "");
	CHECK_GT(buf.capacity_bytes, 3000);
	cr_buf_free(&buf);
}

static void growth_is_geometric(void)
{
	cr_buf buf = {0};
	size_t capacity = 0;
	int grown = 0;

	for (int i = 0; i < 1 << 20; i++) {
		CHECK_EQ(cr_buf_append(&buf, "x", 1), 0);
		if (buf.capacity_bytes != capacity)
			grown++;
		capacity = buf.capacity_bytes;
	}
	CHECK_LT(grown, 20);
	cr_buf_free(&buf);
}

static void reserved_room_needs_no_memory(void)
{
	cr_buf buf = {0};

	CHECK_EQ(cr_buf_reserve(&buf, 5000), 0);
	cr__alloc_fail_at(1);
	for (int i = 0; i < 5000; i++)
		CHECK_EQ(cr_buf_append(&buf, "x", 1), 0);
	CHECK_EQ(cr__alloc_count(), 0);
	cr__alloc_fail_at(0);
	cr_buf_free(&buf);
}

static void a_failure_leaves_it_unchanged(void)
{
	cr_buf buf = {0};
	char large[1000] = {0};

	CHECK_EQ(cr_buf_append(&buf, "keep", 4), 0);
	cr__alloc_fail_at(1);
	CHECK_EQ(cr_buf_append(&buf, large, sizeof large), -ENOMEM);
	CHECK_EQ(cr_buf_printf(&buf, "%1000d", 1), -ENOMEM);
	cr__alloc_fail_at(0);
	CHECK_STR(buf.data, "keep");
	CHECK_EQ(buf.size, 4);
	CHECK_EQ(cr_buf_reserve(&buf, SIZE_MAX), -ENOMEM);
	CHECK_EQ(cr_buf_reserve(&buf, SIZE_MAX / 2), -ENOMEM);
	CHECK_STR(buf.data, "keep");
	cr_buf_free(&buf);
}

static void the_limit_holds_exactly(void)
{
	cr_buf buf = {.limit_bytes = 10};

	CHECK_EQ(cr_buf_append(&buf, "0123456789", 10), 0);
	CHECK_EQ(cr_buf_append(&buf, "x", 1), -EMSGSIZE);
	CHECK_EQ(cr_buf_printf(&buf, "x"), -EMSGSIZE);
	CHECK_EQ(cr_buf_reserve(&buf, 1), -EMSGSIZE);
	CHECK_EQ(cr_buf_append(&buf, "", 0), 0);
	CHECK_STR(buf.data, "0123456789");
	cr_buf_consume(&buf, 4);
	CHECK_EQ(cr_buf_append(&buf, "abcd", 4), 0);
	CHECK_STR(buf.data, "456789abcd");
	cr_buf_free(&buf);
	CHECK_EQ(buf.limit_bytes, 10);
}

static void consuming_keeps_the_rest(void)
{
	cr_buf buf = {0};

	CHECK_EQ(cr_buf_append(&buf, "hello, world", 12), 0);
	cr_buf_consume(&buf, 0);
	CHECK_STR(buf.data, "hello, world");
	cr_buf_consume(&buf, 7);
	CHECK_STR(buf.data, "world");
	CHECK_EQ(buf.size, 5);
	cr_buf_consume(&buf, 100);
	CHECK_STR(buf.data, "");
	CHECK_EQ(buf.size, 0);
	cr_buf_free(&buf);
}

static void formatted_text_is_appended(void)
{
	cr_buf buf = {0};

	CHECK_EQ(cr_buf_printf(&buf, "%s=%d", "a", 1), 0);
	CHECK_EQ(cr_buf_printf(&buf, "%s", ""), 0);
	CHECK_EQ(cr_buf_printf(&buf, "&%s=%05d", "b", 22), 0);
	CHECK_STR(buf.data, "a=1&b=00022");
	CHECK_EQ(cr_buf_printf(&buf, "%700s", "end"), 0);
	CHECK_EQ(buf.size, 711);
	CHECK_EQ(buf.data[711], 0);
	CHECK_STR(buf.data + 708, "end");
	cr_buf_free(&buf);
}

static void bytes_are_bytes(void)
{
	unsigned char all[256];
	cr_buf buf = {0};

	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	for (int i = 0; i < 10; i++)
		CHECK_EQ(cr_buf_append(&buf, all, sizeof all), 0);
	for (int i = 0; i < 10; i++)
		CHECK_MEM(buf.data + 256 * i, all, sizeof all);
	cr_buf_free(&buf);
}

int main(void)
{
	RUN(all_zero_is_an_empty_buffer);
	RUN(it_is_always_text);
	RUN(growth_is_geometric);
	RUN(reserved_room_needs_no_memory);
	RUN(a_failure_leaves_it_unchanged);
	RUN(the_limit_holds_exactly);
	RUN(consuming_keeps_the_rest);
	RUN(formatted_text_is_appended);
	RUN(bytes_are_bytes);
	return test_done();
}
