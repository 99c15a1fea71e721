/* SPDX-License-Identifier: MIT */
#include "net/addr.h"
#include "net/conn.h"

#include <corail/socket.h>
#include <corail/task.h>

#include "loop/loop.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* Options of TCP, and what can be asked about a connection. */

enum { SECONDS_MAX = 32767, PROBES = 4, PROBES_MAX = 127 };

static int64_t whole(cr_nsec duration, cr_nsec unit)
{
	return duration / unit + (duration % unit != 0);
}

int cr__whole_seconds(cr_nsec duration)
{
	int64_t seconds = duration < 0 ? 0 : whole(duration, 1000000000);

	return seconds < SECONDS_MAX ? (int)seconds : SECONDS_MAX;
}

static int option_get(const cr_conn *conn, int level, int name, void *value, socklen_t *length)
{
	int fd = cr_conn_fd(conn);

	if (fd < 0)
		return -EOPNOTSUPP;
	return cr__sock_option_get(cr__loop_self(), fd, level, name, value, length);
}

/* ----------------------------------------------------------------------------------- tuning --- */

int cr_conn_keepalive_detail_set(cr_conn *conn, cr_nsec idle, cr_nsec interval, int count)
{
	int r;

	if (idle <= 0 || interval <= 0 || count < 1 || count > PROBES_MAX)
		return -EINVAL;
	r = cr__conn_option_set(conn, IPPROTO_TCP, TCP_KEEPIDLE, cr__whole_seconds(idle));
	if (r == 0)
		r = cr__conn_option_set(conn, IPPROTO_TCP, TCP_KEEPINTVL,
		                        cr__whole_seconds(interval));
	if (r == 0)
		r = cr__conn_option_set(conn, IPPROTO_TCP, TCP_KEEPCNT, count);
	return r < 0 ? r : cr__conn_option_set(conn, SOL_SOCKET, SO_KEEPALIVE, 1);
}

int cr_conn_keepalive_set(cr_conn *conn, cr_nsec idle)
{
	int seconds = cr__whole_seconds(idle);

	if (idle <= 0)
		return cr__conn_option_set(conn, SOL_SOCKET, SO_KEEPALIVE, 0);
	return cr_conn_keepalive_detail_set(conn, cr_seconds(seconds),
	                                    cr_seconds(seconds < PROBES ? 1 : seconds / PROBES),
	                                    PROBES);
}

int cr_conn_cork_set(cr_conn *conn, int on)
{
	return cr__conn_option_set(conn, IPPROTO_TCP, TCP_CORK, on != 0);
}

int cr_conn_quickack_set(cr_conn *conn, int on)
{
	return cr__conn_option_set(conn, IPPROTO_TCP, TCP_QUICKACK, on != 0);
}

int cr_conn_user_timeout_set(cr_conn *conn, cr_nsec timeout)
{
	int64_t millis = timeout < 0 ? 0 : whole(timeout, 1000000);

	return cr__conn_option_set(conn, IPPROTO_TCP, TCP_USER_TIMEOUT,
	                           millis < INT_MAX ? (int)millis : INT_MAX);
}

int cr_conn_kernel_buffers_set(cr_conn *conn, size_t send_bytes, size_t receive_bytes)
{
	int r = 0;

	if (send_bytes > INT_MAX || receive_bytes > INT_MAX)
		return -EINVAL;
	if (send_bytes > 0)
		r = cr__conn_option_set(conn, SOL_SOCKET, SO_SNDBUF, (int)send_bytes);
	if (r == 0 && receive_bytes > 0)
		r = cr__conn_option_set(conn, SOL_SOCKET, SO_RCVBUF, (int)receive_bytes);
	return r;
}

/* ----------------------------------------------------------------------------------- asking --- */

