"""The tables beside a message's way: what is learned, and the workspaces that installed the bot.

As in `models`, the first line of a docstring becomes a table comment.
"""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index

from storage.drivers.internals import Model


class FactOrigin(StrEnum):
    """How a fact came to be known."""

    TOLD = "told"  # somebody wanted it remembered
    LEARNED = "learned"  # a model found it in what people said


class CompactionKind(StrEnum):
    """Why a stretch of a history is read by the model."""

    GROWN = "grown"  # it is to be cut, with a summary in its place
    QUIET = "quiet"  # nobody has spoken for a while; only facts are learned


class CompactionState(StrEnum):
    """Where a compaction stands."""

    OPEN = "open"
    WRITTEN = "written"  # by the model, and journalled
    DONE = "done"
    LEFT_OUT = "left out"


class Source(Model):
    """A message that a learned fact stems from. Without any, the fact goes."""

    id: int = fields.BigIntField(primary_key=True)
    fact_id: int = fields.BigIntField()
    message_key = fields.CharField(max_length=190)

    class Meta(Model.Meta):
        table = "source"
        unique_together = (("fact_id", "message_key"),)
        indexes = (Index(fields=("message_key",), name="source_message"),)


class Compaction(Model):
    """A stretch of a history that the model reads once: after_seq < seq <= upto_seq.

    ready_at, in ms since 1970: NULL has ended, past is claimable, future is leased or put off.
    token is the fencing token of the newest lease. content is what the model wrote; tries are
    answers that could not be used, failures calls without one. turn_id is the newest turn then.
    """

    id: int = fields.BigIntField(primary_key=True)
    conversation_id: int = fields.BigIntField()
    agent_id: int = fields.BigIntField()
    turn_id: int = fields.BigIntField()
    kind = fields.CharEnumField(CompactionKind, max_length=16)
    state = fields.CharEnumField(CompactionState, max_length=16)
    after_seq: int = fields.BigIntField()
    upto_seq: int = fields.BigIntField()
    content = fields.JSONField[dict[str, object] | None](null=True)
    tries: int = fields.IntField(default=0, db_default=0)
    failures: int = fields.IntField(default=0, db_default=0)
    ready_at: int | None = fields.BigIntField(null=True)
    owner = fields.CharField(max_length=190, null=True)
    token: int = fields.BigIntField(default=0)
    opened_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "compaction"
        unique_together = (("conversation_id", "kind", "upto_seq"),)
        indexes = (Index(fields=("ready_at",), name="compaction_ready"),)


class Installation(Model):
    """A workspace that has installed the bot, with the tokens that the platform gave for it."""

    id: int = fields.BigIntField(primary_key=True)
    platform = fields.CharField(max_length=16)
    team = fields.CharField(max_length=64)
    enterprise = fields.CharField(max_length=64)
    bot = fields.JSONField[dict[str, object]]()
    installed_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "installation"
        unique_together = (("platform", "enterprise", "team"),)


class OAuthState(Model):
    """A begun installation, good for one use."""

    id: int = fields.BigIntField(primary_key=True)
    state = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "oauth_state"
