"""The private PostgreSQL, proven with real clusters."""

import asyncio
import fcntl
import importlib.util
import os
import pwd
import runpy
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from app.core import embedded_postgres as server
from app.core import postgres_binaries as binaries
from app.core import postgres_cluster as clusters
from app.core.embedded_postgres import EmbeddedPostgresError, embedded_postgres, find_postgres_binaries
from app.core.postgres_binaries import Account

ROOT = os.geteuid() == 0
HOLDER = """
import sys
from pathlib import Path
from app.core.embedded_postgres import embedded_postgres

with embedded_postgres(Path(sys.argv[1]), durable=False) as url:
    print(url, flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(not find_postgres_binaries(), reason="no PostgreSQL on this machine")


def ask(url: str, question: str) -> object:
    """The answer's first value. In a thread, because the tests' own event loop belongs to pytest-asyncio."""

    async def fetch() -> object:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(fetch())).result()


def sockets(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def server_process(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def server_lives(folder: Path) -> bool:
    with (folder / "server.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_until_stopped(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while server_lives(folder):
        assert time.monotonic() < deadline, "the server still runs"
        time.sleep(0.01)


@contextmanager
def another_process(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A second user of the cluster, and the URL it was given; it leaves when its input ends."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that any account may enter, unlike pytest's own, with a space in its path."""
    with tempfile.TemporaryDirectory(prefix="movie finder tests ") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A cluster that was made before, with a note in it; the tests stop it, and kill it, but do not spoil it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        with embedded_postgres(Path(name) / "postgres", durable=False) as url:
            ask(url, "CREATE TABLE note AS SELECT 'kept' AS text")
        yield Path(name) / "postgres"


@pytest.fixture
def shared_home(public: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = public / "shared" / "home"
    monkeypatch.setattr(binaries, "SHARED_HOME", home)
    monkeypatch.setattr(clusters, "SHARED_HOME", home)
    return home


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a PostgreSQL of its own."""
    monkeypatch.setenv("PATH", "relative:/nonexistent")
    monkeypatch.setattr(binaries, "MACHINE_PATTERNS", ())


def fake_programs(folder: Path, version: str, *, initdb: str = "exit 0") -> Path:
    folder.mkdir(parents=True)
    for name, line in {"postgres": f"echo '{version}'", "initdb": initdb, "pg_ctl": "exit 0"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o700)
    return folder.resolve()


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel whose programs the server's account cannot run where they are."""
    package = tmp_path / "wheel" / binaries.BUNDLE
    fake_programs(package / "pginstall98" / "bin", "postgres (PostgreSQL) 98.2", initdb="exit 1")
    libraries = package.with_name(f"{binaries.BUNDLE}.libs")
    libraries.mkdir()
    (libraries / "libpq.so").touch(mode=0o600)
    (libraries / "libpq.so.5").symlink_to("libpq.so")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "wheel")
    return package


# A cluster's life


def test_a_new_folder_gets_a_cluster_and_the_last_user_stops_it(public: Path) -> None:
    new = public / "new" / "postgres"
    with embedded_postgres(new) as url:
        assert ask(url, "SELECT current_database() || ' ' || current_user") == "movie_finder movie_finder"
        assert ask(url, "SHOW listen_addresses") == ""
        assert ask(url, "SHOW server_encoding") == "UTF8"
        assert ask(url, "SHOW fsync") == "on"
        assert stat.S_IMODE(sockets(url).stat().st_mode) == 0o700
        assert len(os.fsencode(sockets(url) / ".s.PGSQL.5432")) < 100
    wait_until_stopped(new)
    assert not sockets(url).exists()
    assert (new / "data" / "PG_VERSION").exists()


def test_the_next_start_finds_what_was_written(folder: Path) -> None:
    began = time.monotonic()
    with embedded_postgres(folder) as url:
        assert time.monotonic() - began < 5
        assert ask(url, "SELECT text FROM note") == "kept"
    assert (folder / "server.log.1").exists()


def test_tests_may_trade_durability_for_speed(folder: Path) -> None:
    with embedded_postgres(folder, durable=False) as url:
        assert ask(url, "SHOW fsync") == "off"


