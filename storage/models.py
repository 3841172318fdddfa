"""The tables.

The first line of a model's docstring becomes its table comment: Tortoise cuts statements at
semicolons and does not escape apostrophes, so write neither.
"""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index

from storage.drivers.internals import Model


class InboxState(StrEnum):
    """Where a received message stands."""

    WAITING = "waiting"
    TAKEN = "taken"
    ANSWERED = "answered"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class TurnState(StrEnum):
    """Where an answer stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class StepKind(StrEnum):
    """What was finished inside a turn."""

    MODEL = "model"
    TOOL = "tool"


class MessageRole(StrEnum):
    """Who speaks in a history. A notice tells people why there is no answer."""

    USER = "user"
    ASSISTANT = "assistant"
    NOTICE = "notice"


class OutboxState(StrEnum):
    """Where a message to be delivered stands."""

    DRAFT = "draft"
    DUE = "due"
    SENDING = "sending"  # never set; to take it out, SQLite would make the table anew
    DELIVERED = "delivered"
    DEAD = "dead"


class SummaryKind(StrEnum):
    """Why the model's view of a history begins later than the history."""

    CUT = "cut"
    RESET = "reset"


class Agent(Model):
    """A named agent with its newest configuration.

    named_at is when an agents file that names it was read last, NULL where only a program made it.
    """

    id: int = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=64, unique=True)
    revision = fields.CharField(max_length=16)
    config = fields.JSONField[dict[str, object]]()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    named_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "agent"


class Revision(Model):
    """A configuration that an agent has had. Turns name the one that answered."""

    id: int = fields.BigIntField(primary_key=True)
    agent_id: int = fields.BigIntField()
    fingerprint = fields.CharField(max_length=16)
    config = fields.JSONField[dict[str, object]]()
    first_seen_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "revision"
        unique_together = (("agent_id", "fingerprint"),)


class Conversation(Model):
    """One agent, one history. The row is the only lock.

    ready_at, in ms since 1970: NULL is idle, past is claimable, future is leased or put off.
    token is the fencing token of the newest lease. last_seq numbers the messages. readers is who
    can read what is said there: empty as long as nobody told.
    """

    id: int = fields.BigIntField(primary_key=True)
    agent_id: int = fields.BigIntField()
    address = fields.CharField(max_length=190)
    queue = fields.CharField(max_length=190)
    opened_by = fields.CharField(max_length=190)
    readers = fields.CharField(max_length=16, default="", db_default="")
    last_seq: int = fields.BigIntField(default=0)
    last_turn: int = fields.BigIntField(default=0)
    ready_at: int | None = fields.BigIntField(null=True)
    owner = fields.CharField(max_length=190, null=True)
    token: int = fields.BigIntField(default=0)
    created_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "conversation"
        unique_together = (("agent_id", "address"),)
        indexes = (
            Index(fields=("queue", "ready_at"), name="conversation_ready"),
            Index(fields=("address",), name="conversation_address"),
        )


class Message(Model):
    """One entry of a history, never changed."""

    id: int = fields.BigIntField(primary_key=True)
    conversation_id: int = fields.BigIntField()
    seq: int = fields.BigIntField()
    role = fields.CharEnumField(MessageRole, max_length=16)
    author = fields.CharField(max_length=190)
    text = fields.TextField()
    tokens: int = fields.IntField()
    turn_id: int = fields.BigIntField()
    said_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "message"
        unique_together = (("conversation_id", "seq"),)
        indexes = (Index(fields=("turn_id",), name="message_turn"),)


