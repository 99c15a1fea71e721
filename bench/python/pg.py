# SPDX-License-Identifier: MIT
"""PostgreSQL by asyncpg: single-row selects over so many connections, or a table copied in."""

import asyncio
import random
import sys
import time

import asyncpg

QUERY = "select abalance from pgbench_accounts where aid = $1"


async def ask(connection, count):
    statement = await connection.prepare(QUERY)
    for _ in range(count):
        await statement.fetchrow(random.randint(1, 100000))


async def select(name, count, host, port, connections):
    opened = [await asyncpg.connect(host=host, port=port, user="corail", database="postgres")
              for _ in range(connections)]
    await asyncio.gather(*(ask(each, 2) for each in opened))
    start = time.monotonic()
    await asyncio.gather(*(ask(each, count // connections) for each in opened))
    rate = count // connections * connections / (time.monotonic() - start)
    for each in opened:
        await each.close()
    print(f"{name} {rate:.4f}")


async def copy(name, count, host, port):
    connection = await asyncpg.connect(host=host, port=port, user="corail", database="postgres")
    rows = b"1234567\t%0100d\n" % 7 * 512

    async def pieces():
        for _ in range(count // 512):
            yield rows

    await connection.execute("create temp table copied(a int, b text)")
    start = time.monotonic()
    await connection.copy_to_table("copied", source=pieces())
    rate = count // 512 * len(rows) / 1e6 / (time.monotonic() - start)
    await connection.close()
    print(f"{name} {rate:.4f}")


def main():
    name, count, host, port, connections = sys.argv[1:]
    if name == "pg-copy":
        asyncio.run(copy(name, int(count), host, port))
    else:
        asyncio.run(select(name, int(count), host, port, int(connections)))


main()