def test_postgres_variables_of_the_terminal_have_no_effect(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGOPTIONS", "--no-such-setting=1")
    with embedded_postgres(folder, durable=False) as url:
        monkeypatch.delenv("PGOPTIONS")
        assert ask(url, "SELECT 1") == 1


def test_a_long_temporary_folder_is_not_used_for_the_socket(
    folder: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = public / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with embedded_postgres(folder, durable=False) as url:
        assert sockets(url).parent == Path("/tmp")
        assert ask(url, "SELECT 1") == 1


# Sharing


def test_two_processes_share_the_server_and_the_last_stops_it(folder: Path) -> None:
    with another_process(folder) as (other, first_url):
        with embedded_postgres(folder, durable=False) as url:
            assert url == first_url
            other.communicate(timeout=20)
            assert ask(url, "SELECT text FROM note") == "kept"
        wait_until_stopped(folder)


def test_who_leaves_first_leaves_the_server_running(folder: Path) -> None:
    with another_process(folder) as (other, first_url):
        with embedded_postgres(folder, durable=False):
            pass
        assert ask(first_url, "SELECT text FROM note") == "kept"
        other.communicate(timeout=20)
        wait_until_stopped(folder)


def test_two_clusters_run_side_by_side(folder: Path, public: Path) -> None:
    other = public / "postgres"
    with embedded_postgres(folder, durable=False) as here, embedded_postgres(other, durable=False) as there:
        assert ask(here, "SHOW data_directory") == str(folder / "data")
        assert ask(there, "SHOW data_directory") == str(other / "data")


# Kills


def test_the_server_of_a_killed_application_is_adopted_and_stopped(folder: Path) -> None:
    with another_process(folder) as (other, first_url):
        other.kill()
    assert server_lives(folder)
    process = server_process(folder)
    with embedded_postgres(folder) as url:
        assert url == first_url
        assert server_process(folder) == process
    wait_until_stopped(folder)


def test_a_killed_server_is_started_again(folder: Path) -> None:
    with embedded_postgres(folder, durable=False) as first_url:
        os.kill(server_process(folder), signal.SIGKILL)
    assert (folder / "data" / "postmaster.pid").exists()
    with embedded_postgres(folder, durable=False) as url:
        assert ask(url, "SELECT text FROM note") == "kept"
        assert url != first_url
        assert not sockets(first_url).exists()


def test_a_stale_process_id_that_another_program_has_by_now_does_no_harm(folder: Path) -> None:
    owner = (folder / "data").stat()
    with subprocess.Popen(["sleep", "60"], user=owner.st_uid if ROOT else None) as other:
        stale = f"{other.pid}\n{folder / 'data'}\n1\n5432\n/nonexistent\n\n1 1\nready   \n"
        (folder / "data" / "postmaster.pid").write_text(stale)
        with embedded_postgres(folder, durable=False) as url:
            assert ask(url, "SELECT text FROM note") == "kept"
        assert other.poll() is None
        other.kill()


def test_a_process_id_file_that_was_never_finished_does_no_harm(folder: Path) -> None:
    (folder / "data" / "postmaster.pid").write_text("1\n")
    with embedded_postgres(folder, durable=False) as url:
        assert ask(url, "SELECT text FROM note") == "kept"


def test_a_killed_initdb_leaves_no_broken_cluster(public: Path) -> None:
    folder = public / "postgres"
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        while not (folder / "data.partial" / "base").exists():
            time.sleep(0.01)
        process.kill()
    assert not (folder / "data").exists()
    with embedded_postgres(folder, durable=False) as url:
        assert ask(url, "SELECT current_database()") == "movie_finder"
    assert not (folder / "data.partial").exists()


# What goes wrong


def test_a_server_started_by_hand_is_left_alone(folder: Path, tmp_path: Path) -> None:
    own = Path(tempfile.mkdtemp(prefix="by-hand-"))
    cluster = clusters.locate(folder)
    os.chown(own, cluster.account.uid, cluster.account.gid)
    control: list[str | Path] = [cluster.programs / "pg_ctl", "-D", cluster.data, "-w"]
    with (tmp_path / "log").open("wb") as log:
        options = f"-c listen_addresses='' -k {own}"
        assert cluster.account.run([*control, "start", "-o", options], output=log).returncode == 0
    try:
        with pytest.raises(EmbeddedPostgresError, match=f"Process {server_process(folder)}, started by hand"):
            embedded_postgres(folder).__enter__()
    finally:
        assert cluster.account.run([*control, "stop", "-m", "fast"]).returncode in {0, 1}
        shutil.rmtree(own)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match=f"cannot be kept in {tmp_path}/file/postgres"):
        embedded_postgres(tmp_path / "file" / "postgres").__enter__()


def test_a_start_that_fails_gives_the_server_s_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(server.SETTINGS, "max_connections", "none")
    with pytest.raises(EmbeddedPostgresError, match=r'does not start: .*FATAL:.*"max_connections"'):
        embedded_postgres(folder).__enter__()


def test_a_start_that_takes_too_long_names_the_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "START_SECONDS", 0.0)
    with pytest.raises(EmbeddedPostgresError, match=r"not ready after 0 seconds; its log is .*server\.log"):
        embedded_postgres(folder).__enter__()


