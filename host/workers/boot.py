"""The first lines of a worker process: it finds modules where its host does.

Started as a file, with `-P`: no folder that it happens to be started in can hide a module. The
arguments are the number of the socket to the host, and the host's process id.
"""

import json
import socket
import sys


def main() -> None:
    """Read where modules are found, and begin to work."""
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
