# SPDX-License-Identifier: MIT
"""
Talks to http_server: http_server_test.py EXECUTABLE [NAME OF A TEST ...]

Each test starts a server of its own, ends it with SIGINT, and looks at what it left: exit status 0,
nothing on stderr, and before that no descriptor more than it had in the beginning.
"""

import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

EXECUTABLE = os.path.abspath(sys.argv[1])
with open(EXECUTABLE, "rb") as program:
    SANITIZED = re.search(rb"__(asan|tsan)_init", program.read()) is not None
ALL_KINDS = [  # main leaves those that are to be had here
    ("--threads", "1"),
    ("--threads", "2"),
    ("--threads", "2", "--shared"),
    ("--backend", "io_uring"),
    ("--backend", "poll"),
    ("--backend", "poll", "--threads", "2", "--shared"),
]
FILES = {
    "index.html": b"<h1>home</h1>\n",
    "a.txt": b"a small file\n",
    "empty.txt": b"",
    "sp ace.txt": b"spaced\n",
    "\u00fcber.css": b"p {}\n",
    "unknown.suffix": b"?",
    "middle.bin": random.Random(1).randbytes(100_000),
    "big.bin": random.Random(2).randbytes(8_000_000),
    "folder/index.html": b"<h1>folder</h1>\n",
    "folder/bare/x.txt": b"x",
}


def make_folder(base):
    """The folder that is served, beside a secret that must never be."""
    root = os.path.join(base, "root")
    for name, body in FILES.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)
    with open(os.path.join(base, "secret"), "wb") as file:
        file.write(b"SECRET")
    os.symlink("../secret", os.path.join(root, "link"))
    os.symlink("..", os.path.join(root, "up"))
    os.symlink("a.txt", os.path.join(root, "inner"))
    os.mkfifo(os.path.join(root, "fifo"))
    return root


