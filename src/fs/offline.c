/* SPDX-License-Identifier: MIT */
#include "loop/offline.h"

#include "base/alloc.h"
#include "exec/pool.h"

#include <errno.h>

/*
 * The record of a job is larger than what an operation has to spare, so it is allocated: a small
 * part of what going to a thread and back costs.
 */
struct offline {
	struct cr__job job;
	struct cr__loop *loop;
	struct cr__op *op;
	void (*over)(struct cr__loop *loop, struct cr__op *op);
};

static enum cr__fate offline_run(struct cr__job *job)
{
	struct offline *offline = CR__CONTAINER(job, struct offline, job);

	offline->op->result = cr__op_block(offline->op);
	return CR__FATE_DONE;
}

static void offline_done(struct cr__job *job)
{
	struct offline *offline = CR__CONTAINER(job, struct offline, job);
	struct cr__op *op = offline->op;

	if (job->result < 0)
		op->result = job->result;
	if (offline->over)
		offline->over(offline->loop, op);
	cr__free(offline);
	op->done(op);
}

int cr__offline_start(struct cr__loop *loop, struct cr__op *op,
                      void (*over)(struct cr__loop *loop, struct cr__op *op))
{
	struct offline *offline = cr__alloc_zero(1, sizeof *offline);
	int r;

	if (!offline)
		return -ENOMEM;
	offline->job.run = offline_run;
	offline->job.done = offline_done;
	offline->loop = loop;
	offline->op = op;
	offline->over = over;
	op->scratch[1] = (uint64_t)(uintptr_t)offline;
	r = cr__job_submit(cr__files_pool(), &offline->job, false);
	if (r < 0)
		cr__free(offline);
	return r;
}

bool cr__offline_cancel(struct cr__op *op)
{
	struct offline *offline = (struct offline *)(uintptr_t)op->scratch[1];

	if (!cr__job_withdraw(&offline->job))
		return false;
	cr__free(offline);
	return true;
}
