"""Ask the process of forks.py for a job; without one, become ``python -m stratavox``.

Run without site-packages (python -S), as it starts with each job: some milliseconds.
"""

import json
import os
import socket
import sys


def ask(path):
    """The exit status of the job, done by the server; None where there is no server."""
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(path)
        except OSError:
            return None
        request = {
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "folder": os.getcwd(),
        }
        data = json.dumps(request).encode()
        socket.send_fds(server, [len(data).to_bytes(8, "big")], [0, 1, 2])
        server.sendall(data)
        status = server.recv(1)
    if not status:
        print("stratavox: error: the process that ran this job was killed", file=sys.stderr)
    return status[0] if status else 1


path = os.environ.get("STRATAVOX_FORKS")
status = ask(path) if path else None
if status is None:
    os.execv(sys.executable, [sys.executable, "-m", "stratavox", *sys.argv[1:]])
sys.exit(status)
