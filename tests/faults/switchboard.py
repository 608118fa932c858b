"""What stands between a service and its workers: connects to one, then to another, and cuts."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

ORDERS = b"POST /process "

SILENT = 0
"""Nothing is answered."""

_READ_BYTES = 65_536
_ANSWER = "HTTP/1.1 {} Not now\r\nretry-after: 3\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Switchboard:
    """Passes connections on to whichever worker it is told.

    Attributes:
        to: The worker's port; connections from now on lead there.
        cuts: How many orders from now on lose the worker's answer: the connection breaks at its
            first byte.
        says: What it answers by itself, by how a call begins: a status, or ``SILENT``.
        said: How often it answered so.
        ordered: How many orders were passed on.
    """

    def __init__(self, listener: socket.socket, to: int) -> None:
        self.to = to
        self.cuts = 0
        self.says: Mapping[bytes, int] = {}
        self.said: Counter[int] = Counter()
        self.ordered = 0
        self._listener = listener
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Break all connections."""
        with self._lock:
            for each in self._open:
                _end(each)

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(caller,), daemon=True).start()

    def _pass_on(self, caller: socket.socket) -> None:
        with caller, suppress(OSError):
            asked = caller.recv(_READ_BYTES)
            for beginning, status in self.says.items():
                if asked.startswith(beginning):
                    self._say(caller, status)
                    return
            with socket.create_connection(("127.0.0.1", self.to)) as worker:
                with self._lock:
                    self._open |= {caller, worker}
                worker.sendall(asked)
                is_order = asked.startswith(ORDERS)
                with self._lock:
                    self.ordered += is_order
                    is_cut = is_order and self.cuts > 0
                    self.cuts -= is_cut
                back = threading.Thread(target=_pump, args=(caller, worker), daemon=True)
                back.start()
                if is_cut:
                    worker.recv(1)
                else:
                    _pump(worker, caller)
                _end(caller)
                _end(worker)
                back.join()
        with self._lock:
            self._open.discard(caller)

    def _say(self, caller: socket.socket, status: int) -> None:
        with self._lock:
            self.said[status] += 1
            self._open.add(caller)
        if status == SILENT:
            caller.recv(1)  # until the caller gives up, or all connections are broken
        else:
            caller.sendall(_ANSWER.format(status).encode())
        with self._lock:
            self._open.discard(caller)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_READ_BYTES):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def switchboard(to: int, port: int = 0) -> Iterator[Switchboard]:
    """Stand between, on this port or a free one."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        board = Switchboard(listener, to)
        thread = threading.Thread(target=board.serve)
        thread.start()
        try:
            yield board
        finally:
            _end(listener)
            board.cut()
            thread.join()
