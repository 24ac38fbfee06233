"""A registry on loopback, with one image."""

import contextlib
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.disk import bench_directory
from testhost.commands import CommandError, run

_START_SECONDS = 20


@contextlib.contextmanager
def served(source: str) -> Iterator[str]:
    """Give the reference under which an image is served; the registry ends afterwards."""
    with tempfile.TemporaryDirectory(dir=bench_directory(), prefix="registry-") as scratch:
        port = _free_port()
        configuration = Path(scratch) / "config.yml"
        configuration.write_text(_configuration(Path(scratch), port))
        process = subprocess.Popen(
            ["docker-registry", "serve", configuration],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            reference = f"docker://127.0.0.1:{port}/big:latest"
            run([
                "skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests",
                "--dest-tls-verify=false", source, reference,
            ])  # fmt: skip
            yield reference
        finally:
            process.terminate()
            process.wait()


def _configuration(directory: Path, port: int) -> str:
    # JSON is YAML
    return json.dumps(
        {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(directory / "images")}},
            "http": {"addr": f"127.0.0.1:{port}"},
        }
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise CommandError("docker-registry does not answer")
