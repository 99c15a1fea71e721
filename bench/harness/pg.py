# SPDX-License-Identifier: MIT
"""A PostgreSQL server of the benchmark's own, and PostgreSQL's own tools against it."""

import os
import re
import select
import signal
import tempfile
import time

from harness import machine

CONNECTIONS = 10
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Server:
    """Debian's PostgreSQL on the second processor, as the tests start it, with pgbench's tables."""

    def __init__(self, place):
        self.place = place
        self.process = None
        self.shell = None  # the server is stopped once this process has ended
        self.host = self.port = None

    def __enter__(self):
        self.process = self.place.start(
            ["bash", os.path.join(ROOT, "tests", "pg", "server.bash"), "bash", "-c",
             'echo "$$ $PGHOST $PGPORT"; exec sleep 3600'], self.place.second)
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline() if ready else ""
        if len(line.split()) != 3:
            self.__exit__()
            raise machine.Failure("PostgreSQL did not start: " + line)
        self.shell, self.host, self.port = line.split()
        self.tool("pgbench", "-i", "-q", "-n")
        return self

    @property
    def target(self):
        return f"host={self.host} port={self.port} user=corail dbname=postgres"

    def environment(self):
        return {"PGHOST": self.host, "PGPORT": self.port, "PGUSER": "corail",
                "PGDATABASE": "postgres"}

    def tool(self, *command):
        """Runs one of PostgreSQL's programs on the first processor; returns what it prints."""
        process = self.place.start(list(command), self.place.first, self.environment())
        output, errors = process.communicate(timeout=machine.SECONDS_MAX)
        if process.returncode != 0:
            raise machine.Failure(machine.failure_text(process.returncode, errors))
        return output

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            # By the script's own trap: it waits for the shell, or is still starting the server.
            os.kill(int(self.shell or self.process.pid), signal.SIGTERM)
            self.process.communicate(timeout=60)


def pgbench(server, count):
    """Selects per second, connecting not counted."""
    output = server.tool("pgbench", "-S", "-n", "-M", "prepared", "-c", CONNECTIONS, "-j", 1,
                         "-t", count // CONNECTIONS)
    return {"pg-select": float(re.search(r"tps = ([\d.]+)", output).group(1))}


def psql_copy(server, count):
    """MB/s of psql's own copy from a file in memory."""
    row = b"1234567\t%0100d\n" % 7
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        for _ in range(count // 512):
            file.write(row * 512)
        file.flush()
        command = f"\\copy copied from '{file.name}'"
        start = time.monotonic()
        server.tool("psql", "-q", "-c", "create temp table copied(a int, b text)", "-c", command)
        seconds = time.monotonic() - start
    return {"pg-copy": count // 512 * 512 * len(row) / 1e6 / seconds}
