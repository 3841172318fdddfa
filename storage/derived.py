"""The tables whose rows are made of others: no backup has them, and what is lost is made again."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index

from storage.drivers.internals import Model


class Passage(Model):
    """Part of a message, with the words that it is found by.

    Each word is one with its scope: an index of words is one of scopes, too.
    """

    id: int = fields.BigIntField(primary_key=True)
    conversation_id: int = fields.BigIntField()
    seq: int = fields.BigIntField()
    part: int = fields.IntField()
    turn_id: int = fields.BigIntField()
    author = fields.CharField(max_length=190)
    words = fields.TextField()

    class Meta(Model.Meta):
        table = "passage"
        unique_together = (("conversation_id", "seq", "part"),)
        indexes = (Index(fields=("turn_id",), name="passage_turn"),)
