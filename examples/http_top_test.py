# SPDX-License-Identifier: MIT
"""
Follows the figures of http_server, and its page: http_top_test.py EXECUTABLE [NAME OF A TEST ...]

The page itself is opened by tests/site/open_top.py, in a browser.
"""

import json
import os
import re
import socket
import time

from http_server_test import ALL_KINDS, FILES, Server, any_kind, at_once, expect, main

FOLLOWERS = 32
EVENTS = "GET /plx-top/events HTTP/1.1\r\nHost: x\r\n\r\n"
COUNTS = {"waits", "events", "calls", "sent", "elided", "timers", "open", "accepted", "requests"}
KINDS = {"readable", "writable", "timer", "waker", "post", "channel", "signal", "process", "path"}


class Follower:
    def __init__(self, server, request=EVENTS, buffer=None):
        self.peer = server.connect(buffer)
        self.peer.send(request)
        self.head = self.read_to("\r\n\r\n")

    def read_to(self, end):
        while end.encode() not in self.peer.left:
            part = self.peer.socket.recv(65536)
            assert part, f"it ended after {self.peer.left!r}"
            self.peer.left += part
        text, self.peer.left = self.peer.left.split(end.encode(), 1)
        return text.decode()

    def line(self):
        found = re.fullmatch(r"retry: 1000\ndata: (\{.*\})", self.read_to("\n\n"))
        figures = json.loads(found[1])
        assert COUNTS <= figures.keys() and figures["kinds"].keys() == KINDS, figures
        assert sum(figures["kinds"].values()) <= figures["events"], figures
        return figures

    def close(self):
        self.peer.socket.close()


def stream(server):
    follower = Follower(server)
    assert follower.head.startswith("HTTP/1.1 200 OK\r\n") and "\r\nConnection: close" in follower.head
    assert "\r\nContent-Type: text/event-stream\r\n" in follower.head and "Content-Length" not in follower.head
    begin = time.monotonic()
    lines = [follower.line()]
    with server.connect() as peer:
        for _ in range(100):
            expect(peer.get("/a.txt"), 200, FILES["a.txt"])
        while lines[-1]["requests"] < lines[0]["requests"] + 100:
            lines.append(follower.line())
        assert lines[-1]["open"] == 2 and lines[-1]["accepted"] == lines[0]["accepted"] + 1, lines
    while len(lines) < 4:
        lines.append(follower.line())
    passed = time.monotonic() - begin
    assert lines[-1]["up"] - lines[0]["up"] < passed + 0.1, lines
    assert lines[0]["timers"] == 1 and lines[0]["version"] and lines[0]["pollers"] <= lines[0]["threads"], lines
    for before, after in zip(lines, lines[1:]):
        assert before["up"] < after["up"], lines
        for name in COUNTS - {"timers", "open"}:
            assert before[name] <= after[name], lines
    latencies = [line["latency"] for line in lines if "latency" in line]
    assert latencies and all(0 < each[0] and each == sorted(each) for each in latencies), latencies
    assert latencies[-1][3] < passed * 1e9, latencies
    follower.close()


