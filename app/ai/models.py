"""The tables of recommendations and top movies."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.auth.models import User
from app.core.database import Base
from app.movies.models import Movie


class Recommendations(Base):
    """What was last recommended to a user."""

    __tablename__ = "recommendations"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    movie_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), comment="Best first")
    source: Mapped[str] = mapped_column(Text, comment="Who chose them: claude or catalogue")
    generated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class TopMovie(Base):
    """A place among the top movies that Claude named."""

    __tablename__ = "top_movies"

    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    movie_id: Mapped[int] = mapped_column(ForeignKey(Movie.id, ondelete="CASCADE"), unique=True)
    generated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
