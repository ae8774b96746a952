# SPDX-License-Identifier: MIT
"""What is measured: the workloads with their sizes and figures, and the systems that stand side by side."""
from dataclasses import dataclass, field
from typing import Any

Case = dict[str, Any]  # the arguments of a program, by name


@dataclass(frozen=True)
class System:
    name: str
    family: str  # direct, pollux, c or rust
    program: str  # the end of the programs' names
    backend: str = ""


DIRECT, AGAIN, POLLUX = "epoll", "epoll again", "pollux"

SYSTEMS = (
    System(DIRECT, "direct", "epoll"),
    System(AGAIN, "direct", "epoll"),
    System(POLLUX, "pollux", "pollux", "epoll"),
    System("pollux io_uring", "pollux", "pollux", "io_uring"),
    System("pollux poll", "pollux", "pollux", "poll"),
    System("libev", "c", "libev"),
    System("libevent", "c", "libevent"),
    System("libuv", "c", "libuv"),
    System("mio", "rust", "mio"),
    System("polling", "rust", "polling"),
    System("amy", "rust", "amy"),
    System("vmm", "rust", "vmm"),
)
ORDER = {system.name: at for at, system in enumerate(SYSTEMS)}
FAMILIES = {"pollux": "Pollux", "c": "C libraries", "rust": "Rust crates"}


@dataclass(frozen=True)
class Metric:
    key: str
    title: str
    unit: str
    per: float = 1  # the program's figure is divided by it
    more: bool = False  # more is better
    axis: str = ""  # what stands at an axis; the unit if nothing
    compared: bool = True  # whether less of it is an advantage, and not what the scheduler made of the run


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    question: str
    parameters: tuple[str, ...]
    metrics: tuple[Metric, ...]
    cases: tuple[Case, ...]
    quick: tuple[Case, ...]
    backends: bool = True  # whether Pollux' backends differ in it
    times: int = 1  # in a round: what is short is measured more often
    fixed: tuple[str, ...] = field(default=())  # keys that say how long, not what

    def turns(self, at: int, quick: bool) -> range:
        """Those of a round. All are numbered from 1, through all rounds."""
        times = 1 if quick else self.times
        return range((at - 1) * times + 1, at * times + 1)

    def round_of(self, turn: int, quick: bool) -> int:
        return turn if quick else (turn - 1) // self.times + 1


def _ring(sizes: tuple[tuple[int, int], ...], events: int) -> tuple[Case, ...]:
    modes = ("level", "edge", "oneshot")
    return tuple({"mode": mode, "n": n, "a": a, "events": events} for mode in modes for n, a in sizes)


def _eventfds(sizes: tuple[tuple[int, int], ...], events: int) -> tuple[Case, ...]:
    return tuple(case | {"eventfd": True} for case in _ring(sizes, events) if case["mode"] != "oneshot")


def _each(name: str, values: tuple[int, ...], **more: Any) -> tuple[Case, ...]:
    return tuple({name: value} | more for value in values)


RING = ((10, 1), (10, 10), (100, 1), (100, 100), (1000, 1), (1000, 100), (1000, 1000), (9000, 1), (9000, 100),
        (9000, 9000))
CPU = Metric("cpu_ns", "CPU", "ns")
WALL = Metric("wall_ns", "wall clock", "ns")

