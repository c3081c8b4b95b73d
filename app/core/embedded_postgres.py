"""A private PostgreSQL server, for runs and tests without a DATABASE_URL.

Three locks in the cluster's home say all there is to know, and the kernel lets go of them whatever happens to their
holders:

- `users.lock`, shared, by every process that uses the cluster. Who can make it exclusive is the last, and stops
  the server.
- `start.lock`, exclusive, by the one process that looks for a server and starts it.
- `server.lock`, exclusive, inherited by the server and by all its children (and by initdb). While it is held, a
  server lives; once it is free, none does, whatever a postmaster.pid says.
"""

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from app.core.postgres_binaries import EmbeddedPostgresError, find_postgres_binaries
from app.core.postgres_cluster import NAME, Cluster, complaint, create, locate

__all__ = ["EmbeddedPostgresError", "embedded_postgres", "find_postgres_binaries"]

PORT = 5432  # Part of the socket's file name only: the server has no TCP port.
START_SECONDS = 120.0
SOCKET_FOLDER = "movie-finder-"
LONGEST_SOCKET_PATH = 100  # Bytes; Linux takes 107, macOS 103.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "shared_buffers": "128MB",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def embedded_postgres(folder: Path, *, durable: bool = True) -> Iterator[str]:
    """Start or join the cluster kept in `folder`, and yield its SQLAlchemy URL; the last user stops it.

    As root the server runs as `postgres` or `nobody`, and the cluster is kept below /var/lib/movie-finder where that
    user cannot enter `folder`. With `durable=False` a power cut may destroy it: for tests. It counts when the server
    starts, not for who joins a running one.

    Raises:
        EmbeddedPostgresError: no PostgreSQL on the machine, `folder` cannot be written, or the server does not start.
    """
    with _explained(f"The database cannot be kept in {folder}"):
        cluster = locate(folder)
        users = _lock_file(cluster, "users.lock")
    with users:
        fcntl.flock(users, fcntl.LOCK_SH)  # Waits while a last user stops the server.
        try:
            with _explained(f"The database in {cluster.home} cannot be started"):
                sockets = _start(cluster, durable=durable)
            yield f"postgresql+asyncpg://{NAME}@/{NAME}?host={quote(str(sockets))}&port={PORT}"
        finally:
            if _lock(users):
                _stop(cluster)


@contextmanager
def _explained(sentence: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{sentence}: {error}."
        raise EmbeddedPostgresError(reason) from error


def _lock_file(cluster: Cluster, name: str) -> IO[bytes]:
    return (cluster.home / name).open("ab")


def _lock(file: IO[bytes]) -> bool:
    """Take the lock for ourselves alone, or say that another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(cluster: Cluster, *, durable: bool) -> Path:
    """Start a server, unless one runs, and return the folder of its socket once it takes connections."""
    launched: Path | None = None
    deadline = time.monotonic() + START_SECONDS
    with _lock_file(cluster, "start.lock") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        while time.monotonic() < deadline:
            with _lock_file(cluster, "server.lock") as server:
                if _lock(server):
                    if launched:
                        _remove(launched)
                        reason = f"PostgreSQL does not start: {complaint(cluster.log.read_text(errors='replace'))}"
                        raise EmbeddedPostgresError(reason)
                    launched = _launch(cluster, server, durable=durable)
            sockets = _ready(cluster)
            if sockets:
                return sockets
            time.sleep(0.02)
    reason = f"PostgreSQL is not ready after {START_SECONDS:.0f} seconds; its log is {cluster.log}."
    raise EmbeddedPostgresError(reason)


def _launch(cluster: Cluster, lock: IO[bytes], *, durable: bool) -> Path:
    """Start the server, which inherits `lock`, and return its socket's folder; a cluster is made where none is."""
    if not cluster.data.exists():
        create(cluster, keep=lock.fileno(), durable=durable)
    _clear_leftovers(cluster)
    sockets = _socket_folder(cluster)
    settings = SETTINGS | {"unix_socket_directories": str(sockets)} | ({} if durable else UNSAFE_SETTINGS)
    options = [f"--{name}={value}" for name, value in settings.items()]
    server: list[str | Path] = [cluster.programs / "postgres", "-D", cluster.data, *options]
    with suppress(FileNotFoundError):
        cluster.log.replace(cluster.log.with_name("server.log.1"))
    with cluster.log.open("wb") as log:
        # The shell leaves at once, so that the server is nobody's child: who started it need not wait for its end.
        cluster.account.run(["/bin/sh", "-c", '"$@" &', "sh", *server], output=log, keep=[lock.fileno()])
    return sockets


def _stop(cluster: Cluster) -> None:
    """Stop the server, if one runs; if it cannot be stopped, the next start adopts it."""
    lines = _pid_file(cluster)
    with _lock_file(cluster, "server.lock") as server:
        running = not _lock(server)
    if running:
        cluster.account.run([cluster.programs / "pg_ctl", "stop", "-D", cluster.data, "-m", "fast", "-w"])
    _remove_sockets(lines)


def _socket_folder(cluster: Cluster) -> Path:
    """A new folder for the socket, of a short path and closed to all but the server's account.

    The temporary folder is everybody's: under a name that can be guessed, another user might have put something there.
    """
    usual = Path(tempfile.gettempdir())
    short = len(os.fsencode(_socket(usual / f"{SOCKET_FOLDER}12345678"))) < LONGEST_SOCKET_PATH
    parent = usual if short and cluster.account.can_enter(usual) else Path("/tmp")  # noqa: S108 - see above  # nosec
    folder = Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER, dir=parent))
    os.chown(folder, cluster.account.uid, cluster.account.gid)
    return folder


def _socket(folder: Path, port: int = PORT) -> Path:
    return folder / f".s.PGSQL.{port}"


def _clear_leftovers(cluster: Cluster) -> None:
    """Remove what a killed server left: PostgreSQL would respect it if another program now has its process id."""
    lines = _pid_file(cluster)
    with suppress(IndexError):  # A file that was never finished.
        if Path(lines[1]) == cluster.data and _answers(_socket(Path(lines[4]), int(lines[3]))):
            reason = f"Process {lines[0]}, started by hand, serves {cluster.data}: stop it."
            raise EmbeddedPostgresError(reason)
    _remove_sockets(lines)
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)


def _remove_sockets(lines: list[str]) -> None:
    """Remove the socket's folder that the pid file names, if we made it: by hand, it may be the system's own."""
    for line in lines[4:5]:
        if Path(line).name.startswith(SOCKET_FOLDER):
            _remove(Path(line))


def _remove(folder: Path) -> None:
    with suppress(OSError):
        for name in (_socket(folder).name, f"{_socket(folder).name}.lock"):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _ready(cluster: Cluster) -> Path | None:
    """The folder of the running server's socket, once it takes connections; it may be another than ours would be.

    The file's last line says so, but stays when the server is killed; so the socket is tried as well.
    """
    lines = _pid_file(cluster)
    if lines and lines[-1].strip() == "ready" and _answers(_socket(Path(lines[4]))):
        return Path(lines[4])
    return None


def _pid_file(cluster: Cluster) -> list[str]:
    """Lines: process id, data folder, start time, port, socket's folder, TCP address, shared memory, state."""
    try:
        return (cluster.data / "postmaster.pid").read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return []


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
