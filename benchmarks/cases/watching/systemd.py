"""systemd, at a socket that a thread reads."""

import socket
import threading

from harness.players import subscribe, watch
from orchestra.observers.systemd import SystemdObserver

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("")  # Linux picks a name that is in no file


def read() -> None:
    """Take what is sent."""
    while True:
        manager.recv(4096)


threading.Thread(target=read, daemon=True).start()
name = manager.getsockname().decode().replace("\0", "@", 1)
watch(subscribe(SystemdObserver({"NOTIFY_SOCKET": name})))
