#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""asyncio's run_in_executor with two threads or two processes: the same programs as their twins.

  jobs.py threads|processes rtt NAME COUNT      jobs.py threads|processes many NAME COUNT TASKS
"""

import asyncio
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

EXECUTORS = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}


def job(runs):
    return runs + 1


async def caller(pool, count):
    loop = asyncio.get_running_loop()
    runs = 0
    for _ in range(count):
        runs = await loop.run_in_executor(pool, job, runs)
    assert runs == count


async def main():
    executor, what, name, count, *tasks = sys.argv[1:]
    count, tasks = int(count), int(tasks[0]) if tasks else 1
    with EXECUTORS[executor](2) as pool:
        await caller(pool, 1)
        before = time.perf_counter()
        await asyncio.gather(*(caller(pool, count // tasks) for _ in range(tasks)))
        took = time.perf_counter() - before
    if what == "rtt":
        print(f"{name} {took * 1e6 / count:.4f}", flush=True)
    else:
        print(f"{name} {count // tasks * tasks / took:.4f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
