"""Rows as years of use, and repairs by hand, leave them."""

from tests.doubles.django import DjangoDatabase

# Django 5.2.19, make_password("a long walk at night")
HASH = "pbkdf2_sha256$1000000$fUmXvX6evJAv5vvxLrnXKC$7SSLzEt4TFFpgeyG1Cqk0e8ooBY3NvXumT0jSHDKon8="
PASSWORD = "a long walk at night"
LONG_AGO, LATELY = "2023-01-02T03:04:05.678901+00:00", "2024-04-05T06:07:08.901234+00:00"
INCEPTION = {
    "id": 10,
    "title": "Inception",
    "imdb_id": "tt1375666",
    "year": "2010",
    "type": "movie",
    "poster": "https://posters.example/inception.jpg",
    "created_at": LONG_AGO,
    "plot": "A thief steals secrets out of dreams.",
    "awards": "Won 4 Oscars.",
    "imdb_rating": "8.8",
    "imdb_votes": "2,500,000",
    "metascore": "74",
    "released_date": "2010-07-16",
    "runtime": "148 min",
}


async def fill(django: DjangoDatabase) -> None:
    """All of them."""
    await _add_users(django)
    await _add_movies(django)
    await _add_lists(django)


async def _add_users(django: DjangoDatabase) -> None:
    add = django.add
    await add("auth_app_accounttier", id=2, code="premium", name="Premium", daily_ai_search_limit=50)
    await add("auth_app_accounttier", id=3, code="gold", name="Gold", daily_ai_search_limit=70, is_default=True)
    ada = {"password": HASH, "created_at": LONG_AGO, "last_login": LATELY, "account_tier_id": 3}
    await add("auth_app_user", id=1, email="ada@example.com", **ada)
    await add("auth_app_user", id=2, email="grace@example.com", is_superuser=True, account_tier_id=2)
    await add("auth_app_user", id=3, email="Mary@Example.com", password=HASH, last_login=LONG_AGO)
    await add("auth_app_user", id=4, email="mary@example.com", password=HASH, last_login=LATELY)
    await add("auth_app_user", id=5, email="md5@example.com", password="md5$salt$abc", is_active=False)
    await add("auth_app_user", id=6, email="", password=HASH)
    await add("auth_app_user", id=7, email=f"{'x' * 250}@example.com")
    await add("auth_app_user", id=8, email="Nobody", password="")
    await add("auth_app_user", id=9, email="lost@example.com", account_tier_id=99)
    address = "account_emailaddress"
    await add(address, id=1, user_id=1, email="Ada@example.com", verified=True)
    await add(address, id=2, user_id=2, email="grace@example.com")
    await add(address, id=3, user_id=2, email="other@example.com", verified=True, primary=False)
    await add(address, id=4, user_id=3, email="mary@example.com", verified=True)
    await add(address, id=5, user_id=77, email="gone@example.com", verified=True)
    google = "socialaccount_socialaccount"
    await add(google, id=1, user_id=1, uid="ada-at-google", last_login=LATELY)
    await add(google, id=2, user_id=1, uid="ada-elsewhere", last_login=LONG_AGO)
    await add(google, id=3, user_id=2, uid="ada-at-google", last_login=LONG_AGO)
    await add(google, id=4, user_id=77, uid="nobody")
    await add(google, id=5, user_id=2, uid="grace-at-github", provider="github")


async def _add_movies(django: DjangoDatabase) -> None:
    await django.add("movie_movie", **INCEPTION)
    series = {"title": "Breaking Bad", "year": "2008–2013", "total_seasons": "5", "imdb_votes": "N/A"}  # noqa: RUF001
    await django.add("movie_movie", id=11, imdb_id="tt0903747", type="series", **series)
    bad = {"year": "soon", "imdb_rating": "eleven", "imdb_votes": "many", "poster": "none", "plot": " "}
    await django.add("movie_movie", id=12, imdb_id="tt0000012", **bad)
    await django.add("movie_movie", id=13, imdb_id="")
    await django.add("movie_movie", id=14, imdb_id="tt1375666", title="Inception, again")
    await django.add("movie_movie", id=15, imdb_id="tt0000015", title=" ")
    await django.name(10, "genres", "genre", "Sci-Fi", "Action", "Adventure")
    await django.name(10, "languages", "language", "Japanese", "English")
    await django.name(10, "countries", "country", "USA", "", "USA")
    await django.name(10, "directors", "director", "Christopher Nolan")
    await django.name(10, "writers", "writer", "Christopher Nolan", "x" * 251)
    await django.name(10, "actors", "actor", "Leonardo DiCaprio", "Elliot Page", "Ken Watanabe")
    await django.name(13, "genres", "genre", "Lost")
    for number, (movie, source, value) in enumerate(
        [(10, "Metacritic", "74/100"), (10, "Internet Movie Database", "8.8/10"), (10, "Rotten Tomatoes", "")]
    ):
        await django.add("movie_rating", id=9 - number, movie_id=movie, source=source, value=value)


async def _add_lists(django: DjangoDatabase) -> None:
    pairs = [(1, 10), (2, 10), (4, 10), (1, 13), (1, 99), (77, 10), (1, 10), (2, 11)]
    for number, (user, movie) in enumerate(pairs, start=1):
        times = {"created_at": LONG_AGO if number == 1 else LATELY}
        await django.add("movie_likemovie", id=number, user_id=user, movie_id=movie, **times)
        await django.add("movie_watchlatermovie", id=100 + number, user_id=user, movie_id=movie, **times)
    collection = "collection_collection"
    described = {"description": "Dreams.", "design": "dark", "created_at": LONG_AGO, "updated_at": LATELY}
    await django.add(collection, id=50, owner_id=1, name="Dreams", **described)
    await django.add(collection, id=51, owner_id=4, name="Mary's")
    await django.add(collection, id=52, owner_id=2, name=" ", is_public=False)
    entries = [(50, 12, 0), (50, 10, 0), (50, 11, 3), (50, 10, 7), (50, 13, 9), (51, 10, 0), (52, 11, 5), (59, 10, 0)]
    for number, (collection_id, movie, position) in enumerate(entries, start=1):
        place = {"collection_id": collection_id, "movie_id": movie, "position": position, "added_at": LONG_AGO}
        await django.add("collection_collectionmovie", id=number, **place)
    for number, (user, collection_id) in enumerate([(2, 50), (1, 50), (4, 50), (2, 51), (2, 50)], start=1):
        subscription = {"user_id": user, "collection_id": collection_id, "created_at": LATELY}
        await django.add("collection_collectionsubscription", id=number, **subscription)
