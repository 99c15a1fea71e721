#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Python's side of the benchmark of files, with aiofiles: see ../corail/files.c.

aiofiles has no positioned reads: files.py random takes os.preadv() in asyncio's own executor, which
is what aiofiles is made of.
"""

import asyncio
import mmap
import os
import sys
import time

import aiofiles
import aiofiles.os

AT_ONCE = 64
BLOCK = 4096
LARGE = 256 * 1024


async def gather(count, work):
    numbers = iter(range(count))
    await asyncio.gather(*(work(numbers) for _ in range(AT_ONCE)))


async def small(folder, count):
    async def work(numbers):
        for number in numbers:
            async with aiofiles.open(f"{folder}/{number}", "rb") as file:
                await file.read()
    await gather(count, work)
    return count


async def large(path, _):
    total = 0
    async with aiofiles.open(path, "rb") as file:
        while data := await file.read(LARGE):
            total += len(data)
    return total / 1e6


async def random(path, count):
    loop = asyncio.get_running_loop()
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    blocks = os.fstat(file).st_size // BLOCK

    async def work(numbers):
        room = mmap.mmap(-1, BLOCK)
        for number in numbers:
            at = number * 0x9e3779b97f4a7c15 % 2**64 % blocks
            await loop.run_in_executor(None, os.preadv, file, [room], at * BLOCK)
    await gather(count, work)
    os.close(file)
    return count


async def atomic(folder, count):
    loop = asyncio.get_running_loop()
    directory = os.open(folder, os.O_RDONLY)
    for _ in range(count):
        async with aiofiles.open(f"{folder}/.temporary", "xb") as file:
            await file.write(bytes(BLOCK))
            await file.flush()
            await loop.run_in_executor(None, os.fsync, file.fileno())
        await aiofiles.os.rename(f"{folder}/.temporary", f"{folder}/atomic")
        await loop.run_in_executor(None, os.fsync, directory)
    os.close(directory)
    return count


async def main():
    what, name, path, *count = sys.argv[1:]
    work = {"small": small, "large": large, "random": random, "atomic": atomic}[what]
    before = time.perf_counter()
    amount = await work(path, int(count[0]) if count else 0)
    print(f"{name} {amount / (time.perf_counter() - before):.4f}", flush=True)


asyncio.run(main())
