"""A socket between a client and batchd that breaks where it is told to."""
import os
import socket
import threading


class Proxy:
    """Listens at `path` and passes bytes on to `target`. The next connection is cut when so many
    bytes of the request, or of the reply, have passed (`cut`); those after it are left alone."""

    def __init__(self, path, target):
        self.target = str(target)
        self.path = path
        self.lock = threading.Lock()
        self.request_left = self.reply_left = None
        self.passed = [0, 0]  # of the last connection: request, reply
        self.before_reply = None  # called once, when a whole reply is there and nothing of it was passed on
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self, request=None, reply=None):
        with self.lock:
            self.request_left, self.reply_left = request, reply

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                left = [self.request_left, self.reply_left]
                self.request_left = self.reply_left = None
            self.passed = passed = [0, 0]
            daemon = socket.socket(socket.AF_UNIX)
            try:
                daemon.connect(self.target)
            except OSError:
                client.close()
                daemon.close()
                continue
            for which, (source, sink) in enumerate([(client, daemon), (daemon, client)]):
                threading.Thread(target=self.move, args=(source, sink, which, left[which], passed),
                                 daemon=True).start()

    def move(self, source, sink, which, left, passed):
        try:
            while left is None or left > 0:
                data = source.recv(65536)
                if not data:
                    break
                if which == 1 and self.before_reply is not None:
                    call, self.before_reply = self.before_reply, None
                    call()
                    break
                data = data if left is None else data[:left]
                left = None if left is None else left - len(data)
                passed[which] += len(data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):  # both ways, at once
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        sink.close()

    def close(self):
        self.listener.close()
        os.unlink(self.path)
