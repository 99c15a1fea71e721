#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A web server that does what it is asked, right or wrong. Prints its port.

  /ok/N          N bytes                      /status/CODE   that status, and 40 bytes
  /slow/MS       "late" after MS ms           /length/N      N bytes of chunks, length not announced
  /drip          bytes, one by one, for ever  /silent        a head that never comes
  /truncate      half of what it announces    /reset         half, then a reset
  /empty         closes without an answer     /garbage       no HTTP at all
  /flaky/KEY/N   503, N times, then 12 bytes  /cut/KEY/N     truncated N times, then 12 bytes
  /after/S/KEY   503 with Retry-After, once   /redirect/P    302 to /P
  /escape        a status line with escapes   /stats         JSON: most at once, requests
  /elsewhere     302 to ftp://h/x
  /hold/KEY      "late", once released        /release/KEY   releases them, and says "go"
  /crowd/N       "late", once N requests have been under way at the same time
  /headers/N/M   "ok" behind N headers of M bytes each
"""

import asyncio
import json
import struct
import socket
import sys

counts = {}
released = {}
stats = {"now": 0, "peak": 0, "requests": 0, "connections": 0}


def head(status, length=None, extra=""):
    text = f"HTTP/1.1 {status}\r\n"
    if length is not None:
        text += f"Content-Length: {length}\r\n"
    return (text + extra + "\r\n").encode("latin-1")


def count(key):
    counts[key] = counts.get(key, 0) + 1
    return counts[key]


async def answer(path, writer):
    """Writes one answer; returns whether the connection stays."""
    parts = path.split("?")[0].strip("/").split("/")
    kind, args = parts[0], parts[1:]
    if kind == "ok":
        writer.write(head("200 OK", int(args[0])) + b"x" * int(args[0]))
    elif kind == "length":
        writer.write(head("200 OK", None, "Transfer-Encoding: chunked\r\n"))
        left = int(args[0])
        while left > 0:
            size = min(left, 10000)
            writer.write(b"%x\r\n" % size + b"y" * size + b"\r\n")
            await writer.drain()
            left -= size
        writer.write(b"0\r\n\r\n")
    elif kind == "slow":
        await asyncio.sleep(int(args[0]) / 1000)
        writer.write(head("200 OK", 4) + b"late")
    elif kind == "hold":
        await released.setdefault(args[0], asyncio.Event()).wait()
        writer.write(head("200 OK", 4) + b"late")
    elif kind == "release":
        released.setdefault(args[0], asyncio.Event()).set()
        writer.write(head("200 OK", 2) + b"go")
    elif kind == "crowd":
        while stats["peak"] < int(args[0]):
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.01)
        writer.write(head("200 OK", 4) + b"late")
    elif kind == "drip":
        writer.write(head("200 OK", 10**9))
        while True:
            writer.write(b"d")
            await writer.drain()
            await asyncio.sleep(0.01)
    elif kind == "silent":
        await asyncio.sleep(3600)
    elif kind in ("truncate", "reset"):
        writer.write(head("200 OK", 20000) + b"t" * 10000)
        await writer.drain()
        if kind == "reset":
            await asyncio.sleep(0.05)
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    elif kind == "empty":
        return False
    elif kind == "garbage":
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        return False
    elif kind == "flaky":
        if count(path) <= int(args[1]):
            writer.write(head("503 Service Unavailable", 5) + b"later")
        else:
            writer.write(head("200 OK", 12) + b"here you are")
    elif kind == "cut":
        writer.write(head("200 OK", 12))
        if count(path) <= int(args[1]):
            writer.write(b"here")
            return False
        writer.write(b"here you are")
    elif kind == "after":
        if count(path) <= 1:
            writer.write(head("503 Busy", 0, f"Retry-After: {args[0]}\r\n"))
        else:
            writer.write(head("200 OK", 2) + b"ok")
    elif kind == "headers":
        line = "X-A: " + "a" * int(args[1]) + "\r\n"
        writer.write(head("200 OK", 2, line * int(args[0])) + b"ok")
    elif kind == "redirect":
        writer.write(head("302 Found", 0, "Location: /" + "/".join(args) + "\r\n"))
    elif kind == "elsewhere":
        writer.write(head("302 Found", 0, "Location: ftp://h/x\r\n"))
    elif kind == "escape":
        writer.write(head("404 \x1b[2J\x1b]0;owned\x07", 3, "X-A: \x9b31m\r\n") + b"no\n")
    elif kind == "status":
        writer.write(head(f"{args[0]} Status", 40) + b"s" * 40)
    elif kind == "stats":
        body = json.dumps(stats).encode()
        writer.write(head("200 OK", len(body)) + body)
    else:
        writer.write(head("404 Not Found", 3) + b"no\n")
    return True


async def serve(reader, writer):
    stats["connections"] += 1
    try:
        stays = True
        while stays:
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split(b" ")[1].decode("latin-1")
            stats["now"] += 1
            stats["requests"] += 1
            stats["peak"] = max(stats["peak"], stats["now"])
            try:
                stays = await answer(path, writer)
                await writer.drain()
            finally:
                stats["now"] -= 1
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(0)
