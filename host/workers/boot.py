"""The first lines of a worker process: it finds modules where its host does.

Started as a file, with `-P`: no folder that it happens to be started in can hide a module. The
arguments are the number of the socket to the host, and the host's process id.
"""

import json
import signal
import socket
import sys

HOSTS_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""What ends a host, and comes to its workers, too, where a terminal or a supervisor sends it."""


def leave_signals_to_the_host() -> None:
    """Do nothing about them. Not ignored: programs that the app runs would ignore them, too."""
    for number in HOSTS_SIGNALS:
        signal.signal(number, _pass_over)


def _pass_over(_number: int, _frame: object) -> None:
    pass


def main() -> None:
    """Read where modules are found, and begin to work."""
    leave_signals_to_the_host()  # before all that takes a while
    line = socket.socket(fileno=int(sys.argv[1]))
    line.set_inheritable(False)  # a program that the app runs would keep it open
    head = _read(line, 8)
    sys.path[:] = json.loads(_read(line, int.from_bytes(head, "big")))
    from host.workers.worker import work  # noqa: PLC0415 - only now it can be found

    work(line, host=int(sys.argv[2]))


def _read(line: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        piece = line.recv(count - len(content))
        if not piece:
            sys.exit(0)  # the host has gone
        content += piece
    return content


if __name__ == "__main__":
    main()
