"""``python -m stratavox stage ...``, done by a fork of the process behind the socket (forks.py).

``fork_client.py SOCKET ARGUMENTS ...`` stands in place of ``python ARGUMENTS ...``. It becomes that
where there is no such process, or the arguments are others. It starts with each job: without
site-packages (-IS) and with modules in C alone, 10 ms in place of 25.
"""

import _socket  # socket without its enumerations and selectors
import os
import sys

INTERRUPT = 2


def ask(path: str, arguments: list[str]) -> int | None:
    """The exit status of the job, negative for a signal; None where no fork does it."""
    server = _socket.socket(_socket.AF_UNIX)
    variables = map("=".join, os.environ.items())
    text = os.fsencode("\0".join([os.getcwd(), str(len(arguments)), *arguments, *variables]))
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    try:
        server.connect(path)
        server.sendmsg(
            [len(text).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)]
        )
        server.sendall(text)
        if not server.recv(1):
            return None
    except OSError:
        return None
    while True:
        try:
            status = server.recv(2)
            break
        except KeyboardInterrupt:
            server.send(bytes([INTERRUPT]))
    if status:
        return int.from_bytes(status, "big", signed=True)
    print("stratavox: error: the process that ran this job was killed", file=sys.stderr)
    return 1


def main(path: str, arguments: list[str]) -> None:
    if arguments[:3] == ["-m", "stratavox", "stage"]:
        status = ask(path, arguments[2:])
        if status is not None:
            if status < 0:  # the signal that ended the fork
                os.kill(os.getpid(), -status)
            sys.exit(status)
        print("This job runs in a process of its own: none to fork.", file=sys.stderr)
    os.execv(sys.executable, [sys.executable, *arguments])


main(sys.argv[1], sys.argv[2:])
