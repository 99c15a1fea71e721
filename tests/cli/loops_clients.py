#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clients of examples/loops.c with two loops: loops_clients.py PORT PID. Fails with a traceback."""

import os
import signal
import socket
import sys

CLIENTS = 20

port, pid = int(sys.argv[1]), int(sys.argv[2])
served = [0, 0]

# Each client hears its own line, and from whom.
for number in range(CLIENTS):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        lines = client.makefile("rb")
        client.sendall(f"line {number}\n".encode())
        loop, text = lines.readline().decode().split(": ")
        assert text == f"line {number}\n", text
        served[int(loop)] += 1

# Whichever loop is asked, it knows what all have served. Its own count has the question, too.
with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
    lines = client.makefile("rb")
    client.sendall(b"who\n")
    told = [lines.readline().decode() for _ in served]
    counts = [int(line.split()[2]) for line in told]
    assert [line.split(":")[0] for line in told] == ["loop 0", "loop 1"], told
    assert sum(counts) == CLIENTS + 1, (counts, served)
    assert all(count >= own for count, own in zip(counts, served)), (counts, served)
    # While somebody is connected, it ends all the same.
    os.kill(pid, signal.SIGINT)
    assert lines.readline() == b""
