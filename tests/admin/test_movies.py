"""The catalogue, as staff change it."""

from typing import Any

from app.movies.repository import FOLDED_TITLE_LENGTH
from tests.admin.conftest import Site, words

EDIT = "/admin/movies/edit?pk=1"


async def movie(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = (await site.api.get("/movies/1/")).json()
    return found


async def test_a_new_title_is_found_by_the_api_and_the_old_one_is_not(site: Site) -> None:
    boss = await site.boss()
    before = await movie(site)
    saved = await boss.send(EDIT, title=" Élan Vital ", year="1999–2003", plot="One\r\nTwo", poster="")  # noqa: RUF001
    assert saved.status_code == 303
    after = await movie(site)
    assert (after["title"], after["year"], after["plot"]) == ("Élan Vital", "1999–2003", "One\nTwo")  # noqa: RUF001
    # What the form left empty is unknown; what it does not have is as it was.
    assert {after[name] for name in ("type", "runtime", "awards", "poster", "metascore", "total_seasons")} == {None}
    for kept in ("imdb_id", "released_date", "genres", "imdb_rating", "likes_count", "created_at"):
        assert after[kept] == before[kept]
    found = (await site.api.get("/movies/", params={"title": "elan vit"})).json()
    assert [result["id"] for result in found["results"]] == [1]
    assert (await site.api.get("/movies/", params={"title": before["title"]})).json()["count"] == 0
    assert await site.scalar("SELECT first_year FROM movies WHERE id = 1") == 1999
    assert await site.scalar("SELECT title_keys FROM movies WHERE id = 1") == ["elanvital"]
    assert "Élan Vital" in await boss.shown("/admin/movies/detail?pk=1")


async def test_a_title_as_long_as_a_form_takes_is_kept_whole(site: Site) -> None:
    boss = await site.boss()
    assert (await boss.send(EDIT, title="x" * 20_000)).status_code == 303
    assert len((await movie(site))["title"]) == 20_000
    assert await site.scalar("SELECT length(folded_title) FROM movies WHERE id = 1") == FOLDED_TITLE_LENGTH


POSTERS = [
    ("poster", bad) for bad in ("javascript:alert(1)", "data:text/html,x", "//evil.example/x", "https://a b", "x")
]


async def test_bad_texts_are_errors_at_their_fields(site: Site) -> None:
    boss = await site.boss()
    before = await movie(site)
    for field, value in (("title", ""), ("title", "a\x00b"), ("plot", "\x00"), ("plot", "x" * 30_000), *POSTERS):
        refused = await boss.send(EDIT, **{"title": "Good", field: value})
        assert refused.status_code == 422
        assert f'id="{field}-error"' in refused.text
    assert await movie(site) == before
    assert "A movie has a title." in words(await boss.send(EDIT, title="  "))


async def test_movies_come_in_pages_and_are_found_by_a_part_of_the_title_or_the_imdb_id(site: Site) -> None:
    boss = await site.boss()
    total = await site.scalar("SELECT count(*) FROM movies")
    assert f"Showing 26 to 50 of {total} entries" in await boss.shown("/admin/movies/list?page=2&sort=title__asc")
    ordered = await boss.shown("/admin/movies/list?sort=imdb_rating__desc&sort=title__asc&page_size=50")
    assert f"Showing 1 to 50 of {total} entries" in ordered
    for search in ("tt0047478", "VEN%20SAMUR", "%20seven%20sam%C3%BArai%20"):
        found = await boss.shown(f"/admin/movies/list?q={search}")
        assert "Showing 1 to 1 of 1 entries" in found
        assert "Seven Samurai" in found
    for nothing in ("sevne%20samurai", "%25", "x" * 5000):
        assert "of 0 entries" in await boss.shown(f"/admin/movies/list?q={nothing}")


async def test_a_deleted_movie_is_gone(site: Site) -> None:
    boss = await site.boss()
    assert (await boss.delete("movies", 1)).status_code == 200
    assert (await site.api.get("/movies/1/")).status_code == 404


async def test_what_a_title_holds_is_text_and_no_page(site: Site) -> None:
    boss = await site.boss()
    await boss.send(EDIT, title="<script>alert(1)</script>", poster='https://posters.example/"onerror=alert(1)')
    # From a time when such a thing was taken.
    await site.execute("UPDATE movies SET awards = '<script>alert(1)', poster = 'javascript:alert(1)' WHERE id = 1")
    for path in ("/admin/movies/list?q=script", "/admin/movies/detail?pk=1", EDIT):
        page = (await boss.client.get(path)).text
        assert "<script>alert(1)" not in page
        assert 'href="javascript:' not in page
