"""The server's processes: how they begin, count together, and end."""

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from socket import socket

import uvicorn
from uvicorn.supervisors import Multiprocess

from app.core.metrics import FOLDER_VARIABLE, forget_worker

APPLICATION = "app.main:app"
# Requests in flight have so long to finish once the service is told to stop.
SHUTDOWN_SECONDS = 20
# A worker that does not answer its parent for so long is replaced: on a busy machine it takes seconds to begin,
# and one that is killed for that would begin again and again.
START_SECONDS = 60


def serve(host: str, port: int, workers: int = 1) -> None:
    """Serve until told to stop: then requests in flight finish, and new ones are refused."""
    config = uvicorn.Config(
        APPLICATION,
        host=host,
        port=port,
        workers=workers,
        lifespan="on",
        log_config=None,  # the application's own, structured
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application trusts TRUSTED_PROXIES, and reads X-Forwarded-Host too
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
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
        self._alive: set[int] = set()

    @property
    def has_failed(self) -> bool:
        """Whether a worker could not start, which ends all of them."""
        return any(process.exitcode == uvicorn.config.STARTUP_FAILURE for process in self.processes)

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        alive = {process.pid for process in self.processes if process.pid is not None}
        for dead in self._alive - alive:
            forget_worker(dead, self._metrics)
        self._alive = alive

    def terminate_all(self) -> None:
        # As long as this process holds them too, nobody is refused: who comes waits in line, and for nothing.
        for listening in self.sockets:
            listening.close()
        super().terminate_all()
