/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"
#include "exec/loops.h"

#include "base/alloc.h"

/*
 * The end of a loop whose tasks had to be abandoned: their frames are about to vanish, and with
 * them what other loops use. First everybody who waits for this loop is answered, because whom it
 * waits for may be among them; then it waits.
 */
static void exchange_close(struct cr__closer *closer)
{
	struct cr__exchange *exchange = CR__CONTAINER(closer, struct cr__exchange, closer);
	struct cr__loop *loop = cr__loop_self();
	struct cr__list *node;

	if (loop->agent)
		cr__calls_fail(loop->agent);
	while ((node = cr__list_first(&exchange->calls_in))) {
		cr__list_remove(node);
		cr__loop_call_fail(CR__CONTAINER(node, struct cr__loop_call, in));
	}
	for (node = exchange->calls_out.next; node != &exchange->calls_out; node = node->next)
		cr__loop_call_cancel(CR__CONTAINER(node, struct cr__loop_call, out));
	for (node = exchange->groups.next; node != &exchange->groups; node = node->next)
		cr__loops_cancel(cr__loops_of_link(node));
	while ((node = cr__list_first(&exchange->calls_out))) {
		cr__list_remove(node);
		cr__loop_call_outlive(CR__CONTAINER(node, struct cr__loop_call, out));
	}
	while ((node = cr__list_first(&exchange->groups))) {
		cr__list_remove(node);
		cr__loops_outlive(cr__loops_of_link(node));
	}
}

static void exchange_free(struct cr__closer *closer)
{
	cr__free(CR__CONTAINER(closer, struct cr__exchange, closer));
}

struct cr__exchange *cr__exchange_self(void)
{
	struct cr__loop *loop = cr__loop_self();
	struct cr__exchange *exchange;

	for (struct cr__closer *each = loop->closers; each; each = each->next)
		if (each->close == exchange_close)
			return CR__CONTAINER(each, struct cr__exchange, closer);
	exchange = cr__alloc(sizeof *exchange);
	if (!exchange)
		return NULL;
	exchange->closer = (struct cr__closer){loop->closers, exchange_close, exchange_free};
	cr__list_init(&exchange->calls_in);
	cr__list_init(&exchange->calls_out);
	cr__list_init(&exchange->groups);
	loop->closers = &exchange->closer;
	return exchange;
}