def test_where_c_utf_8_is_unknown_the_cluster_is_made_without(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "LOCALES", (("--locale=xx_XX.none",), ("--locale=C",)))
    with embedded_postgres(public / "postgres", durable=False) as url:
        assert ask(url, "SELECT datcollate FROM pg_database WHERE datname = 'movie_finder'") == "C"


def test_an_initdb_that_fails_gives_its_reason(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "LOCALES", (("--locale=xx_XX.none",),))
    with pytest.raises(EmbeddedPostgresError, match=r"initdb fails: .*xx_XX"):
        embedded_postgres(public / "postgres").__enter__()
    assert not (public / "postgres" / "data").exists()


def test_a_cluster_without_its_database_is_not_kept(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "NAME", "postgres")  # Which initdb makes already.
    with pytest.raises(EmbeddedPostgresError, match=r"first database cannot be made: .*already exists"):
        embedded_postgres(public / "postgres", durable=False).__enter__()
    assert not (public / "postgres" / "data").exists()


def test_a_program_that_says_nothing_is_reported_as_such() -> None:
    assert clusters.complaint("\n") == "it says nothing"


def test_a_cluster_of_a_version_that_is_missing_says_which(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("13\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 13, which was not found"):
        embedded_postgres(tmp_path).__enter__()


# Programs


@pytest.mark.usefixtures("bare_machine")
def test_the_newest_release_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {
        "old": "postgres (PostgreSQL) 13.9",
        "good": "postgres (PostgreSQL) 98.1 (Debian 98.1-1)",
        "new": "postgres (PostgreSQL) 98.10",
        "beta": "postgres (PostgreSQL) 99beta1",
        "part": "postgres (PostgreSQL) 99.2",
        "foreign": "postgres (PostgreSQL) 99.3",
    }
    folders = {name: fake_programs(tmp_path / name, version) for name, version in versions.items()}
    (folders["part"] / "initdb").unlink()
    (folders["foreign"] / "postgres").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "postgres").symlink_to(folders["new"] / "postgres")
    monkeypatch.setenv("PATH", ":".join(map(str, [*folders.values(), tmp_path / "links"])))
    found = [installation.folder for installation in binaries.machine_installations()]
    assert found == [folders["new"], folders["good"]]
    assert find_postgres_binaries(98) == folders["new"]
    assert find_postgres_binaries(97) is None


@pytest.mark.usefixtures("bare_machine")
def test_without_any_postgres_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "BUNDLE", "no_such_wheel")
    assert find_postgres_binaries() is None
    with pytest.raises(EmbeddedPostgresError, match=r"apt install postgresql.*requirements-embedded\.txt"):
        embedded_postgres(tmp_path).__enter__()


def test_the_module_s_exit_status_says_whether_the_machine_has_a_postgres() -> None:
    with pytest.raises(SystemExit) as exit_status:
        runpy.run_path(str(binaries.__file__), run_name="__main__")
    assert exit_status.value.code is (not binaries.machine_installations())


