/* SPDX-License-Identifier: MIT */
#include "sync/chan.h"

#include "base/list.h"

#include <errno.h>

/* Sending and receiving as cases of cr_select(): the same queues, other records in them. */

struct chan_case {
	struct cr__case head;
	struct cr__chan_node node; /* its value is set from the beginning */
	cr_chan *chan;
	size_t size;
};

_Static_assert(sizeof(struct chan_case) <= sizeof(cr_case), "cr_case has too few words");

static struct chan_case *own_of(struct cr__case *c)
{
	return CR__CONTAINER(c, struct chan_case, head);
}

static bool receive_attempt(struct cr__case *c)
{
	struct chan_case *own = own_of(c);

	c->result = cr__chan_receive_now(own->chan, own->node.value, own->size);
	return c->result != -EAGAIN;
}

static bool send_attempt(struct cr__case *c)
{
	struct chan_case *own = own_of(c);

	c->result = cr__chan_send_now(own->chan, own->node.value, own->size);
	return c->result != -EAGAIN;
}

static bool receive_enqueue(struct cr__case *c)
{
	struct chan_case *own = own_of(c);

	own->node.of_case = c;
	cr__chan_link(&own->chan->cr__receivers, &own->node);
	return false;
}

static bool send_enqueue(struct cr__case *c)
{
	struct chan_case *own = own_of(c);

	own->node.of_case = c;
	cr__chan_link(&own->chan->cr__senders, &own->node);
	return false;
}

static bool chan_dequeue(struct cr__case *c)
{
	cr__chan_unlink(&own_of(c)->node);
	return true;
}

static cr_case make(const struct cr__case_ops *ops, cr_chan *chan, void *value, size_t size)
{
	union {
		cr_case whole;
		struct chan_case own;
	} u;

	u.own.head.ops = ops;
	u.own.node.value = value;
	u.own.chan = chan;
	u.own.size = size;
	return u.whole;
}

cr_case cr__case_receive(struct cr_chan *chan, void *ret_value, size_t size)
{
	static const struct cr__case_ops ops = {receive_attempt, receive_enqueue, chan_dequeue};

	return make(&ops, chan, ret_value, size);
}

cr_case cr__case_send(struct cr_chan *chan, const void *value, size_t size)
{
	static const struct cr__case_ops ops = {send_attempt, send_enqueue, chan_dequeue};

	return make(&ops, chan, (void *)value, size);
}
