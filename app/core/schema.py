"""What all tables share: the metadata, the naming of constraints, ids and times.

Rows that are spoken of outside carry a UUIDv7 as their id; where an order inside matters
(messages, the log, raw events) a bigint identity gives it.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import DeclarativeBase, mapped_column

uid = Annotated[UUID, mapped_column(PgUUID, primary_key=True, server_default=text("uuidv7()"))]
created = Annotated[
    datetime, mapped_column(DateTime(timezone=True), server_default=text("now()"), nullable=False)
]


class Base(DeclarativeBase):
    """Parent of all models."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        str: Text,
        UUID: PgUUID,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        datetime: DateTime(timezone=True),
        int: BigInteger,
    }


def one_of(column: str, values: tuple[str, ...]) -> str:
    """SQL of a check that `column` holds one of `values`."""
    return f"{column} in ({', '.join(repr(v) for v in values)})"
