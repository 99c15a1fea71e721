# SPDX-License-Identifier: MIT
"""What is measured: each piece of work, who does it, how much of it, and what is to be reached."""

import os
import sys
import time

from harness import files, machine, pg, redis, tls

MILLION = 1000000
PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TASKS_PY = os.path.join(HERE, "python", "tasks.py")
ECHO_PY = os.path.join(HERE, "python", "echo.py")
PROCESS_PY = os.path.join(HERE, "python", "process.py")
PAGES_PY = os.path.join(HERE, "python", "pages.py")
TOKIO = "rust-target/release/bench-tokio"

# The program that each peer's tasks are in.
TASKS = {
    "corail": ["corail-tasks"],
    "tokio": [TOKIO],
    "go": ["go"],
    "boost-fiber": ["boost-fiber"],
    "state-threads": ["st-tasks"],
    "uvloop": [PYTHON, TASKS_PY, "uvloop"],
    "asyncio": [PYTHON, TASKS_PY, "asyncio"],
}
ONE_THREAD = {"GOMAXPROCS": "1"}
GO_KEEP = "go, memory kept"


class Target:
    """Corail's figure is to be at most (or at least) so many times a peer's, or a plain number."""

    def __init__(self, text, factor, peer=None):
        self.text = text
        self.factor = factor
        self.peer = peer


class Figure:
    """One line of the table."""

    def __init__(self, name, unit, better, targets, information=()):
        self.name = name
        self.unit = unit
        self.better = better
        self.targets = targets
        self.information = information  # competitors that are shown, but are no peers


class Entrant:
    """A competitor: `parts` must be built; run(machine) gives {figure: value}."""

    def __init__(self, name, run, parts=None):
        self.name = name
        self.run = run
        self.parts = parts or [name]


class Measured:
    """The figures of one piece of work: {figure: {competitor: [value, ...]}}, and who is absent."""

    def __init__(self):
        self.values = {}
        self.absent = {}

    def add(self, entrant, figures):
        for name, value in figures.items():
            self.values.setdefault(name, {}).setdefault(entrant, []).append(value)

    def drop(self, entrant, reason):
        """One failure is enough: a median of the rounds that happened to work is no figure."""
        self.absent[entrant] = reason
        for values in self.values.values():
            values.pop(entrant, None)


class Work:
    """What is measured together, in rounds."""

    def __init__(self, figures, entrants, around=None):
        self.figures = figures
        self.entrants = entrants
        self.around = around  # what must run meanwhile: a context manager for a machine

    def measure(self, place, absent, runs):
        measured = Measured()
        for entrant in self.entrants:
            reasons = [absent[part] for part in entrant.parts if absent.get(part)]
            if reasons:
                measured.absent[entrant.name] = reasons[0]
        try:
            if self.around:
                with self.around(place) as server:
                    place.server = server
                    self.rounds(place, measured, runs)
            else:
                self.rounds(place, measured, runs)
        except machine.Failure as failure:
            for entrant in self.entrants:
                measured.absent.setdefault(entrant.name, str(failure))
        return measured

    def rounds(self, place, measured, runs):
        for number in range(runs):
            for entrant in self.entrants:
                if entrant.name in measured.absent:
                    continue
                progress(f"{self.figures[0].name}: round {number + 1} of {runs}: {entrant.name}")
                try:
                    measured.add(entrant.name, entrant.run(place))
                except machine.Failure as failure:
                    measured.drop(entrant.name, str(failure))
        progress("")


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def tasks(peer, what, name, *numbers, env=None, spread=False):
    """A run of a peer's task program, on one processor unless the peer is better on all."""
    def run(place):
        first, *others = numbers
        counts = ("spawn", "sleep", "timers", "mutex", "ping", "select")
        scaled = [place.count(first) if what in counts else first, *others]
        if what.startswith("yield"):
            scaled[1] = max(place.count(scaled[1]), 3 * first)  # each task yields a few times
        return place.run(TASKS[peer] + [what, name] + scaled,
                         place.all if spread else place.first, env or ONE_THREAD)
    return Entrant(peer, run)


