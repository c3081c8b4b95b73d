"""A PostgreSQL cluster's place on disk: where it is kept, whose it is, how it is made."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.core.postgres_binaries import SHARED_HOME, Account, EmbeddedPostgresError, binaries_for, make_public

NAME = "movie_finder"  # Of the database and of its superuser.
# Upper and lower case beyond ASCII need C.UTF-8: the system's, else PostgreSQL's own (17 and newer).
LOCALES = (
    ("--locale=C.UTF-8",),
    ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    ("--locale=C",),
)


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is, and what serves it."""

    home: Path
    account: Account
    programs: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder. It exists only whole."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The messages of the server's present run; those of the one before have `.1` at the end."""
        return self.home / "server.log"


def locate(folder: Path) -> Cluster:
    """The cluster of `folder`: an existing one with its owner and its own version, else what a new one will have."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere = SHARED_HOME / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    for home in (folder, elsewhere) if os.geteuid() == 0 else (folder,):
        if (home / "data").exists():
            account = Account.owning(home / "data")
            major = int((home / "data" / "PG_VERSION").read_text(encoding="ascii"))
            return Cluster(home, account, binaries_for(account, major))
    account = Account.for_server()
    programs = binaries_for(account)
    if account.switched and not account.can_enter(folder):
        make_public(SHARED_HOME)
        make_public(elsewhere)
        folder = elsewhere
    return Cluster(folder, account, programs)


def create(cluster: Cluster, *, keep: int, durable: bool) -> None:
    """Make the cluster and its database aside, and rename it once whole: an interrupted attempt leaves nothing.

    Args:
        cluster: The cluster to make; its data folder does not exist.
        keep: A file descriptor that PostgreSQL's programs inherit, so that its lock is held while any of them runs.
        durable: Whether to wait until everything is on the disk.

    Raises:
        EmbeddedPostgresError: PostgreSQL's programs fail; the message has their reason.
    """
    partial = cluster.home / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    os.chown(partial, cluster.account.uid, cluster.account.gid)
    initdb: list[str | Path] = [
        cluster.programs / "initdb",
        "-D",
        partial,
        "-U",
        NAME,
        "--auth=trust",
        "--encoding=UTF8",
    ]
    for locale in LOCALES:
        outcome = cluster.account.run([*initdb, *locale, *([] if durable else ["--no-sync"])], keep=[keep])
        if outcome.returncode == 0:
            break
    else:
        reason = f"PostgreSQL's initdb fails: {complaint(outcome.stdout)}"
        raise EmbeddedPostgresError(reason)
    # A server without a socket, fed from its input: there may be no psql.
    alone: list[str | Path] = [cluster.programs / "postgres", "--single", "-D", partial, "postgres"]
    outcome = cluster.account.run(alone, text=f"CREATE DATABASE {NAME}\n", keep=[keep])
    if outcome.returncode != 0 or "ERROR:" in outcome.stdout:
        reason = f"PostgreSQL's first database cannot be made: {complaint(outcome.stdout)}"
        raise EmbeddedPostgresError(reason)
    partial.rename(cluster.data)


def complaint(output: str) -> str:
    """The line of a program's output that says what went wrong: the last grave one, else the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it says nothing"]
    grave = ("FATAL:", "ERROR:", "error:")
    return next((line for line in reversed(lines) if any(mark in line for mark in grave)), lines[-1])
