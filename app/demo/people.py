"""The people of the demo data, as its file has them."""

import tomllib
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

FILE = "demo.toml"


class DemoCollection(BaseModel):
    """A public collection. Films are named by their IMDb ids, in its order."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    films: list[str]


class DemoPerson(BaseModel):
    """Somebody with lists and collections, who follows collections of others by their names."""

    model_config = ConfigDict(extra="forbid")

    email: str
    likes: list[str]
    watch_later: list[str]
    subscriptions: list[str]
    collections: list[DemoCollection]

    def films(self) -> set[str]:
        """The IMDb ids of all films that this person has to do with."""
        return {*self.likes, *self.watch_later, *(film for group in self.collections for film in group.films)}


class _Demo(BaseModel):
    people: list[DemoPerson]


def demo_people() -> list[DemoPerson]:
    """The people of the demo data."""
    text = files("app.demo").joinpath(FILE).read_text(encoding="utf-8")
    return _Demo.model_validate(tomllib.loads(text)).people
