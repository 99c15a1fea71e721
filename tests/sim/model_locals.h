/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_LOCALS_H
#define CORAIL_TESTS_SIM_MODEL_LOCALS_H

/*
 * Task-local values in model.h's programs: what a task sees is what it set, or had from its
 * spawner, and a value goes with the last who has it, no earlier and no later.
 */

#include "sim/model.h"

static inline void model_cell_destroy(void *value)
{
	struct model_cell *cell = value;

	CHECK_EQ(cell->holders, 0);
	CHECK_EQ(cell->destroyed, false);
	cell->destroyed = true;
}

static inline void model_locals_check(const struct model *m, const struct model_task *self)
{
	for (int i = 0; i < MODEL_KEYS; i++)
		CHECK(cr_local_get(&m->keys[i]) == self->locals[i]);
}

static inline void model_locals_inherit(struct model_task *child, const struct model_task *parent)
{
	for (int i = 0; i < MODEL_KEYS; i++) {
		child->locals[i] = parent->locals[i];
		if (child->locals[i])
			child->locals[i]->holders++;
	}
}

/* Of a task that ends, or never began. */
static inline void model_locals_drop(struct model_task *task)
{
	for (int i = 0; i < MODEL_KEYS; i++) {
		if (task->locals[i])
			task->locals[i]->holders--;
		task->locals[i] = NULL;
	}
}

static inline void model_local_set(struct model *m, struct model_task *self, int key,
                                   struct model_cell *cell)
{
	struct model_cell *old = self->locals[key];

	if (old)
		old->holders--;
	if (cell)
		cell->holders++;
	self->locals[key] = cell;
	CHECK_EQ(cr_local_set(&m->keys[key], cell), 0);
	model_locals_check(m, self);
	/* At once, if nobody else has it. */
	if (old && key == 0)
		CHECK_EQ(old->destroyed, old->holders == 0);
}

static inline void model_local(struct model *m, struct model_task *self)
{
	int key = (int)model_random(self, MODEL_KEYS);
	bool none = model_random(self, 4) == 0 || m->cell_count == MODEL_CELLS;

	if (!none)
		m->cells[m->cell_count].key = key;
	model_local_set(m, self, key, none ? NULL : &m->cells[m->cell_count++]);
}

/* At the end, in the task that is left. */
static inline void model_locals_rest(struct model *m)
{
	for (int i = 0; i < MODEL_KEYS; i++)
		model_local_set(m, &m->tasks[0], i, NULL);
	for (uint32_t i = 0; i < m->cell_count; i++) {
		CHECK_EQ(m->cells[i].holders, 0);
		CHECK_EQ(m->cells[i].destroyed, m->cells[i].key == 0);
	}
}

#endif
