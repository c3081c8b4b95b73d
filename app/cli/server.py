"""The server's processes: how they begin, count together, and end."""

import gc
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from socket import socket
from threading import Thread

import uvicorn
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.cli.protocol import Protocol
from app.core.metrics import FOLDER_VARIABLE, forget_worker

APPLICATION = "app.main:app"
# Requests in flight have so long to finish once the service is told to stop.
SHUTDOWN_SECONDS = 20
# A worker that does not answer its parent for so long is replaced: on a busy machine it takes seconds to begin,
# and one that is killed for that would begin again and again.
SILENCE_SECONDS = 60.0
# But the parent waits no longer than this in one go: it has signals to heed, and a worker may have ended.
PING_SECONDS = 0.5
# With Python's own, a process with a hundred requests under way spends a twentieth of its time looking for garbage
# among them. With 50,000, what has come together takes 20 to 70 ms, in which nobody is answered.
GARBAGE_THRESHOLDS = 10_000, 20, 20


def serve(host: str, port: int, workers: int = 1) -> None:
    """Serve until told to stop: then requests in flight finish, and new ones are refused."""
    config = Config(
        APPLICATION,
        host=host,
        port=port,
        http=Protocol,
        workers=workers,
        lifespan="on",
        log_config=None,  # the application's own, structured
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application trusts TRUSTED_PROXIES, and reads X-Forwarded-Host too
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    if workers == 1:
        with suppress(KeyboardInterrupt):  # raised anew once all is done
            uvicorn.Server(config).run()
        return
    with tempfile.TemporaryDirectory(prefix="movie-finder-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder  # read by the workers, which begin after this
        supervisor = Workers(config, [config.bind_socket()], Path(folder))
        supervisor.run()
    if supervisor.has_failed:
        sys.exit(uvicorn.config.STARTUP_FAILURE)


class Config(uvicorn.Config):
    """How to serve, and what."""

    def load(self) -> None:
        """Load the application, in the process that serves it.

        What is loaded stays: to look for garbage among it takes a tenth of a second, in which nobody is answered.
        """
        super().load()
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)


class Worker(Process):
    """A process that serves."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._heard_at = time.monotonic()
        self.start()

    def target(self, sockets: list[socket] | None = None) -> None:
        Thread(target=_end_with_parent, daemon=True).start()
        super().target(sockets)

    def is_alive(self, timeout: float = SILENCE_SECONDS) -> bool:
        """Whether it answers, or has not been silent for so long."""
        if self.process.is_alive() and self.ping(PING_SECONDS):
            self._heard_at = time.monotonic()
        return self.process.is_alive() and time.monotonic() - self._heard_at < timeout


def _end_with_parent() -> None:
    """A worker whose parent was killed would keep the port, with nobody to tell it to stop."""
    if (parent := parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class Workers(Multiprocess):
    """uvicorn's workers, and the metrics that they keep together.

    Args:
        config: the server's.
        sockets: what all of them listen on.
        metrics: the folder in which they count.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket], metrics: Path) -> None:
        super().__init__(config, sockets)
        self._metrics = metrics

    @property
    def has_failed(self) -> bool:
        """Whether a worker could not start, which ends all of them."""
        return any(process.exitcode == uvicorn.config.STARTUP_FAILURE for process in self.processes)

    def init_processes(self) -> None:
        self.processes = [Worker(self.config, self.sockets) for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        for number, worker in enumerate(self.processes):
            if self.should_exit.is_set() or worker.is_alive(SILENCE_SECONDS):
                continue
            worker.kill()
            worker.join()
            if worker.pid is not None:
                forget_worker(worker.pid, self._metrics)
            if worker.exitcode == uvicorn.config.STARTUP_FAILURE:  # so would another
                self.should_exit.set()
            else:
                self.processes[number] = Worker(self.config, self.sockets)

    def handle_hup(self) -> None:
        """A terminal that is closed ends the service, as it does with one worker; uvicorn's would begin anew."""
        self.handle_term()

    def terminate_all(self) -> None:
        # As long as this process holds them too, nobody is refused: who comes waits in line, and for nothing.
        for listening in self.sockets:
            listening.close()
        super().terminate_all()
