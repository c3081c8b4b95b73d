"""The log lines that are written while a block runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        event = dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}
        self.lines.append({**event, "level": record.levelname, "raised": record.exc_info or event.get("exc_info")})


@contextmanager
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """Collects log lines; the application must have been started before, since it configures logging anew."""
    collector = _Collector()
    logging.getLogger().addHandler(collector)
    try:
        yield collector.lines
    finally:
        logging.getLogger().removeHandler(collector)
