/* SPDX-License-Identifier: MIT */
#include "net/udp.h"

#include <corail/io.h>

#include "io/io.h"

#include <errno.h>
#include <string.h>

/*
 * Sending and receiving. Each call is one operation on the descriptor, which knows who is busy and
 * whom a close has to wait for. The object may be gone when the operation returns: nothing here
 * looks at it again.
 */

enum { BATCH_MAX = 64 };

/* Whether an address is given, and of a family that the socket can send to. */
static int addr_prepare(const cr_udp *udp, cr_addr *addr)
{
	cr__udp_addr_dress(udp->family, addr);
	return addr->storage.ss_family == udp->family ? 0 : -EAFNOSUPPORT;
}

int cr_udp_send_to(cr_udp *udp, const void *data, size_t size, const cr_addr *to)
{
	struct iovec vector = {(void *)data, size};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	cr_addr addr = *to;
	ssize_t n = addr_prepare(udp, &addr);

	message.msg_name = &addr.storage;
	message.msg_namelen = addr.length;
	if (n == 0)
		n = udp->closing ? -ECANCELED : cr_fd_sendmsg(udp->fd, &message, 0);
	return n < 0 ? (int)n : 0;
}

int cr_udp_send(cr_udp *udp, const void *data, size_t size)
{
	ssize_t n = udp->closing ? -ECANCELED : cr_fd_send(udp->fd, data, size, 0);

	return n < 0 ? (int)n : 0;
}

ssize_t cr_udp_receive_from(cr_udp *udp, void *buffer, size_t size, cr_addr *ret_from)
{
	struct iovec vector = {buffer, size};
	cr_addr from = {.length = 0};
	struct msghdr message = {.msg_iov = &vector,
	                         .msg_iovlen = 1,
	                         .msg_name = &from.storage,
	                         .msg_namelen = sizeof from.storage};
	ssize_t n = udp->closing ? -ECANCELED : cr_fd_recvmsg(udp->fd, &message, 0);

	if (n < 0)
		return n;
	if (ret_from) {
		from.length = message.msg_namelen;
		cr__udp_addr_undress(&from);
		*ret_from = from;
	}
	return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

ssize_t cr_udp_receive(cr_udp *udp, void *buffer, size_t size)
{
	return cr_udp_receive_from(udp, buffer, size, NULL);
}

/* ------------------------------------------------------------------------------- in batches --- */

/* Only those whose clothes have to be changed need a copy of their address. */
struct batch {
	struct mmsghdr messages[BATCH_MAX];
	struct iovec vectors[BATCH_MAX];
	struct sockaddr_storage addrs[BATCH_MAX];
};

static ssize_t batch_run(cr_udp *udp, enum cr__opcode code, struct batch *batch, size_t count)
{
	struct cr__io io = {
		.op = {.code = code, .fd = udp->fd, .buffer = batch->messages, .size = count}};

	if (udp->closing)
		return -ECANCELED;
	return code == CR__OP_SENDMMSG ? cr__io_run(&io, "cr_udp_send_batch", "sendmmsg")
	                               : cr__io_run(&io, "cr_udp_receive_batch", "recvmmsg");
}

int cr_udp_send_batch(cr_udp *udp, const cr_datagram *datagrams, size_t count)
{
	struct batch batch;

	if (count == 0)
		return 0;
	if (count > BATCH_MAX)
		count = BATCH_MAX;
	for (size_t i = 0; i < count; i++) {
		struct msghdr *message = &batch.messages[i].msg_hdr;
		cr_addr addr = datagrams[i].addr;

		batch.vectors[i] = (struct iovec){datagrams[i].data, datagrams[i].size};
		*message = (struct msghdr){.msg_iov = &batch.vectors[i], .msg_iovlen = 1};
		if (addr.length == 0)
			continue;
		if (addr_prepare(udp, &addr) < 0) {
			/* The first one's error is the call's; what comes before goes out. */
			if (i == 0)
				return -EAFNOSUPPORT;
			count = i;
			break;
		}
		memcpy(&batch.addrs[i], &addr.storage, addr.length);
		message->msg_name = &batch.addrs[i];
		message->msg_namelen = addr.length;
	}
	return (int)batch_run(udp, CR__OP_SENDMMSG, &batch, count);
}

int cr_udp_receive_batch(cr_udp *udp, cr_datagram *datagrams, size_t count)
{
	struct batch batch;
	ssize_t n;

	if (count == 0)
		return 0;
	if (count > BATCH_MAX)
		count = BATCH_MAX;
	for (size_t i = 0; i < count; i++) {
		batch.vectors[i] = (struct iovec){datagrams[i].data, datagrams[i].size};
		batch.messages[i].msg_hdr = (struct msghdr){.msg_iov = &batch.vectors[i],
		                                            .msg_iovlen = 1,
		                                            .msg_name = &batch.addrs[i],
		                                            .msg_namelen = sizeof *batch.addrs};
	}
	n = batch_run(udp, CR__OP_RECVMMSG, &batch, count);
	for (ssize_t i = 0; i < n; i++) {
		const struct mmsghdr *message = &batch.messages[i];

		datagrams[i].size = message->msg_len;
		datagrams[i].truncated = (message->msg_hdr.msg_flags & MSG_TRUNC) != 0;
		datagrams[i].addr = (cr_addr){.length = message->msg_hdr.msg_namelen};
		memcpy(&datagrams[i].addr.storage, &batch.addrs[i], message->msg_hdr.msg_namelen);
		cr__udp_addr_undress(&datagrams[i].addr);
	}
	return (int)n;
}
