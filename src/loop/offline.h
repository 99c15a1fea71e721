/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_OFFLINE_H
#define CR__LOOP_OFFLINE_H

/*
 * What a backend cannot do without blocking its thread, done on another: files on epoll, and on
 * io_uring what the kernel has no operation for. Declared here, where backends need it; it is made
 * of the file pool, which stands to the right (src/fs/offline.c).
 */

#include "loop/op.h"

/*
 * Hands an operation to a thread of the file pool, which does it by cr__op_block(). op->scratch[1]
 * is taken. Afterwards, on the loop's thread, `over` is called, if there is one, and then
 * op->done(). Returns 0; -ENOMEM or -EAGAIN when it could not be handed over.
 */
int cr__offline_start(struct cr__loop *loop, struct cr__op *op,
                      void (*over)(struct cr__loop *loop, struct cr__op *op));

/*
 * Takes it back if it has not begun: true, and neither `over` nor done() is called. What has begun
 * ends by itself, with its result.
 */
bool cr__offline_cancel(struct cr__op *op);

#endif
