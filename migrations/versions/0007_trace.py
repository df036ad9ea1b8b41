"""Raw events say which request brought them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbound", sa.Column("trace", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("inbound", "trace")
