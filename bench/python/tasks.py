#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""asyncio's tasks, on its own loop or on uvloop's: the same programs as their twins.

  tasks.py LOOP yield|yield-mixed NAME TASKS YIELDS   tasks.py LOOP spawn NAME COUNT
  tasks.py LOOP alive NAME TASKS ROUNDS               tasks.py LOOP sleep NAME TASKS
  tasks.py LOOP timers NAME TASKS DELAY_MS SPREAD_MS  (LOOP: asyncio or uvloop)
  tasks.py LOOP mutex|ping|select NAME COUNT
"""

import asyncio
import gc
import os
import sys
import time

started = ended = 0
asleep = fired = 0


def report(name, value):
    print(f"{name} {value:.4f}", flush=True)


async def member(rounds, first):
    global started, ended
    for _ in range(3):
        await asyncio.sleep(0)
    if first:
        started = time.perf_counter_ns()
    for _ in range(rounds):
        await asyncio.sleep(0)
    if first:
        ended = time.perf_counter_ns()


async def other_member(rounds):
    for _ in range(rounds + 3):
        await asyncio.sleep(0)


async def run_yield(name, tasks, yields, mixed):
    rounds = yields // tasks
    members = [
        asyncio.create_task(
            other_member(rounds) if mixed and i == 1 else member(rounds, i == 0)
        )
        for i in range(tasks)
    ]
    for each in members:
        await each
    report(name, (ended - started) / (rounds * tasks))


async def nothing():
    return 0


async def run_spawn(name, count):
    before = time.perf_counter_ns()
    for _ in range(count):
        await asyncio.create_task(nothing())
    report(name, (time.perf_counter_ns() - before) / count)


async def yield_once():
    await asyncio.sleep(0)


async def run_alive(name, tasks, times):
    before = 0
    for each_round in range(times + 1):
        if each_round == 1:
            before = time.perf_counter_ns()
        members = [asyncio.create_task(yield_once()) for _ in range(tasks)]
        for each in members:
            await each
    report(name, (time.perf_counter_ns() - before) / (times * tasks))


def memory():
    """Bytes resident plus bytes of page tables."""
    with open("/proc/self/status", encoding="ascii") as status:
        return sum(
            int(line.split()[1]) * 1024
            for line in status
            if line.startswith(("VmRSS:", "VmPTE:"))
        )


async def sleeper():
    global asleep
    asleep += 1
    await asyncio.sleep(600)


async def run_sleep(name, tasks):
    memory_before = memory()
    before = time.perf_counter_ns()
    # The loop keeps only weak references to its tasks.
    members = [asyncio.create_task(sleeper()) for _ in range(tasks)]
    while asleep < len(members):
        await asyncio.sleep(0)
    report(name + "-start", (time.perf_counter_ns() - before) / 1e9)
    report(name + "-bytes", (memory() - memory_before) / tasks)
    os._exit(0)


async def timer(wait, tasks, done):
    global fired
    await asyncio.sleep(wait)
    fired += 1
    if fired == tasks:
        done.set_result(None)


async def locker(count, mutex):
    """Who releases it comes second when it acquires it again."""
    await mutex.acquire()
    await asyncio.sleep(0)
    for _ in range(count):
        mutex.release()
        await mutex.acquire()
    mutex.release()


async def echoer(count, there, back):
    for _ in range(count):
        await back.put(await there.get())


async def run_ping(name, count):
    there, back = asyncio.Queue(1), asyncio.Queue(1)
    other = asyncio.create_task(echoer(count, there, back))
    before = time.perf_counter_ns()
    for i in range(count):
        await there.put(i)
        await back.get()
    report(name, (time.perf_counter_ns() - before) / count)
    await other


async def feeder(count, queues):
    for i in range(count):
        await queues[i * 7 // 3 % 4].put(i)


async def run_select(name, count):
    queues = [asyncio.Queue(1) for _ in range(4)]
    other = asyncio.create_task(feeder(count, queues))
    gets = {asyncio.create_task(queue.get()): queue for queue in queues}
    before = time.perf_counter_ns()
    received = 0
    while received < count:
        done, _ = await asyncio.wait(gets, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            queue = gets.pop(each)
            gets[asyncio.create_task(queue.get())] = queue
            received += 1
    report(name, (time.perf_counter_ns() - before) / count)
    for each in gets:
        each.cancel()
    await other


async def run_mutex(name, count):
    mutex = asyncio.Lock()
    before = time.perf_counter_ns()
    await asyncio.gather(locker(count // 2, mutex), locker(count // 2, mutex))
    report(name, (time.perf_counter_ns() - before) / count)


async def run_timers(name, tasks, delay_ms, spread_ms):
    before = time.process_time_ns()
    slot = spread_ms / 1e3 / tasks
    done = asyncio.get_running_loop().create_future()
    members = [
        asyncio.create_task(
            timer(delay_ms / 1e3 + i * 611953 % tasks * slot, tasks, done)
        )
        for i in range(tasks)
    ]
    await done
    report(name, (time.process_time_ns() - before) / len(members))
    os._exit(0)


def main():
    loop, what, name = sys.argv[1:4]
    numbers = [int(argument) for argument in sys.argv[4:]]
    if loop == "uvloop":
        import uvloop

        uvloop.install()
    # A good setting for a million live objects: no full collections while they are made.
    gc.disable()
    if what in ("yield", "yield-mixed"):
        asyncio.run(run_yield(name, *numbers, what == "yield-mixed"))
    else:
        runs = {
            "spawn": run_spawn,
            "alive": run_alive,
            "sleep": run_sleep,
            "mutex": run_mutex,
            "ping": run_ping,
            "select": run_select,
            "timers": run_timers,
        }
        asyncio.run(runs[what](name, *numbers))


main()
