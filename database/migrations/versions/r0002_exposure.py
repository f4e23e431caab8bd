"""Beside the effective leverage stand the net one and that of the largest underlying."""

from alembic import op
from sqlalchemy import Column

from database.columns import Money, Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = ("net_leverage", "largest_underlying", "underlying_leverage")


def upgrade() -> None:
    """Add them; of what was recorded before they are not known."""
    op.add_column("margin_history", Column("net_leverage", Money(), nullable=True))
    op.add_column("margin_history", Column("largest_underlying", Words(), nullable=True))
    op.add_column("margin_history", Column("underlying_leverage", Money(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name in COLUMNS:
        op.drop_column("margin_history", name)