class Server:
    def __init__(self, root, *options, descriptors=None):
        self.options = options
        self.errors = tempfile.TemporaryFile("w+")
        # By a shell: Python warns of functions between fork and exec where there are threads.
        limit = f"ulimit -n {descriptors or '$(ulimit -Hn)'} && exec \"$0\" \"$@\""
        self.process = subprocess.Popen(["sh", "-c", limit, EXECUTABLE, *options, root], text=True,
                                        stdout=subprocess.PIPE, stderr=self.errors)
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)/\n", line)
        if not found:
            self.process.kill()
            self.process.wait()
            self.errors.seek(0)
            raise AssertionError(f"the server said {line!r} and {self.errors.read()!r}")
        self.port = int(found[1])
        self.base = self.descriptors()
        self.noisy = False

    def descriptors(self):
        folder = f"/proc/{self.pid}/fd"
        return len(os.listdir(folder)) if os.path.isdir(folder) else 0

    def processor_time(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def connect(self, buffer=None):
        return Peer(self.port, buffer)

    def settle(self):
        """Waits until every connection is gone."""
        end = time.monotonic() + 60
        while (now := self.descriptors()) != self.base and time.monotonic() < end:
            time.sleep(0.01)
        assert now == self.base, f"{now} descriptors, {self.base} in the beginning"

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        try:
            output = self.process.communicate(timeout=5 if SANITIZED else 20)[0]
        except subprocess.TimeoutExpired:
            # Seen with ThreadSanitizer alone, now and then: the handler never ran. A second signal does it.
            assert SANITIZED, "it goes on after the signal"
            self.process.send_signal(number)
            output = self.process.communicate(timeout=20)[0]
        self.errors.seek(0)
        said = self.errors.read()
        assert self.process.returncode == 0, f"it ended with {self.process.returncode}: {said}"
        assert self.noisy or said == "", said
        assert "Sanitizer" not in said and "runtime error" not in said, said
        numbers = {name: int(value) for name, value in re.findall(r"^([\w ]+): (\d+)$", output, re.M)}
        assert {"requests", "connections", "bytes sent", "4xx answers"} <= numbers.keys(), output
        assert "events per wait" in output, output
        return numbers

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.settle()
                self.stop()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


class Answer:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        version, status, self.reason = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        self.status = int(status)
        self.fields = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            assert name.lower() not in self.fields, f"{name} twice"
            self.fields[name.lower()] = value.strip()
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", self.fields["date"])
        self.body = body


class Peer:
    """A connection, and what was read of it but not used."""

    def __init__(self, port, buffer=None):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def get(self, path, fields="", method="GET", version="1.1"):
        self.send(f"{method} {path} HTTP/{version}\r\nHost: x\r\n{fields}\r\n")
        return self.answer(head=method == "HEAD")

    def answer(self, head=False):
        while b"\r\n\r\n" not in self.left:
            part = self.socket.recv(65536)
            assert part, f"the connection ended within a head: {self.left!r}"
            self.left += part
        text, self.left = self.left.split(b"\r\n\r\n", 1)
        answer = Answer(text, b"")
        if head or answer.status == 304:
            return answer
        length = int(answer.fields["content-length"])
        parts, have = [self.left], len(self.left)
        while have < length:
            part = self.socket.recv(1 << 20)
            assert part, f"the connection ended after {have} of {length} bytes"
            parts.append(part)
            have += len(part)
        data = b"".join(parts)
        answer.body, self.left = data[:length], data[length:]
        return answer

    def ended(self):
        """Whether the server has closed, with nothing more to say."""
        return self.left == b"" and self.socket.recv(1) == b""

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def expect(answer, status, body=None):
    assert answer.status == status, f"{answer.status} and not {status}"
    if body is not None:
        assert answer.body == body, f"{answer.body[:80]!r}"
    return answer


# ---- The tests, each for a server that may be of any kind ----------------------


def files(server):
    with server.connect() as peer:
        for name, body in FILES.items():
            path = "/" + "".join(c if c.isascii() and c != " " else "".join(f"%{b:02X}" for b in c.encode())
                                 for c in name)
            answer = expect(peer.get(path), 200, body)
            assert "last-modified" in answer.fields
            answer = expect(peer.get(path, method="HEAD"), 200, b"")
            assert int(answer.fields["content-length"]) == len(body)
        types = {"/": "text/html", "/a.txt": "text/plain", "/%C3%BCber.css": "text/css",
                 "/middle.bin": "application/octet-stream", "/unknown.suffix": "application/octet-stream"}
        for path, kind in types.items():
            assert peer.get(path).fields["content-type"].startswith(kind)
        expect(peer.get("/?a=b"), 200, FILES["index.html"])
        expect(peer.get("/a.txt?../..%2f%zz"), 200, FILES["a.txt"])
        expect(peer.get("/%61.tx%74"), 200, FILES["a.txt"])
        expect(peer.get("//./folder//./"), 200, FILES["folder/index.html"])
        expect(peer.get("http://x/a.txt"), 200, FILES["a.txt"])
        expect(peer.get("http://x"), 200, FILES["index.html"])
        assert expect(peer.get("/folder"), 301).fields["location"] == "./folder/"
        expect(peer.get("/folder/bare/x.txt"), 200, b"x")
        for path in ("/none", "/folder/bare/", "/a.txt/", "/a.txt/b", "/" + "n" * 300, "/folder/none/none"):
            expect(peer.get(path), 404)
        for path in ("/fifo", "/inner"):
            expect(peer.get(path), 403)


def traversal(server):
    names = ("../secret", "..%2fsecret", "%2e%2e/secret", "%2E%2e%2Fsecret", "folder/../../secret",
             "./../secret", "folder/%2e%2e/%2e%2e/secret", "link", "up/secret", "up/root/a.txt",
             "folder/../../root/a.txt",
             "....//secret", "..%5csecret", "%252e%252e/secret", "a.txt%00.html", "%00", "..", "%2e%2e",
             "../", "..%00/secret", "/etc/passwd", "//etc/passwd", "up", "up/", "../root/a.txt")
    for name in names:
        with server.connect() as peer:
            answer = peer.get("/" + name)
            assert answer.status in (400, 403, 404), f"{name}: {answer.status}"
            assert b"SECRET" not in answer.body and b"root:" not in answer.body


def statuses(server):
    host = "Host: x\r\n"
    stays = (  # the answer leaves the connection open
        ("POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", 405),
        ("DELETE /a.txt HTTP/1.1\r\n" + host + "\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 405),
        ("BREW /pot HTTP/1.1\r\n" + host + "\r\n", 501),
        ("GET / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc", 200),
        ("\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 200),
        ("GET / HTTP/1.1\nHost: x\n\n", 200),
        ("GET / HTTP/1.7\r\n" + host + "\r\n", 200),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\n" + host + "Connection: foo ,\tKEEP-alive\r\nX:\r\n\r\n", 200),
        ("GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /%4 HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /" + "a/" * 1000 + " HTTP/1.1\r\n" + host + "\r\n", 414),
    )
    ends = (
        ("GET / HTTP/1.0\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\n" + host + "Connection: a, Close\r\n\r\n", 200),
        ("GET /none HTTP/1.0\r\n\r\n", 404),
        ("POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET / x HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET x HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET / HTTP/1.1 \r\n" + host + "\r\n", 400),
        ("GET / http/1.1\r\n" + host + "\r\n", 400),
        ("G(T / HTTP/1.1\r\n" + host + "\r\n", 400),
        (" GET / HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /\x01 HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "no colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + ": no name\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "Space : x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "A: x\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "A: x\0y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "A: x\ry\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "Content-Length: \r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "Content-Length: 1, 1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\n" + host + "Content-Length: 10000000\r\n\r\n" + "x" * 100000, 413),
        ("GET / HTTP/2.0\r\n" + host + "\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET /" + "a" * 9000 + " HTTP/1.1\r\n" + host + "\r\n", 414),
        ("GET /" + "a" * 60000, 414),
        ("GET / HTTP/1.1\r\n" + host + "A: b\r\n" * 2000 + "\r\n", 431),
        ("GET / HTTP/1.1\r\n" + host + "A: " + "b" * 60000, 431),
    )
    for text, status in stays:
        with server.connect() as peer:
            peer.send(text.encode("latin-1") * 2)
            for _ in range(2):
                answer = expect(peer.answer(), status)
                assert answer.fields.get("connection") != "close", text[:80]
                assert status != 405 or answer.fields["allow"] == "GET, HEAD"
            expect(peer.get("/a.txt"), 200, FILES["a.txt"])
    for text, status in ends:
        with server.connect() as peer:
            peer.send(text.encode("latin-1"))
            assert expect(peer.answer(), status).fields["connection"] == "close", text[:80]
            peer.socket.shutdown(socket.SHUT_WR)
            assert peer.ended(), text[:80]
    with server.connect() as peer:
        answer = peer.get("/", version="1.0", fields="Connection: keep-alive\r\n")
        assert answer.fields["connection"] == "keep-alive"


def pipelining(server):
    paths = ["/a.txt", "/middle.bin", "/", "/none", "/empty.txt", "/a.txt", "/big.bin", "/folder/"] * 10
    text = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths)
    bodies = {"/": FILES["index.html"], "/folder/": FILES["folder/index.html"]}
    with server.connect() as peer:
        sender = threading.Thread(target=peer.send, args=(text,))
        sender.start()
        for path in paths:
            if path == "/none":
                expect(peer.answer(), 404)
            else:
                expect(peer.answer(), 200, bodies.get(path, FILES.get(path[1:])))
        sender.join()
        many = 3000  # more than the server buffers, and nothing is read before all is sent
        sender = threading.Thread(target=peer.send, args=("GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n" * many,))
        sender.start()
        time.sleep(0.1)
        for _ in range(many):
            expect(peer.answer(), 200, FILES["a.txt"])
        sender.join()
        peer.send("HEAD /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                  "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")  # after the end: no answer
        expect(peer.answer(head=True), 200)
        expect(peer.answer(), 200, FILES["index.html"])
        assert peer.ended()


def byte_by_byte(server):
    text = (b"GET /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
            b"GET /folder/ HTTP/1.1\r\nHost: x\r\n\r\n")
    with server.connect() as peer:
        for byte in text:
            peer.send(bytes([byte]))
            time.sleep(0.001)
        expect(peer.answer(), 200, FILES["a.txt"])
        expect(peer.answer(), 200, FILES["folder/index.html"])


def half_close(server):
    for path in ("/a.txt", "/big.bin"):
        with server.connect() as peer:
            peer.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + "GET /unfinished")
            peer.socket.shutdown(socket.SHUT_WR)
            time.sleep(0.05)
            for _ in range(3):
                expect(peer.answer(), 200, FILES[path[1:]])
            assert peer.ended()
    with server.connect() as peer:
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.ended()


def resets(server):
    request = "GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n"
    for round in range(5):
        for text in ("", "GET /", request, request * 20, "GET / HTTP/9.0\r\n\r\n", "x" * 50000,
                     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhello"):
            peer = server.connect()
            peer.send(text)
            if round % 2 and text.startswith("GET /big"):
                peer.socket.recv(100)
            if round >= 3:
                time.sleep(0.01)
            peer.reset()
    server.settle()
    with server.connect() as peer:
        expect(peer.get("/a.txt"), 200, FILES["a.txt"])


def garbage(server):
    source = random.Random(3)
    for i in range(60):
        with server.connect() as peer:
            try:
                peer.send(source.randbytes(source.choice((1, 10, 1000, 9000, 70000))))
                peer.socket.shutdown(socket.SHUT_WR)
                data = b""
                while part := peer.socket.recv(65536):
                    data += part
                assert data == b"" or re.match(rb"HTTP/1\.1 [45]\d\d ", data), data[:80]
            except ConnectionError:
                pass
    valid = b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
    for i in range(300):  # a request with a byte changed
        with server.connect() as peer:
            text = bytearray(valid)
            text[source.randrange(len(text))] = source.randrange(256)
            peer.send(bytes(text))
            peer.socket.shutdown(socket.SHUT_WR)
            data = b""
            while part := peer.socket.recv(65536):
                data += part
            assert data == b"" or re.match(rb"HTTP/1\.1 [2345]\d\d ", data), data[:80]


def slow_reader(server):
    slow = [server.connect(buffer=8192) for _ in range(4)]
    for peer in slow:
        peer.send("GET /big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    time.sleep(0.1)
    before = server.processor_time()
    begin = time.monotonic()
    with server.connect() as peer:  # the others do not wait for them
        for _ in range(20):
            expect(peer.get("/a.txt"), 200, FILES["a.txt"])
        assert time.monotonic() - begin < 30
    time.sleep(0.3)
    used = server.processor_time() - before
    assert used < 0.2, f"{used:.2f} s of processor time beside blocked writes: it spins"
    for peer in slow:
        expect(peer.answer(), 200, FILES["big.bin"])
        assert peer.ended()
        peer.socket.close()


def conditions(server, root):
    path = os.path.join(root, "dated.txt")
    with open(path, "wb") as file:
        file.write(b"old")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    when = "Sun, 09 Sep 2001 01:46:40 GMT"
    with server.connect() as peer:
        for name in ("dated.txt", "dated.txt?", "./" * 80 + "dated.txt"):  # the last is too long to be kept
            assert expect(peer.get("/" + name), 200, b"old").fields["last-modified"] == when
            answer = expect(peer.get("/" + name, f"If-Modified-Since: {when}\r\n"), 304)
            assert "content-length" not in answer.fields
            expect(peer.get("/" + name, "If-Modified-Since: Mon, 10 Sep 2001 01:46:40 GMT\r\n"), 304)
            expect(peer.get("/" + name, "If-Modified-Since: Sat, 08 Sep 2001 01:46:40 GMT\r\n"), 200, b"old")
            expect(peer.get("/" + name, "If-Modified-Since: yesterday\r\n"), 200, b"old")
        with open(path, "wb") as file:
            file.write(b"something new")
        time.sleep(1.1)
        expect(peer.get("/dated.txt", f"If-Modified-Since: {when}\r\n"), 200, b"something new")
        os.unlink(path)
        time.sleep(1.1)
        expect(peer.get("/dated.txt"), 404)


def shrinking_file(server, root):
    path = os.path.join(root, "shrinks.bin")
    with open(path, "wb") as file:
        file.write(bytes(20_000_000))
    with server.connect() as peer:
        peer.send("GET /shrinks.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        peer.socket.recv(100)
        os.truncate(path, 100)
        while peer.socket.recv(1 << 20):
            pass  # it ends: the rest of the answer cannot be sent
    os.unlink(path)


def crowd(server):
    """Several threads, many requests on connections that stay, and that do not."""
    failures = []

    def talk(seed):
        source = random.Random(seed)
        try:
            peer = server.connect()
            for _ in range(60 if SANITIZED else 200):
                name = source.choice(("a.txt", "empty.txt", "middle.bin", "folder/bare/x.txt"))
                expect(peer.get("/" + name), 200, FILES[name])
                if source.random() < 0.2:
                    peer.socket.close()
                    peer = server.connect()
            peer.socket.close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


# ---- The tests with servers of their own ---------------------------------------


def at_once(function, root, kinds):
    """For each kind of server, in a thread of its own, because much of it is waiting."""
    failures = []

    def run(kind):
        try:
            function(root, kind)
        except Exception as error:
            traceback.print_exc()
            failures.append((" ".join(kind), error))

    threads = [threading.Thread(target=run, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def any_kind(*tests):
    def run_tests(root, kind):
        with Server(root, *kind) as server:
            for test in tests:
                test(server)
                server.settle()
    return lambda root: at_once(run_tests, root, ALL_KINDS)


def run_changing(root):
    with Server(root) as server:
        conditions(server, root)
        shrinking_file(server, root)


def run_command_line(root):
    for options in ((), ("--port", "x", root), ("--threads", "0", root), ("--backend", "none", root),
                    ("--what", root), (root, root), ("--port",)):
        assert subprocess.run([EXECUTABLE, *options], stderr=subprocess.DEVNULL).returncode == 2, options
    assert subprocess.run([EXECUTABLE, root + "/none"], stderr=subprocess.DEVNULL).returncode == 1
    with Server(root, "--quiet", "--address", "127.0.0.1") as server:
        taken = subprocess.run([EXECUTABLE, "--port", str(server.port), root], stderr=subprocess.PIPE)
        assert taken.returncode == 1 and b"http_server:" in taken.stderr, taken


def run_statistics(root):
    for number in (signal.SIGINT, signal.SIGTERM):
        for kind in (*ALL_KINDS, ("--threads", "8"), ("--threads", "8", "--shared")):
            with Server(root, *kind) as server:
                for _ in range(3):
                    with server.connect() as peer:
                        expect(peer.get("/"), 200)
                        expect(peer.get("/none"), 404)
                open_ones = [server.connect() for _ in range(5)]
                open_ones[0].send("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")  # it ends in the middle of it
                open_ones[1].send("GET /")
                open_ones[2].send("nonsense\r\n\r\n")
                open_ones[0].socket.recv(100)
                expect(open_ones[2].answer(), 400)
                numbers = server.stop(number)
                assert numbers["requests"] == 8 and numbers["4xx answers"] == 4, numbers
                assert 3 < numbers["connections"] <= 8, numbers
                for peer in open_ones:
                    peer.socket.close()
                server.base = server.descriptors()
                break_off(server)


def break_off(server):
    """It has ended already, so that the end of its block has nothing to do."""
    server.settle = server.stop = lambda: None


def idle_limit(root, kind):
    with Server(root, *kind, "--idle", "5") as server:
        silent, partial, dribbling, deaf, used = (server.connect() for _ in range(5))
        partial.send("GET / HTTP")
        deaf.send("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        begin = time.monotonic()
        while time.monotonic() - begin < 10:
            try:
                dribbling.send("x")
            except ConnectionError:
                pass
            if time.monotonic() - begin < 6.5:  # a connection that is used stays
                expect(used.get("/"), 200)
            time.sleep(0.05)
        server.settle()
        for peer in (silent, partial, dribbling, deaf, used):
            peer.socket.close()


def run_idle_limit(root):
    at_once(idle_limit, root, ALL_KINDS)


def no_descriptors(root, kind):
    with Server(root, *kind, "--quiet", "--idle", "3600", descriptors=64) as server:
        peers = [server.connect()]
        expect(peers[0].get("/"), 200)
        peers += [server.connect() for _ in range(199)]
        end = time.monotonic() + 20
        while peers[0].get("/folder/").status != 503:  # until all have their place
            assert time.monotonic() < end
        time.sleep(0.2)
        before = server.processor_time()
        time.sleep(0.6)
        used = server.processor_time() - before
        assert used < 0.1, f"{kind}: {used:.2f} s of processor time in 0.6 s: it spins"
        expect(peers[0].get("/folder/"), 503)  # no descriptor is left for the file
        for peer in peers[:160]:
            peer.socket.close()
        for peer in peers[160:]:  # these waited in the queue
            answer = peer.get("/a.txt")
            while answer.status == 503:  # beside those that have closed but are not yet closed in the server
                answer = peer.get("/a.txt")
            expect(answer, 200, FILES["a.txt"])
            peer.socket.close()
        server.settle()
        with server.connect() as peer:
            expect(peer.get("/a.txt"), 200, FILES["a.txt"])


def run_no_descriptors(root):
    at_once(no_descriptors, root, ALL_KINDS)


TESTS = {
    "command line": run_command_line,
    "answers": any_kind(files, traversal, statuses, byte_by_byte),
    "pipelining": any_kind(pipelining),
    "peers": any_kind(half_close, resets, garbage, slow_reader),
    "crowd": any_kind(crowd),
    "changing files": run_changing,
    "statistics": run_statistics,
    "idle limit": run_idle_limit,
    "no descriptors": run_no_descriptors,
}


def available(root, kind):
    try:
        with Server(root, *kind):
            return True
    except AssertionError as error:
        assert "does not have what was asked for" in str(error), error
        print(f"    not here: {' '.join(kind)}: {error}")
        return False


def main(tests, kinds):
    base = tempfile.mkdtemp(prefix="http_server_test.")
    try:
        root = make_folder(base)
        kinds[:] = [kind for kind in kinds if available(root, kind)]
        for name in sys.argv[2:] or tests:
            begin = time.monotonic()
            tests[name](root)
            print(f"{name}: {time.monotonic() - begin:.1f} s", flush=True)
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main(TESTS, ALL_KINDS)
