"""Cells that a spreadsheet would take for a formula.

They are written with an apostrophe in front, as OWASP advises (https://owasp.org/www-community/attacks/CSV_Injection),
and lose it again when they come back. A cell that has such apostrophes of its own gets one more, so that nothing is
lost on the way.
"""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def neutralised(cell: str) -> str:
    """`cell` as no spreadsheet will compute it.

    >>> neutralised("=1+1"), neutralised("Heat")
    ("'=1+1", 'Heat')
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def restored(cell: str) -> str:
    """What `neutralised` was given.

    >>> restored("'=1+1"), restored("'71")
    ('=1+1', "'71")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
