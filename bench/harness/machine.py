# SPDX-License-Identifier: MIT
"""Runs the programs: pinned to processors, with a time limit, servers started and ended."""

import os
import select
import shutil
import socket
import subprocess
import tempfile
import time

SECONDS_MAX = 300
PAGES = 100
PAGE_SIZE = 12288

NGINX_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{
	worker_connections 4096;
}}
http {{
	access_log off;
	sendfile on;
	tcp_nopush on;
	open_file_cache max=1000 inactive=1h;
	keepalive_requests 100000000;
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	types {{ text/html html; }}
	server {{
		listen 127.0.0.1:{port} backlog=4096;
		root {folder}/pages;
	}}
}}
"""


class Failure(Exception):
    """A program that could not be measured; the text says why."""


class Machine:
    """Two processors: one for what is measured, one for what it talks with."""

    def __init__(self, build, quick):
        self.folder = os.path.join(build, "bench")
        self.quick = quick
        processors = sorted(os.sched_getaffinity(0))
        self.all = set(processors)
        self.first = {processors[0]}
        self.second = {processors[1] if len(processors) > 1 else processors[0]}

    def count(self, number):
        """How much work of `number` is done: all of it, or a tenth with --quick."""
        return max(1, number // 10) if self.quick else number

    def start(self, command, processors, env=None):
        program = command[0]
        if os.path.exists(os.path.join(self.folder, program)):
            program = os.path.join(self.folder, program)
        try:
            return subprocess.Popen(
                [program] + [str(each) for each in command[1:]],
                env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                preexec_fn=lambda: os.sched_setaffinity(0, processors))
        except OSError as error:
            raise Failure(str(error)) from error

    def run(self, command, processors, env=None):
        """Runs a program to its end. Returns its lines of output as {name: value}."""
        process = self.start(command, processors, env)
        try:
            output, errors = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise Failure(f"not done after {SECONDS_MAX} s") from error
        if process.returncode != 0:
            raise Failure(failure_text(process.returncode, errors))
        figures = {}
        for line in output.splitlines():
            name, _, value = line.partition(" ")
            figures[name] = float(value)
        return figures


def failure_text(status, errors):
    """How a program ended, and the last thing it said."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    how = f"ended by signal {-status}" if status < 0 else f"exit status {status}"
    return f"{how}: {lines[-1][:160]}" if lines else how


class EchoServer:
    """A server that says "PORT n" on its first line, for as long as the block lasts."""

    def __init__(self, machine, command, env=None):
        self.process = machine.start(command, machine.first, env)

    def __enter__(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else ""
        if not line.startswith("PORT "):
            self.process.kill()
            _, errors = self.process.communicate()
            raise Failure("does not listen: " + failure_text(self.process.returncode, errors))
        self.pid = self.process.pid
        self.port = int(line.split()[1])
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


class Nginx:
    """Debian's nginx, one worker on the second processor, a hundred pages, keep-alive."""

    def __init__(self, machine):
        self.machine = machine
        self.folder = None
        self.process = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="corail-bench-")
        try:
            self.files_write()
            self.process = self.machine.start(
                [shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or "nginx",
                 "-c", os.path.join(self.folder, "nginx.conf"),
                 "-e", os.path.join(self.folder, "error.log")], self.machine.second)
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def files_write(self):
        os.chmod(self.folder, 0o755)
        pages = os.path.join(self.folder, "pages")
        os.mkdir(pages)
        for number in range(PAGES):
            text = f"<p>page {number}</p>\n"
            text = (text * (PAGE_SIZE // len(text) + 1))[:PAGE_SIZE]
            with open(os.path.join(pages, f"{number}.html"), "w", encoding="ascii") as file:
                file.write(text)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        user = "user root;" if os.geteuid() == 0 else ""
        with open(os.path.join(self.folder, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(NGINX_CONFIG.format(folder=self.folder, port=self.port, user=user))

    def wait(self):
        for _ in range(200):
            if self.process.poll() is not None:
                _, errors = self.process.communicate()
                raise Failure("nginx: " + failure_text(self.process.returncode, errors))
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Failure("nginx does not answer")

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
