"""The names of people, all of them in memory: some 20 bytes each."""

import mmap
from collections.abc import Iterable

from app.imdb_datasets.files import NAMES, DatasetFile
from app.imdb_datasets.findings import Findings
from app.upstream.titles import MAX_NAME_LENGTH

# Of a person's number, behind "nm". Memory is taken only for the stretches of numbers that there are.
MOST_DIGITS = 8


class People:
    """Who is who.

    Fourteen million names in a dictionary would take two gigabytes: here they stand one after the other, and by a
    person's number one finds where.
    """

    def __init__(self) -> None:
        self._places = memoryview(mmap.mmap(-1, 4 * 10**MOST_DIGITS)).cast("I")
        self._names = bytearray(b"\n")

    def read(self, file: DatasetFile, findings: Findings) -> None:
        """Keep the names of a file.

        Raises:
            DatasetImportStopped: the file is damaged.
        """
        places, names, columns = self._places, self._names, len(NAMES.columns)
        for line in file.lines():
            person, *rest = line.split(b"\t")
            number = _number(person)
            if number is None or len(rest) != columns - 1:
                findings.broken_line(file.name, person, "a missing column" if number else "no id of a person")
                continue
            name = rest[0]
            if not name.isascii() and not _is_text(name):
                findings.broken_line(file.name, person, "no UTF-8")
            elif name != rb"\N" and len(name) <= MAX_NAME_LENGTH:
                places[number] = len(names)
                names += name + b"\n"

    def names(self, people: Iterable[bytes], most: int) -> list[str]:
        """The names of the first of these people, each once; whose name is not known is passed over."""
        found: dict[str, None] = {}
        for person in people:
            number = _number(person)
            place = self._places[number] if number is not None else 0
            if place:
                found[self._names[place : self._names.index(b"\n", place)].decode()] = None
                if len(found) == most:
                    break
        return list(found)


def _number(person: bytes) -> int | None:
    digits = person[2:]
    return int(digits) if person[:2] == b"nm" and digits.isdigit() and len(digits) <= MOST_DIGITS else None


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
