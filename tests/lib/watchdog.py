"""The part of systemd that watches whether a private batchd still lives: a socket that it tells."""
import pathlib
import socket
import time


class Watchdog:
    def __init__(self, folder, seconds):
        path = pathlib.Path(folder) / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(seconds * 1e6))}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def fed(self, seconds):
        """Whether it is within that time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if b"WATCHDOG=1" in self.socket.recv(4096):
                    return True
            except TimeoutError:
                break
        return False