static const char *state_name(unsigned state)
{
	/* As in <netinet/tcp.h>, from 1 on. */
	static const char *const names[] = {"UNKNOWN",    "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
	                                    "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
	                                    "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};

	return state < sizeof names / sizeof *names ? names[state] : names[0];
}

/*
 * The kernel's struct tcp_info as far as we want it: <netinet/tcp.h> has its beginning only,
 * <linux/tcp.h> does not go together with it.
 */
struct kernel_info {
	struct tcp_info basic;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
};

int cr_conn_tcp_info(const cr_conn *conn, cr_tcp_info *ret_info)
{
	struct kernel_info info = {0};
	socklen_t length = sizeof info;
	int r = option_get(conn, IPPROTO_TCP, TCP_INFO, &info, &length);

	if (r < 0)
		return r;
	*ret_info = (cr_tcp_info){
		.rtt = cr_micros(info.basic.tcpi_rtt),
		.rtt_variation = cr_micros(info.basic.tcpi_rttvar),
		.rtt_min = cr_micros(info.min_rtt),
		.bytes_sent = info.bytes_sent - info.bytes_retrans,
		.bytes_acked = info.bytes_acked,
		.bytes_received = info.bytes_received,
		.bytes_retransmitted = info.bytes_retrans,
		.delivery_rate = info.delivery_rate,
		.unsent_bytes = info.notsent_bytes,
		.unacked = info.basic.tcpi_unacked,
		.lost = info.basic.tcpi_lost,
		.congestion_window = info.basic.tcpi_snd_cwnd,
		.segment_size = info.basic.tcpi_snd_mss,
		.state = state_name(info.basic.tcpi_state),
	};
	return 0;
}

int cr_conn_peer_credentials(const cr_conn *conn, cr_credentials *ret_credentials)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof name, size = sizeof(struct ucred);
	struct ucred peer;
	int fd = cr_conn_fd(conn), r;

	if (fd < 0)
		return -EOPNOTSUPP;
	/* Other kinds of socket answer too: nobody, with success. */
	r = cr__sock_name(cr__loop_self(), fd, (struct sockaddr *)&name, &length);
	if (r == 0)
		r = name.ss_family == AF_UNIX
		            ? option_get(conn, SOL_SOCKET, SO_PEERCRED, &peer, &size)
		            : -EOPNOTSUPP;
	if (r < 0)
		return r;
	*ret_credentials = (cr_credentials){.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
	return 0;
}

/* ---------------------------------------------------------------------------------- linger --- */

int cr_conn_linger_set(cr_conn *conn, cr_nsec duration)
{
	struct linger reset = {.l_onoff = duration == 0, .l_linger = 0};
	struct tcp_info info;
	socklen_t length = sizeof info;
	int r;

	if (conn->transport != &cr__conn_plain)
		return -EOPNOTSUPP;
	r = option_get(conn, IPPROTO_TCP, TCP_INFO, &info, &length);
	if (r == 0)
		r = cr__sock_option(cr__loop_self(), conn->fd, SOL_SOCKET, SO_LINGER, &reset,
		                    sizeof reset);
	if (r == 0)
		conn->linger = duration > 0 ? duration : 0;
	return r;
}

/* Whether the peer has acknowledged all of it: 1 or 0, or -ECONNRESET. */
static int acknowledged(const cr_conn *conn)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof info, size = sizeof(int);
	int error = 0, r = option_get(conn, IPPROTO_TCP, TCP_INFO, &info, &length);

	if (r < 0)
		return r;
	switch (info.tcpi_state) {
	case TCP_FIN_WAIT2:
	case TCP_TIME_WAIT:
		return 1;
	case TCP_CLOSE:
		option_get(conn, SOL_SOCKET, SO_ERROR, &error, &size);
		return error ? -ECONNRESET : 1;
	default:
		return 0;
	}
}

/* No event tells when the last acknowledgement has come: this looks, less and less often. */
static int acknowledgement_wait(const cr_conn *conn)
{
	cr_nsec pause = cr_micros(200);
	int r = acknowledged(conn);

	while (r == 0) {
		r = cr_sleep(pause);
		if (r == 0)
			r = acknowledged(conn);
		pause = pause < cr_millis(20) ? 2 * pause : pause;
	}
	return r < 0 ? r : 0;
}

int cr__conn_linger(cr_conn *conn)
{
	int r = conn->transport->shutdown_write(conn->state);

	/* Shut down before, or already without a peer. */
	if (r < 0 && r != -ENOTCONN)
		return r;
	return cr_timeout(conn->linger, acknowledgement_wait(conn));
}