class InboxMessage(Model):
    """A message received and to be answered, under the identity the platform gave it."""

    id: int = fields.BigIntField(primary_key=True)
    key = fields.CharField(max_length=190, unique=True)
    conversation_id: int = fields.BigIntField()
    position: int = fields.BigIntField()
    author_id = fields.CharField(max_length=190)
    author = fields.CharField(max_length=190)
    text = fields.TextField()
    attachments = fields.JSONField[list[dict[str, object]]]()
    quotes = fields.JSONField[list[dict[str, str]] | None](null=True)
    reply_to = fields.CharField(max_length=190, null=True)
    thread = fields.CharField(max_length=190, null=True)
    state = fields.CharEnumField(InboxState, max_length=16)
    turn_id: int | None = fields.BigIntField(null=True)
    sent_at = fields.DatetimeField()
    received_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "inbox"
        indexes = (
            Index(fields=("conversation_id", "state", "position"), name="inbox_waiting"),
            Index(fields=("turn_id",), name="inbox_turn"),
            Index(fields=("thread", "position"), name="inbox_thread"),
        )


class Turn(Model):
    """One answer to the waiting messages of one conversation.

    Since its last finished step: attempts are those that failed by themselves, and the one now.
    interruptions are processes that left it without a word, lone_tries those of its attempts
    alone in a process that did not end by themselves. edits are those of its questions.
    """

    id: int = fields.BigIntField(primary_key=True)
    conversation_id: int = fields.BigIntField()
    number: int = fields.BigIntField()
    state = fields.CharEnumField(TurnState, max_length=16)
    revision = fields.CharField(max_length=16)
    attempts: int = fields.IntField(default=0)
    interruptions: int = fields.IntField(default=0, db_default=0)
    lone_tries: int = fields.IntField(default=0, db_default=0)
    edits: int = fields.IntField(default=0, db_default=0)
    failure = fields.CharField(max_length=64, null=True)
    stop_asked_at = fields.DatetimeField(null=True)
    opened_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "turn"
        unique_together = (("conversation_id", "number"),)
        indexes = (Index(fields=("ended_at",), name="turn_ended"),)


class Step(Model):
    """One finished model call or tool call inside a turn: the journal."""

    id: int = fields.BigIntField(primary_key=True)
    turn_id: int = fields.BigIntField()
    number: int = fields.IntField()
    kind = fields.CharEnumField(StepKind, max_length=16)
    content = fields.JSONField[dict[str, object]]()
    finished_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "step"
        unique_together = (("turn_id", "number"),)


class OutboxMessage(Model):
    """One visible message of an answer. message_id is the id of the platform, once known.

    attempts are posts that were about to be made, failures those deliveries that it refused.
    """

    id: int = fields.BigIntField(primary_key=True)
    key = fields.CharField(max_length=64, unique=True)
    conversation_id: int = fields.BigIntField()
    turn_id: int = fields.BigIntField()
    part: int = fields.IntField()
    state = fields.CharEnumField(OutboxState, max_length=16)
    text = fields.TextField()
    reply_to = fields.CharField(max_length=190, null=True)
    message_id = fields.CharField(max_length=190, null=True)
    attempts: int = fields.IntField(default=0)
    failures: int = fields.IntField(default=0, db_default=0)
    tried_at = fields.DatetimeField(null=True)
    delivered_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "outbox"
        unique_together = (("turn_id", "part"),)
        indexes = (
            Index(fields=("conversation_id", "state"), name="outbox_due"),
            Index(fields=("message_id",), name="outbox_message"),
        )


class Usage(Model):
    """Tokens and cost of one model call. nano_usd is NULL where no price is known.

    step is below zero where the call left no step in a turn: it was cut, or wrote a summary after
    it, as purpose says. written_tokens are those of the input that went into the provider cache.
    """

    id: int = fields.BigIntField(primary_key=True)
    turn_id: int = fields.BigIntField()
    step: int = fields.IntField()
    agent_id: int = fields.BigIntField()
    model = fields.CharField(max_length=190)
    input_tokens: int = fields.BigIntField()
    cached_tokens: int = fields.BigIntField()
    output_tokens: int = fields.BigIntField()
    written_tokens: int = fields.BigIntField(default=0, db_default=0)
    nano_usd: int | None = fields.BigIntField(null=True)
    purpose = fields.CharField(max_length=16, default="answer", db_default="answer")
    at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "usage"
        unique_together = (("turn_id", "step"),)
        indexes = (Index(fields=("agent_id", "at"), name="usage_of_agent"),)


