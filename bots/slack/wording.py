"""What commands answer, in the words that people read and Slack's markup."""

from __future__ import annotations

from collections.abc import Sequence

from bots.slack.markup import escaped
from core.binding import Listen
from core.commands import Remembered, Status, Why
from core.text import clipped

_LONGEST = 3_000  # characters of one answer
_LONGEST_FACT = 300
_LONGEST_WORD = 40
_HELP = """\
`/agent ask TEXT` asks the agent of this channel; `/agent ask NAME: TEXT` asks another one
`/agent list` says who there is, `/agent status` who answers here and to what
`/agent use NAME` lets another agent answer here; add `mention` to be answered only when you \
mention it, and `channel`, `thread` or `user` for who shares one history
`/agent facts`, `/agent remember TEXT`, `/agent forget NUMBER`: what is remembered here
`/agent reset` begins anew, `/agent stop` stops what is being written here
`/agent why` says what is behind the last answer, `/agent why LINK` behind that one"""


def sentence(text: str) -> str:
    """A sentence that may repeat what somebody wrote."""
    return escaped(clipped(text, _LONGEST))


def help_text(word: str) -> str:
    """What there is, after a word that is no command."""
    if word.casefold() in {"", "help"}:
        return _HELP
    return f"There is no command `{escaped(word[:_LONGEST_WORD]).replace('`', '')}`.\n{_HELP}"


def asking(agent: str) -> str:
    """The question is stored."""
    return f"Asking *{escaped(agent)}* …"


def question_about(text: str) -> str:
    """What the shortcut asks."""
    quoted = "\n".join(f"> {line}" for line in text.splitlines()) or "> (no text)"
    return f"Please help with this message:\n{quoted}"


def in_use(agent: str, listen: Listen) -> str:
    """Who answers from now on."""
    name = escaped(agent)
    if listen is Listen.ALL:
        return (
            f"*{name}* answers every message here from now on. "
            f"`/agent use {name} mention` lets it answer only when it is mentioned."
        )
    return f"*{name}* answers here from now on, when it is mentioned."


def agents(names: Sequence[str], here: str) -> str:
    """Who there is."""
    marked = (f"• *{escaped(n)}* (answers here)" if n == here else f"• {escaped(n)}" for n in names)
    return clipped("\n".join(marked), _LONGEST)


def status(found: Status) -> str:
    """Who answers here, and what there is to do."""
    to = "every message" if found.listen is Listen.ALL else "whoever mentions it"
    shared = f", one history for each {found.conversation.value}" if found.conversation else ""
    return (
        f"*{escaped(found.agent)}* ({escaped(found.model)}) answers {to} here{shared}.\n"
        f"Being answered: {found.answering}. Waiting: {found.waiting}. "
        f"Facts remembered here: {found.facts}."
    )


def facts(agent: str, known: Sequence[Remembered]) -> str:
    """What the agent remembers here, the newest where there are too many."""
    if not known:
        return f"*{escaped(agent)}* remembers nothing here yet."
    lines: list[str] = []
    for fact in reversed(known):
        line = f"{fact.id}. {_short(fact.text)} _({_short(fact.said_by)}, {fact.at:%d %B %Y})_"
        if sum(map(len, lines)) + len(line) > _LONGEST:
            lines.append("… and older ones")
            break
        lines.append(line)
    return "\n".join(reversed(lines))


def remembered(agent: str, fact: Remembered) -> str:
    """A fact is kept."""
    return f"*{escaped(agent)}* remembers as fact {fact.id}: {_short(fact.text)}"


def forgotten(text: str) -> str:
    """A fact is gone."""
    return f"Forgotten: {_short(text)}"


def begun_anew(agent: str, histories: int) -> str:
    """What was said is out of sight."""
    if not histories:
        return "Nothing was said here yet."
    return (
        f"*{escaped(agent)}* begins anew here. What was said before is kept, but no longer looked "
        "at; facts stay."
    )


def stopped(count: int) -> str:
    """What was being written is not any more."""
    if not count:
        return "Nothing is being written here."
    return "Stopped." if count == 1 else f"Stopped {count} answers."


def why(found: Why | None) -> str:
    """Everything behind one answer."""
    if found is None:
        return "I know of no such answer here."
    price = "unknown" if found.nano_usd is None else f"${found.nano_usd / 1e9:.4f}"
    failure = f" ({escaped(found.failure)})" if found.failure else ""
    return (
        f"Answer {found.turn} by *{escaped(found.agent)}* (revision {escaped(found.revision)}): "
        f"{escaped(found.state)}{failure}.\n"
        f"Models: {_names(found.models)}. Tools: {_names(found.tools)}. "
        f"Attempts: {found.attempts}.\n"
        f"Tokens: {found.input_tokens:,} in, {found.output_tokens:,} out. Cost: {price}."
    )


def _names(names: Sequence[str]) -> str:
    return escaped(", ".join(names)) or "none"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return escaped(line if len(line) <= _LONGEST_FACT else f"{line[:_LONGEST_FACT]}…")
