"""The service as people run it: a process of its own, on a port of its own, in a folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import ROOT

START_SECONDS = 30.0
STOP_SECONDS = 30.0


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Service:
    """`movie-finder COMMAND --port PORT`, running in `folder`."""

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{command}-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", command, "--port", str(self.port)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Until it can serve requests."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the service did not start:\n{self.log.read_text()}")

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        """Send it a signal, and give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def running(command: str, folder: Path, **environment: str) -> Iterator[Service]:
    """The service, ready, until the block ends."""
    service = Service(command, folder, environment)
    try:
        service.wait_until_ready()
        yield service
    finally:
        if service.process.poll() is None:
            service.stop()


def movie_finder(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `movie-finder` to its end, in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
