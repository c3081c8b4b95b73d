"""AI search without a key: the sample catalogue, by full-text search."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL

from tests.accounts import ADA, Service, opened
from tests.ai.conftest import Quota, names
from tests.movies.films import matching
from tests.movies.people import Person, person


@pytest.fixture(scope="module")
async def shared_person(ai_url: URL) -> AsyncIterator[Person]:
    async with opened(ai_url) as service:
        yield await person(service, ADA)


async def asked(somebody: Person, expression: str) -> list[str]:
    answer = await somebody.post("/movies/ai/search/", expression=expression)
    assert answer.headers["X-Search-Source"] == "catalogue"
    assert Quota.told(answer) == Quota(3, 3)
    return names(answer)


# Of each, films that anybody would expect among the first five (or all there are), in any order.
QUESTIONS: dict[str, set[str]] = {
    "space movies from the 90s": {"Toy Story"},
    "korean thriller": {"Parasite", "The Handmaiden", "Train to Busan", "Burning"},
    "films by Hitchcock before 1960": {"Vertigo", "Rear Window", "Notorious", "Rebecca", "North by Northwest"},
    "something sad with dogs": {"My Life as a Dog"},
    "science fiction with robots": {"The Terminator", "The Matrix", "WALL·E"},
    "french comedies from the 2000s": {"Amélie"},
    "war films after 2005": {"Pan's Labyrinth", "1917"},
    "a heist that goes wrong": {"Reservoir Dogs", "Money Heist"},
    "something with samurai": {"Seven Samurai", "Yojimbo", "Hara-Kiri"},
    "scary films from the seventies": {"Alien", "The Exorcist", "Halloween", "Suspiria"},
    "a movie with Tom Hanks": {"Saving Private Ryan", "Forrest Gump", "Toy Story"},
    "animated films for kids": {"Spirited Away", "WALL·E", "My Neighbor Totoro"},
    "romantic comedy from the 50s": {"Some Like It Hot", "Roman Holiday", "Singin' in the Rain"},
    "mafia family drama": {"The Godfather", "The Godfather: Part II", "Goodfellas"},
    "a tv series about chemistry": {"Breaking Bad"},
    "bollywood musical": {"Lagaan: Once Upon a Time in India", "Mother India"},
    "crime in Hong Kong": {"Infernal Affairs", "Chungking Express"},
    "melies moon": {"A Trip to the Moon"},
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_plain_questions_have_useful_answers(shared_person: Person, question: str) -> None:
    found = await asked(shared_person, question)
    assert QUESTIONS[question] <= set(found[:5]), found


async def test_years_hold_for_every_film(shared_person: Person) -> None:
    answer = await shared_person.post("/movies/ai/search/", expression="war films between 1940 and 1960")
    years = [int(movie["year"][:4]) for movie in answer.json()]
    assert len(years) >= 5
    assert all(1940 <= year <= 1960 for year in years)


async def test_years_alone_give_the_best_known_of_them(shared_person: Person) -> None:
    found = (await shared_person.post("/movies/ai/search/", expression="the nineties")).json()
    known = [int((movie["imdb_votes"] or "0").replace(",", "")) for movie in found]
    assert known == sorted(known, reverse=True)
    assert {movie["imdb_id"] for movie in found} <= matching(lambda film: 1990 <= (film.first_year or 0) < 2000)


async def test_series_alone_give_series(shared_person: Person) -> None:
    answer = await shared_person.post("/movies/ai/search/", expression="tv shows")
    assert {movie["type"] for movie in answer.json()} == {"series"}


async def test_scores_go_by_rank_and_there_are_no_reasons(shared_person: Person) -> None:
    found = (await shared_person.post("/movies/ai/search/", expression="war")).json()
    assert [movie["match_score"] for movie in found] == [90 - 5 * place for place in range(10)]
    assert {movie["match_reason"] for movie in found} == {None}


async def test_a_genre_that_few_words_share_is_better_than_nothing(shared_person: Person) -> None:
    assert await asked(shared_person, "a western with qwxyz") == await asked(shared_person, "westerns")


@pytest.mark.parametrize("expression", ["qwxyz", "the", "🦑", "-", "& | !", "' or 1=1 --", "\\", ":*", "x" * 255])
async def test_what_finds_nothing_says_that_claude_is_not_set_up(shared_person: Person, expression: str) -> None:
    answer = await shared_person.post("/movies/ai/search/", expression=expression)
    assert (answer.status_code, answer.json()["code"]) == (503, "ai_not_configured")
    assert answer.headers["Retry-After"]
    assert Quota.told(answer) == Quota(3, 3)


async def test_without_claude_a_spent_quota_matters_to_nobody(shared_person: Person) -> None:
    service: Service = shared_person.service
    await service.execute("INSERT INTO ai_usage SELECT id, (now() AT TIME ZONE 'UTC')::date, 3 FROM users")
    answer = await shared_person.post("/movies/ai/search/", expression="samurai")
    assert (answer.status_code, Quota.told(answer)) == (200, Quota(3, 0))
    await service.execute("DELETE FROM ai_usage")
