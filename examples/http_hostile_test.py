# SPDX-License-Identifier: MIT
"""
Is hostile to http_server: http_hostile_test.py EXECUTABLE [NAME OF A TEST ...]

Whatever its peers do, a server answers a client that behaves, waits without processor time while
they only hold on, takes no more memory the second time and the third than it took the first, has in
the end the descriptors of the beginning, and ends on SIGTERM with status 0.
POLLUX_TEST_IDLE is the number of idle connections, of which each process has one end; a server built
with a sanitizer gets fewer.
"""

import os
import resource
import signal
import socket
import time

from http_server_test import FILES, SANITIZED, Server, at_once, expect, main

IDLE = int(os.environ.get("POLLUX_TEST_IDLE", "1000" if SANITIZED else "10000"))
KINDS = [*(("--backend", name) for name in ("epoll", "io_uring", "poll")), ("--threads", "2", "--shared")]
CROWD = 50
BUFFERS = 64 * 1024  # of a connection at work
SLACK = 1 << 20      # less than if each of a crowd lost one buffer each time
os.environ["MALLOC_MMAP_THRESHOLD_"] = "16384"  # glibc then gives each buffer back as it is freed


class Target(Server):
    def serve(self):
        with self.connect() as peer:
            expect(peer.get("/a.txt"), 200, FILES["a.txt"])
            expect(peer.get("/middle.bin"), 200, FILES["middle.bin"])

    def busy(self):
        """The seconds in which its threads ran or were ready to: what spins does so always, however busy the machine."""
        seconds = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat") as file:
                ran, waited, _ = file.read().split()
                seconds += (int(ran) + int(waited)) / 1e9
        return seconds

    def wait_quietly(self):
        for _ in range(10):  # a slow machine has something left to do at first
            begin, before = time.monotonic(), self.busy()
            time.sleep(0.5)
            used, passed = self.busy() - before, time.monotonic() - begin
            if used < 0.4 * passed:
                return
        raise AssertionError(f"it was busy for {used:.2f} s of {passed:.2f}: it spins")

    def bear(self, count, before):
        """It serves and waits beside `count` connections, with two buffers for each at most."""
        self.serve()
        self.wait_quietly()
        grown = self.memory() - before
        assert SANITIZED or grown < count * BUFFERS + SLACK, f"{grown} bytes for {count} connections"

    def stop(self, number=signal.SIGTERM):
        return super().stop(number)


def deaf(server):
    """A peer that is given little before it has to read."""
    return server.connect(buffer=8192)


def request(path, method="GET", fields="", body=""):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n{body}".encode("latin-1")


# What a connection has said, and the answers that it is owed when nothing more comes.
STATES = (
    (b"", ()),
    (b"\r\n", ()),
    (b"GET /a.t", ()),
    (b"GET /a.txt HTTP/1.1\r", ()),
    (b"GET /a.txt HTTP/1.1\r\nHost: x\r\nAcc", ()),
    (request("/a.txt")[:-1], ()),
    (request("/", "POST", "Content-Length: 50\r\n", "hello"), (405,)),
    (request("/a.txt"), (200,)),
    (request("/big.bin"), (200,)),
    (request("/middle.bin") * 20 + b"GET", (200,) * 20),
    (b"nonsense\r\n\r\n" + b"x" * 30000, (400,)),
    (request("/", "POST", "Content-Length: 9999999\r\n", "x" * 100000), (413,)),
)


# ---- What peers do to a server ------------------------------------------------


def trickle(server, before):
    """Byte by byte, all of them at once, and two requests one after the other."""
    text = request("/a.txt", fields="Content-Length: 3\r\n", body="abc") + request("/folder/")
    peers = [server.connect() for _ in range(CROWD)]
    for at in range(len(text)):
        for peer in peers:
            peer.send(text[at:at + 1])
        if at == len(text) // 2:
            server.bear(CROWD, before)
    for peer in peers:
        expect(peer.answer(), 200, FILES["a.txt"])
        expect(peer.answer(), 200, FILES["folder/index.html"])
        peer.socket.close()


