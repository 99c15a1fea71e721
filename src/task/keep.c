/* SPDX-License-Identifier: MIT */
#include "task/keep.h"

#include "base/panic.h"

void cr__keeps_end(struct cr__task *task)
{
	struct cr__extra *extra = cr__task_extra(task);
	struct cr__hold *hold;

	/* Its memory may be a frame of this stack that is gone: nothing can be put right now. */
	if (extra->permits)
		cr__panic("task '%s' ended without releasing its permit of a limiter",
		          cr__task_name(task));
	while ((hold = extra->holds) != NULL) {
		cr__hold_forget(hold);
		hold->ended(hold);
	}
}
