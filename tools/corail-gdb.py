# SPDX-License-Identifier: MIT
"""Corail's tasks in gdb, in a live process and in a core file.

    gdb -x corail-gdb.py PROGRAM CORE

    corail tasks        every task: number, state, name, where it was spawned, what it waits for
    corail bt N         the backtrace of one task
    corail bt all       the backtrace of each

Needs no debug information of the library: it reads the descriptor cr__debug_descriptor. A suspended
task's registers lie on its stack; an unwinder shows them to gdb as the caller of the selected
thread's innermost frame, which writes to nothing and so works on a core file too.
"""

import re

import gdb
import gdb.unwinder

VERSION = 2

WORDS = (
    "loop_next", "loop_id", "blocks", "block_top", "current",
    "queue", "head", "tail", "mask", "slot_size", "slot_sp", "slot_index",
    "task_size", "task_sp", "task_wait", "task_handle", "task_flags", "flag_done",
    "flag_named", "task_stack", "task_class", "stack_size_min", "name_below", "task_site",
    "task_inner", "node_flags", "flag_cancelled", "wait_reason", "wait_fd", "architecture",
)

# A suspended context: register, at which word above its stack pointer; then the frame's size.
FRAMES = {
    1: ({"r15": 1, "r14": 2, "r13": 3, "r12": 4, "rbx": 5, "rbp": 6, "rip": 7}, 8, "rsp", "rip"),
    2: ({"x29": 0, "x30": 1, "pc": 1, "x19": 2, "x20": 3, "x21": 4, "x22": 5, "x23": 6, "x24": 7,
         "x25": 8, "x26": 9, "x27": 10, "x28": 11}, 22, "sp", "pc"),
}


class Corail(Exception):
    """What went wrong, in words for the user."""


def memory(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address, size=8):
    return int.from_bytes(memory(address, size), "little")


def text(address, limit=256):
    """The bytes of a C string; it may end where readable memory does."""
    found = b""
    while address and len(found) < limit:
        byte = memory(address + len(found), 1)
        if byte == b"\0":
            break
        found += byte
    return found.decode("utf-8", "replace")


def descriptor():
    try:
        base = int(gdb.parse_and_eval("(unsigned long)&cr__debug_descriptor"))
    except gdb.error:
        raise Corail("no Corail in this program: the symbol cr__debug_descriptor is missing")
    if memory(base, 6) != b"corail":
        raise Corail("cr__debug_descriptor does not hold Corail's mark")
    if word(base + 8) < VERSION or word(base + 16) < len(WORDS):
        raise Corail("this program's Corail is older than this script")
    found = {name: word(base + 32 + 8 * i) for i, name in enumerate(WORDS)}
    found["registry"] = word(base + 24)
    return found


class Task:
    def __init__(self, d, loop, index):
        self.d = d
        self.index = index
        self.address = word(loop + d["blocks"]) + index * d["task_size"]
        self.loop_id = word(loop + d["loop_id"])
        self.running = word(loop + d["current"], 4) == index
        self.flags = word(self.address + d["task_flags"], 4)
        self.sp = word(self.address + d["task_sp"])
        self.wait = word(self.address + d["task_wait"])

    def alive(self):
        return not self.flags & self.d["flag_done"]

    def site(self):
        return text(word(self.address + self.d["task_site"]))

    def name(self):
        site = word(self.address + self.d["task_site"])
        if not self.flags & self.d["flag_named"]:
            return text(site + len(self.site().encode()) + 1)
        size = self.d["stack_size_min"] << word(self.address + self.d["task_class"], 1)
        return text(word(self.address + self.d["task_stack"]) + size - self.d["name_below"])

    def state(self):
        if self.running:
            return "running"
        if not self.wait:
            return "ready"
        fd = word(self.wait + self.d["wait_fd"], 4)
        where = f" fd {fd}" if fd < 1 << 31 else ""
        return "waiting: " + text(word(self.wait + self.d["wait_reason"])) + where

    def cancelled(self):
        inner = word(self.address + self.d["task_inner"])
        return bool(word(inner + self.d["node_flags"], 4) & self.d["flag_cancelled"])

    def describe(self):
        mark = ", cancelled" if self.cancelled() else ""
        return f"task {self.index} {self.name()} ({self.site()}) {self.state()}{mark}"


