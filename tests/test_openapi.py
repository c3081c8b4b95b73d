"""The OpenAPI document: complete, stable, and true."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.json_schema import example, faults, resolved
from tests.sample_application import sample_application

PROBLEM, STREAM = "application/problem+json", "text/event-stream"
# A pattern from end to end that says how long its text may be.
BOUNDED = re.compile(r"^\^.*\{([0-9]+,)?[0-9]+\}\$$")
# Google sends the browser there; what it brings along is not ours to bound.
NOT_FOR_CLIENTS = {"GET /accounts/google/login/callback/"}
# What is begun there can be looked at.
TOLD_OF = {"POST /watch_later/import/", "POST /collections/{id}/import/"}
OPERATIONS = {
    "signUp": "POST /signup/",
    "logIn": "POST /token/",
    "refreshTokens": "POST /token/refresh/",
    "logOut": "POST /token/revoke/",
    "redeemOAuthCode": "POST /token/oauth/",
    "logInWithGoogle": "GET /accounts/google/login/",
    "finishGoogleLogin": "GET /accounts/google/login/callback/",
    "changePassword": "PATCH /users/change_password/",
    "getPersonalInfo": "GET /users/personal-info/",
    "verifyEmail": "POST /users/verify_email/",
    "resendVerification": "POST /users/verify_email/resend/",
    "requestPasswordReset": "POST /users/reset_password/",
    "confirmPasswordReset": "POST /users/reset_password/confirm/",
    "exportAccount": "GET /users/me/export/",
    "deleteAccount": "DELETE /users/me/",
    "deleteAccountByPost": "POST /users/me/delete/",
    "listMovies": "GET /movies/",
    "getMovie": "GET /movies/{id}/",
    "searchMovies": "POST /movies/search/",
    "searchWithAi": "POST /movies/ai/search/",
    "streamSearchWithAi": "POST /movies/ai/search/stream/",
    "likeMovie": "POST /movies/{id}/like/",
    "unlikeMovie": "POST /movies/{id}/unlike/",
    "listWatchLater": "GET /watch_later/list/",
    "addToWatchLater": "POST /watch_later/create/",
    "removeFromWatchLater": "DELETE /watch_later/{id}/destroy/",
    "getWatchLaterStatistics": "GET /watch_later/statistics/",
    "importWatchLater": "POST /watch_later/import/",
    "getWatchLaterImport": "GET /watch_later/import/{id}/",
    "exportWatchLater": "GET /watch_later/export/",
    "importCollection": "POST /collections/{id}/import/",
    "getCollectionImport": "GET /collections/{id}/import/{job}/",
    "exportCollection": "GET /collections/{id}/export/",
    "listCollections": "GET /collections/",
    "createCollection": "POST /collections/",
    "getCollection": "GET /collections/{id}/",
    "changeCollection": "PATCH /collections/{id}/",
    "deleteCollection": "DELETE /collections/{id}/",
    "listCollectionMovies": "GET /collections/{id}/movies/",
    "subscribeToCollection": "POST /collections/{id}/subscribe/",
    "unsubscribeFromCollection": "DELETE /collections/{id}/subscribe/",
    "cloneCollection": "POST /collections/{id}/clone/",
    "getCollectionPage": "GET /collections/{id}/page/",
    "getStructures": "GET /structures/",
    "listTopMovies": "GET /movies/top/",
    "listRecommendations": "GET /movies/recommendations/",
    "getLiveness": "GET /health/live",
    "getReadiness": "GET /health/ready",
}


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled) as (_, client):
        yield client


@pytest.fixture(scope="module")
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    whole: dict[str, Any] = (await client.get("/api/schema/")).json()
    return whole


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation, as method and path."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_the_document_says_what_it_is(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Movie Finder API"
    assert document["info"]["version"]
    assert document["info"]["description"]


def test_operation_ids_are_stable(document: dict[str, Any]) -> None:
    assert {operation["operationId"]: name for name, operation in operations(document)} == OPERATIONS
    assert len(list(operations(document))) == len(OPERATIONS)


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert set(operation["tags"]) <= tags, name
        assert operation["tags"], name
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["description"] != operation["summary"], name


def test_every_tag_is_described_and_in_use(document: dict[str, Any]) -> None:
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert {tag["name"] for tag in document["tags"]} == used
    assert all(tag["description"] for tag in document["tags"])


def test_every_parameter_is_described_and_bounded(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            case = (name, parameter["name"])
            assert parameter["description"], case
            assert parameter["required"] == (parameter["in"] == "path"), case
            schema = parameter["schema"]
            options = schema.get("anyOf", [schema])
            for option in options:
                match option["type"]:
                    case "string":
                        bounded = {"maxLength", "enum"} & set(option) or BOUNDED.search(option.get("pattern", ""))
                        assert bounded or parameter["name"] == "ordering" or name in NOT_FOR_CLIENTS, case
                    case "integer" | "number":
                        assert "minimum" in option, case
                        assert "maximum" in option or parameter["name"] == "limit", case


def test_a_filter_may_be_blank_and_says_so(document: dict[str, Any]) -> None:
    for path in ("/movies/", "/watch_later/list/", "/collections/", "/collections/{id}/movies/"):
        blank = {p["name"]: p.get("allowEmptyValue", False) for p in document["paths"][path]["get"]["parameters"]}
        assert {name for name, allowed in blank.items() if not allowed} <= {"limit", "offset", "id"}, path
        assert not any("allowEmptyValue" in p["schema"] for p in document["paths"][path]["get"]["parameters"])
    assert "allowEmptyValue" not in str(document["paths"]["/accounts/google/login/"])


def test_what_has_an_id_in_its_path_may_not_be_found(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
            assert "404" in operation["responses"], name


def test_a_new_password_has_its_bounds(document: dict[str, Any]) -> None:
    for model, member in {
        "Signup": "password",
        "PasswordChange": "new_password",
        "PasswordResetConfirmation": "new_password",
    }.items():
        schema = document["components"]["schemas"][model]["properties"][member]
        assert (schema["minLength"], schema["maxLength"]) == (8, 128), model


def test_pages_and_ids_have_their_bounds(document: dict[str, Any]) -> None:
    listing = {p["name"]: p["schema"] for p in document["paths"]["/movies/"]["get"]["parameters"]}
    assert (listing["limit"]["type"], listing["limit"]["default"], listing["limit"]["minimum"]) == ("integer", 12, 1)
    assert "100" in listing["limit"]["description"]
    assert (listing["offset"]["default"], listing["offset"]["minimum"], listing["offset"]["maximum"]) == (
        0,
        0,
        2**63 - 1,
    )
    (movie_id,) = document["paths"]["/movies/{id}/"]["get"]["parameters"]
    assert (movie_id["name"], movie_id["schema"]["type"]) == ("id", "integer")
    assert (movie_id["schema"]["minimum"], movie_id["schema"]["maximum"]) == (1, 2**63 - 1)


def test_every_error_answer_is_a_problem_with_a_true_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                continue
            case = (name, status)
            if status.startswith("3"):  # leads elsewhere, and has nothing to read
                assert response["description"], case
                assert "content" not in response, case
                continue
            assert response["description"], case
            assert list(response["content"]) == [PROBLEM], case
            content = response["content"][PROBLEM]
            model = "InvalidInputDocument" if status == "422" else "ProblemDocument"
            assert content["schema"] == {"$ref": f"#/components/schemas/{model}"}, case
            assert content["examples"], case
            for code, shown in content["examples"].items():
                assert faults(document, content["schema"], shown["value"]) == [], case
                assert (shown["value"]["code"], shown["value"]["status"]) == (code, int(status)), case


def test_an_example_of_a_fault_names_a_field_of_its_operation(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if "422" not in operation["responses"]:
            continue
        taken = {parameter["name"] for parameter in operation.get("parameters", [])}
        if "requestBody" in operation:
            content = next(iter(operation["requestBody"]["content"].values()))
            schema = content["schema"]
            taken |= set(resolved(document, schema)["properties"])
        for shown in operation["responses"]["422"]["content"][PROBLEM]["examples"].values():
            assert {error["field"] for error in shown["value"]["errors"]} <= taken, name


def test_the_errors_of_each_operation_are_told(document: dict[str, Any]) -> None:
    told = {operation["operationId"]: set(operation["responses"]) for _, operation in operations(document)}
    assert told["listMovies"] >= {"200", "422", "503"}
    assert told["getMovie"] >= {"200", "404", "503"}
    assert told["searchMovies"] >= {"200", "413", "415", "422", "503"}
    assert told["getStructures"] >= {"200", "503"}
    assert told["getReadiness"] >= {"200", "503"}


def test_every_body_and_every_answer_has_an_example_that_is_true(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        successes = {s: response for s, response in operation["responses"].items() if s[0] in "23"}
        assert successes, name
        bodies = []
        for status, response in successes.items():
            told = status in {"200", "201"} or name in TOLD_OF
            assert ("content" in response) == told, (name, status)
            bodies += [response] if told else []
        bodies += [operation["requestBody"]] if "requestBody" in operation else []
        for body in bodies:
            for media_type, content in body["content"].items():
                if media_type == STREAM:
                    assert stream_faults(document, content, content["example"]) == [], name
                else:
                    assert faults(document, content["schema"], example(document, content["schema"])) == [], name


def stream_faults(document: dict[str, Any], described: dict[str, Any], text: str) -> list[str]:
    """Where the events of a stream are not what is documented."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.strip() and not block.startswith(":")]
    events = [dict(line.split(": ", 1) for line in block) for block in blocks]
    assert events
    assert all(json.loads(event["data"]) for event in events)
    return [fault for event in events for fault in faults(document, described["itemSchema"], event)]


