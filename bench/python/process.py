#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""asyncio's processes, one after the other.

  process.py LOOP NAME COUNT   (LOOP: asyncio or uvloop)
"""

import asyncio
import sys
import time


async def spawn(name, count):
    before = time.perf_counter_ns()
    for _ in range(count):
        process = await asyncio.create_subprocess_exec("/bin/true")
        if await process.wait() != 0:
            sys.exit(1)
    print(f"{name} {(time.perf_counter_ns() - before) / 1e3 / count:.4f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop
        uvloop.install()
    asyncio.run(spawn(sys.argv[2], int(sys.argv[3])))
