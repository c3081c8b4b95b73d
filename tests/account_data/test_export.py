"""The user's data as a download."""

from tests.accounts import ADA, GRACE, Service
from tests.problem_documents import problem

EXPORT = "/users/me/export/"


async def test_the_export_is_one_json_download_with_all_that_is_stored_of_the_account(service: Service) -> None:
    pair = await service.begin()
    await service.begin(GRACE)
    answer = await service.ask("GET", EXPORT, pair["access"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="movie-finder-export.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    account = answer.json()["account"]
    assert account == {
        "id": (await service.me(pair)).json()["id"],
        "email": ADA,
        "email_verified": False,
        "created_at": account["created_at"],
        "account_tier": "free",
        "has_password": True,
        "google_subject": None,
    }
    assert account["created_at"].endswith("Z")


async def test_the_export_of_an_account_with_google_says_so(service: Service) -> None:
    pair = await service.begin()
    await service.execute("UPDATE users SET password = NULL, google_subject = '1001', email_verified = true")
    account = (await service.ask("GET", EXPORT, pair["access"])).json()["account"]
    assert (account["has_password"], account["google_subject"], account["email_verified"]) == (False, "1001", True)


async def test_no_secret_is_exported(service: Service) -> None:
    pair = await service.begin()
    text = (await service.ask("GET", EXPORT, pair["access"])).text
    assert "argon2" not in text
    assert "session" not in text
    assert pair["refresh"] not in text


async def test_nobody_exports_nothing(service: Service) -> None:
    problem(await service.client.get(EXPORT), 401, "not_authenticated")
