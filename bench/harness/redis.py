# SPDX-License-Identifier: MIT
"""A Redis server on a Unix socket, and Redis's own benchmark of it."""

import os
import shutil
import socket
import tempfile
import time

from harness import machine

CONNECTIONS = 50
DEPTH = 16


class Server:
    """Debian's redis-server on the second processor, with nothing on disk."""

    def __init__(self, place):
        self.place = place
        self.folder = None
        self.process = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="corail-bench-")
        try:
            self.process = self.place.start(
                ["redis-server", "--port", 0, "--unixsocket", self.path, "--save", "",
                 "--dir", self.folder, "--logfile", os.path.join(self.folder, "log")],
                self.place.second)
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def path(self):
        return os.path.join(self.folder, "socket")

    @property
    def url(self):
        return "unix:" + self.path

    def wait(self):
        for _ in range(200):
            if self.process.poll() is not None:
                _, errors = self.process.communicate()
                raise machine.Failure(
                    "redis-server: " + machine.failure_text(self.process.returncode, errors))
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.path)
                return
            except OSError:
                time.sleep(0.05)
        raise machine.Failure("redis-server does not answer")

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


def benchmark(place, verb, count):
    """The rate that redis-benchmark reports: the second column of the last line."""
    process = place.start(["redis-benchmark", "-s", place.server.path, "-n", count, "-c",
                           CONNECTIONS, "-P", DEPTH, "-t", verb, "--csv"], place.first)
    output, errors = process.communicate(timeout=machine.SECONDS_MAX)
    if process.returncode != 0:
        raise machine.Failure(machine.failure_text(process.returncode, errors))
    return {"redis-" + verb: float(output.splitlines()[-1].split(",")[1].strip('"'))}
