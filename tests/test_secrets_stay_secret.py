"""What is logged in the course of a person's day holds none of the person's secrets."""

import re
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import httpx
import pytest

from tests.processes import Service, running

FIRST, SECOND, THIRD = "a long walk at night", "a short swim at noon", "a slow ride at dawn"
TOKEN = re.compile(r"^\s*([A-Za-z0-9_-]{43})\s*$", re.MULTILINE)


def token_of_mail(folder: Path, number: int) -> str:
    """The token in a mail, which is written behind the request."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        mails = sorted(folder.glob("*.eml"), key=lambda mail: mail.stat().st_mtime)
        if len(mails) >= number:
            message = message_from_bytes(mails[number - 1].read_bytes(), policy=default)
            assert isinstance(message, EmailMessage)
            part = message.get_body(("plain",))
            assert part is not None
            found = TOKEN.search(part.get_content())
            assert found, part.get_content()
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"mail number {number} did not come")


def a_day(service: Service, mails: Path) -> set[str]:
    """Sign up, prove the address, stay in, forget the password, leave; all secrets of it."""
    with httpx.Client(base_url=service.url) as client:
        assert client.post("/signup/", json={"email": "ada@example.com", "password": FIRST}).status_code == 201
        proof = token_of_mail(mails, 1)
        assert client.post("/users/verify_email/", json={"token": proof}).status_code == 204
        assert client.post("/users/verify_email/", json={"token": proof}).status_code == 400
        assert client.post("/token/", json={"email": "ada@example.com", "password": "wrong"}).status_code == 401
        pair = client.post("/token/", json={"email": "ada@example.com", "password": FIRST}).json()
        bearer = {"Authorization": f"Bearer {pair['access']}"}
        assert client.get("/users/personal-info/", headers=bearer).json()["email_verified"] is True
        change = {"old_password": FIRST, "new_password": SECOND}
        changed = client.patch("/users/change_password/", headers=bearer, json=change).json()
        assert client.get("/users/personal-info/", headers=bearer).status_code == 401
        rotated = client.post("/token/refresh/", json={"refresh": changed["refresh"]}).json()
        assert client.post("/users/reset_password/", json={"email": "ada@example.com"}).status_code == 202
        reset = token_of_mail(mails, 2)
        confirmation = {"token": reset, "new_password": THIRD}
        assert client.post("/users/reset_password/confirm/", json=confirmation).status_code == 204
        assert client.post("/users/reset_password/confirm/", json=confirmation).status_code == 400
        assert client.post("/token/refresh/", json={"refresh": rotated["refresh"]}).status_code == 401
    return {FIRST, SECOND, THIRD, proof, reset, *pair.values(), *changed.values(), *rotated.values()}


def test_no_secret_is_in_a_line_that_a_days_work_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY")
    with running("run", tmp_path, LOG_LEVEL="DEBUG") as service:
        secrets = a_day(service, tmp_path / ".data" / "mail")
    logged = service.log.read_text()
    assert "/token/refresh/" in logged
    secrets.add((tmp_path / ".data" / "secret_key").read_text())
    assert [secret for secret in secrets if secret in logged] == []