def test_no_model_is_left_that_is_never_sent(document: dict[str, Any]) -> None:
    schemas = set(document["components"]["schemas"])
    assert not schemas & {"HTTPValidationError", "ValidationError"}
    text = str(document)
    for schema in schemas:
        assert f"'#/components/schemas/{schema}'" in text, schema


ADA = {"email": "ada@example.com", "password": "a long walk at night"}
NEW = {"old_password": "a long walk at night", "new_password": "a short swim at noon"}
ME: dict[str, Any] = {"headers": {"Authorization": "Bearer {access}"}}
FORM = {"username": "ada@example.com", "password": "a long walk at night"}

FILE: dict[str, Any] = {"files": {"file": "Const\ntt0113277\n"}}


def fill(arguments: dict[str, Any], pair: dict[str, str]) -> dict[str, Any]:
    """`arguments` with Ada's tokens where their names stand."""
    whole = json.dumps({name: value for name, value in arguments.items() if name != "content"})
    for name, token in pair.items():
        whole = whole.replace(f"{{{name}}}", token)
    return {**arguments, **json.loads(whole)}


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("listMovies", "/movies/?limit=100", {}),
    ("listMovies", "/movies/?limit=100&offset=400", {}),
    ("listMovies", "/movies/?title=no+such+title", {}),
    ("listMovies", "/movies/?limit=0&type=x", {}),
    ("getMovie", "/movies/1/", {}),
    ("getMovie", "/movies/999999/", {}),
    ("searchMovies", "/movies/search/", {"json": {"expression": "the"}}),
    ("searchMovies", "/movies/search/", {"json": {"expression": "no such title"}}),
    ("searchMovies", "/movies/search/", {"json": {"expression": ""}}),
    ("searchMovies", "/movies/search/", {"content": b"{}"}),
    ("searchMovies", "/movies/search/", {"content": b" " * 200_000}),
    ("searchWithAi", "/movies/ai/search/", {**ME, "json": {"expression": "war films from the 50s"}}),
    ("searchWithAi", "/movies/ai/search/", {**ME, "json": {"expression": "qwxyz"}}),
    ("searchWithAi", "/movies/ai/search/", {**ME, "json": {"expression": ""}}),
    ("searchWithAi", "/movies/ai/search/", {"json": {"expression": "war"}}),
    (
        "searchWithAi",
        "/movies/ai/search/",
        {"headers": {**ME["headers"], "User-Agent": ""}, "json": {"expression": "war"}},
    ),
    ("searchWithAi", "/movies/ai/search/", {**ME, "content": b"{}"}),
    ("searchWithAi", "/movies/ai/search/", {"content": b" " * 200_000}),
    ("streamSearchWithAi", "/movies/ai/search/stream/", {**ME, "json": {"expression": "war films from the 50s"}}),
    ("streamSearchWithAi", "/movies/ai/search/stream/", {**ME, "json": {"expression": "qwxyz"}}),
    ("streamSearchWithAi", "/movies/ai/search/stream/", {**ME, "json": {"expression": ""}}),
    ("streamSearchWithAi", "/movies/ai/search/stream/", {"json": {"expression": "war"}}),
    (
        "streamSearchWithAi",
        "/movies/ai/search/stream/",
        {"headers": {**ME["headers"], "User-Agent": ""}, "json": {"expression": "war"}},
    ),
    ("streamSearchWithAi", "/movies/ai/search/stream/", {**ME, "content": b"{}"}),
    ("streamSearchWithAi", "/movies/ai/search/stream/", {"content": b" " * 200_000}),
    ("getStructures", "/structures/", {}),
    ("listTopMovies", "/movies/top/", {}),
    ("listRecommendations", "/movies/recommendations/", {}),
    ("likeMovie", "/movies/1/like/", ME),
    ("likeMovie", "/movies/1/like/", ME),
    ("likeMovie", "/movies/1/like/", {}),
    ("likeMovie", "/movies/999999/like/", ME),
    ("unlikeMovie", "/movies/1/unlike/", ME),
    ("unlikeMovie", "/movies/0/unlike/", ME),
    ("addToWatchLater", "/watch_later/create/", {**ME, "json": {"movie": 1}}),
    ("addToWatchLater", "/watch_later/create/", {**ME, "json": {"movie": 1}}),
    ("addToWatchLater", "/watch_later/create/", {**ME, "json": {"movie": 999999}}),
    ("listWatchLater", "/watch_later/list/", ME),
    ("listWatchLater", "/watch_later/list/?ordering=x", ME),
    ("getWatchLaterStatistics", "/watch_later/statistics/", ME),
    ("importWatchLater", "/watch_later/import/", {**ME, "json": {}}),
    ("importWatchLater", "/watch_later/import/", {**ME, **FILE}),
    ("importWatchLater", "/watch_later/import/", {**ME, **FILE}),
    ("importWatchLater", "/watch_later/import/", {**ME, "files": {"list": "x"}}),
    ("importWatchLater", "/watch_later/import/", FILE),
    ("importWatchLater", "/watch_later/import/", {**ME, "files": {"file": " " * 2_300_000}}),
    ("getWatchLaterImport", "/watch_later/import/1/", ME),
    ("getWatchLaterImport", "/watch_later/import/2/", ME),
    ("exportWatchLater", "/watch_later/export/", ME),
    ("exportWatchLater", "/watch_later/export/?format=json", ME),
    ("exportWatchLater", "/watch_later/export/?format=x", ME),
    ("removeFromWatchLater", "/watch_later/1/destroy/", ME),
    ("removeFromWatchLater", "/watch_later/0/destroy/", ME),
    ("createCollection", "/collections/", {**ME, "json": {"name": "Heists", "movie_ids": [2, 1]}}),
    ("createCollection", "/collections/", {**ME, "json": {"name": "Heists", "movie_ids": [999999]}}),
    ("createCollection", "/collections/", {"json": {"name": "Heists"}}),
    ("getCollection", "/collections/1/", ME),
    ("getCollection", "/collections/1/", {}),
    ("getCollection", "/collections/999999/", {}),
    ("getCollectionPage", "/collections/1/page/", {}),
    ("changeCollection", "/collections/1/", {**ME, "json": {"is_public": True}}),
    ("changeCollection", "/collections/1/", {**ME, "json": {"name": ""}}),
    ("changeCollection", "/collections/1/", {**ME, "content": b"{}"}),
    ("getCollectionPage", "/collections/1/page/", {}),
    ("listCollectionMovies", "/collections/1/movies/", {}),
    ("listCollectionMovies", "/collections/1/movies/?ordering=x", {}),
    ("subscribeToCollection", "/collections/1/subscribe/", ME),
    ("unsubscribeFromCollection", "/collections/1/subscribe/", ME),
    ("cloneCollection", "/collections/1/clone/", ME),
    ("listCollections", "/collections/", {}),
    ("listCollections", "/collections/", ME),
    ("listCollections", "/collections/?sort=x", {}),
    ("listCollections", "/collections/?subscribed=true", {}),
    ("importCollection", "/collections/1/import/", {**ME, **FILE}),
    ("importCollection", "/collections/2/import/", {**ME, **FILE}),
    ("getCollectionImport", "/collections/1/import/1/", ME),
    ("getCollectionImport", "/collections/1/import/1/", {}),
    ("exportCollection", "/collections/1/export/", ME),
    ("exportCollection", "/collections/1/export/?format=json", ME),
    ("exportCollection", "/collections/9/export/", {}),
    ("deleteCollection", "/collections/2/", ME),
    ("deleteCollection", "/collections/2/", ME),
    ("signUp", "/signup/", {"json": {"email": "grace@example.com", "password": "a long walk at night"}}),
    ("signUp", "/signup/", {"json": ADA}),
    ("signUp", "/signup/", {"json": {"email": "ada", "password": "7"}}),
    ("logIn", "/token/", {"json": ADA}),
    ("logIn", "/token/", {"data": FORM}),
    ("logIn", "/token/", {"data": {**FORM, "grant_type": "password"}}),
    ("logIn", "/token/", {"data": {**FORM, "grant_type": "refresh_token"}}),
    ("logIn", "/token/", {"json": {**ADA, "password": "x"}}),
    ("logIn", "/token/", {"json": {}}),
    ("logIn", "/token/", {"content": b"{}"}),
    ("refreshTokens", "/token/refresh/", {"json": {"refresh": "{refresh}"}}),
    ("refreshTokens", "/token/refresh/", {"json": {"refresh": "{refresh}"}}),
    ("refreshTokens", "/token/refresh/", {"json": {}}),
    ("logOut", "/token/revoke/", {"json": {"refresh": "{refresh}"}}),
    ("logOut", "/token/revoke/", {"json": {}}),
    ("redeemOAuthCode", "/token/oauth/", {"json": {"code": "x"}}),
    ("logInWithGoogle", "/accounts/google/login/", {}),
    ("finishGoogleLogin", "/accounts/google/login/callback/", {}),
    ("listRecommendations", "/movies/recommendations/", ME),
    ("getPersonalInfo", "/users/personal-info/", ME),
    ("getPersonalInfo", "/users/personal-info/", {}),
    ("verifyEmail", "/users/verify_email/", {"json": {"token": "x"}}),
    ("resendVerification", "/users/verify_email/resend/", ME),
    ("resendVerification", "/users/verify_email/resend/", {}),
    ("requestPasswordReset", "/users/reset_password/", {"json": {"email": "ada@example.com"}}),
    ("requestPasswordReset", "/users/reset_password/", {"json": {"email": "ada"}}),
    ("confirmPasswordReset", "/users/reset_password/confirm/", {"json": {"token": "x", "new_password": "short"}}),
    ("confirmPasswordReset", "/users/reset_password/confirm/", {"json": {"token": "x", **NEW}}),
    ("exportAccount", "/users/me/export/", ME),
    ("changePassword", "/users/change_password/", {**ME, "json": {**NEW, "old_password": "x"}}),
    ("changePassword", "/users/change_password/", {**ME, "json": {**NEW, "new_password": "x"}}),
    ("deleteAccount", "/users/me/", {**ME, "json": {"password": "x"}}),
    ("deleteAccount", "/users/me/", ME),
    ("deleteAccountByPost", "/users/me/delete/", {**ME, "json": {"password": 7}}),
    ("deleteAccountByPost", "/users/me/delete/", {**ME, "json": {"password": ADA["password"]}}),
    ("changePassword", "/users/change_password/", {**ME, "json": NEW}),
    ("deleteAccount", "/users/me/", ME),
    ("getLiveness", "/health/live", {}),
    ("getReadiness", "/health/ready", {}),
]