def ring(label, name, contexts, switches):
    """The bare register swap, in a ring of so many contexts."""
    return Entrant(label, lambda place: place.run(
        ["limit", name, contexts, place.count(switches)], place.first), ["limit"])


def yields(name, what, count, amounts, targets, information=()):
    entrants = [tasks("corail", what, name, count, amounts["corail"]),
                ring("limit", name, 2, 50 * MILLION)]
    entrants += [ring(label, name, count, 20 * MILLION) for label in information]
    entrants += [tasks(peer, what, name, count, amount)
                 for peer, amount in amounts.items() if peer != "corail"]
    return Work([Figure(name, "ns", "lower", targets, information)], entrants)


def yield_works():
    few = {"corail": 20 * MILLION, "tokio": 2 * MILLION, "go": 3 * MILLION,
           "boost-fiber": 3 * MILLION, "state-threads": 2 * MILLION, "uvloop": MILLION // 5,
           "asyncio": MILLION // 5}
    many = {**few, "corail": 10 * MILLION, "uvloop": MILLION // 2, "asyncio": MILLION // 2}
    return [
        yields("yield-2", "yield", 2, few,
               [Target("2.5 x limit", 2.5, "limit"), Target("go / 12", 1 / 12, "go")]),
        yields("yield-2-mixed", "yield-mixed", 2, few, [Target("6.5 x limit", 6.5, "limit")]),
        yields("yield-1000", "yield", 1000, few, [Target("5 x limit", 5, "limit")],
               ["bare ring of 1,000"]),
        yields("yield-100k", "yield", 100000, many, [Target("15 x limit", 15, "limit")],
               ["bare ring of 100,000"]),
    ]


def spawn_works():
    name = "spawn-await"
    amounts = {"corail": 5 * MILLION, "tokio": MILLION, "go": MILLION // 2,
               "boost-fiber": MILLION // 2, "state-threads": MILLION,
               "uvloop": MILLION // 10, "asyncio": MILLION // 20}
    one = Work(
        [Figure(name, "ns", "lower",
                [Target("14 x limit", 14, "limit"), Target("go / 10", 1 / 10, "go")])],
        [ring("limit", name, 2, 50 * MILLION)] +
        [tasks(peer, "spawn", name, amount) for peer, amount in amounts.items()])
    name = "spawn-10k-alive"
    rounds = {"corail": 50, "tokio": 50, "go": 20, "boost-fiber": 20, "state-threads": 20,
              "uvloop": 5, "asyncio": 5}
    alive = Work(
        [Figure(name, "ns", "lower", [])],
        [tasks(peer, "alive", name, 10000, times) for peer, times in rounds.items()])
    return [one, alive]


def sleep_works():
    peers = ["corail", "tokio", "go", "boost-fiber", "state-threads", "uvloop", "asyncio"]
    name = "sleep-1m"
    asleep = Work(
        [Figure(name + "-bytes", "bytes", "lower", [Target("4,800 bytes", 4800)]),
         Figure(name + "-start", "s", "lower", [Target("go", 1, "go")])],
        [go_at_its_best("sleep", name, MILLION) if peer == "go" else
         tasks(peer, "sleep", name, MILLION) for peer in peers])
    name = "timers-1m"
    # How many, and milliseconds before the first may fire: time to start them all. State
    # Threads and the Python loops get a quarter, which makes each of theirs cheaper, not dearer.
    amounts = {"corail": (MILLION, 3000), "libuv": (MILLION, 1500), "tokio": (MILLION, 1500),
               "go": (MILLION, 4000), "state-threads": (MILLION // 4, 2000),
               "uvloop": (MILLION // 4, 2000), "asyncio": (MILLION // 4, 3000)}
    entrants = []
    for peer, (amount, delay) in amounts.items():
        if peer == "libuv":
            entrants.append(libuv_timers(name, amount, delay))
        elif peer == "go":
            entrants.append(go_at_its_best("timers", name, amount, delay, 2000))
        else:
            entrants.append(tasks(peer, "timers", name, amount, delay, 2000))
    timers = Work([Figure(name, "ns", "lower", [Target("go", 1, "go")])], entrants)
    return [asleep, timers]


def go_at_its_best(what, name, *numbers):
    """Go starts a million goroutines in half the time when its collector has a processor too."""
    return tasks("go", what, name, *numbers, env={"GOMAXPROCS": "2"}, spread=True)


def libuv_timers(name, amount, delay):
    return Entrant("libuv", lambda place: place.run(
        ["libuv-timers", name, place.count(amount), delay, 2000], place.first))


def echo(name, connections, messages):
    servers = {
        "corail": (["corail-echo"], "corail-echo"),
        "epoll-c": (["echo-epoll"], "epoll-c"),
        "uring-c": (["echo-uring"], "uring-c"),
        "libuv": (["libuv-echo"], "libuv-echo"),
        "tokio": ([TOKIO, "echo"], "tokio"),
        "state-threads": (["st-echo"], "state-threads-echo"),
        "go": (["go", "echo"], "go"),
        "uvloop": ([PYTHON, ECHO_PY, "uvloop"], "uvloop"),
        "asyncio": ([PYTHON, ECHO_PY, "asyncio"], "asyncio"),
    }

    def entrant(peer, command, part):
        amount = messages // 3 if PYTHON in command else messages

        def run(place):
            with machine.EchoServer(place, command, ONE_THREAD) as server:
                return place.run(["echo-load", name, server.port, connections,
                                  place.count(amount), server.pid], place.second)
        return Entrant(peer, run, [part, "echo-load"])

    return Work(
        [Figure(name, "us", "lower", [Target("epoll-c", 1, "epoll-c"),
                                      Target("uring-c / 0.9", 1 / 0.9, "uring-c")])],
        [entrant(peer, *server) for peer, server in servers.items()])


def pages():
    name = "pages-100"
    clients = {
        "corail": (["corail-pages", name], 30000, "corail-pages"),
        "libcurl-multi": (["pages-libcurl", name], 30000, "libcurl-multi"),
        "go": (["go", "pages", name], 15000, "go"),
        GO_KEEP: (["go", "pages-keep", name], 20000, "go"),
        "aiohttp-uvloop": ([PYTHON, PAGES_PY, "uvloop", name], 6000, "aiohttp-uvloop"),
        "aiohttp": ([PYTHON, PAGES_PY, "asyncio", name], 5000, "aiohttp"),
    }

    def entrant(peer, command, amount, part):
        return Entrant(peer, lambda place: place.run(
            command + [place.server.port, 100, place.count(amount), machine.PAGE_SIZE],
            place.first, ONE_THREAD), [part, "nginx"])

    def curl(place):
        """The command has no clock of its own: its whole run is timed."""
        amount = place.count(20000)
        url = f"http://127.0.0.1:{place.server.port}/[0-99].html?[1-{amount // 100}]"
        before = time.perf_counter()
        place.run(["curl", "--parallel", "--parallel-max", "100", "--silent", "--show-error",
                   "--fail", "--output", "/dev/null", url], place.first)
        return {name: amount // 100 * 100 / (time.perf_counter() - before)}

    return Work(
        [Figure(name, "pages/s", "higher",
                [Target("libcurl-multi", 1, "libcurl-multi"), Target("2 x go", 2, "go"),
                 Target("7 x aiohttp", 7, "aiohttp"),
                 Target("1.5 x curl-parallel", 1.5, "curl-parallel")], [GO_KEEP])],
        [entrant(peer, *client) for peer, client in clients.items()] +
        [Entrant("curl-parallel", curl, ["curl-parallel", "nginx"])],
        machine.Nginx)


def mutex_work():
    name = "mutex-handoff"
    amounts = {"corail": 10 * MILLION, "tokio": 2 * MILLION, "go": 2 * MILLION,
               "boost-fiber": 2 * MILLION, "state-threads": 2 * MILLION, "uvloop": MILLION // 5,
               "asyncio": MILLION // 10}
    return Work([Figure(name, "ns", "lower", [Target("go / 4", 1 / 4, "go")])],
                [tasks(peer, "mutex", name, amount) for peer, amount in amounts.items()])


def channel_works():
    amounts = {"corail": 10 * MILLION, "tokio": 2 * MILLION, "go": 2 * MILLION,
               "state-threads": 3 * MILLION, "uvloop": MILLION // 5, "asyncio": MILLION // 10}
    name = "chan-ping-pong"
    ping = Work(
        [Figure(name, "ns", "lower", [Target("state-threads", 1, "state-threads"),
                                      Target("go / 4", 1 / 4, "go")])],
        [tasks(peer, "ping", name, amount) for peer, amount in amounts.items()])
    name = "select-4"
    select = Work(
        [Figure(name, "ns", "lower", [Target("go / 2", 1 / 2, "go")])],
        [tasks(peer, "select", name, amount // 2) for peer, amount in amounts.items()
         if peer != "state-threads"])
    return [ping, select]


def process_work():
    """One program after the other, on one processor: what starting and noticing the end cost."""
    name = "process-spawn"
    commands = {
        "limit": (["process-limit"], 2000, "process-limit"),
        "corail": (["corail-process"], 2000, "corail-process"),
        "libuv": (["libuv-process"], 2000, "libuv-process"),
        "go": (["go-process"], 1000, "go-process"),
        "uvloop": ([PYTHON, PROCESS_PY, "uvloop"], 500, "uvloop"),
        "asyncio": ([PYTHON, PROCESS_PY, "asyncio"], 500, "asyncio"),
    }

    def entrant(peer, command, amount, part):
        return Entrant(peer, lambda place: place.run(
            command + [name, place.count(amount)], place.first, ONE_THREAD), [part])

    return Work(
        [Figure(name, "us", "lower", [Target("1.2 x limit", 1.2, "limit"),
                                      Target("libuv", 1, "libuv"), Target("go", 1, "go"),
                                      Target("asyncio / 2", 1 / 2, "asyncio")])],
        [entrant(peer, *command) for peer, command in commands.items()])


def offload_works():
    """Jobs on two threads: one at a time, and a thousand outstanding."""
    jobs_py = os.path.join(HERE, "python", "jobs.py")
    peers = {
        "corail": (["corail-offload"], "corail-offload", 1),
        "libuv": (["libuv-offload"], "libuv-offload", 1),
        "tokio": (["rust-target/release/offload"], "tokio-offload", 1),
        "go": (["go-offload", "goroutines"], "go-offload", 1),
        "go, locked threads": (["go-offload", "threads"], "go-offload", 1 / 5),
        "asyncio": ([PYTHON, jobs_py, "threads"], "asyncio", 1 / 20),
    }

    def entrant(peer, what, name, amount, *tasks):
        command, part, share = peers[peer]
        return Entrant(peer, lambda place: place.run(
            command + [what, name, place.count(int(amount * share)), *tasks], place.all), [part])

    return [
        Work([Figure("offload-rtt", "us", "lower",
                     [Target("libuv", 1, "libuv"), Target("asyncio / 4", 1 / 4, "asyncio")])],
             [entrant(peer, "rtt", "offload-rtt", 200000) for peer in peers]),
        Work([Figure("offload-1000", "jobs/s", "higher",
                     [Target("libuv", 1, "libuv"), Target("4 million", 4 * MILLION)])],
             [entrant(peer, "many", "offload-1000", 5 * MILLION, 1000) for peer in peers]),
    ]


def files_works():
    """Files that lie in memory, small and large; the disk itself; and its syncs."""
    script = os.path.join(HERE, "python", "files.py")
    peers = {"corail": (["corail-files"], "corail-files"), "go": (["go-files"], "go-files"),
             "libuv": (["libuv-files"], "libuv-files"),
             "aiofiles": ([PYTHON, script], "aiofiles"),
             "blocking": (["blocking-files"], "blocking-files")}

    def entrant(peer, what, name, target, amount):
        command, part = peers[peer]
        return Entrant(peer, lambda place: place.run(
            command + [what, name, target(place.server)] +
            ([place.count(amount)] if amount else []), place.all), [part])

    def work(what, name, unit, goals, target, amount, around, limits=()):
        return Work([Figure(name, unit, "higher", goals)],
                    [entrant(peer, what, name, target, amount) for peer in peers] + list(limits),
                    around)

    return [
        work("small", "files-small", "files/s",
             [Target("go", 1, "go"), Target("libuv", 1, "libuv")],
             lambda made: made.folder, 100000,
             lambda place: files.Files(place, place.count(100000), 0)),
        work("large", "file-large", "MB/s", [Target("0.9 x blocking", 0.9, "blocking")],
             lambda made: made.large, None,
             lambda place: files.Files(place, 0, place.count(1 << 30))),
        work("random", "file-random-4k", "reads/s", [Target("0.9 x fio", 0.9, "fio")],
             lambda made: made.large, 200000,
             lambda place: files.Files(place, 0, place.count(1 << 30)),
             [Entrant("fio", lambda place: files.fio_random(
                 place, "file-random-4k", 1 if place.quick else 5), ["fio"])]),
        work("atomic", "atomic-writes", "writes/s", [Target("0.8 x blocking", 0.8, "blocking")],
             lambda made: made.folder, 1000, lambda place: files.Files(place, 0, 0)),
    ]


def process_job_works():
    """Jobs in two worker processes: one at a time, and a thousand outstanding."""
    jobs_py = os.path.join(HERE, "python", "jobs.py")
    peers = {"corail": (["corail-processes"], "corail-processes", 1),
             "asyncio": ([PYTHON, jobs_py, "processes"], "asyncio", 1 / 40)}

    def entrant(peer, what, name, amount, *tasks):
        command, part, share = peers[peer]
        return Entrant(peer, lambda place: place.run(
            command + [what, name, place.count(int(amount * share)), *tasks], place.all), [part])

    return [
        Work([Figure("process-rtt", "us", "lower", [Target("asyncio / 10", 1 / 10, "asyncio")])],
             [entrant(peer, "rtt", "process-rtt", 100000) for peer in peers]),
        Work([Figure("process-1000", "jobs/s", "higher", [Target("10 x asyncio", 10, "asyncio")])],
             [entrant(peer, "many", "process-1000", MILLION, 1000) for peer in peers]),
    ]


def tls_work():
    """One connection, both ends on one processor; AES-128-GCM, with Python AES-256-GCM."""
    name = "tls-throughput"
    script = os.path.join(HERE, "python", "tls.py")
    programs = {"corail": (["corail-tls"], "corail-tls", 2000),
                "limit": (["tls-blocking"], "tls-blocking", 2000),
                "go": (["go-tls"], "go-tls", 2000),
                "uvloop": ([PYTHON, script, "uvloop"], "uvloop", 400),
                "asyncio": ([PYTHON, script, "asyncio"], "asyncio", 400)}

    def entrant(peer, command, part, megabytes):
        return Entrant(peer, lambda place: place.run(
            command + [name, max(place.count(megabytes), 20), place.server.chain,
                       place.server.key], place.first, ONE_THREAD), [part])

    return Work(
        [Figure(name, "MB/s", "higher", [Target("0.8 x limit", 0.8, "limit"),
                                         Target("go", 1, "go")])],
        [entrant(peer, *program) for peer, program in programs.items()], tls.Certificate)


def sqlite_works():
    """Rows into a table: each a transaction of its own, and a thousand in each, in two ways."""
    programs = {"corail": (["corail-sqlite"], "corail-sqlite"),
                "limit": (["sqlite-blocking"], "sqlite-blocking")}

    def entrant(peer, what, name, rows):
        command, part = programs[peer]
        return Entrant(peer, lambda place: place.run(
            command + [what, name, place.count(rows)], place.all), [part])

    return [Work([Figure(name, "rows/s", "higher", [Target(text, factor, "limit")])],
                 [entrant(peer, what, name, rows) for peer in programs])
            for name, what, rows, text, factor in (
                ("sqlite-insert", "together", MILLION, "0.7 x limit", 0.7),
                ("sqlite-insert-many", "many", MILLION, "0.7 x limit", 0.7),
                ("sqlite-insert-alone", "alone", 50000, "0.3 x limit", 0.3))]


def redis_works():
    """50 connections with 16 commands in flight on each, the server on the other processor."""
    script = os.path.join(HERE, "python", "redis.py")
    commands = {"corail": (["corail-redis"], "corail-redis", 2 * MILLION),
                "asyncio": ([PYTHON, script, "asyncio"], "asyncio", MILLION // 5),
                "uvloop": ([PYTHON, script, "uvloop"], "uvloop", MILLION // 5)}

    def entrant(verb, peer, command, part, amount):
        return Entrant(peer, lambda place: place.run(
            command + ["redis-" + verb, place.count(amount), verb, place.server.url,
                       redis.CONNECTIONS, redis.DEPTH], place.first), [part])

    def work(verb):
        name = "redis-" + verb
        return Work(
            [Figure(name, "commands/s", "higher",
                    [Target("0.9 x redis-benchmark", 0.9, "redis-benchmark")])],
            [entrant(verb, peer, *command) for peer, command in commands.items()] +
            [Entrant("redis-benchmark", lambda place: redis.benchmark(
                place, verb, place.count(2 * MILLION)), ["redis-benchmark"])], redis.Server)

    return [work("get"), work("set")]


def pg_works():
    """The server on one processor, the client on the other."""
    script = os.path.join(HERE, "python", "pg.py")

    def entrants(name, amount, amount_python):
        return [
            Entrant("corail", lambda place: place.run(
                ["corail-pg", name, place.count(amount), place.server.target, pg.CONNECTIONS],
                place.first), ["corail-pg"]),
            Entrant("asyncpg", lambda place: place.run(
                [PYTHON, script, name, place.count(amount_python), place.server.host,
                 place.server.port, pg.CONNECTIONS], place.first), ["asyncpg"])]

    return [
        Work([Figure("pg-select", "selects/s", "higher",
                     [Target("1.0 x pgbench", 1.0, "pgbench"),
                      Target("3 x asyncpg", 3, "asyncpg")])],
             entrants("pg-select", 200000, 50000) +
             [Entrant("pgbench", lambda place: pg.pgbench(place.server, place.count(200000)),
                      ["pgbench"])], pg.Server),
        Work([Figure("pg-copy", "MB/s", "higher", [Target("1.0 x psql", 1.0, "psql")])],
             entrants("pg-copy", MILLION, MILLION) +
             [Entrant("psql", lambda place: pg.psql_copy(place.server, place.count(MILLION)),
                      ["psql"])], pg.Server)]


def works():
    return (yield_works() + spawn_works() + sleep_works() + [mutex_work()] + channel_works() +
            [process_work()] + offload_works() + process_job_works() +
            files_works() +
            [tls_work()] + pg_works() + sqlite_works() + redis_works() +
            [echo("tcp-echo-64", 64, 60000), echo("tcp-echo-1000", 1000, 60000), pages()])


NAMES = [figure.name for work in works() for figure in work.figures]
