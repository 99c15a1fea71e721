#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pages into memory with aiohttp: pages.py asyncio|uvloop NAME PORT CONNECTIONS PAGES SIZE."""

import asyncio
import sys
import time

import aiohttp


async def worker(session, numbers, port, size):
    for number in numbers:
        url = f"http://127.0.0.1:{port}/{number % 100}.html"
        async with session.get(url) as response:
            body = await response.read()
            if response.status != 200 or len(body) != size:
                sys.exit(f"{url}: status {response.status}, {len(body)} bytes")


async def main(name, port, connections, pages, size):
    connector = aiohttp.TCPConnector(limit=connections, limit_per_host=connections)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        numbers = iter(range(pages))
        before = time.perf_counter()
        await asyncio.gather(
            *(worker(session, numbers, port, size) for _ in range(connections))
        )
        print(f"{name} {pages / (time.perf_counter() - before):.4f}")


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main(sys.argv[2], *map(int, sys.argv[3:])))
