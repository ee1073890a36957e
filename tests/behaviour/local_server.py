"""A web server on this machine, for tests of downloads."""

import contextlib
import hashlib
import http.server
import threading


class Server:
    """A web server on this machine, whose behaviour each test sets.

    Attributes:
        files: bytes by path.
        faults: what goes wrong with the next requests, one each: "drop" ends in the middle, "hang" stops answering in
            the middle, "silent" never answers, a number is an HTTP status.
        requests: (path, Range header) of the requests so far.
    """

    def __init__(self):
        self.files, self.faults, self.requests = {}, [], []
        self.ranges, self.free = True, threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                outer.answer(self)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def answer(self, request) -> None:
        self.requests.append((request.path, request.headers.get("Range")))
        fault = self.faults.pop(0) if self.faults else None
        if fault == "silent":
            self.free.wait(20)
            return
        content = self.files.get(request.path)
        if isinstance(fault, int) or content is None:
            request.send_error(fault or 404)
            return
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        start = 0
        asked = request.headers.get("Range")
        if asked and self.ranges and request.headers.get("If-Range", tag) == tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                request.send_error(416)
                return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.send_header("ETag", tag)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        rest = content[start:]
        with contextlib.suppress(ConnectionError):
            request.wfile.write(rest[: len(rest) // 2] if fault else rest)
            request.wfile.flush()
            if fault == "hang":
                self.free.wait(20)

    def close(self) -> None:
        self.free.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
