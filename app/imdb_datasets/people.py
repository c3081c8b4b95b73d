"""The names of people, all of them in memory: some 20 bytes each."""

import mmap
from collections.abc import Iterable

from app.imdb_datasets.files import NAMES, DatasetFile, clean_text
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
        for row in file.rows():
            person, number = row[0], _number(row[0])
            if number is None or len(row) != columns:
                findings.broken_line(
                    file.name, person, "no id of a person" if number is None else f"{len(row)} columns"
                )
                continue
            try:
                name = clean_text(row[1])
            except UnicodeDecodeError:
                findings.broken_line(file.name, person, "no UTF-8")
                continue
            if 0 < len(name) <= MAX_NAME_LENGTH:
                places[number] = len(names)
                names += name.encode() + b"\n"

    def names(self, people: Iterable[bytes], most: int) -> list[str]:
        """The names of the first of these people, each once; whose name is not known is passed over."""
        places, names = self._places, self._names
        found: dict[str, None] = {}
        for person in people:
            number = _number(person)
            if number is not None and (place := places[number]):
                found[names[place : names.index(10, place)].decode()] = None
                if len(found) == most:
                    break
        return list(found)


def _number(person: bytes) -> int | None:
    digits = person[2:]
    return int(digits) if person[:2] == b"nm" and digits.isdigit() and len(digits) <= MOST_DIGITS else None
