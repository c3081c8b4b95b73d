"""The table of imports of IMDb's files: how far they have come."""

from datetime import datetime

from sqlalchemy import DateTime, Integer, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base


class ImdbImportBatch(Base):
    """Titles of an unfinished import that have been written."""

    __tablename__ = "imdb_import_batches"

    files: Mapped[str] = mapped_column(Text, primary_key=True, comment="app.imdb_datasets.files.identity")
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    taken: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    added: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    updated: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    written_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
