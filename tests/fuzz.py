"""Hostile requests by the thousand to a running service, made from its own OpenAPI document: `python -m tests.fuzz`.

Schemathesis asks every operation, alone and in sequences that its links and ids suggest, as nobody, as a user and as
staff. A server error, an answer that is not as documented, or bad input that is taken ends this with status 1.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.processes import movie_finder, running

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "40")
# None that the document shows: so the operations that ask for it are sent wrong ones, and nobody is logged out.
PASSWORD = "a quiet boat in autumn"
USER, STAFF = "user@example.com", "staff@example.com"
GENEROUS = "10000/minute"
THROTTLES = ("LOGIN", "SIGNUP", "RESET", "SEARCH_UA", "SEARCH_IP", "AI_UA", "AI_IP")
LIMITS = {f"THROTTLE_{name}": GENEROUS for name in THROTTLES}
# Without keys these say 503, which is documented; nothing else may.
UNCONFIGURED = ("logInWithGoogle", "searchWithAi")
# A collection that was just made is private, unless told, and then has no page.
HIDDEN = "getCollectionPage"
# All but "valid data is accepted": what fits the schema may still name a movie that is not stored, or a used token.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,"
    "allow_header_conformance,use_after_free,ensure_resource_availability,ignored_auth"
)
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def access_token(url: str, email: str) -> str:
    """The access token of a login."""
    answer = httpx.post(f"{url}/token/", json={"email": email, "password": PASSWORD}).raise_for_status()
    token: str = answer.json()["access"]
    return token


def configuration(folder: Path) -> Path:
    """What Schemathesis is told of single operations."""
    file = folder / "schemathesis.toml"
    operations = [
        f'[[operations]]\ninclude-operation-id = "{name}"\n'
        'checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]\n'
        for name in UNCONFIGURED
    ]
    operations.append(
        f'[[operations]]\ninclude-operation-id = "{HIDDEN}"\nchecks.ensure_resource_availability.enabled = false\n'
    )
    file.write_text("\n".join(operations))
    return file


def fuzz(url: str, headers: Mapping[str, str], settings: Path) -> bool:
    """Whether all went well for who sends these headers."""
    options = [argument for name, value in headers.items() for argument in ("--header", f"{name}: {value}")]
    command = [str(SCHEMATHESIS), f"--config-file={settings}", "run", f"{url}/api/schema/", f"--checks={CHECKS}"]
    command += ["--continue-on-failure", f"--max-examples={EXAMPLES}", "--generation-database=none", *options]
    return subprocess.run(command, cwd=settings.parent, check=False).returncode == 0


def main() -> int:
    """The status to end with."""
    with TemporaryDirectory(prefix="movie-finder-fuzz-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # an embedded PostgreSQL of root's runs as another user
        environment = {**LIMITS, "DATA_DIR": str(folder / "data"), "LOG_LEVEL": "WARNING"}
        with running("run", folder, **environment) as service:
            movie_finder(folder, "create-admin", "--email", STAFF, "--password", PASSWORD, **environment)
            httpx.post(f"{service.url}/signup/", json={"email": USER, "password": PASSWORD}).raise_for_status()
            people = {"nobody": None, "a user": USER, "staff": STAFF}
            outcomes = []
            for who, email in people.items():
                sys.stdout.write(f"== As {who}\n")
                sys.stdout.flush()
                headers = {"Authorization": f"Bearer {access_token(service.url, email)}"} if email else {}
                outcomes.append(fuzz(service.url, headers, configuration(folder)))
            ready = httpx.get(f"{service.url}/health/ready").is_success
        faults = [line for line in service.log.read_text().splitlines() if '"level": "error"' in line]
        sys.stdout.write("\n".join(faults[:20]))
        return 0 if all(outcomes) and ready and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
