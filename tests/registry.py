"""A registry on the loopback interface that serves OCI layouts to the real skopeo, and fails as it is told.

with running_registry() as registry:
    name = registry.serve(build_image(tmp_path / "image", {"/a": "1"}), "app:latest")
    registry.faults["blobs"] = cut_off(after=1000)
"""

import base64
import contextlib
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from os_containers.image.manifest import OCI_MANIFEST, Digest

# What registries say, by the distribution specification.
_ERRORS = {
    401: ("UNAUTHORIZED", "authentication required"),
    403: ("DENIED", "requested access to the resource is denied"),
    404: ("NAME_UNKNOWN", "repository name not known to registry"),
    429: ("TOOMANYREQUESTS", "you have reached your pull rate limit"),
}
_CONTENT = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<what>[^/]+)")


@dataclass
class Served:
    """What a request is about: the content that the answer would have."""

    kind: str
    what: str
    content: bytes
    media_type: str


@dataclass
class Registry:
    """What is served, what fails, and what was asked for."""

    port: int
    # by "kind of content": "ping", "manifests" or "blobs"
    faults: dict[str, "Fault"] = field(default_factory=dict)
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def serve(self, layout: Path, name: str) -> str:
        """Serve the images of a layout under a name:tag, and return the name with this registry's."""
        blobs = {f"sha256:{blob.name}": blob.read_bytes() for blob in layout.rglob("sha256/*")}
        self.blobs |= blobs
        (described,) = json.loads((layout / "index.json").read_text())["manifests"]
        return self.serve_manifest(blobs[described["digest"]], name)

    def serve_manifest(self, manifest: bytes, name: str) -> str:
        """Serve a manifest, or an index, under a name:tag and its digest."""
        repository, _, tag = name.partition(":")
        for what in (tag, Digest.of(manifest)):
            self.manifests[repository, what] = manifest
        return f"{self.address}/{name}"

    def asked(self, kind: str) -> int:
        """Return how often something of a kind was asked for."""
        return sum(f"/{kind}/" in path for path in self.requests)

    def find(self, path: str) -> Served | None:
        match = _CONTENT.fullmatch(path.partition("?")[0])
        if not match:
            return None
        kind, what = match["kind"], match["what"]
        if kind == "blobs":
            content = self.blobs.get(what)
            media_type = "application/octet-stream"
        else:
            content = self.manifests.get((match["name"], what), self.blobs.get(what))
            media_type = _media_type(content or b"")
        return None if content is None else Served(kind, what, content, media_type)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry

    def do_GET(self) -> None:
        self.registry.requests.append(self.path)
        self.registry.headers.append(dict(self.headers))
        served = self.registry.find(self.path)
        fault = self.registry.faults.get(served.kind if served else "ping")
        if fault is None or not fault(self, served):
            self._answer(served)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, served: Served | None) -> None:
        if self.path == "/v2/":
            self.send(200, b"{}")
        elif served:
            self.send(200, served.content, {"Content-Type": served.media_type})
        else:
            code = "BLOB_UNKNOWN" if "/blobs/" in self.path else "MANIFEST_UNKNOWN"
            self.send(404, json.dumps({"errors": [{"code": code, "message": "unknown"}]}).encode())

    def send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def hang_up(self) -> None:
        """End the connection with a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()


# Answers a request in a way of its own, or returns False to leave it to the registry.
Fault = Callable[[_Handler, Served | None], bool]


def status(code: int, *, times: int = 1_000_000, headers: dict[str, str] | None = None) -> Fault:
    """Answer so many requests with a status."""
    left = [times]
    error, message = _ERRORS.get(code, ("UNKNOWN", "something is wrong"))

    def answer(handler: _Handler, _: Served | None) -> bool:
        left[0] -= 1
        if left[0] < 0:
            return False
        body = json.dumps({"errors": [{"code": error, "message": message}]}).encode()
        handler.send(code, body, headers)
        return True

    return answer


def login(credentials: str) -> Fault:
    """Answer only those who have a name and its password, as name:password."""
    wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}"

    def answer(handler: _Handler, _: Served | None) -> bool:
        known = handler.headers.get("Authorization") == wanted
        if not known:
            handler.send(401, b"{}", {"WWW-Authenticate": 'Basic realm="test"'})
        return not known

    return answer


def reset(*, times: int = 1_000_000) -> Fault:
    """Hang up instead of answering."""
    left = [times]

    def answer(handler: _Handler, _: Served | None) -> bool:
        left[0] -= 1
        if left[0] < 0:
            return False
        handler.hang_up()
        return True

    return answer


def cut_off(*, after: int, times: int = 1_000_000) -> Fault:
    """Announce the whole content, and reset the connection after so many bytes of it."""
    left = [times]

    def answer(handler: _Handler, served: Served | None) -> bool:
        assert served
        left[0] -= 1
        if left[0] < 0 or len(served.content) <= after:
            return False
        handler.send(200, served.content[:after], {"Content-Length": str(len(served.content))})
        handler.hang_up()
        return True

    return answer


def stall(registry: Registry, *, after: int = 0) -> Fault:
    """Send so many bytes of the content, and then nothing until the registry ends."""

    def answer(handler: _Handler, served: Served | None) -> bool:
        if served:
            handler.send(200, served.content[:after], {"Content-Length": str(len(served.content))})
        registry.over.wait(60)
        handler.close_connection = True
        return True

    return answer


def pause(seconds: float, *, after: int) -> Fault:
    """Send all of the content, with a pause in it."""

    def answer(handler: _Handler, served: Served | None) -> bool:
        assert served
        handler.send(200, served.content[:after], {"Content-Length": str(len(served.content))})
        time.sleep(seconds)
        handler.wfile.write(served.content[after:])
        return True

    return answer


def other_content(change: Callable[[bytes], bytes], **headers: str) -> Fault:
    """Send something else than what was asked for."""

    def answer(handler: _Handler, served: Served | None) -> bool:
        assert served
        handler.send(200, change(served.content), {"Content-Type": served.media_type, **headers})
        handler.close_connection = True
        return True

    return answer


def redirect_loop(handler: _Handler, _: Served | None) -> bool:
    """Send the client to where it is."""
    handler.send(307, b"", {"Location": handler.path})
    return True


def _media_type(manifest: bytes) -> str:
    try:
        return str(json.loads(manifest).get("mediaType", OCI_MANIFEST))
    except (ValueError, AttributeError):
        return OCI_MANIFEST


@contextlib.contextmanager
def running_registry(tls: ssl.SSLContext | None = None) -> Iterator[Registry]:
    """Run a registry, by default without TLS, and without a password."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        registry = Registry(server.server_address[1])
        server.RequestHandlerClass = type("_Bound", (_Handler,), {"registry": registry})
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield registry
        finally:
            registry.over.set()
            server.shutdown()
            thread.join()
