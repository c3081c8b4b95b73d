"""Accounts: tiers, users, refresh-token families, one-time tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The unique index holds that at most one tier is the default; this, that there is one when a transaction ends.
KEEP_DEFAULT = """
CREATE FUNCTION account_tiers_keep_default() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM account_tiers WHERE is_default) THEN
        RAISE EXCEPTION 'one account tier must be the default'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_tiers_keep_default';
    END IF;
    RETURN NULL;
END $$
"""
KEEP_DEFAULT_TRIGGER = """
CREATE CONSTRAINT TRIGGER account_tiers_keep_default AFTER UPDATE OR DELETE ON account_tiers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION account_tiers_keep_default()
"""

TIERS = [
    {"code": "free", "name": "Free", "daily_ai_search_limit": 3, "throttle_exempt": False, "is_default": True},
    {"code": "premium", "name": "Premium", "daily_ai_search_limit": 30, "throttle_exempt": True, "is_default": False},
    {"code": "admin", "name": "Admin", "daily_ai_search_limit": 100, "throttle_exempt": True, "is_default": False},
]


def upgrade() -> None:
    """Go forward."""
    tiers = op.create_table(
        "account_tiers",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("daily_ai_search_limit", sa.Integer(), nullable=False, comment="AI searches in a UTC day"),
        sa.Column(
            "throttle_exempt",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Exempt from the AI throttles",
        ),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("daily_ai_search_limit >= 0", name=op.f("ck_account_tiers_daily_ai_search_limit_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_tiers")),
        sa.UniqueConstraint("code", name=op.f("uq_account_tiers_code")),
    )
    op.create_index(
        "uq_account_tiers_is_default",
        "account_tiers",
        ["is_default"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )
    op.bulk_insert(tiers, TIERS)
    op.execute(KEEP_DEFAULT)
    op.execute(KEEP_DEFAULT_TRIGGER)

    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False, comment="In lower case"),
        sa.Column("email_verified", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("password", sa.Text(), comment="A hash; null where none is set"),
        sa.Column("google_subject", sa.Text(), comment="Google's `sub`"),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column(
            "session_version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="A token or session of an earlier version has ended",
        ),
        sa.Column("account_tier_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_lower")),
        sa.CheckConstraint("char_length(email) <= 255", name=op.f("ck_users_email_length")),
        sa.ForeignKeyConstraint(["account_tier_id"], ["account_tiers.id"], name=op.f("fk_users_account_tier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("google_subject", name=op.f("uq_users_google_subject")),
    )
    op.create_index(op.f("ix_users_account_tier_id"), "users", ["account_tier_id"])

    op.create_table(
        "token_families",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("current_jti", sa.Uuid(), nullable=False, comment="The newest token, not used yet"),
        sa.Column("previous_jti", sa.Uuid(), comment="The token that the newest was given for"),
        sa.Column("rotated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_token_families_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_families")),
    )
    op.create_index(op.f("ix_token_families_user_id"), "token_families", ["user_id"])
    op.create_index(op.f("ix_token_families_expires_at"), "token_families", ["expires_at"])

    op.create_table(
        "one_time_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token"),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("code_challenge", sa.Text(), comment="PKCE, S256 (RFC 7636)"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_one_time_tokens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_one_time_tokens")),
    )
    op.create_index(op.f("ix_one_time_tokens_user_id"), "one_time_tokens", ["user_id"])
    op.create_index(op.f("ix_one_time_tokens_expires_at"), "one_time_tokens", ["expires_at"])


def downgrade() -> None:
    """Go back."""
    for table in ("one_time_tokens", "token_families", "users", "account_tiers"):
        op.drop_table(table)
    op.execute("DROP FUNCTION account_tiers_keep_default()")
