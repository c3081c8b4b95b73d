"""Tables in the files of `docs/`, made anew by the commands that measure."""

import re
from collections.abc import Sequence
from pathlib import Path

# What stands in a table where there is nothing to say.
NONE = "\u2013"


def write_section(file: Path, name: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Put a table between the two comments of a file that carry `name`.

    Raises:
        ValueError: the file has no such place.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    lines = [headings, ["---"] * len(headings), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    text = file.read_text()
    if begin not in text or end not in text:
        raise ValueError(f"{file} has no place for {name}")
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    file.write_text(pattern.sub(lambda _: f"{begin}\n{table}\n{end}", text))
