"""What a first start configures by itself: a key, and a folder for mails."""

import os
import secrets
from pathlib import Path

from dotenv import dotenv_values


def keep_a_secret_key(*, make: bool = True) -> None:
    """Where no SECRET_KEY is configured, use the one in `.data/`, made on the first start."""
    configured = _configured()
    if configured.get("SECRET_KEY") or configured.get("DJANGO_KEY"):
        return
    file = Path(configured.get("DATA_DIR") or ".data") / "secret_key"
    if make and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"secret_key.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            handle.write(secrets.token_hex(32))
        draft.rename(file)  # whole or not at all, whenever this is interrupted
    if file.exists():
        os.environ["SECRET_KEY"] = file.read_text()


def keep_mails() -> None:
    """Where no EMAIL_HOST is configured, mails go to `.data/mail/`, and the log names their files."""
    configured = _configured()
    if not (configured.get("EMAIL_HOST") or configured.get("EMAIL_FOLDER")):
        os.environ["EMAIL_FOLDER"] = str(Path(configured.get("DATA_DIR") or ".data") / "mail")


def _configured() -> dict[str, str | None]:
    return {**dotenv_values(".env"), **os.environ}
