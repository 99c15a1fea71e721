/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CORAIL_H
#define CORAIL_CORAIL_H

/*
 * The umbrella: everything that libcorail itself offers. HTTP is a library of its own:
 * <corail/http.h>.
 */

#include <corail/base.h>
#include <corail/broadcast.h>
#include <corail/chan.h>
#include <corail/chan_threadsafe.h>
#include <corail/debug.h>
#include <corail/dns.h>
#include <corail/exec.h>
#include <corail/fs.h>
#include <corail/interval.h>
#include <corail/io.h>
#include <corail/local.h>
#include <corail/loop.h>
#include <corail/loops.h>
#include <corail/loops_net.h>
#include <corail/net.h>
#include <corail/process.h>
#include <corail/processes.h>
#include <corail/queue.h>
#include <corail/select.h>
#include <corail/shutdown.h>
#include <corail/signal.h>
#include <corail/socket.h>
#include <corail/stdio.h>
#include <corail/sync.h>
#include <corail/task.h>
#include <corail/udp.h>

#endif
