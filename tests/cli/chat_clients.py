#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clients of examples/chat.c: chat_clients.py PORT PID. Fails with a traceback."""

import os
import signal
import socket
import sys

port, pid = int(sys.argv[1]), int(sys.argv[2])


class Client:
    def __init__(self, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def say(self, text):
        self.socket.sendall(text)

    def hear(self):
        return self.file.readline().decode()


def memory_kib():
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


# Everybody hears everybody else, in order, and who comes and goes.
first = Client()
others = []
for number in range(2, 21):
    others.append(Client())
    assert first.hear() == f"* client {number} is here\n"
    for other in others[:-1]:
        assert other.hear() == f"* client {number} is here\n"
first.say(b"bonjour\nmonde\r\n")
for other in others:
    assert other.hear() == "1: bonjour\n"
    assert other.hear() == "1: monde\n"
others[0].say(b"\x1b[2Jbonjour \xc3\xa0 tous\n")
assert first.hear() == "2: ?[2Jbonjour à tous\n"
for other in others[1:]:
    assert other.hear() == "2: ?[2Jbonjour à tous\n"
gone = others.pop()
gone.file.close()
gone.socket.close()
assert first.hear() == "* client 20 has left\n"
for other in others:
    assert other.hear() == "* client 20 has left\n"

# One that does not read is dropped; the others hear everything, and memory stays bounded.
slow = Client(receive_buffer=4096)
listeners = [first] + others[1:]
for client in [first] + others:
    assert client.hear() == "* client 21 is here\n"
before = memory_kib()
line = b"x" * 1000 + b"\n"
dropped = 0
for _ in range(20000):
    others[0].say(line * 5)
    for client in listeners:
        for _ in range(5):
            text = client.hear()
            if text.startswith("*"):
                assert text == "* client 21 has left\n", text
                dropped += 1
                text = client.hear()
            assert text == "2: " + "x" * 1000 + "\n", text
    if dropped == len(listeners):
        break
assert dropped == len(listeners), "the slow client was not dropped"
assert memory_kib() - before < 4096, (before, memory_kib())

# Ctrl-C says goodbye to all.
os.kill(pid, signal.SIGINT)
last = [client.file.read().decode() for client in listeners]
assert all(text.endswith("* goodbye\n") for text in last), last
