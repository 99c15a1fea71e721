/* SPDX-License-Identifier: MIT */
/* Jobs as the library's own parts hand them in: records in a frame, pools for files and names. */

#include "exec/pool.h"
#include "task/park.h"

#include "support/core.h"

struct record {
	struct cr__job job;
	struct cr__wait wait;
	int runs, done;
};

static enum cr__fate run(struct cr__job *job)
{
	struct record *record = CR__CONTAINER(job, struct record, job);

	/* In three instalments. */
	return ++record->runs < 3 ? CR__FATE_AGAIN : CR__FATE_DONE;
}

static void done(struct cr__job *job)
{
	struct record *record = CR__CONTAINER(job, struct record, job);

	record->done++;
	cr__unpark(record->wait.task, 7);
}

static void use(struct cr_threads *pool)
{
	struct record record = {
		.job = {.run = run, .done = done},
		.wait = {.reason = "test", .fd = -1},
	};

	CHECK_EQ(cr__job_submit(pool, &record.job, false), 0);
	CHECK_EQ(cr__park(&record.wait), 7);
	CHECK_EQ(record.runs, 3);
	CHECK_EQ(record.done, 1);
	CHECK_EQ(record.job.result, 0);
	CHECK_EQ(cr__job_withdraw(&record.job), false);
}

TEST(own_pools)
{
	use(cr__files_pool());
	use(cr__names_pool());
	CHECK(cr__files_pool() != cr__names_pool());
	CHECK(cr__files_pool() != cr_threads_default());
	CHECK_GE(cr__pool_width(cr__files_pool()), 1);
	return 0;
}

int main(void)
{
	RUN_TASK(own_pools);
	return test_done();
}
