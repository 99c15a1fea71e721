# SPDX-License-Identifier: MIT
"""Rules about who may use what: layers, and calls with a better replacement."""

import posixpath
import re

from .tree import Finding

# base <- ctx, loop <- task <- sync, io, exec <- fs <- net <- ext <- cli
RANKS = {"base": 0, "ctx": 1, "loop": 2, "task": 3, "sync": 4, "io": 4, "exec": 4,
         "fs": 5, "net": 6, "ext": 7, "cli": 8}
# Public headers and the layer that they belong to.
HEADERS = {"base": "base", "loop": "loop", "sim": "loop", "task": "task", "debug": "task",
           "local": "task", "interval": "sync", "sync": "sync", "chan": "sync",
           "chan_threadsafe": "sync", "queue": "sync", "broadcast": "sync", "select": "task",
           "io": "io", "signal": "io", "process": "io", "exec": "exec", "processes": "exec",
           "loops": "exec", "loops_net": "net", "fs": "fs", "net": "net", "udp": "net",
           "socket": "net", "stdio": "net",
           "dns": "net", "shutdown": "net", "tls": "net", "corail": "net", "http": "ext",
           "http_server": "ext", "curl": "ext", "sql": "ext", "pg": "ext",
           "sqlite": "ext", "redis": "ext"}
PUBLIC_ONLY = ("src/net/tls/", "src/ext/", "cli/")
# What the folders of src/ext share: inline only, since each is a library of its own.
EXT_COMMON = "src/ext/common/"


def layer_of(path):
    parts = path.split("/")
    if parts[0] == "cli":
        return "cli"
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def may_include(layer, other):
    return layer == other or RANKS[other] < RANKS[layer]


def layers(tree):
    for file in tree.under("src/", "cli/", ending=(".c", ".h", ".S")):
        layer = layer_of(file.path)
        if layer not in RANKS:
            yield Finding("layers", file.path, 1, "in no layer")
            continue
        for number, name, system in file.includes:
            if system:
                match = re.match(r"corail/(\w+)\.h$", name)
                other = HEADERS.get(match.group(1)) if match else layer
                if other is None:
                    yield Finding("layers", file.path, number, f"<{name}> is in no layer")
                    continue
            elif file.path.startswith(PUBLIC_ONLY):
                path = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), name))
                common = path.startswith(EXT_COMMON) and file.path.startswith("src/ext/")
                if path not in tree or (name.startswith("../") and not common):
                    yield Finding("layers", file.path, number,
                                  f'"{name}": only public headers, its own folder and {EXT_COMMON}')
                continue
            else:
                if f"src/{name}" not in tree:
                    yield Finding("layers", file.path, number, f'"{name}": from src/, please')
                    continue
                other = layer_of(f"src/{name}")
            if not may_include(layer, other):
                yield Finding("layers", file.path, number,
                              f"{layer} must not know {other}, which stands to its right: {name}")


def unused_headers(tree):
    used = set()
    for file in tree.files.values():
        for _, name, system in file.includes:
            used.add(f"include/{name}" if system else f"src/{name}")
            used.add(posixpath.normpath(posixpath.join(posixpath.dirname(file.path), name)))
            used.add(f"tests/{name}")
            used.add(f"tests/support/{name}")
    for file in tree.under("src/", "cli/", "tests/", ending=".h"):
        if file.path not in used:
            yield Finding("unused-header", file.path, 1, "nobody includes it")


ALLOCATION = r"malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|" \
             r"posix_memalign|aligned_alloc|memalign|getline|open_memstream"
DESCRIPTORS = r"read|write|readv|writev|pread|pwrite|recv|recvfrom|recvmsg|send|sendto|sendmsg|" \
              r"accept|accept4|connect|socket|socketpair|bind|listen|shutdown|close|open|openat|" \
              r"poll|ppoll|select|pselect|epoll_\w+|io_uring_\w+|eventfd|timerfd_\w+|" \
              r"signalfd|pipe|pipe2|dup|dup2|dup3|fcntl|ioctl|setsockopt|getsockopt|" \
              r"getsockname|getpeername|lseek|fstat|ftruncate|fsync|sendfile|splice"

