/* SPDX-License-Identifier: MIT */
/* The intrusive list. */

#include "support/test.h"

#include "base/list.h"

struct item {
	int number;
	struct cr__list node;
};

static struct item items[6];

static void begin(struct cr__list *list)
{
	cr__list_init(list);
	for (int i = 0; i < 6; i++) {
		items[i].number = i;
		cr__list_init(&items[i].node);
	}
}

/* The numbers in a list, forwards and (checked) backwards. */
static const char *shown(const struct cr__list *list)
{
	static char text[64];
	int size = 0, back = 0;

	text[0] = '\0';
	for (struct cr__list *at = list->next; at != list; at = at->next)
		size += snprintf(text + size, sizeof text - (size_t)size, "%d",
		                 CR__CONTAINER(at, struct item, node)->number);
	for (struct cr__list *at = list->prev; at != list; at = at->prev, back++)
		CHECK_EQ(text[size - 1 - back], '0' + CR__CONTAINER(at, struct item, node)->number);
	CHECK_EQ(back, size);
	return text;
}

static void both_ends(void)
{
	struct cr__list list;

	begin(&list);
	CHECK(cr__list_empty(&list));
	CHECK(cr__list_first(&list) == NULL);
	cr__list_push_back(&list, &items[1].node);
	cr__list_push_back(&list, &items[2].node);
	cr__list_push_front(&list, &items[0].node);
	CHECK_STR(shown(&list), "012");
	CHECK(cr__list_first(&list) == &items[0].node);
	CHECK(!cr__list_empty(&list));
}

static void removing_anywhere_and_twice(void)
{
	struct cr__list list;

	begin(&list);
	for (int i = 0; i < 5; i++)
		cr__list_push_back(&list, &items[i].node);
	cr__list_remove(&items[2].node);
	cr__list_remove(&items[2].node);
	cr__list_remove(&items[0].node);
	cr__list_remove(&items[4].node);
	cr__list_remove(&items[5].node);
	CHECK_STR(shown(&list), "13");
	cr__list_push_front(&list, &items[2].node);
	CHECK_STR(shown(&list), "213");
	cr__list_remove(&items[1].node);
	cr__list_remove(&items[2].node);
	cr__list_remove(&items[3].node);
	CHECK(cr__list_empty(&list));
}

static void splicing(void)
{
	struct cr__list list, other;

	begin(&list);
	cr__list_init(&other);
	cr__list_splice(&list, &other);
	CHECK(cr__list_empty(&list));
	cr__list_push_back(&other, &items[0].node);
	cr__list_push_back(&other, &items[1].node);
	cr__list_splice(&list, &other);
	CHECK(cr__list_empty(&other));
	CHECK_STR(shown(&list), "01");
	cr__list_push_back(&other, &items[2].node);
	cr__list_push_back(&other, &items[3].node);
	cr__list_splice(&list, &other);
	CHECK_STR(shown(&list), "0123");
	cr__list_splice(&list, &other);
	CHECK_STR(shown(&list), "0123");
}

int main(void)
{
	RUN(both_ends);
	RUN(removing_anywhere_and_twice);
	RUN(splicing);
	return test_done();
}
