"""The AI quota in the metrics."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import AccountTier, AiUsage, User
from app.auth.quota import TODAY
from app.core.figures import Figure, gauge


async def quota_figures(session: AsyncSession) -> list[Figure]:
    """What has been used today, and how many users can use no more, by tier."""
    today = (
        select(
            User.account_tier_id,
            func.sum(AiUsage.used).label("used"),
            func.count().filter(AiUsage.used >= AccountTier.daily_ai_search_limit).label("at_limit"),
        )
        .select_from(AiUsage)
        .join(User, User.id == AiUsage.user_id)
        .join(AccountTier, AccountTier.id == User.account_tier_id)
        .where(AiUsage.day == TODAY)
        .group_by(User.account_tier_id)
        .subquery()
    )
    by_tier = select(AccountTier.code, func.coalesce(today.c.used, 0), func.coalesce(today.c.at_limit, 0)).outerjoin(
        today, today.c.account_tier_id == AccountTier.id
    )
    used = gauge("ai_searches_today", "AI searches charged on this UTC day, by tier.", ["tier"])
    at_limit = gauge("ai_users_at_limit", "Users whose AI searches of this UTC day are used up, by tier.", ["tier"])
    for code, searches, users in await session.execute(by_tier):
        used.add_metric([code], searches)
        at_limit.add_metric([code], users)
    return [used, at_limit]
