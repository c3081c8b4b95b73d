"""The files beside each other, title by title: each is read once, and no more of it than a title is in memory."""

from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter

from app.imdb_datasets.files import DatasetFile
from app.imdb_datasets.findings import Findings
from app.imdb_datasets.problems import DatasetImportStopped

# "tt" and seven digits, since 2018 also eight.
ID_DIGITS = range(7, 11)
Order = Callable[[bytes], bytes]
Row = list[bytes]
# After every key.
_END = b"\xff"


def as_text(digits: bytes) -> bytes:
    """IMDb's order: tt10000000 comes before tt1000001."""
    return digits


def as_number(digits: bytes) -> bytes:
    """The other order that one may think of: tt9999999 comes before tt10000000."""
    return digits.rjust(ID_DIGITS.stop - 1, b"0")


def order_of(file: DatasetFile) -> Order:
    """In which of the two orders the lines of a file are.

    Raises:
        DatasetImportStopped: in neither.
    """
    possible: dict[Order, bytes] = {as_text: b"", as_number: b""}
    for name, *_ in file.rows():
        digits = id_digits(name)
        if digits is None:
            continue
        for order, last in list(possible.items()):
            if (key := order(digits)) < last:
                del possible[order]
            else:
                possible[order] = key
        if not possible:
            raise _unsorted(file.name, digits)
    return next(iter(possible))


class Joined:
    """A file whose lines are asked for by title, in its order.

    Args:
        file: where the lines are.
        order: that of the file.
        findings: where lines without an id are noted.
    """

    def __init__(self, file: DatasetFile, order: Order, findings: Findings) -> None:
        self._groups = self.groups(file, order, findings)
        self._key, self._rows = b"", iter(())  # type: tuple[bytes, Iterator[Row]]

    def of(self, key: bytes) -> Iterator[Row]:
        """The lines of the title with this key, which must come after the last one's."""
        while self._key < key:
            self._key, self._rows = next(self._groups, (_END, iter(())))
        return self._rows if self._key == key else iter(())

    @staticmethod
    def groups(file: DatasetFile, order: Order, findings: Findings) -> Iterator[tuple[bytes, Iterator[Row]]]:
        """Title by title its key and its lines, which must be taken before the next title is asked for.

        Raises:
            DatasetImportStopped: the file is damaged, or not sorted.
        """
        last = b""
        for name, rows in groupby(file.rows(), itemgetter(0)):
            digits = id_digits(name)
            if digits is None:
                findings.broken_line(file.name, name, "no id of a title")
                continue
            key = order(digits)
            if key <= last:
                raise _unsorted(file.name, digits)
            last = key
            yield key, rows


def id_digits(name: bytes) -> bytes | None:
    """The digits of an id such as tt0111161; None where it is none."""
    digits = name[2:]
    return digits if name[:2] == b"tt" and len(digits) in ID_DIGITS and digits.isdigit() else None


def _unsorted(name: str, digits: bytes) -> DatasetImportStopped:
    return DatasetImportStopped(f"{name} is not sorted by title, as IMDb's files are: tt{digits.decode()} comes late")
