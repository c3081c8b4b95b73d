"""A collection as a page to share."""

import html
import re
from html.parser import HTMLParser

import httpx
import pytest

from tests.collections.conftest import made
from tests.movies.people import People
from tests.problem_documents import problem
from tests.sample_application import connecting_from

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{ 7*7 }}"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(answer.text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def meta(self) -> dict[str | None, str | None]:
        """What the page says of itself."""
        return {m.get("property") or m.get("name"): m.get("content") for m in self.all("meta")}


async def opened(people: People, collection_id: int, **options: str) -> Page:
    answer = await people.service.client.get(f"/collections/{collection_id}/page/", headers=options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return Page(answer)


async def test_it_shows_titles_posters_years_and_ratings_in_order(people: People) -> None:
    ids = list(await people.movie_ids("-imdb_rating", 5))
    await people.service.execute("UPDATE movies SET poster = 'https://posters.example/' || id || '.jpg' WHERE id > 0")
    collection = await made(people.ada, "Heists", description="Plans.\nAnd more.", is_public=True, movie_ids=ids[::-1])
    page = await opened(people, collection["id"])
    assert "Heists" in page.text
    assert "Plans." in page.text
    assert "5 movies" in page.text
    movies = [(await people.service.client.get(f"/movies/{movie_id}/")).json() for movie_id in ids[::-1]]
    places = [page.text.index(movie["title"]) for movie in movies]
    assert places == sorted(places)
    for movie in movies:
        assert movie["year"] in page.text
        assert f"IMDb rating ★ {movie['imdb_rating']}" in page.text
    posters = [image["src"] for image in page.all("img")]
    assert posters == [movies[0]["poster"], *(movie["poster"] for movie in movies)]  # the first is behind the title too
    assert [a["href"] for a in page.all("a")] == [f"https://www.imdb.com/title/{m['imdb_id']}/" for m in movies]
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == 5
    assert all("alt" in image for image in page.all("img"))
    assert page.all("html") == [{"lang": "en"}]


async def test_it_tells_previews_of_links_what_it_is_with_whole_addresses(people: People) -> None:
    ids = await people.movie_ids(count=2)
    await people.service.execute("UPDATE movies SET poster = 'https://posters.example/' || id || '.jpg' WHERE id > 0")
    collection = await made(people.ada, "Heists", description="Plans,\n and more.", is_public=True, movie_ids=ids)
    address = f"http://localhost/collections/{collection['id']}/page/"
    page = await opened(people, collection["id"])
    assert {"rel": "canonical", "href": address} in page.all("link")
    expected = {
        "og:type": "website",
        "og:title": "Heists",
        "og:description": "Plans, and more.",
        "og:url": address,
        "og:image": f"https://posters.example/{ids[0]}.jpg",
        "twitter:card": "summary",
        "twitter:title": "Heists",
        "twitter:description": "Plans, and more.",
        "twitter:image": f"https://posters.example/{ids[0]}.jpg",
        "description": "Plans, and more.",
    }
    assert {name: page.meta.get(name) for name in expected} == expected
    behind_a_proxy = await opened(
        people, collection["id"], **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "127.0.0.1"}
    )
    assert behind_a_proxy.meta["og:url"] == address.replace("http://localhost", "https://127.0.0.1")
    answer = await connecting_from(people.service.client, "8.8.8.8").get(
        address, headers={"X-Forwarded-Host": "127.0.0.1"}
    )
    assert Page(answer).meta["og:url"] == address


async def test_without_a_description_the_titles_say_what_it_is(people: People) -> None:
    empty = await made(people.ada, "Heists", is_public=True)
    page = await opened(people, empty["id"])
    assert page.meta["og:description"] == "A collection of movies."
    assert "Nothing is in it so far." in page.text
    ids = await people.movie_ids("title", 1)
    one = await made(people.ada, "Heists", is_public=True, movie_ids=ids)
    title = (await people.service.client.get(f"/movies/{ids[0]}/")).json()["title"]
    page = await opened(people, one["id"])
    assert page.meta["og:description"] == f"1 movie: {title}"
    long = await made(people.ada, "Heists", is_public=True, description="word " * 200)
    description = (await opened(people, long["id"])).meta["og:description"]
    assert description is not None
    assert len(description) <= 200
    assert description.endswith("word…")


async def test_what_a_name_holds_is_text_and_no_page(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    await people.service.execute("UPDATE movies SET title = :t, year = :t WHERE id = :id", t=NASTY, id=movie_id)
    collection = await made(people.ada, NASTY, description=NASTY, is_public=True, movie_ids=[movie_id])
    answer = await people.service.client.get(f"/collections/{collection['id']}/page/")
    page = Page(answer)
    assert "<script" not in answer.text
    assert not page.all("script")
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert page.text.count("alert(1)") == 6  # the title, the heading, the description; twice the movie's, and its year
    assert page.meta["og:title"] == NASTY
    assert html.escape(NASTY, quote=False).replace('"', "&#34;").replace("'", "&#39;") in answer.text


@pytest.mark.parametrize("poster", ["javascript:alert(1)", "http://posters.example/1.jpg", "data:text/html,x", "x"])
async def test_a_poster_from_anywhere_but_https_is_drawn_instead(people: People, poster: str) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    await people.service.execute("UPDATE movies SET poster = :p WHERE id = :id", p=poster, id=movie_id)
    collection = await made(people.ada, "Heists", is_public=True, movie_ids=[movie_id])
    page = await opened(people, collection["id"])
    assert page.all("img") == []
    assert "og:image" not in page.meta
    assert [a["class"] for a in page.all("span") if a.get("class") == "drawn"] == ["drawn"]


async def test_a_browser_runs_and_loads_nothing_but_the_style_in_it_and_posters(people: People) -> None:
    collection = await made(people.ada, "Heists", is_public=True)
    answer = await people.service.client.get(f"/collections/{collection['id']}/page/")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    style = policy.pop("style-src")
    assert policy == {
        "default-src": "'none'",
        "img-src": "https: data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", style)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_first_hundred_are_shown_and_the_rest_counted(people: People) -> None:
    ids = [*range(1, 131)]
    collection = await made(people.ada, "Heists", is_public=True, movie_ids=ids)
    page = await opened(people, collection["id"])
    assert len(page.all("li")) == 100
    assert "130 movies" in page.text
    assert "and 30 more" in page.text


async def test_where_there_is_none_a_browser_gets_a_page_and_a_program_a_problem(people: People) -> None:
    private = await made(people.ada, "Secret")
    for collection_id in (private["id"], 987654321):
        path = f"/collections/{collection_id}/page/"
        answer = await people.service.client.get(path, headers=BROWSER)
        assert answer.status_code == 404
        assert "There is no such collection to see" in Page(answer).text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Secret" not in answer.text
        problem(await people.service.client.get(path), 404, "collection_not_found")


async def test_head_answers_as_get_does(people: People) -> None:
    collection = await made(people.ada, "Heists", is_public=True)
    answer = await people.service.client.head(f"/collections/{collection['id']}/page/")
    assert (answer.status_code, answer.content) == (200, b"")