def loops(d):
    loop = word(d["registry"])
    while loop:
        yield loop
        loop = word(loop + d["loop_next"])


def runnable(d, loop):
    """The stack pointers of runnable tasks: they stand in the run queue, by index of the task."""
    queue = word(loop + d["queue"])
    head, tail, mask = (word(loop + d[name], 4) for name in ("head", "tail", "mask"))
    found = {}
    for position in range(0, (tail - head) & 0xffffffff, d["slot_size"]):
        slot = queue + ((head + position) & mask)
        found[word(slot + d["slot_index"], 4)] = word(slot + d["slot_sp"])
    return found


def tasks():
    d = descriptor()
    for loop in loops(d):
        ready = runnable(d, loop)
        for index in range(1, word(loop + d["block_top"], 4) + 1):
            task = Task(d, loop, index)
            task.sp = ready.get(index, task.sp)
            if task.alive():
                yield task


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Suspended(gdb.unwinder.Unwinder):
    """Shows a suspended task as the caller of the innermost frame, while one is chosen."""

    def __init__(self):
        super().__init__("corail suspended task")
        self.choose(None)

    def choose(self, task):
        self.task = task
        self.level = None
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.task is None:
            return None
        # The first frame that is asked for: functions inlined into it have lower levels.
        if self.level is None:
            self.level = pending.level()
        if pending.level() != self.level:
            return None
        registers, size, sp_name, pc_name = FRAMES[self.task.d["architecture"]]
        here_sp = pending.read_register(sp_name)
        here_pc = pending.read_register(pc_name)
        # As if it stood below the task's: gdb stops at a caller that is not above its callee.
        sp = gdb.Value(self.task.sp).cast(here_sp.type)
        unwind = pending.create_unwind_info(FrameId(sp, here_pc))
        for register, position in registers.items():
            value = word(self.task.sp + 8 * position)
            unwind.add_saved_register(register, gdb.Value(value).cast(here_sp.type))
        unwind.add_saved_register(sp_name, gdb.Value(self.task.sp + 8 * size).cast(here_sp.type))
        return unwind


suspended = Suspended()
gdb.unwinder.register_unwinder(None, suspended, replace=True)


def backtrace(task):
    if task.running:
        return gdb.execute("bt", to_string=True)
    suspended.choose(task)
    try:
        printed = gdb.execute("bt", to_string=True)
        own = (suspended.level or 0) + 1
    finally:
        suspended.choose(None)
    # The innermost frames are the selected thread's own: the task's begin behind them.
    frames = re.split(r"(?m)^(?=#\d)", printed)[1 + own:]
    return "".join(re.sub(r"^#\d+ *", f"#{i:<3}", frame) for i, frame in enumerate(frames))


class CorailCommand(gdb.Command):
    """Corail's tasks: corail tasks | corail bt N | corail bt all"""

    def __init__(self):
        super().__init__("corail", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split()
        try:
            if words == ["tasks"]:
                for task in tasks():
                    print(task.describe())
            elif len(words) == 2 and words[0] == "bt":
                self.backtraces(words[1])
            else:
                raise Corail("usage: corail tasks | corail bt N | corail bt all")
        except (Corail, gdb.MemoryError) as error:
            raise gdb.GdbError(str(error))

    def backtraces(self, which):
        found = [t for t in tasks() if which == "all" or str(t.index) == which]
        if not found and which != "all":
            raise Corail(f"no task {which}: see `corail tasks`")
        for task in found:
            print(task.describe())
            print(backtrace(task))


CorailCommand()
