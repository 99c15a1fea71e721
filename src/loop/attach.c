/* SPDX-License-Identifier: MIT */
#include "loop/attach.h"

#include "base/alloc.h"
#include "loop/loop.h"

#include <errno.h>

struct cr__attachment {
	struct cr__attachment *next;
	const void *key;
	void *object;
	void (*destroy)(void *object);
};

int cr__loop_attach(struct cr__loop *loop, const void *key, void *object,
                    void (*destroy)(void *object))
{
	struct cr__attachment *a = cr__alloc(sizeof *a);

	if (!a)
		return -ENOMEM;
	*a = (struct cr__attachment){loop->attachments, key, object, destroy};
	loop->attachments = a;
	return 0;
}

void *cr__loop_attached(struct cr__loop *loop, const void *key)
{
	for (struct cr__attachment *a = loop->attachments; a; a = a->next)
		if (a->key == key)
			return a->object;
	return NULL;
}

int cr__loop_detach_last(struct cr__loop *loop)
{
	struct cr__attachment *a = loop->attachments;

	if (!a)
		return 0;
	loop->attachments = a->next;
	a->destroy(a->object);
	cr__free(a);
	return 1;
}
