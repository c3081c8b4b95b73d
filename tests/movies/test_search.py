"""POST /movies/search/: the provider, the fan-out, the upsert, the stored answer, the fallback."""

import httpx

from tests.conftest import Start
from tests.doubles.omdb import KEY, OmdbDouble


def with_omdb(omdb: OmdbDouble) -> dict[str, str]:
    return {"omdb_api_key": KEY, "omdb_api_url": omdb.url}


async def found(client: httpx.AsyncClient, expression: str) -> tuple[str, list[str]]:
    """The source of the answer and the IMDb ids in it."""
    response = await client.post("/movies/search/", json={"expression": expression})
    assert response.status_code == 200, response.text
    return response.headers["X-Search-Source"], [movie["imdb_id"] for movie in response.json()]


async def test_new_titles_are_fetched_stored_and_returned_in_the_providers_order(
    start: Start, omdb: OmdbDouble
) -> None:
    omdb.found["thief"] = ["tt1375666", "tt0111161", "tt0133093"]
    async with start(**with_omdb(omdb)) as client:
        assert await found(client, "thief") == ("omdb", ["tt1375666", "tt0111161", "tt0133093"])
        stored = (await client.get("/movies/")).json()
    assert {movie["imdb_id"] for movie in stored["results"]} == {"tt1375666", "tt0111161", "tt0133093"}
