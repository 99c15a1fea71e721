/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim_disk.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

/*
 * A request waits for its time and is done then, all at once. So requests that are under way
 * together are done in the order that the disk's jitter chooses, which is what a real disk
 * promises: nothing.
 */

struct request {
	struct cr__timer timer;
	struct cr__list link;
	struct cr__sim_disk *disk;
	struct cr__op *op; /* whose scratch[1] is the request, until it is done */
};

static int disk_make(struct cr__sim *sim)
{
	struct cr__sim_disk *disk = cr__alloc_zero(1, sizeof *disk);
	struct cr__sim_node *temporary;

	if (!disk)
		return -ENOMEM;
	disk->sim = sim;
	disk->behaviour = (cr_sim_disk){.latency = cr_micros(50), .jitter = cr_micros(50)};
	cr__list_init(&disk->requests);
	disk->root = cr__sim_node_make(disk, S_IFDIR | 0755);
	temporary = disk->root ? cr__sim_node_make(disk, S_IFDIR | 01777) : NULL;
	if (!temporary || cr__sim_entry_add(disk, disk->root, "tmp", temporary) < 0) {
		cr__free(temporary);
		cr__free(disk->root);
		cr__free(disk);
		return -ENOMEM;
	}
	disk->root->links = 1;
	sim->disk = disk;
	return 0;
}

static void request_free(struct request *request)
{
	cr__timer_unset(&request->disk->sim->timers, &request->timer);
	cr__list_remove(&request->link);
	cr__free(request);
}

static ssize_t result_of(struct cr__sim_disk *disk, const struct cr__op *op)
{
	if (disk->fail_in && --disk->fail_in == 0)
		return disk->fail_error;
	return cr__sim_disk_do(disk, op);
}

static void request_due(struct cr__timer *timer)
{
	struct request *request = CR__CONTAINER(timer, struct request, timer);
	struct cr__sim_disk *disk = request->disk;
	struct cr__op *op = request->op;

	request_free(request);
	op->scratch[1] = 0;
	cr__sim_op_complete(disk->sim, op, result_of(disk, op));
}

int cr__sim_disk_start(struct cr__loop *loop, struct cr__op *op)
{
	struct cr__sim *sim = cr__sim_of(loop);
	int r = sim->disk ? 0 : disk_make(sim);
	struct cr__sim_disk *disk = sim->disk;
	struct request *request;
	cr_nsec delay;

	if (r < 0)
		return r;
	op->scratch[0] = 0;
	/* Some of what is read lies in memory. */
	if (op->flags & CR__OP_TRY && (op->code == CR__OP_READ_AT || op->code == CR__OP_READV_AT) &&
	    cr__sim_random(sim, 2)) {
		op->result = result_of(disk, op);
		return 1;
	}
	request = cr__alloc_zero(1, sizeof *request);
	if (!request)
		return -ENOMEM;
	delay = disk->behaviour.latency;
	if (disk->behaviour.jitter > 0)
		delay += (cr_nsec)cr__sim_random(sim, (uint64_t)disk->behaviour.jitter + 1);
	request->timer.fire = request_due;
	request->disk = disk;
	request->op = op;
	r = cr__timer_set(&sim->timers, &request->timer, cr__nsec_add(sim->now, delay));
	if (r < 0) {
		cr__free(request);
		return r;
	}
	cr__list_push_back(&disk->requests, &request->link);
	op->state = 0;
	op->scratch[1] = (uint64_t)(uintptr_t)request;
	return 0;
}

/* What the disk has begun goes on: a matter of luck, as everywhere. */
bool cr__sim_disk_cancel(struct cr__loop *loop, struct cr__op *op)
{
	struct request *request = (struct request *)(uintptr_t)op->scratch[1];

	if (!request || cr__sim_random(cr__sim_of(loop), 4) == 0)
		return false;
	request_free(request);
	return true;
}

/* ------------------------------------------------------------------------------ descriptors --- */

struct cr__sim_opening *cr__sim_disk_find(const struct cr__sim_disk *disk, int fd)
{
	size_t index = (size_t)fd - CR__SIM_DISK_FD_FIRST;

	return cr__sim_disk_owns(fd) && index < disk->table_size ? disk->table[index] : NULL;
}

int cr__sim_disk_number(struct cr__sim_disk *disk, struct cr__sim_opening *opening)
{
	size_t index = 0;

	if (disk->table_used == disk->table_size) {
		size_t size = disk->table_size ? 2 * disk->table_size : 16;
		struct cr__sim_opening **table = cr__realloc(disk->table, size * sizeof *table);

		if (!table)
			return -ENOMEM;
		memset(table + disk->table_size, 0, (size - disk->table_size) * sizeof *table);
		disk->table = table;
		disk->table_size = size;
	}
	while (disk->table[index])
		index++;
	disk->table[index] = opening;
	disk->table_used++;
	return CR__SIM_DISK_FD_FIRST + (int)index;
}

int cr__sim_disk_fd_close(struct cr__sim *sim, int fd)
{
	struct cr__sim_disk *disk = sim->disk;
	struct cr__sim_opening *opening = disk ? cr__sim_disk_find(disk, fd) : NULL;

	if (!opening)
		return -EBADF;
	if (opening->lock == LOCK_EX)
		opening->node->exclusive = NULL;
	else if (opening->lock == LOCK_SH)
		opening->node->shared--;
	disk->table[fd - CR__SIM_DISK_FD_FIRST] = NULL;
	disk->table_used--;
	opening->node->openings--;
	cr__sim_node_drop(disk, opening->node);
	cr__free(opening);
	return 0;
}

void cr__sim_disk_end(struct cr__sim *sim)
{
	struct cr__sim_disk *disk = sim->disk;
	struct cr__list *node;

	if (!disk)
		return;
	while ((node = cr__list_first(&disk->requests)))
		request_free(CR__CONTAINER(node, struct request, link));
	for (size_t i = 0; i < disk->table_size; i++)
		if (disk->table[i])
			cr__sim_disk_fd_close(sim, CR__SIM_DISK_FD_FIRST + (int)i);
	cr__sim_tree_free(disk, disk->root);
	cr__free(disk->root);
	cr__free(disk->table);
	cr__free(disk);
	sim->disk = NULL;
}

/* -------------------------------------------------------------------------------- controls --- */

static int disk_here(struct cr__sim_disk **ret_disk)
{
	struct cr__loop *loop = cr__loop_self();
	struct cr__sim *sim;
	int r;

	if (!loop || loop->backend != &cr__backend_sim)
		return -ESRCH;
	sim = cr__sim_of(loop);
	r = sim->disk ? 0 : disk_make(sim);
	*ret_disk = sim->disk;
	return r;
}

int cr_sim_disk_get(cr_sim_disk *ret_disk)
{
	struct cr__sim_disk *disk;
	int r = disk_here(&disk);

	if (r == 0)
		*ret_disk = disk->behaviour;
	return r;
}

int cr_sim_disk_set(const cr_sim_disk *behaviour)
{
	struct cr__sim_disk *disk;
	int r = disk_here(&disk);

	if (r == 0)
		disk->behaviour = *behaviour;
	return r;
}

int cr_sim_disk_fail(uint64_t nth, int error)
{
	struct cr__sim_disk *disk;
	int r = disk_here(&disk);

	if (r < 0)
		return r;
	if (nth && error >= 0)
		return -EINVAL;
	disk->fail_in = nth;
	disk->fail_error = error;
	return 0;
}