WORKLOADS = (
    Workload(
        "ring", "Ring: cost per event",
        "N socket pairs (or eventfds) in a ring, A bytes that travel: one read and one write per event. With A = 1 "
        "each event is a wait of its own.",
        ("kind", "mode", "n", "a"), (CPU, WALL),
        _ring(RING, 40000) + _eventfds(((1000, 1), (1000, 100)), 40000),
        _ring(((100, 1), (100, 100), (1000, 1), (1000, 100)), 8000), times=3, fixed=("events",)),
    Workload(
        "churn", "Churn: register and deregister",
        "N eventfds that are not ready, registered and deregistered in batches of 256 with a wait that does not "
        "block between them; per pair of calls.",
        ("n",), (Metric("cpu_ns", "CPU", "ns", axis="ns of CPU time for the two calls"), WALL),
        _each("n", (1000, 9000)), _each("n", (1000,)), times=3),
    Workload(
        "accept", "Accept, one request, close",
        "A TCP server of one thread, its client in another process on the other core, 100 connections in flight; "
        "per connection.",
        ("connections",),
        (Metric("cpu_ns", "server CPU", "µs", 1000, axis="µs of the server's CPU time per connection"),
         Metric("wall_ns", "wall clock", "µs", 1000)),
        _each("connections", (10000,)), _each("connections", (2000,)), times=3),
    Workload(
        "timers", "Timers",
        "N timers outstanding, with random deadlines: what it takes to start, cancel, restart and fire one.",
        ("n",), (Metric("start_ns", "start", "ns"), Metric("cancel_ns", "cancel", "ns"),
                 Metric("restart_ns", "restart", "ns"), Metric("fire_ns", "fire", "ns"),
                 Metric("bytes", "memory each", "bytes")),
        _each("n", (10000, 100000, 1000000)), _each("n", (10000, 100000)), backends=False),
    Workload(
        "channels", "Channels: messages to another thread's loop",
        "8-byte messages from S threads to the thread that waits, by the way that each system documents; saturated "
        "on two cores, and with one message in the air on one core.",
        ("senders",), (Metric("ns", "per message", "ns"), Metric("latency_p50_ns", "one way, p50", "µs", 1000),
                       Metric("latency_p99_ns", "one way, p99", "µs", 1000),
                       Metric("calls", "system calls per message", "", compared=False)),
        _each("senders", (1, 2, 4)), _each("senders", (1, 2)), times=3),
    Workload(
        "wake", "Wake: one thread wakes another that waits",
        "Two threads, one wake-up in the air; one way. On one core it is the cost of the calls and of the switch, on "
        "two mostly how long an idle core takes to wake up.",
        ("cores",), (Metric("p50_ns", "p50", "µs", 1000), Metric("p99_ns", "p99", "µs", 1000)),
        _each("cores", (1, 2), events=20000), _each("cores", (1, 2), events=4000), times=2, fixed=("events",)),
    Workload(
        "echo", "Echo over TCP",
        "A server of one thread, the same client program for all on the other core: 64 bytes, one request in flight "
        "on each connection.",
        ("connections",), (Metric("server_cpu_ns", "server CPU", "µs", 1000,
                                  axis="µs of the server's CPU time per request"),
                           Metric("requests_per_s", "requests per second", "1/s", more=True),
                           Metric("p50_us", "p50", "µs"), Metric("p99_us", "p99", "µs")),
        _each("connections", (100, 5000), seconds=1), _each("connections", (100,), seconds=1), times=3,
        fixed=("seconds",)),
    Workload(
        "memory", "Memory",
        "User-space memory for each descriptor registered (9,000 of them), timer (100,000) and channel (1,000): as "
        "the allocator counts it, and by which the resident set grew.",
        (), (Metric("descriptor_bytes", "a descriptor", "bytes"), Metric("timer_bytes", "a timer", "bytes"),
             Metric("channel_bytes", "a channel", "bytes"),
             Metric("descriptor_resident_bytes", "a descriptor, resident", "bytes"),
             Metric("timer_resident_bytes", "a timer, resident", "bytes"),
             Metric("channel_resident_bytes", "a channel, resident", "bytes")), ({},), ({},)),
    Workload(
        "size", "Size", "The library's code, and the descriptors that a loop, 1,000 timers and 1,000 channels take.",
        (), (Metric("text_bytes", "code", "KiB", 1024), Metric("function_bytes", "a crate's functions", "bytes"),
             Metric("loop_fds", "descriptors of a loop", ""),
             Metric("timer_fds", "descriptors of 1,000 timers", ""),
             Metric("channel_fds", "descriptors of 1,000 channels", "")), ({},), ({},), backends=False),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}


def systems_of(workload: Workload) -> list[System]:
    return [system for system in SYSTEMS if workload.backends or system.backend in ("", "epoll")]


def arguments(case: Case, system: System) -> list[str]:
    """The case as a program takes it: --name value, and a flag without one."""
    given = fewer_for_poll(case) if system.backend == "poll" else case
    words: list[str] = []
    for name, value in given.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words + (["--backend", system.backend] if system.backend else [])


def fewer_for_poll(case: Case) -> Case:
    """In the ring poll(2) looks at all N in each wait: at more than 100 for an event, fewer events must do."""
    if "a" not in case or case["n"] <= 100 * case["a"]:
        return case
    return case | {"events": max(400, case["events"] * 100 * case["a"] // case["n"])}
