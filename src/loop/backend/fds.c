/* SPDX-License-Identifier: MIT */
#include "loop/backend/fds.h"

#include "base/alloc.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

int cr__fds_grow(struct cr__fds *fds, int fd)
{
	uint32_t count = fds->count ? fds->count : SLOTS_MIN;
	struct cr__fd_slot *slots;

	/* A wild number must not make the table huge. */
	if (fd < 0 || fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	while (count <= (uint32_t)fd)
		count *= 2;
	slots = cr__realloc(fds->slots, count * sizeof *slots);
	if (!slots)
		return -ENOMEM;
	memset(slots + fds->count, 0, (count - fds->count) * sizeof *slots);
	fds->slots = slots;
	fds->count = count;
	return 0;
}

void cr__fds_free(struct cr__fds *fds)
{
	cr__free(fds->slots);
	*fds = (struct cr__fds){0};
}

void cr__fds_adopt(struct cr__fds *fds, int fd, uint32_t flags)
{
	struct cr__fd_slot *slot;

	if ((uint32_t)fd >= fds->count && cr__fds_grow(fds, fd) < 0)
		return;
	slot = &fds->slots[fd];
	slot->generation++;
	slot->flags = flags;
}

void cr__fds_drop(struct cr__fds *fds, int fd)
{
	struct cr__fd_slot *slot = cr__fds_slot(fds, fd);

	if (!slot)
		return;
	slot->reader = slot->writer = NULL;
	slot->generation++;
	slot->flags = 0;
}

static struct cr__fd_slot *slot_of(struct cr__loop *loop, int fd)
{
	return cr__fds_slot(loop->backend_state, fd);
}

int cr__fds_busy(struct cr__loop *loop, int fd)
{
	struct cr__fd_slot *slot = slot_of(loop, fd);

	if (!slot)
		return 0;
	return (slot->reader != NULL) + (slot->writer != NULL && slot->writer != slot->reader);
}

/* done() may do anything, so the slot is looked up again after each. */
static void cancel_one(struct cr__loop *loop, struct cr__op *op)
{
	if (!loop->backend->op_cancel(loop, op))
		return;
	op->result = -ECANCELED;
	op->done(op);
}

int cr__fds_cancel(struct cr__loop *loop, int fd)
{
	struct cr__fd_slot *slot = slot_of(loop, fd);

	if (slot && slot->reader)
		cancel_one(loop, slot->reader);
	slot = slot_of(loop, fd);
	if (slot && slot->writer)
		cancel_one(loop, slot->writer);
	return cr__fds_busy(loop, fd);
}