@pytest.mark.usefixtures("bare_machine")
def test_the_wheel_s_programs_are_copied_where_the_server_s_account_can_run_them(
    bundle: Path, shared_home: Path
) -> None:
    assert find_postgres_binaries() == bundle / "pginstall98" / "bin"
    programs = binaries.binaries_for(Account.for_server())
    assert programs == shared_home / "postgres-98.2" / binaries.BUNDLE / "pginstall98" / "bin"
    assert stat.S_IMODE((programs / "initdb").stat().st_mode) == 0o755
    library = shared_home / "postgres-98.2" / f"{binaries.BUNDLE}.libs" / "libpq.so"
    assert stat.S_IMODE(library.stat().st_mode) == 0o644
    assert library.with_name("libpq.so.5").is_symlink()
    assert stat.S_IMODE(shared_home.stat().st_mode) == 0o755
    shutil.rmtree(bundle / "pginstall98" / "share", ignore_errors=True)
    assert binaries.binaries_for(Account.for_server(), 98) == programs


@pytest.mark.usefixtures("bare_machine", "bundle")
def test_two_processes_may_copy_the_wheel_s_programs_at_once(
    shared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=10)
    make_folder = tempfile.mkdtemp

    def make_folder_together(*, prefix: str, dir: Path) -> str:  # noqa: A002 - the real one's
        both.wait()
        return make_folder(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", make_folder_together)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(binaries.binaries_for, [Account.for_server()] * 2)
    assert first == second
    assert first.is_dir()
    assert [entry.name for entry in shared_home.iterdir()] == ["postgres-98.2"]


@pytest.mark.skipif(not importlib.util.find_spec(binaries.BUNDLE), reason="requirements-embedded.txt not installed")
@pytest.mark.usefixtures("bare_machine", "shared_home")
def test_the_wheel_s_own_postgres_serves(public: Path) -> None:
    with embedded_postgres(public / "postgres", durable=False) as url:
        assert ask(url, "SELECT lower('É')") == "é"
        assert ask(url, "SHOW server_version_num") >= "180000"  # type: ignore[operator]
    wait_until_stopped(public / "postgres")


# Accounts


def test_an_ordinary_user_s_server_runs_as_that_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert Account.for_server() == Account(4711, os.getegid(), switched=False)


def test_root_s_server_runs_as_the_first_account_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    here = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(binaries, "SERVER_ACCOUNTS", ("no such user", here.pw_name))
    assert Account.for_server() == Account(here.pw_uid, here.pw_gid, switched=True)
    monkeypatch.setattr(binaries, "SERVER_ACCOUNTS", ())
    with pytest.raises(EmbeddedPostgresError, match="refuses to run as root"):
        Account.for_server()


def test_a_program_without_permission_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "program").touch(mode=0o600)
    assert not Account.for_server().can_run(tmp_path / "program")


@pytest.mark.skipif(not ROOT, reason="only root's server runs as another user")
def test_root_s_cluster_is_kept_elsewhere_when_its_account_cannot_enter_the_folder(
    public: Path, shared_home: Path
) -> None:
    closed = public / "closed"
    closed.mkdir(mode=0o700)
    for _ in range(2):
        with embedded_postgres(closed / "postgres", durable=False) as url:
            assert str(ask(url, "SHOW data_directory")).startswith(f"{shared_home}/")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert len(list(shared_home.iterdir())) == 1


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
@pytest.mark.usefixtures("shared_home")
def test_an_ordinary_user_has_a_cluster_of_their_own_which_root_may_join(public: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    account = Account(nobody.pw_uid, nobody.pw_gid, switched=True)
    interpreters = [Path(sys.executable), Path("/usr/bin/python3")]
    recent = "import sys; sys.exit(sys.version_info < (3, 11))"
    interpreter = next((one for one in interpreters if runs(account, one, recent)), None)
    if interpreter is None:
        pytest.skip("no Python that another user may run")
    shutil.copytree(Path(server.__file__).parent, public / "code" / "app" / "core")
    folder = public / "postgres"
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    with subprocess.Popen(
        [interpreter, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=public / "code",
        env={"PATH": str(binaries.binaries_for(account))},  # Root may have no other than the wheel's.
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    ) as holder:
        assert holder.stdout is not None
        first_url = holder.stdout.readline().strip()
        with embedded_postgres(folder) as url:
            assert url == first_url
            assert ask(url, "SELECT 1") == 1
        assert (folder / "data").stat().st_uid == nobody.pw_uid
        holder.communicate(timeout=20)
    wait_until_stopped(folder)


def runs(account: Account, interpreter: Path, code: str) -> bool:
    return account.can_run(interpreter) and account.run([interpreter, "-c", code]).returncode == 0
