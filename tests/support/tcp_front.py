"""A TCP port in front of an engine's Unix socket, with TLS around it where a test wants it."""

import socket
import ssl
import threading


class TcpFront:
    """`wrap` puts TLS around each connection. The end of either direction is passed on alone, as the engine itself does it."""

    def __init__(self, path, wrap=lambda connection: connection):
        self.path = path
        self.wrap = wrap
        self.connections = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        for connection in (self.server, *self.connections):
            connection.close()

    def serve(self):
        while True:
            try:
                client, _ = self.server.accept()
                client = self.wrap(client)
            except (ssl.SSLError, ConnectionError):
                continue
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            self.connections += (client, upstream)
            upstream.connect(self.path)
            threading.Thread(target=self.pump, args=(client, upstream), daemon=True).start()
            threading.Thread(target=self.pump, args=(upstream, client), daemon=True).start()

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        try:
            if isinstance(target, ssl.SSLSocket):
                target.unwrap()  # close_notify
                target.shutdown(socket.SHUT_RDWR)
            else:
                target.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            pass