def half_closed(server, before):
    peers = [(deaf(server), *state) for state in STATES]
    for peer, text, _ in peers:
        peer.send(text)
        peer.socket.shutdown(socket.SHUT_WR)
    server.bear(len(peers), before)
    for peer, _, statuses in peers:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for status in statuses:
            expect(peer.answer(), status)
        assert peer.ended()
        peer.socket.close()


def resets(server, before):
    """In each state: at once, once the server knows of it, and once it has begun to answer."""
    for known in (False, True):
        for begun in (False, True):
            peers = []
            for text, statuses in STATES * 3:
                peers.append(peer := deaf(server))
                peer.send(text)
                if begun and statuses:
                    peer.socket.recv(10)
                if not known:
                    peer.reset()
            server.serve()
            for peer in peers if known else ():
                peer.reset()
    server.bear(0, before)


def floods(server, before):
    """Requests without end from peers that read no answer: it stops reading them."""
    text = request("/middle.bin") * 500
    peers = [deaf(server) for _ in range(CROWD)]
    for peer in peers:
        peer.socket.setblocking(False)
    sent = [0] * CROWD
    before_pouring = -1
    while sum(sent) > before_pouring:
        before_pouring = sum(sent)
        for i, peer in enumerate(peers):
            try:
                while sent[i] < 8 << 20:
                    sent[i] += peer.socket.send(text[sent[i] % len(text):])
            except BlockingIOError:
                pass
        assert max(sent) < 8 << 20, "it reads on"
        server.serve()
    server.bear(CROWD, before)
    for peer in peers:
        peer.reset()


def slow_readers(server, before):
    peers = [deaf(server) for _ in range(CROWD)]
    for peer in peers:
        peer.send(request("/big.bin"))
    server.bear(CROWD, before)
    for peer in peers:
        for _ in range(10):
            assert peer.socket.recv(100)
    server.bear(CROWD, before)
    for peer in peers:
        peer.reset()


def endless(server, before):
    """What has no end is refused, and the connection cut, however long the peer goes on."""
    for begin, more in ((b"", b"x"), (b"GET /", b"a"), (b"", b"\0"), (b"", b"\xff"),
                        (b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"b"),
                        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n"),
                        (request("/", "POST", "Content-Length: 999999999999\r\n"), b"x"),
                        (request("/", "POST", "Transfer-Encoding: chunked\r\n"), b"1\r\nx\r\n")):
        with server.connect() as peer:
            sent = 0
            try:
                peer.send(begin)
                while sent < 64 << 20:
                    sent += peer.socket.send(more * 10000)
            except ConnectionError:
                continue
            raise AssertionError(f"{begin!r}: it takes {sent} bytes")
    server.bear(0, before)


