"""No network but this machine's own, for every Python process that finds this file on its path.

What is asked for is refused, and written down beside this file: a library may swallow the refusal.
"""

import socket
import sys
from pathlib import Path

ASKED = Path(__file__).with_name("network_asked.txt")
INTERNET = (socket.AF_INET, socket.AF_INET6)
HERE = ("127.0.0.1", "::1", "localhost", "", None)


def refuse(event: str, arguments: tuple) -> None:
    """Raise for a name looked up or an address spoken to beyond this machine."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and arguments[0].family in INTERNET:
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in HERE:
        with ASKED.open("a") as file:
            file.write(f"{host} by {' '.join(sys.argv)}\n")
        raise OSError(f"no network in this test: {host} was asked for")


sys.addaudithook(refuse)
