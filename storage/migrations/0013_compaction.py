from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from storage.side_models import CompactionKind, CompactionState
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("storage", "0011_threads")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Compaction",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("conversation_id", fields.BigIntField()),
                ("agent_id", fields.BigIntField()),
                ("turn_id", fields.BigIntField()),
                (
                    "kind",
                    fields.CharEnumField(
                        description="GROWN: grown\nQUIET: quiet",
                        enum_type=CompactionKind,
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="OPEN: open\nWRITTEN: written\nDONE: done\nLEFT_OUT: left out",
                        enum_type=CompactionState,
                        max_length=16,
                    ),
                ),
                ("after_seq", fields.BigIntField()),
                ("upto_seq", fields.BigIntField()),
                (
                    "content",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("tries", fields.IntField(default=0, db_default=0)),
                ("failures", fields.IntField(default=0, db_default=0)),
                ("ready_at", fields.BigIntField(null=True)),
                ("owner", fields.CharField(null=True, max_length=190)),
                ("token", fields.BigIntField(default=0)),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "compaction",
                "app": "storage",
                "unique_together": (("conversation_id", "kind", "upto_seq"),),
                "indexes": [Index(fields=["ready_at"], name="compaction_ready")],
                "pk_attr": "id",
                "table_description": "A stretch of a history that the model reads once: after_seq < seq <= upto_seq.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Source",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("fact_id", fields.BigIntField()),
                ("message_key", fields.CharField(max_length=190)),
            ],
            options={
                "table": "source",
                "app": "storage",
                "unique_together": (("fact_id", "message_key"),),
                "indexes": [Index(fields=["message_key"], name="source_message")],
                "pk_attr": "id",
                "table_description": "A message that a learned fact stems from. Without any, the fact goes.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Fact",
            name="author_id",
            field=fields.CharField(null=True, max_length=190),
        ),
        ops.AddField(
            model_name="Fact",
            name="contradicts",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Fact",
            name="held_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Fact",
            name="origin",
            field=fields.CharField(default="told", db_default="told", max_length=16),
        ),
        ops.AddField(
            model_name="Fact",
            name="place",
            field=fields.CharField(null=True, max_length=190),
        ),
        ops.AddField(
            model_name="Fact",
            name="uses",
            field=fields.IntField(default=0, db_default=0),
        ),
        ops.AddIndex(
            model_name="Fact",
            index=Index(fields=["superseded_by"], name="fact_superseded"),
        ),
        ops.AddField(
            model_name="Usage",
            name="purpose",
            field=fields.CharField(default="answer", db_default="answer", max_length=16),
        ),
        ops.AddField(
            model_name="Usage",
            name="written_tokens",
            field=fields.BigIntField(default=0, db_default=0),
        ),
    ]