class Reservation(Model):
    """The most that the model call of a turn may cost, until it is recorded or ends_at has come."""

    id: int = fields.BigIntField(primary_key=True)
    turn_id: int = fields.BigIntField(unique=True)
    agent_id: int = fields.BigIntField()
    nano_usd: int = fields.BigIntField()
    ends_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "reservation"
        indexes = (Index(fields=("agent_id",), name="reservation_of_agent"),)


class Feedback(Model):
    """What a person thought of an answer, the newest opinion only."""

    id: int = fields.BigIntField(primary_key=True)
    turn_id: int = fields.BigIntField()
    person = fields.CharField(max_length=190)
    is_good = fields.BooleanField()
    given_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "feedback"
        unique_together = (("turn_id", "person"),)


class Fact(Model):
    """One remembered statement, superseded or forgotten but never overwritten.

    author_id, of whoever said it, and place, the address where, are NULL in rows of older versions.
    said_at is from when it holds, held_until until when it did. A learned fact supersedes no told
    one: contradicts names the one that it speaks against. uses are how often somebody asked for it.
    """

    id: int = fields.BigIntField(primary_key=True)
    key = fields.CharField(max_length=190, unique=True)
    agent_id: int = fields.BigIntField()
    scope = fields.CharField(max_length=190)
    text = fields.TextField()
    said_by = fields.CharField(max_length=190)
    source_key = fields.CharField(max_length=190)
    said_at = fields.DatetimeField()
    superseded_by: int | None = fields.BigIntField(null=True)
    forgotten_at = fields.DatetimeField(null=True)
    origin = fields.CharField(max_length=16, default="told", db_default="told")
    author_id = fields.CharField(max_length=190, null=True)
    place = fields.CharField(max_length=190, null=True)
    held_until = fields.DatetimeField(null=True)
    contradicts: int | None = fields.BigIntField(null=True)
    uses: int = fields.IntField(default=0, db_default=0)

    class Meta(Model.Meta):
        table = "fact"
        indexes = (
            Index(fields=("agent_id", "scope"), name="fact_of_scope"),
            Index(fields=("source_key",), name="fact_source"),
            Index(fields=("superseded_by",), name="fact_superseded"),
        )


class Summary(Model):
    """Up to message upto_seq: this summary, these facts. What a model sees begins after it."""

    id: int = fields.BigIntField(primary_key=True)
    conversation_id: int = fields.BigIntField()
    upto_seq: int = fields.BigIntField()
    kind = fields.CharEnumField(SummaryKind, max_length=16)
    text = fields.TextField()
    facts = fields.JSONField[list[int]]()
    made_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "summary"
        indexes = (Index(fields=("conversation_id", "upto_seq"), name="summary_newest"),)


class Binding(Model):
    """An address prefix and the agent that answers below it, as made from chat."""

    id: int = fields.BigIntField(primary_key=True)
    at = fields.CharField(max_length=190, unique=True)
    agent = fields.CharField(max_length=64)
    listen = fields.CharField(max_length=16)
    conversation = fields.CharField(max_length=16)
    made_by = fields.CharField(max_length=190)
    made_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "binding"


class Allowance(Model):
    """When somebody did what has a limit, in ms since 1970, oldest first.

    A row goes after idle_at: nothing in it counts any more then.
    """

    id: int = fields.BigIntField(primary_key=True)
    whom = fields.CharField(max_length=255, unique=True)
    uses = fields.JSONField[list[int]]()
    idle_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "allowance"


class Cursor(Model):
    """How far something has been read, e.g. a channel during catch-up."""

    id: int = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=190, unique=True)
    position = fields.CharField(max_length=190)
    moved_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "cursor"