async def test_real_answers_are_as_documented(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    assert {operation for operation, _, _ in CALLS} == set(OPERATIONS)
    await client.post("/signup/", json=ADA)
    pair = (await client.post("/token/", json=ADA)).json()
    by_id = {operation["operationId"]: operation for _, operation in operations(document)}
    for operation, path, arguments in CALLS:
        method = OPERATIONS[operation].partition(" ")[0]
        answer = await client.request(method, path, **fill(arguments, pair))
        case = (operation, path, answer.status_code)
        documented = by_id[operation]["responses"][str(answer.status_code)]
        if answer.status_code in {202, 204, 302} and "content" not in documented:
            assert not answer.content, case
        else:
            media_type = answer.headers["Content-Type"].partition(";")[0]
            described = documented["content"][media_type]
            if media_type == STREAM:
                assert stream_faults(document, described, answer.text) == [], case
            else:
                content = answer.text if media_type.startswith("text/") else answer.json()
                assert faults(document, described["schema"], content) == [], case
        for header, content in documented.get("headers", {}).items():
            sent = answer.headers[header]
            value = int(sent) if content["schema"]["type"] == "integer" else sent
            assert faults(document, content["schema"], value) == [], case


def test_the_checks_themselves_see_what_is_wrong(document: dict[str, Any]) -> None:
    movie = {"$ref": "#/components/schemas/Movie"}
    right = example(document, movie)
    assert faults(document, movie, right) == []
    for change in (
        {"id": "1"},
        {"id": True},
        {"title": None},
        {"released_date": "16 Jul 2010"},
        {"created_at": "2026-01-01T00:00:00"},
        {"genres": ["Action"]},
        {"genres": None},
        {"is_liked": 0},
        {"imdb_rating": 8.8},
        {"unknown": 1},
    ):
        try:
            found = faults(document, movie, right | change)
        except ValueError:  # of date.fromisoformat
            continue
        assert found, change
    assert faults(document, movie, {name: right[name] for name in right if name != "plot"})
