# SPDX-License-Identifier: MIT
"""Pollux for Python, by cffi and without a compiler: an example of how to bind it.

    with pollux.Poller() as poller:
        poller.register(sock, 7, pollux.READABLE)
        timer = poller.timer(8, first=0.5, interval=0.5)
        for event in poller.wait(timeout=10):
            print(event.token, event.flags, event.data)

Names, tokens and flags are those of pollux.h. Times are seconds. An error is an OSError with the
errno value, so that a second register is a FileExistsError.
"""

import collections
import errno
import math
import os
import pathlib

import cffi

ffi = cffi.FFI()
ffi.cdef((pathlib.Path(__file__).parent / "pollux.cdef").read_text())
lib = ffi.dlopen(os.environ.get("POLLUX_LIBRARY", "libpollux.so.0"))

globals().update({name[len("PLX_"):]: getattr(lib, name) for name in dir(lib) if name.startswith("PLX_")})

Event = collections.namedtuple("Event", "token flags data")
SignalInfo = collections.namedtuple("SignalInfo", "number code pid uid status")


def check(rc):
    """What a call returned, or its error."""
    if rc < 0:
        raise OSError(-rc, ffi.string(lib.plx_strerror(rc)).decode())
    return rc


def nanos(seconds):
    """Rounded up, as nothing may be early; None is for ever."""
    return -1 if seconds is None else max(math.ceil(seconds * 1_000_000_000), 0)


def opened(function, *arguments, close=None):
    """What a function writes to its last argument. Given back by `close` when nobody uses it."""
    made = ffi.new(ffi.typeof(function).args[-1])
    check(function(*arguments, made))
    return ffi.gc(made[0], close) if close else made[0]


class Poller:
    def __init__(self, backend=0, clock=0):
        # A wait ends with a signal, so that Python's own handlers run; then it goes on.
        options = ffi.new("plx_options *", {"backend": backend, "clock": clock,
                                            "flags": lib.PLX_RETURN_ON_SIGNAL})
        poller = ffi.new("plx_poller **")
        check(lib.plx_poller_open(poller, options))
        self._poller = poller[0]
        self._registry = ffi.gc(lib.plx_registry_retain(lib.plx_poller_registry(self._poller)),
                                lib.plx_registry_release)

    def close(self):
        """Not while others wait: notify them, and join them first."""
        poller, self._poller = self._poller, ffi.NULL
        lib.plx_poller_close(poller)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_poller", ffi.NULL):
            self.close()

    @property
    def backend(self):
        return ffi.string(lib.plx_poller_backend(self._poller)).decode()

    def now(self):
        return lib.plx_poller_now(self._poller) / 1e9

    def wait(self, timeout=None, capacity=64):
        """A list of events, empty when the time is up or after notify. Other threads run meanwhile."""
        events = ffi.new("plx_event[]", capacity)
        if timeout is None:
            deadline = -1
        else:
            deadline = lib.plx_poller_now(self._poller) + nanos(timeout)
        while True:
            count = lib.plx_poller_wait_until(self._poller, events, capacity, deadline)
            if count != -errno.EINTR:
                break
        return [Event(event.token, event.flags, event.data) for event in events[0:check(count)]]

    def register(self, file, token, interest):
        check(lib.plx_register(self._registry, fileno(file), token, interest))

    def reregister(self, file, token, interest):
        check(lib.plx_reregister(self._registry, fileno(file), token, interest))

    def deregister(self, file):
        check(lib.plx_deregister(self._registry, fileno(file)))

    def notify(self):
        check(lib.plx_notify(self._registry))

    def post(self, token, data=0):
        check(lib.plx_post(self._registry, token, data))

    def timer(self, token, first, interval=0):
        return Timer(self._registry, token, first, interval)

    def waker(self, token):
        return Waker(self._registry, token)

    def signals(self, token, numbers):
        return Signals(self._registry, token, numbers)


def fileno(file):
    return file if isinstance(file, int) else file.fileno()


class Timer:
    """Runs on without its object."""

    def __init__(self, registry, token, first, interval):
        self._registry = registry
        self._timer = opened(lib.plx_timer_start, registry, token, nanos(first), nanos(interval))

    def restart(self, first, interval=0):
        check(lib.plx_timer_restart(self._registry, self._timer, nanos(first), nanos(interval)))

    def cancel(self):
        check(lib.plx_timer_cancel(self._registry, self._timer))


class Waker:
    def __init__(self, registry, token):
        self._waker = opened(lib.plx_waker_open, registry, token, close=lib.plx_waker_release)

    def wake(self):
        check(lib.plx_waker_wake(self._waker))


class Signals:
    """Signals that are watched; read like an iterator, which ends when nothing is unread."""

    def __init__(self, registry, token, numbers):
        self._signals = opened(lib.plx_signals_open, registry, token, list(numbers), len(numbers),
                               close=lib.plx_signals_close)

    def close(self):
        ffi.release(self._signals)

    def __iter__(self):
        return self

    def __next__(self):
        info = ffi.new("plx_signal_info *")
        rc = lib.plx_signals_next(self._signals, info)
        if rc == -errno.EAGAIN:
            raise StopIteration
        check(rc)
        return SignalInfo(info.number, info.code, info.pid, info.uid, info.status)
