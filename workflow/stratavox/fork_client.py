"""``python -m stratavox stage ...``, done by a fork of the process behind the socket (forks.py).

``fork_client.py SOCKET ARGUMENTS ...`` stands in place of ``python ARGUMENTS ...``. It becomes that
where there is no such process, or the arguments are others. Run without site-packages (-IS), as it
starts with each job: some milliseconds.
"""

import json
import os
import signal
import socket
import sys


def ask(path: str, arguments: list[str]) -> int | None:
    """The exit status of the job, negative for a signal; None where no fork does it."""
    with socket.socket(socket.AF_UNIX) as server:
        job = {
            "arguments": arguments,
            "environment": dict(os.environ),
            "folder": os.getcwd(),
        }
        text = json.dumps(job).encode()
        try:
            server.connect(path)
            socket.send_fds(server, [len(text).to_bytes(8, "big")], [0, 1, 2])
            server.sendall(text)
            if not server.recv(1):
                return None
        except OSError:
            return None
        signal.signal(signal.SIGINT, lambda number, frame: server.send(bytes([number])))
        status = server.recv(2)
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
