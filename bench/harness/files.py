# SPDX-License-Identifier: MIT
"""The files that are read: made before, removed afterwards; and fio, the limit."""

import json
import os
import shutil
import subprocess
import tempfile

from harness import machine


class Files:
    """A folder below build/, on a disk: `small` of 1 to 8 KiB, and a large one."""

    def __init__(self, place, small, large_bytes):
        self.folder = tempfile.mkdtemp(prefix="corail-bench-files-", dir=place.folder)
        self.small = small
        self.large_bytes = large_bytes
        self.large = os.path.join(self.folder, "large")

    def __enter__(self):
        for number in range(self.small):
            with open(os.path.join(self.folder, str(number)), "wb") as file:
                file.write(os.urandom(1024) * (1 + number % 8))
        if self.large_bytes:
            block = os.urandom(1 << 20)
            with open(self.large, "wb") as file:
                for _ in range(self.large_bytes >> 20):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def fio_random(place, name, seconds):
    """4 KiB at random places, 64 at once, by io_uring: what the disk gives."""
    command = ["fio", "--name=limit", f"--filename={place.server.large}", "--rw=randread",
               "--bs=4k", "--iodepth=64", "--ioengine=io_uring", "--direct=1", "--readonly",
               "--time_based", f"--runtime={seconds}", "--output-format=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise machine.Failure(done.stderr.strip()[:200] or "fio failed")
    text = done.stdout[done.stdout.index("{"):]
    return {name: json.loads(text)["jobs"][0]["read"]["iops"]}
