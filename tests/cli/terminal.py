#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a command on a pseudo-terminal and writes what it printed there.

terminal.py ROWSxCOLUMNS[,COLUMNS after 0.5 s] OUT|- COMMAND...   (OUT: standard output goes there)
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


sizes = sys.argv[1].split(",")
rows, columns = map(int, sizes[0].split("x"))
master, slave = pty.openpty()
set_size(slave, rows, columns)
pid = os.fork()
if pid == 0:
    os.close(master)
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    if sys.argv[2] == "-":
        os.dup2(slave, 1)
    else:
        os.dup2(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.dup2(slave, 0)
    os.dup2(slave, 2)
    os.execvp(sys.argv[3], sys.argv[3:])
os.close(slave)
began = time.monotonic()
resized = len(sizes) == 1
while True:
    if not resized and time.monotonic() - began > 0.5:
        set_size(master, rows, int(sizes[1]))
        resized = True
    if select.select([master], [], [], 0.1)[0]:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
