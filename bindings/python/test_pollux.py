# SPDX-License-Identifier: MIT
"""The binding, with real sockets, threads and signals."""

import errno
import os
import signal
import socket
import threading
import time
import unittest

import pollux


class PollerTest(unittest.TestCase):
    def setUp(self):
        self.poller = pollux.Poller()
        self.addCleanup(self.poller.close)

    def next(self):
        events = self.poller.wait(timeout=20)
        self.assertEqual(len(events), 1)
        return events[0]

    def test_a_socket_is_readable(self):
        one, other = socket.socketpair()
        with one, other:
            self.poller.register(one, 7, pollux.READABLE)
            self.assertEqual(self.poller.wait(timeout=0), [])
            other.send(b"hello")
            self.assertEqual(self.next(), (7, pollux.READABLE, 0))
            self.assertEqual(one.recv(10), b"hello")

            self.poller.reregister(one.fileno(), 8, pollux.WRITABLE | pollux.ONESHOT)
            self.assertEqual(self.next(), (8, pollux.WRITABLE, 0))
            self.assertEqual(self.poller.wait(timeout=0), [])
            self.poller.deregister(one)

    def test_errors_are_those_of_the_system(self):
        one, other = socket.socketpair()
        with one, other:
            self.poller.register(one, 7, pollux.READABLE)
            with self.assertRaises(FileExistsError):
                self.poller.register(one, 7, pollux.READABLE)
            with self.assertRaises(FileNotFoundError):
                self.poller.deregister(other)
            with self.assertRaisesRegex(OSError, "argument") as caught:
                self.poller.post(1 << 63)
            self.assertEqual(caught.exception.errno, errno.EINVAL)

    def test_nothing_is_early(self):
        for seconds in 0.001, 0.0000001, 0.0123456789:
            before = self.poller.now()
            self.assertEqual(self.poller.wait(timeout=seconds), [])
            self.assertGreaterEqual(self.poller.now() - before, seconds - 1e-9)

            self.poller.timer(9, first=seconds)
            before = time.monotonic()
            self.assertEqual(self.next(), (9, pollux.TIMER, 1))

    def test_timers_are_restarted_and_cancelled(self):
        timer = self.poller.timer(1, first=3600, interval=0.001)
        timer.restart(0.001, 0.001)
        self.assertEqual(self.next().flags, pollux.TIMER)
        timer.cancel()
        self.assertEqual(self.poller.wait(timeout=0.01), [])
        with self.assertRaises(FileNotFoundError):
            timer.cancel()

    def test_posts_come_from_another_thread_in_order(self):
        thread = threading.Thread(target=lambda: [self.poller.post(3, i) for i in range(1000)])
        thread.start()
        seen = []
        while len(seen) < 1000:
            seen += [event.data for event in self.poller.wait(timeout=20)]
        thread.join()
        self.assertEqual(seen, list(range(1000)))

    def test_a_waker_is_one_event(self):
        waker = self.poller.waker(4)
        thread = threading.Thread(target=lambda: (waker.wake(), waker.wake()))
        thread.start()
        thread.join()
        self.assertEqual(self.next(), (4, pollux.WAKER, 0))
        self.assertEqual(self.poller.wait(timeout=0), [])

    def test_a_notify_ends_a_wait(self):
        thread = threading.Thread(target=self.poller.notify)
        thread.start()
        self.assertEqual(self.poller.wait(timeout=20), [])
        thread.join()

    def test_signals_are_events(self):
        signals = self.poller.signals(5, [signal.SIGUSR1, signal.SIGUSR2])
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual(self.next().token, 5)
        self.assertEqual({(info.number, info.pid) for info in signals},
                         {(signal.SIGUSR1, os.getpid()), (signal.SIGUSR2, os.getpid())})
        signals.close()

    def test_pythons_own_handlers_run_during_a_wait(self):
        def interrupt(number, frame):
            raise InterruptedError

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            with self.assertRaises(InterruptedError):
                signal.setitimer(signal.ITIMER_REAL, 0.3)
                self.poller.wait(timeout=20)
        finally:
            signal.signal(signal.SIGALRM, before)

    def test_a_manual_clock_stands_still(self):
        with pollux.Poller(clock=pollux.CLOCK_MANUAL) as poller:
            self.assertEqual(poller.now(), 0)
            self.assertEqual(poller.wait(), [])

    def test_a_closed_poller_is_an_error(self):
        poller = pollux.Poller()
        waker = poller.waker(1)
        poller.close()
        with self.assertRaises(OSError) as caught:
            waker.wake()
        self.assertEqual(caught.exception.errno, errno.ESHUTDOWN)
        with self.assertRaises(OSError):
            poller.wait(timeout=0)


if __name__ == "__main__":
    unittest.main()
