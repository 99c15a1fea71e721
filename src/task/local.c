/* SPDX-License-Identifier: MIT */
#include "task/local.h"

#include "base/alloc.h"
#include "task/sched.h"

#include <errno.h>

/*
 * A set is an array of pairs, shared by reference and copied before it is changed: sets are small,
 * spawns are many. The value itself lives in a cell of its own, which the copies share, so that it
 * is destroyed once.
 */

struct cell {
	uint64_t references;
	void *value;
	void (*destroy)(void *value);
};

struct entry {
	const cr_local *key;
	struct cell *cell;
};

struct cr__locals {
	uint64_t references;
	size_t count;
	struct entry entries[];
};

/* Whom a thread without a loop works for. */
static __thread struct cr__locals *of_thread;

static void cell_drop(struct cell *cell)
{
	if (--cell->references)
		return;
	if (cell->destroy)
		cell->destroy(cell->value);
	cr__free(cell);
}

static struct entry *find(struct cr__locals *locals, const cr_local *key)
{
	for (size_t i = 0; locals && i < locals->count; i++)
		if (locals->entries[i].key == key)
			return &locals->entries[i];
	return NULL;
}

static struct cr__locals *of_task(const struct cr__task *task)
{
	return task->flags & CR__TASK_LOCALS ? task->extra->locals : NULL;
}

/* Gives a task another set, without dropping the one it had. NULL or an empty one: none. */
static void task_set(struct cr__task *task, struct cr__locals *locals)
{
	if (locals)
		task->flags |= CR__TASK_LOCALS;
	else
		task->flags &= ~(uint32_t)CR__TASK_LOCALS;
	task->extra->locals = locals;
}

/* A copy with room for one more, which shares the values. */
static struct cr__locals *copy(const struct cr__locals *from, size_t extra)
{
	size_t count = from ? from->count : 0;
	struct cr__locals *to = cr__alloc(sizeof *to + (count + extra) * sizeof to->entries[0]);

	if (!to)
		return NULL;
	to->references = 1;
	to->count = count;
	for (size_t i = 0; i < count; i++) {
		to->entries[i] = from->entries[i];
		to->entries[i].cell->references++;
	}
	return to;
}

void cr__locals_drop(struct cr__locals *locals)
{
	if (!locals || --locals->references)
		return;
	for (size_t i = 0; i < locals->count; i++)
		cell_drop(locals->entries[i].cell);
	cr__free(locals);
}

/* The task's set, nobody else's, with room for so many more. NULL: no memory, nothing changed. */
static struct cr__locals *own(struct cr__task *task, size_t extra)
{
	struct cr__locals *locals = of_task(task), *mine;

	if (locals && locals->references == 1 && extra == 0)
		return locals;
	mine = copy(locals, extra);
	if (!mine)
		return NULL;
	cr__locals_drop(locals);
	task_set(task, mine);
	return mine;
}

static int unset(struct cr__task *task, const cr_local *key)
{
	struct cr__locals *locals;
	struct entry *entry;
	struct cell *cell;

	if (!find(of_task(task), key))
		return 0;
	locals = own(task, 0);
	if (!locals)
		return -ENOMEM;
	entry = find(locals, key);
	cell = entry->cell;
	*entry = locals->entries[--locals->count];
	if (locals->count == 0) {
		task_set(task, NULL);
		cr__locals_drop(locals);
	}
	cell_drop(cell);
	return 0;
}

static int set(struct cr__task *task, const cr_local *key, void *value)
{
	const bool known = find(of_task(task), key) != NULL;
	struct cell *cell = cr__alloc(sizeof *cell);
	struct cr__locals *locals;
	struct entry *entry;

	if (!cell)
		return -ENOMEM;
	*cell = (struct cell){1, value, key->destroy};
	locals = own(task, known ? 0 : 1);
	if (!locals) {
		cr__free(cell);
		return -ENOMEM;
	}
	if (known) {
		struct cell *old;

		entry = find(locals, key);
		old = entry->cell;
		entry->cell = cell;
		cell_drop(old);
	} else {
		locals->entries[locals->count++] = (struct entry){key, cell};
	}
	return 0;
}

int cr_local_set(cr_local *key, void *value)
{
	struct cr__sched *s = cr__sched_self();

	if (!s || !s->current)
		return -EPERM;
	return value ? set(cr__running(s), key, value) : unset(cr__running(s), key);
}

struct cr__locals *cr__locals_seen(void)
{
	struct cr__sched *s = cr__sched_self();

	if (!s)
		return of_thread;
	return s->current ? of_task(cr__running(s)) : NULL;
}

void *cr_local_get(const cr_local *key)
{
	struct entry *entry = find(cr__locals_seen(), key);

	return entry ? entry->cell->value : NULL;
}

void cr__locals_inherit(struct cr__task *child, const struct cr__task *parent)
{
	struct cr__locals *locals = parent->extra->locals;

	locals->references++;
	task_set(child, locals);
}

void cr__locals_end(struct cr__task *task)
{
	/* Again if a destructor has set one. */
	while (task->flags & CR__TASK_LOCALS) {
		struct cr__locals *locals = task->extra->locals;

		task_set(task, NULL);
		cr__locals_drop(locals);
	}
}

struct cr__locals *cr__locals_hold(void)
{
	struct cr__sched *s = cr__sched_self();
	struct cr__locals *locals = s && s->current ? of_task(cr__running(s)) : NULL;

	if (locals)
		locals->references++;
	return locals;
}

void cr__locals_install(struct cr__locals *locals)
{
	of_thread = locals;
}

/* The cells are others: who lends counts references on another thread, and owns the values. */
int cr__locals_borrow(const struct cr__locals *locals, struct cr__locals **ret_borrowed)
{
	struct cr__task *task = cr__running(cr__sched_self());
	struct cr__locals *mine;

	mine = cr__alloc(sizeof *mine + locals->count * sizeof mine->entries[0]);
	if (!mine)
		return -ENOMEM;
	mine->references = 2; /* the task's, and the borrower's */
	for (mine->count = 0; mine->count < locals->count; mine->count++) {
		const struct entry *from = &locals->entries[mine->count];
		struct cell *cell = cr__alloc(sizeof *cell);

		if (!cell) {
			mine->references = 1;
			cr__locals_drop(mine);
			return -ENOMEM;
		}
		*cell = (struct cell){1, from->cell->value, NULL};
		mine->entries[mine->count] = (struct entry){from->key, cell};
	}
	task_set(task, mine);
	*ret_borrowed = mine;
	return 0;
}

void cr__locals_give_back(struct cr__locals *borrowed)
{
	for (size_t i = 0; i < borrowed->count; i++)
		borrowed->entries[i].cell->value = NULL;
	cr__locals_drop(borrowed);
}
