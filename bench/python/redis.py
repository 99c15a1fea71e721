# SPDX-License-Identifier: MIT
"""SET or GET against a Redis server: so many connections, so many commands in flight on each.

A client by hand on asyncio's streams, without a library's overhead: each connection sends a batch,
and reads its answers line by line.
"""

import asyncio
import sys
import time

COMMANDS = {"set": b"*3\r\n$3\r\nSET\r\n$16\r\nkey:__rand_int__\r\n$3\r\nxxx\r\n",
            "get": b"*2\r\n$3\r\nGET\r\n$16\r\nkey:__rand_int__\r\n"}


async def answer(reader):
    line = await reader.readline()
    if line.startswith(b"-") or not line.endswith(b"\r\n"):
        raise OSError(line.decode())
    if line.startswith(b"$") and line != b"$-1\r\n":
        return (await reader.readexactly(int(line[1:]) + 2))[:-2]
    return line[1:-2]


async def ask(path, command, rounds, depth):
    reader, writer = await asyncio.open_unix_connection(path)
    for _ in range(rounds):
        writer.write(command * depth)
        for _ in range(depth):
            await answer(reader)
    writer.close()


async def main(name, count, verb, path, connections, depth):
    rounds = max(1, count // (connections * depth))
    start = time.monotonic()
    await asyncio.gather(*(ask(path, COMMANDS[verb], rounds, depth) for _ in range(connections)))
    rate = rounds * connections * depth / (time.monotonic() - start)
    print(f"{name} {rate:.4f}")


if __name__ == "__main__":
    _, library, figure, total, what, url, conns, in_flight = sys.argv
    if library == "uvloop":
        import uvloop
        uvloop.install()
    asyncio.run(main(figure, int(total), what, url.removeprefix("unix:"), int(conns),
                     int(in_flight)))
