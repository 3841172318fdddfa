from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from storage.models import InboxState, MessageRole, OutboxState, StepKind, SummaryKind, TurnState
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Agent",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("name", fields.CharField(unique=True, max_length=64)),
                ("revision", fields.CharField(max_length=16)),
                (
                    "config",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "agent",
                "app": "storage",
                "pk_attr": "id",
                "table_description": "A named agent with its newest configuration.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Binding",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("at", fields.CharField(unique=True, max_length=190)),
                ("agent", fields.CharField(max_length=64)),
                ("listen", fields.CharField(max_length=16)),
                ("conversation", fields.CharField(max_length=16)),
                ("made_by", fields.CharField(max_length=190)),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "binding",
                "app": "storage",
                "pk_attr": "id",
                "table_description": "An address prefix and the agent that answers below it, as made from chat.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Conversation",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("agent_id", fields.BigIntField()),
                ("address", fields.CharField(max_length=190)),
                ("queue", fields.CharField(max_length=190)),
                ("opened_by", fields.CharField(max_length=190)),
                ("last_seq", fields.BigIntField(default=0)),
                ("last_turn", fields.BigIntField(default=0)),
                ("ready_at", fields.BigIntField(null=True)),
                ("owner", fields.CharField(null=True, max_length=190)),
                ("token", fields.BigIntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "conversation",
                "app": "storage",
                "unique_together": (("agent_id", "address"),),
                "indexes": [Index(fields=["queue", "ready_at"], name="conversation_ready")],
                "pk_attr": "id",
                "table_description": "One agent, one history. The row is the only lock.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Cursor",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("name", fields.CharField(unique=True, max_length=190)),
                ("position", fields.CharField(max_length=190)),
                ("moved_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "cursor",
                "app": "storage",
                "pk_attr": "id",
                "table_description": "How far something has been read, e.g. a channel during catch-up.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Fact",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("key", fields.CharField(unique=True, max_length=190)),
                ("agent_id", fields.BigIntField()),
                ("scope", fields.CharField(max_length=190)),
                ("text", fields.TextField(unique=False)),
                ("said_by", fields.CharField(max_length=190)),
                ("source_key", fields.CharField(max_length=190)),
                ("said_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("superseded_by", fields.BigIntField(null=True)),
                (
                    "forgotten_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "fact",
                "app": "storage",
                "indexes": [Index(fields=["agent_id", "scope"], name="fact_of_scope")],
                "pk_attr": "id",
                "table_description": "One remembered statement, superseded or forgotten but never overwritten.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Feedback",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("turn_id", fields.BigIntField()),
                ("person", fields.CharField(max_length=190)),
                ("is_good", fields.BooleanField()),
                ("given_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "feedback",
                "app": "storage",
                "unique_together": (("turn_id", "person"),),
                "pk_attr": "id",
                "table_description": "What a person thought of an answer, the newest opinion only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="InboxMessage",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("key", fields.CharField(unique=True, max_length=190)),
                ("conversation_id", fields.BigIntField()),
                ("position", fields.BigIntField()),
                ("author_id", fields.CharField(max_length=190)),
                ("author", fields.CharField(max_length=190)),
                ("text", fields.TextField(unique=False)),
                (
                    "attachments",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("reply_to", fields.CharField(null=True, max_length=190)),
                (
                    "state",
                    fields.CharEnumField(
                        description="WAITING: waiting\nTAKEN: taken\nANSWERED: answered\nFAILED: failed\nWITHDRAWN: withdrawn",
                        enum_type=InboxState,
                        max_length=16,
                    ),
                ),
                ("turn_id", fields.BigIntField(null=True)),
                ("sent_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("received_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "inbox",
                "app": "storage",
                "indexes": [
                    Index(fields=["conversation_id", "state", "position"], name="inbox_waiting"),
                    Index(fields=["turn_id"], name="inbox_turn"),
                ],
                "pk_attr": "id",
                "table_description": "A message received and to be answered, under the identity the platform gave it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Installation",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("platform", fields.CharField(max_length=16)),
                ("team", fields.CharField(max_length=64)),
                ("enterprise", fields.CharField(max_length=64)),
                (
                    "bot",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("installed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "installation",
                "app": "storage",
                "unique_together": (("platform", "enterprise", "team"),),
                "pk_attr": "id",
                "table_description": "A workspace that has installed the bot, with the tokens that the platform gave for it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("conversation_id", fields.BigIntField()),
                ("seq", fields.BigIntField()),
                (
                    "role",
                    fields.CharEnumField(
                        description="USER: user\nASSISTANT: assistant\nNOTICE: notice",
                        enum_type=MessageRole,
                        max_length=16,
                    ),
                ),
                ("author", fields.CharField(max_length=190)),
                ("text", fields.TextField(unique=False)),
                ("tokens", fields.IntField()),
                ("turn_id", fields.BigIntField()),
                ("said_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "message",
                "app": "storage",
                "unique_together": (("conversation_id", "seq"),),
                "pk_attr": "id",
                "table_description": "One entry of a history, never changed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OAuthState",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("state", fields.CharField(unique=True, max_length=64)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "oauth_state",
                "app": "storage",
                "pk_attr": "id",
                "table_description": "A begun installation, good for one use.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OutboxMessage",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("key", fields.CharField(unique=True, max_length=64)),
                ("conversation_id", fields.BigIntField()),
                ("turn_id", fields.BigIntField()),
                ("part", fields.IntField()),
                (
                    "state",
                    fields.CharEnumField(
                        description="DRAFT: draft\nDUE: due\nSENDING: sending\nDELIVERED: delivered\nDEAD: dead",
                        enum_type=OutboxState,
                        max_length=16,
                    ),
                ),
                ("text", fields.TextField(unique=False)),
                ("reply_to", fields.CharField(null=True, max_length=190)),
                ("message_id", fields.CharField(null=True, max_length=190)),
                ("attempts", fields.IntField(default=0)),
                (
                    "delivered_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "outbox",
                "app": "storage",
                "unique_together": (("turn_id", "part"),),
                "indexes": [
                    Index(fields=["conversation_id", "state"], name="outbox_due"),
                    Index(fields=["message_id"], name="outbox_message"),
                ],
                "pk_attr": "id",
                "table_description": "One visible message of an answer. message_id is the id of the platform, once known.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Revision",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("agent_id", fields.BigIntField()),
                ("fingerprint", fields.CharField(max_length=16)),
                (
                    "config",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("first_seen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "revision",
                "app": "storage",
                "unique_together": (("agent_id", "fingerprint"),),
                "pk_attr": "id",
                "table_description": "A configuration that an agent has had. Turns name the one that answered.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Step",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("turn_id", fields.BigIntField()),
                ("number", fields.IntField()),
                (
                    "kind",
                    fields.CharEnumField(
                        description="MODEL: model\nTOOL: tool", enum_type=StepKind, max_length=16
                    ),
                ),
                (
                    "content",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("finished_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "step",
                "app": "storage",
                "unique_together": (("turn_id", "number"),),
                "pk_attr": "id",
                "table_description": "One finished model call or tool call inside a turn: the journal.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Summary",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("conversation_id", fields.BigIntField()),
                ("upto_seq", fields.BigIntField()),
                (
                    "kind",
                    fields.CharEnumField(
                        description="CUT: cut\nRESET: reset", enum_type=SummaryKind, max_length=16
                    ),
                ),
                ("text", fields.TextField(unique=False)),
                (
                    "facts",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "summary",
                "app": "storage",
                "indexes": [Index(fields=["conversation_id", "upto_seq"], name="summary_newest")],
                "pk_attr": "id",
                "table_description": "Up to message upto_seq: this summary, these facts. What a model sees begins after it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Turn",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("conversation_id", fields.BigIntField()),
                ("number", fields.BigIntField()),
                (
                    "state",
                    fields.CharEnumField(
                        description="RUNNING: running\nDONE: done\nFAILED: failed\nSTOPPED: stopped",
                        enum_type=TurnState,
                        max_length=16,
                    ),
                ),
                ("revision", fields.CharField(max_length=16)),
                ("attempts", fields.IntField(default=0)),
                ("failure", fields.CharField(null=True, max_length=64)),
                (
                    "stop_asked_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "turn",
                "app": "storage",
                "unique_together": (("conversation_id", "number"),),
                "pk_attr": "id",
                "table_description": "One answer to the waiting messages of one conversation.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Usage",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("turn_id", fields.BigIntField()),
                ("step", fields.IntField()),
                ("agent_id", fields.BigIntField()),
                ("model", fields.CharField(max_length=190)),
                ("input_tokens", fields.BigIntField()),
                ("cached_tokens", fields.BigIntField()),
                ("output_tokens", fields.BigIntField()),
                ("nano_usd", fields.BigIntField(null=True)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "usage",
                "app": "storage",
                "unique_together": (("turn_id", "step"),),
                "indexes": [Index(fields=["agent_id", "at"], name="usage_of_agent")],
                "pk_attr": "id",
                "table_description": "Tokens and cost of one model call. nano_usd is NULL where no price is known.",
            },
            bases=["Model"],
        ),
    ]
