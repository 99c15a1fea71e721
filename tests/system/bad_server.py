#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Serves a tree of files, badly: bad_server.py ROOT slow|truncate. Prints its port.

slow: every file in pieces, with pauses between them. truncate: half of the files are cut short,
in one of several ways, the first one or two times that they are asked for.
"""

import asyncio
import os
import socket
import struct
import sys
import urllib.parse
import zlib

root, mode = os.fsencode(sys.argv[1]), sys.argv[2]
asked = {}


def head(length):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length


async def send_slowly(writer, data):
    writer.write(head(len(data)))
    step = max(1, len(data) // 5)
    for start in range(0, len(data), step):
        await asyncio.sleep(0.02)
        writer.write(data[start:start + step])
        await writer.drain()
    return True


async def send_truncated(writer, path, data):
    """How a file is treated depends on its name alone: every run is the same."""
    asked[path] = asked.get(path, 0) + 1
    kind = zlib.crc32(path) % 8
    if kind >= 4 or asked[path] > 1 + kind % 2:
        writer.write(head(len(data)) + data)
        return True
    if kind == 0:  # within the body
        writer.write(head(len(data) + 1) + data)
    elif kind == 1:  # within the head
        writer.write(head(len(data))[:20])
    elif kind == 2:  # with a reset
        writer.write(head(len(data) + 1000) + data)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:  # within a chunk
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n" % (len(data) + 10) + data)
    return False


async def serve(reader, writer):
    try:
        stays = True
        while stays:
            request = await reader.readuntil(b"\r\n\r\n")
            path = urllib.parse.unquote_to_bytes(request.split(b" ")[1].lstrip(b"/"))
            with open(os.path.join(root, path), "rb") as file:
                data = file.read()
            if mode == "slow":
                stays = await send_slowly(writer, data)
            else:
                stays = await send_truncated(writer, path, data)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
