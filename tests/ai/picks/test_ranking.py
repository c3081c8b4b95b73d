"""What the database recommends, and ranks as the top, where there is no Claude."""

from decimal import Decimal

from tests.accounts import GRACE
from tests.ai.picks.conftest import PATH, TOP, Cinema
from tests.movies.films import check_movie
from tests.problem_documents import problem

RATED = {"imdb_rating": Decimal(8), "imdb_votes": 100_000}


async def test_films_by_a_director_and_with_an_actor_of_the_users_come_before_films_of_their_genre(
    keyless: Cinema,
) -> None:
    liked = await keyless.film("Liked", genres=["Drama"], directors=["Ada Lindqvist"], actors=["Mira Stone"])
    await keyless.films(*(f"Drama {n}" for n in range(8)), genres=["Drama"], **RATED)
    await keyless.film("With her", genres=["Comedy"], actors=["Paul Okafor", "Mira Stone"])
    await keyless.film("By her", genres=["Drama"], directors=["Ada Lindqvist"], actors=["Mira Stone"])
    pair = await keyless.user(liked)
    recommended = await keyless.recommended(pair)
    assert recommended[:2] == ["By her", "With her"]
    assert all(title.startswith("Drama") for title in recommended[2:])
    assert len(recommended) == 10


async def test_a_rare_name_says_more_than_a_common_one(keyless: Cinema) -> None:
    liked = await keyless.film("Liked", genres=["Drama", "Western"])
    await keyless.films(*(f"Drama {n}" for n in range(20)), genres=["Drama"], **RATED)
    await keyless.film("A western", genres=["Western"])
    assert (await keyless.recommended(await keyless.user(liked)))[0] == "A western"


async def test_one_rare_person_says_more_than_three_common_genres(keyless: Cinema) -> None:
    common = ["Action", "Adventure", "Sci-Fi"]
    liked = await keyless.films("Liked", "Also liked", genres=common, directors=["Ada Lindqvist"])
    await keyless.films(*(f"Of its kind {n}" for n in range(9)), genres=common, **RATED)
    await keyless.films(*(f"Other {n}" for n in range(30)), genres=["Action"], **RATED)
    await keyless.film("By her", genres=["Comedy"], directors=["Ada Lindqvist"])
    assert (await keyless.recommended(await keyless.user(*liked)))[0] == "By her"


async def test_a_queued_film_counts_half_of_a_liked_one_and_one_that_is_both_counts_once(keyless: Cinema) -> None:
    liked, queued, both = [
        await keyless.film(f"Known {n}", directors=[name]) for n, name in enumerate(("Liked", "Queued", "Both"))
    ]
    await keyless.films("By the queued", directors=["Queued"], **RATED)
    await keyless.films("By the liked", directors=["Liked"])
    await keyless.films("By both", directors=["Both"], imdb_rating=Decimal(9), imdb_votes=500_000)
    recommended = await keyless.recommended(await keyless.user(liked, both, queued=[queued, both]))
    assert recommended[:3] == ["By both", "By the liked", "By the queued"]


async def test_of_films_that_share_as_much_the_better_rated_come_first_and_many_votes_count(keyless: Cinema) -> None:
    liked = await keyless.film("Liked")
    await keyless.film("A ten by its crew", imdb_rating=Decimal(10), imdb_votes=5)
    await keyless.film("A nine by the world", imdb_rating=Decimal(9), imdb_votes=900_000)
    await keyless.film("Unrated")
    await keyless.film("A five by the world", imdb_rating=Decimal(5), imdb_votes=900_000)
    assert await keyless.recommended(await keyless.user(liked)) == [
        "A nine by the world",
        "A ten by its crew",
        "A five by the world",
        "Unrated",
    ]


async def test_what_is_liked_or_queued_is_never_recommended_and_neither_are_episodes_and_games(keyless: Cinema) -> None:
    liked, queued = await keyless.films("Liked", "Queued")
    await keyless.film("An episode", type="episode", **RATED)
    await keyless.film("A game", type="game", **RATED)
    await keyless.film("A series", type="series")
    await keyless.film("Of no known kind", type=None, **RATED)
    await keyless.fans(Liked=3, Queued=2)
    pair = await keyless.user(liked, queued=[queued])
    assert await keyless.recommended(pair) == ["Of no known kind", "A series"]