# (names, where banned, where allowed all the same, what to do instead)
BANNED = [
    (ALLOCATION, ("src/",), ("src/base/", "src/ext/", "src/net/tls/"),
     "cr__alloc() and its kin: src/base/alloc.h"),
    (r"clock_gettime|gettimeofday|time|clock", ("src/",), ("src/base/",), "src/base/clock.h"),
    (r"getaddrinfo|gethostbyname\w*|getnameinfo|getservbyname", ("src/", "cli/"), (),
     "it blocks: the resolver in src/net"),
    (r"strcpy|strcat|sprintf|vsprintf|gets|stpcpy|strncpy|strncat",
     ("src/", "cli/", "examples/", "tests/"), (), "snprintf() or memcpy() with a size"),
    (r"strtok|localtime|gmtime|ctime|asctime|strerror|inet_ntoa|rand|srand", ("src/", "cli/"), (),
     "the reentrant one; cr_strerror() for errors"),
    (r"alloca", ("src/", "cli/", "examples/", "tests/"), (), "a fixed size or cr__alloc()"),
    (r"atoi|atol|atof", ("src/", "cli/", "examples/", "tests/"), (), "strtol() with its checks"),
    # What runs in worker processes, and in the one that starts them, has no loop.
    (DESCRIPTORS, ("src/",), ("src/loop/backend/", "src/io/", "src/exec/zygote"),
     "cr__op_start() and its kin: src/loop/op.h"),
    (r"pthread_create|thrd_create|clone|fork|vfork", ("src/",), ("src/exec/",), "src/exec"),
    (r"printf|fprintf|vfprintf|puts|fputs|putchar|perror|syslog|dprintf", ("src/",), (),
     "the library never writes by itself"),
    (r"exit|_exit|_Exit|quick_exit", ("src/",), ("src/exec/zygote_",),
     "an error in the return value, or cr__panic()"),
    (r"abort|assert", ("src/",), (), "cr__panic(), CR__ASSERT()"),
    (r"signal", ("src/", "cli/", "examples/"), (), "sigaction()"),
    (r"setjmp|longjmp|sigsetjmp|siglongjmp|swapcontext|makecontext", ("src/", "cli/"), (),
     "src/ctx"),
    (r"system|popen", ("src/", "cli/"), (), "a child process without a shell"),
]
# One by one, with the reason.
EXCEPTIONS = {
    ("src/base/panic.c", "abort"): "this is cr__panic() itself",
    ("src/task/dump.c", "write"): "the dump goes to the descriptor that the caller names",
    ("src/base/report.c", "write"): "a report goes to the descriptor that the user names",
    ("src/task/debug_fds.c", "fstat"): "whether a descriptor is still the file that it was",
    ("src/exec/sample.c", "open"): "what a thread does, from proc(5), by a thread that may block",
    ("src/exec/sample.c", "read"): "the same",
    ("src/exec/sample.c", "close"): "the same",
    ("src/task/run.c", "dprintf"): "the report of tasks that outlive the program's main",
    ("src/task/overflow.c", "dprintf"): "the report of a stack overflow, in a signal handler",
    ("src/task/overflow.c", "abort"): "the end of a stack overflow",
    ("src/ext/http/misuse.c", "fprintf"): "cr__panic() for who knows public headers only",
    ("src/ext/http/misuse.c", "abort"): "the same",
    ("src/ext/http/driver.c", "close"): "a socket that libcurl gives back to be closed",
    ("src/ext/http/reply.c", "time"): "the Date header wants the time of day",
    ("src/ctx/guard.c", "open"): "a limit of the kernel, read once, before anything can suspend",
    ("src/ctx/guard.c", "read"): "the same",
    ("src/ctx/guard.c", "close"): "the same",
    ("src/base/panic.c", "dprintf"): "a message on standard error, safe in a signal handler",
    ("src/ext/sqlite/backup.c", "open"): "on SQLite's thread, which does the same itself",
    ("src/ext/sqlite/backup.c", "fsync"): "the same",
    ("src/ext/sqlite/backup.c", "close"): "the same",
}


def banned(tree):
    for names, where, elsewhere, instead in BANNED:
        # signal() is well defined as long as it installs no handler.
        pattern = re.compile(rf"(?<![\w.>])({names})\s*\((?!\w+, SIG_(DFL|IGN)\))")
        for file in tree.under(*where, ending=(".c", ".h")):
            for match in pattern.finditer(file.code):
                name = match.group(1)
                if not file.path.startswith(elsewhere) and (file.path, name) not in EXCEPTIONS:
                    yield Finding("banned", file.path, file.line_of(match.start()),
                                  f"{name}(): {instead}")


def thread_locals(tree):
    """Compilers keep a thread-local's address across a suspension: one accessor file a layer."""
    keepers = {}
    for file in tree.under("src/", "include/", "cli/", ending=(".c", ".h")):
        match = re.search(r"\b(__thread|_Thread_local|thread_local)\b", file.code)
        if not match:
            continue
        layer = layer_of(file.path)
        if file.path.startswith("src/exec/preload/"):
            continue  # no part of libcorail: it never suspends
        keeper = keepers.setdefault((layer, file.path[-2:]), file.path)
        if layer not in ("loop", "task") or keeper != file.path:
            yield Finding("thread-local", file.path, file.line_of(match.start()),
                          f"{match.group(1)}: only one pair of files each in src/loop and src/task")


def assembly(tree):
    for file in tree.under("src/", "cli/", ending=(".c", ".h")):
        match = re.search(r"\b(__asm__|asm)\b", file.code)
        if match and layer_of(file.path) != "ctx":
            yield Finding("assembly", file.path, file.line_of(match.start()),
                          "only src/ctx has assembly")


RULES = [layers, unused_headers, banned, thread_locals, assembly]
