"""The tables of imports: a file that somebody sent, row by row, until each is dealt with."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.auth.models import User
from app.core.database import Base


class ListImport(Base):
    """A file on its way into a list. Of one user, one at a time: the database holds that."""

    __tablename__ = "list_imports"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    destination: Mapped[str] = mapped_column(Text, comment="watch_later or collection")
    # By its name: collections are built upon imports. It goes without the import, which counts for the day.
    collection_id: Mapped[int | None] = mapped_column(
        ForeignKey("collections.id", ondelete="SET NULL"),
        index=True,
        comment="The collection that it goes into; null: that is gone, or it goes into the watch-later list",
    )
    status: Mapped[str] = mapped_column(Text, server_default=text("'queued'"))
    total: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    progress_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), comment="When something last came of it"
    )
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("destination IN ('watch_later', 'collection')", name="destination_known"),
        Index("ix_list_imports_user_id_created_at", "user_id", "created_at"),
        Index("uq_list_imports_user_id_running", "user_id", unique=True, postgresql_where=text("finished_at IS NULL")),
    )


class ListImportRow(Base):
    """One row of the file, and what became of it."""

    __tablename__ = "list_import_rows"

    import_id: Mapped[int] = mapped_column(ForeignKey(ListImport.id, ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, comment="Below the header; the first is 1")
    imdb_id: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)
    year: Mapped[int | None] = mapped_column(SmallInteger)
    added_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), comment="As the file says")
    tries: Mapped[int] = mapped_column(
        SmallInteger, server_default=text("0"), comment="So often upstream failed at it while it answered others"
    )
    movie_id: Mapped[int | None] = mapped_column(BigInteger, comment="What it was found to be; it may be gone since")
    outcome: Mapped[str | None] = mapped_column(Text, comment="added, already_there or not_found; null: not yet known")


class UpstreamLookups(Base):
    """How much of a day's share of the upstream budget imports have used."""

    __tablename__ = "upstream_lookups"

    day: Mapped[date] = mapped_column(primary_key=True, comment="In UTC")
    used: Mapped[int] = mapped_column(Integer)