async def test_who_shares_nothing_with_anything_gets_the_most_liked_then_the_best_rated(keyless: Cinema) -> None:
    liked = await keyless.film("Liked", genres=[])
    await keyless.films("Loved", "Fine", genres=["Drama"])
    await keyless.film("Rated", **RATED)
    await keyless.fans(Loved=2, Fine=1)
    assert await keyless.recommended(await keyless.user(liked)) == ["Loved", "Fine", "Rated"]


async def test_who_has_marked_nothing_gets_what_is_liked_most_and_the_first_like_counts_at_once(
    keyless: Cinema,
) -> None:
    await keyless.films("One", "Other", genres=["Drama"], directors=["Somebody"])
    known = await keyless.film("Known", genres=["Western"], directors=["Ada Lindqvist"])
    await keyless.film("By her", genres=["Western"], directors=["Ada Lindqvist"])
    await keyless.fans(Known=3, Other=2, One=1)
    pair = await keyless.user()
    assert await keyless.recommended(pair) == ["Known", "Other", "One", "By her"]
    assert await keyless.value("SELECT count(*) FROM recommendations") == 0
    assert (await keyless.ask("POST", f"/movies/{known}/like/", pair["access"])).status_code == 201
    assert await keyless.recommended(pair) == ["By her", "Other", "One"]


async def test_an_empty_catalogue_recommends_nothing_and_has_no_top(keyless: Cinema) -> None:
    assert await keyless.recommended(await keyless.user()) == []
    assert await keyless.top() == []
    only = await keyless.film("Only")
    assert await keyless.recommended(await keyless.user(only, email=GRACE)) == []
    assert await keyless.top() == ["Only"]


async def test_every_movie_is_whole_and_marked_for_its_reader(keyless: Cinema) -> None:
    liked = await keyless.film("Liked")
    await keyless.film("Other", **RATED)
    pair = await keyless.user(liked)
    for answer in (await keyless.ask("GET", PATH, pair["access"]), await keyless.client.get(TOP)):
        for movie in answer.json():
            check_movie(movie)
            assert (movie["is_liked"], movie["is_watch_later"]) == (False, False)
    head = await keyless.ask("HEAD", PATH, pair["access"])
    assert (head.status_code, head.content) == (200, b"")


async def test_recommendations_are_for_whoever_is_logged_in(keyless: Cinema) -> None:
    problem(await keyless.client.get(PATH), 401, "not_authenticated")
    pair = await keyless.user()
    await keyless.execute("UPDATE users SET is_active = false")
    problem(await keyless.ask("GET", PATH, pair["access"]), 401, "invalid_token")


async def test_five_thousand_likes_are_no_more_work_than_the_last_five_hundred(keyless: Cinema) -> None:
    pair = await keyless.user()
    await keyless.execute(
        "INSERT INTO movies (imdb_id, title, folded_title, genres, directors, imdb_rating, imdb_votes)"
        " SELECT 'tt' || (8000000 + i), 'Film ' || i, 'film ' || i, '{Drama}', ARRAY['Director ' || i % 700],"
        " 5 + i % 5, 1000 * i FROM generate_series(1, 6000) i"
    )
    await keyless.execute(
        "INSERT INTO likes (user_id, movie_id, created_at) SELECT users.id, movies.id, now() - movies.id * interval"
        " '1 second' FROM users, movies WHERE movies.title < 'Film 5'"
    )
    assert await keyless.value("SELECT count(*) FROM likes") > 4_000
    assert len(await keyless.recommended(pair)) == 10
    marked = "SELECT count(*) FROM likes WHERE movie_id = ANY (SELECT unnest(movie_ids) FROM recommendations)"
    assert await keyless.value(marked) == 0


async def test_the_top_is_the_most_liked_then_the_best_rated_and_follows_the_likes(keyless: Cinema) -> None:
    await keyless.films(*(f"Film {n:02}" for n in range(12)))
    await keyless.film("Rated", **RATED)
    await keyless.film("An episode", type="episode", **RATED)
    assert (await keyless.top())[0] == "Rated"
    await keyless.fans(**{"Film 03": 2, "Film 05": 3, "Rated": 2})
    top = await keyless.top()
    assert top[:3] == ["Film 05", "Rated", "Film 03"]
    assert len(top) == 10
    await keyless.execute("INSERT INTO likes SELECT (SELECT max(id) FROM users), id FROM movies ON CONFLICT DO NOTHING")
    assert (await keyless.top())[:4] == ["Rated", "Film 05", "Film 03", "Film 11"]