def late_answer(server):
    """An answer that its reader takes late was late."""
    follower = Follower(server)
    follower.line()
    with server.connect(buffer=8192) as peer:
        begin = time.monotonic()
        peer.send("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1)
        expect(peer.answer(), 200, FILES["big.bin"])
        passed = time.monotonic() - begin
        worst, end = 0, time.monotonic() + 60
        while worst < 1e9 and time.monotonic() < end:  # the lines of the meantime come first
            worst = follower.line().get("latency", [0])[-1]
        assert 1e9 <= worst < passed * 1.07e9, f"{worst} ns, and it took {passed} s"
    follower.close()


def several(server):
    """All get the same lines, and nobody suffers from those that go, or stay and are deaf."""
    followers = [Follower(server) for _ in range(6)]
    for follower in followers[4:]:
        follower.peer.reset()
    seen, end = [set() for _ in range(4)], time.monotonic() + 60
    while not set.intersection(*seen):
        assert time.monotonic() < end, seen
        for numbers, follower in zip(seen, followers):
            numbers.add(follower.line()["up"])
    followers[0].close()
    for follower in followers[1:4]:
        follower.line()
        follower.close()


def nobody_looks(server):
    """The timer ends with the last follower."""
    follower = Follower(server)
    fired = follower.line()["kinds"]["timer"]
    follower.close()
    server.settle()
    time.sleep(6)
    follower = Follower(server)
    assert follower.line()["kinds"]["timer"] <= fired + 4
    follower.close()


def limit(server):
    followers = [Follower(server) for _ in range(FOLLOWERS)]
    with server.connect() as peer:
        peer.send(EVENTS)
        expect(peer.answer(), 503)
        expect(peer.get("/a.txt"), 200, FILES["a.txt"])
        followers.pop().close()
        while True:
            peer.send(EVENTS)
            peer.left = peer.socket.recv(1 << 16)
            if peer.left.startswith(b"HTTP/1.1 200 OK\r\n"):
                break
            expect(peer.answer(), 503)
        for follower in followers:
            follower.line()
            follower.close()


def hostile(server):
    with server.connect() as peer:
        assert "content-length" not in peer.get("/plx-top/events", method="HEAD").fields
        assert peer.ended()
    with server.connect() as peer:
        expect(peer.get("/plx-top/events", method="POST"), 405)
        for path in ("/plx-top/events/", "/plx-top/", "/plx-top/none", "/PLX-TOP"):
            expect(peer.get(path), 404)
    follower = Follower(server, "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n" + EVENTS + "GET /secret HTTP/1.1\r\n\r\nGET")
    assert "text/plain" in follower.head
    follower.head = follower.read_to("\r\n\r\n")
    follower.line()  # nothing after it is answered
    follower.peer.send("x" * 1000)
    follower.line()
    follower.peer.socket.shutdown(socket.SHUT_WR)
    assert follower.peer.ended()
    flood = Follower(server, EVENTS.replace("events", "events?" + "x" * 3000))
    try:
        for _ in range(100):
            flood.peer.send("y" * 65536)
        raise AssertionError("it takes whatever comes")
    except ConnectionError:
        flood.close()
    follower.close()
    for known in (False, True) * 20:
        peer = server.connect()
        peer.send(EVENTS[:-1 - known])
        peer.send(EVENTS[-1 - known:])
        if known:
            peer.socket.recv(10)
        peer.reset()


def page(server):
    with server.connect() as peer:
        expect(peer.get("/"), 200, FILES["index.html"])
        answer = expect(peer.get("/plx-top?x"), 200)
        assert answer.fields["content-type"] == "text/html; charset=utf-8"
        policy = answer.fields["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy, policy
        assert answer.body.endswith(b"</html>\n")
        head = expect(peer.get("/plx-top", method="HEAD"), 200, b"")
        assert int(head.fields["content-length"]) == len(answer.body)
        peer.send("GET /plx-top HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
        for _ in range(300):
            expect(peer.answer(), 200, answer.body)
    with server.connect(buffer=8192) as peer:  # and one that is never taken
        peer.send("GET /plx-top HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        peer.socket.recv(10)


def run_no_index(root):
    with Server(os.path.join(root, "folder/bare")) as server, server.connect() as peer:
        expect(peer.get("/", method="HEAD"), 200)
        assert expect(peer.get("/"), 200).body == expect(peer.get("/plx-top"), 200).body
        expect(peer.get("/none/"), 404)


def deaf(root, kind):
    """Who does not read is idle, and costs nobody a line or memory; who reads again in time has missed whole lines."""
    with Server(root, *kind, "--idle", "8") as server, Server(root, *kind) as patient:
        follower, late = Follower(server), Follower(patient, buffer=1)
        follower.line()
        deaf_ones = [Follower(server, buffer=1) for _ in range(20)]
        everyone = server.descriptors()
        before = server.memory()
        numbers = [follower.line()["up"]]
        end = time.monotonic() + 100
        while server.descriptors() > everyone - len(deaf_ones) and time.monotonic() < end:
            numbers.append(follower.line()["up"])
        assert server.descriptors() == everyone - len(deaf_ones), "they are still there"
        assert numbers[-1] - numbers[0] < 3 * len(numbers), numbers
        assert server.memory() - before < 1 << 20
        seen = [late.line()["up"]]
        while len(seen) >= seen[-1] - seen[0] and time.monotonic() < end:
            seen.append(late.line()["up"])
        assert seen == sorted(set(seen)) and len(seen) < seen[-1] - seen[0], seen
        for each in (follower, late, *deaf_ones):
            each.close()


TESTS = {
    "figures": any_kind(stream, late_answer, several, nobody_looks),
    "hostile": any_kind(limit, hostile, page),
    "page without index": run_no_index,
    "deaf": lambda root: at_once(deaf, root, ALL_KINDS),
}

if __name__ == "__main__":
    main(TESTS, ALL_KINDS)
