"""The service as people run it: a process of its own, on a port of its own, in a folder of its own."""

import io
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from unittest import mock

import httpx

from app.cli import main
from tests.conftest import ROOT

START_SECONDS = 60.0
STOP_SECONDS = 40.0
# Tests that are killed cannot stop what they have started; where there is util-linux, it ends with them.
WITH_THE_TESTS = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Service:
    """`movie-finder COMMAND --port PORT OPTIONS`, running in `folder`."""

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str], *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{command}-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*WITH_THE_TESTS, sys.executable, "-m", "app.cli", command, "--port", str(self.port), *options],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Until it can serve requests."""
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(base_url=self.url) as client:
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    if client.get("/health/ready").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.05)
        raise AssertionError(f"the service did not start:\n{self.log.read_text()}")

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        """Send it a signal, and give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            with suppress(ProcessLookupError):  # as it is where all of its processes have ended
                os.killpg(self.process.pid, signal.SIGKILL)


@contextmanager
def running(command: str, folder: Path, *options: str, **environment: str) -> Iterator[Service]:
    """The service, ready, until the block ends."""
    service = Service(command, folder, environment, *options)
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


def in_this_process(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same without a process of its own, for what needs none: to start one takes seconds."""
    printed, said = io.StringIO(), io.StringIO()
    command = ["movie-finder", *arguments]
    status: object = 0
    handler = signal.getsignal(signal.SIGTERM)
    log = logging.getLogger()
    log_handlers, log_level = list(log.handlers), log.level
    # All of the environment is put back: a command writes there what it has made up for the settings.
    with (
        redirect_stdout(printed),
        redirect_stderr(said),
        chdir(folder),
        mock.patch.dict(os.environ, environment),
        mock.patch.object(sys, "argv", command),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        finally:
            signal.signal(signal.SIGTERM, handler)
            log.handlers[:] = log_handlers
            log.setLevel(log_level)
    if isinstance(status, str):  # as the interpreter has it
        said.write(f"{status}\n")
    return subprocess.CompletedProcess(
        command, status if isinstance(status, int) else 1, printed.getvalue(), said.getvalue()
    )