def ambiguous(server, before):
    """Where a doubt is left about what a request is, nothing behind it is answered."""
    length, chunked = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"
    heads = [b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n" for fields in (
        *(b"Content-Length:" + value + b"\r\n" for value in (
            b"+5", b"-5", b"0x5", b"5 5", b"5,5", b"5;", b"\x0b5", b"5\0", b"\xb5", b"1e1", b"'5'",
            b"99999999999999999999", b"18446744073709551621", b"9" * 4000)),
        length * 2, length + b"Content-Length: 6\r\n", length + chunked, chunked + length, b"Content-Length : 5\r\n",
        b" " + length, b"A: b\r\n " + length, b"Content-Length\r\n: 5\r\n", b"Content-Length: 5\r\r\n",
        b"Content-Length: \r\n 5\r\n", b"\0" + length, b"A: b\rContent-Length: 5\r\n", b"A: b\0" + length,
        chunked, chunked * 2, b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding:\tchunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding: \r\n",
        b"Host: y\r\n", b"Expect: 100-continue\r\n" + length)]
    lines = (b"GET / HTTP/1.1\0", b"GET / HTTP/1.10", b"GET / HTTP/11", b"GET\t/ HTTP/1.1", b"\0GET / HTTP/1.1",
             b"GET /\0 HTTP/1.1", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1 x", b"/ HTTP/1.1", b"GET", b" ")
    heads += [line + b"\r\nHost: x\r\n\r\n" for line in lines]
    heads += [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n",  # as TLS begins
              b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 5000 + b"\r\n\r\n"]
    for head in heads:
        with server.connect() as peer:
            peer.send(head + b"0\r\n\r\n" + request("/a.txt") * 2)
            peer.socket.shutdown(socket.SHUT_WR)
            data = b""
            while part := peer.socket.recv(65536):
                data += part
            assert data.count(b"HTTP/1.1 ") == 1 and FILES["a.txt"] not in data, f"{head[:80]!r}: {data!r}"
            assert b"\r\nConnection: close\r\n" in data, f"{head[:80]!r}: {data!r}"
            assert data.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")) or b"Expect" in head, f"{head[:80]!r}: {data!r}"
    server.bear(0, before)


def comes_back(*attacks):
    """Each attack, three times, on a server of each kind."""
    def run_attacks(root, kind):
        with Target(root, *kind, "--idle", "3600") as server:
            for attack in attacks:
                after = []
                for _ in range(3):
                    attack(server, server.memory())
                    server.settle()
                    server.serve()
                    server.settle()
                    after.append(server.memory())
                grown = after[-1] - after[0]
                assert SANITIZED or grown < SLACK, f"{attack.__name__}: {grown} bytes are not given back"
    return lambda root: at_once(run_attacks, root, KINDS)


# ---- What needs servers of its own --------------------------------------------


def run_idle(root):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(IDLE, hard - 200) if hard != resource.RLIM_INFINITY else IDLE
    if count < IDLE:
        print(f"    the limit of {hard} descriptors allows {count} of {IDLE} idle connections")
    for kind in KINDS:
        with Target(root, *kind, "--idle", "3600") as server:
            server.serve()
            server.settle()
            after = []
            for _ in range(2):
                before = server.memory()
                peers = [server.connect() for _ in range(count)]
                for peer in peers[::4]:  # a quarter has been answered, a quarter stays in the middle of a request
                    peer.send(request("/a.txt"))
                for peer in peers[::4]:
                    expect(peer.answer(), 200, FILES["a.txt"])
                server.serve()
                used = (server.memory() - before) / count
                for peer in peers[1::4]:
                    peer.send(b"GET /a.t")
                server.bear(count // 4, before + count * 1024)
                for peer in peers:
                    peer.reset()  # so that the client's ports are free again at once
                server.settle()
                after.append(server.memory())
                print(f"    {' '.join(kind)}: {count} idle connections, {used:.0f} bytes each")
                assert SANITIZED or used < 1024
            assert SANITIZED or after[1] - after[0] < SLACK, after
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def end(root, kind):
    """It ends in the middle of everything."""
    with Target(root, *kind, "--idle", "3600") as server:
        peers = [deaf(server) for _ in STATES * 3]
        for peer, (text, _) in zip(peers, STATES * 3):
            peer.send(text)
        server.serve()
        server.stop()
        for peer in peers:
            peer.socket.close()
        server.settle = server.stop = lambda: None


def locked_out(root, kind):
    """Who holds every descriptor and says nothing makes room long before --idle has passed."""
    with Target(root, *kind, "--quiet", "--idle", "120", descriptors=64) as server:
        holders = [server.connect() for _ in range(100)]
        with server.connect() as peer:
            peer.socket.settimeout(110)
            expect(peer.get("/a.txt"), 200, FILES["a.txt"])
        for peer in holders:
            peer.socket.close()


TESTS = {
    "trickle": comes_back(trickle),
    "half closed": comes_back(half_closed),
    "resets": comes_back(resets),
    "floods": comes_back(floods, slow_readers),
    "requests": comes_back(endless, ambiguous),
    "end": lambda root: at_once(end, root, KINDS),
    "locked out": lambda root: at_once(locked_out, root, KINDS),
    "idle": run_idle,
}

main(TESTS, KINDS)
