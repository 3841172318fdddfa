"""A ChatModel without a language model: it looks up what was said, offline and for nothing."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.clock import Clock, now
from core.llm import (
    Finished,
    ModelEvent,
    ModelRequest,
    PromptMessage,
    Role,
    TextDelta,
    ToolCall,
)

NAME = "moorings-demo (no language model)"
_INTRODUCTION = (
    "(This is an offline demo without a language model; set OPENAI_API_KEY for a real one.)"
)
_NOTHING = (
    "I found nothing about that in this conversation. I am only a demo: "
    "I look things up in what was said here."
)
_GREETING = "Hello! Tell me something, and ask me about it later."
_REMEMBER = re.compile(
    r"\A\s*(please\s+)?(remember|note|keep in mind)\b[\s:,]*(that\b)?\s*", re.IGNORECASE
)
_ASKS = re.compile(
    r"\s*(what|who|whose|whom|when|where|which|why|how|is|are|was|were|do|does|did|can|could"
    r"|will|would|should|tell|has|have)\b",
    re.IGNORECASE,
)
_STORED = "Remembered as fact"  # as the tool says it
_LOOKED_UP = "facts-1"  # the call of a tool
_NOTE = re.compile(r"^- (.+)$", re.MULTILINE)
_ENDED = re.compile(r"fact \d+ held .+ took its place$")  # as a prompt says of a note
_ABOUT_ME = re.compile(r"\s*what do you (know|remember) about me\b", re.IGNORECASE)
# What the prompt puts before a question: facts, and what was said earlier below its dates.
_ASIDE = r"\((.+):\n((?:(?:- |  ).*\n?)+)\)\n\n"
_ASIDES = re.compile(rf"\A(?:{_ASIDE})+")
_EARLIER = "Said here earlier"
_SAID = re.compile(r"^  (\d\d \w+ \d{4})$|^- (.+?): (.*(?:\n   .*)*)", re.MULTILINE)
_OWN = "you"  # what an agent said itself
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about all am an and any are as at be been but by can could did do does for from had has "
        "have hello hey hi how i if in is it its know long many me much my no not of on or our "
        "ours please remember s shall should so some t tell thank thanks that the their them then "
        "there these they this to told us was we were what when where which who whom whose why "
        "will with would yes you your yours",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """Something that was said, by whom and when if that is known."""

    text: str
    opening: str
    is_note: bool = False


class DemoModel:
    """Answers questions by the earlier message that shares most words.

    It notes what it is asked to remember by the tool `remember`, as a model would: what it calls
    noted is a fact, which is listed and outlives a reset.
    """

    def __init__(self, *, pause: float = 0.08, clock: Clock = now) -> None:
        """`pause` is in seconds, after each word."""
        self._pause = pause
        self._clock = clock

    @property
    def name(self) -> str:
        """Says that it is none."""
        return NAME

    @property
    def terms(self) -> str:
        """It is asked nothing over a wire."""
        return "offline"

    @property
    def window(self) -> None:
        """It reads any length."""
        return

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """As ChatModel says, word by word; calls `remember` and `facts` alone, never fails."""
        if calls := _to_remember(request) or _to_look_up(request):
            yield Finished(text="", model=self.name, tool_calls=calls, finish_reason="tool_calls")
            return
        text = self._answer(request.messages)
        for word in re.findall(r"\S+\s*", text):
            yield TextDelta(text=word)
            await asyncio.sleep(self._pause)
        yield Finished(text=text, model=self.name)

    def _answer(self, messages: tuple[PromptMessage, ...]) -> str:
        before, results = _parted(messages)
        found = [each.content for each in results if each.tool_call_id == _LOOKED_UP]
        is_noted = any(_STORED in each.content for each in results)
        reply = "\n".join(found) or self._reply(before, is_noted=is_noted)
        is_first = all(message.role is not Role.ASSISTANT for message in before)
        return f"{_INTRODUCTION}\n\n{reply}" if is_first else reply

    def _reply(self, messages: Sequence[PromptMessage], *, is_noted: bool) -> str:
        """The last message is the one to be answered, if there is any."""
        latest = messages[-1] if messages else None
        if latest is None or latest.role is not Role.USER:
            return _GREETING
        said = _paragraphs(latest)
        if _is_question(said[-1]):
            today = latest.said_at or self._clock()
            told = [each for message in messages for each in _statements(message, latest, today)]
            return _found(_content_words(said[-1]), told)
        text = "\n\n".join(said)
        opening = "Noted" if is_noted else "Understood"
        return f"{opening}: {_full_stop(text)}" if _content_words(text) else _GREETING


def _parted(
    messages: Sequence[PromptMessage],
) -> tuple[Sequence[PromptMessage], Sequence[PromptMessage]]:
    """Everything up to the question, and what was done about it so far."""
    asked = [at for at, message in enumerate(messages) if message.role is Role.USER]
    end = asked[-1] + 1 if asked else len(messages)
    return messages[:end], messages[end:]


def _to_remember(request: ModelRequest) -> tuple[ToolCall, ...]:
    """What the question asks to remember, unless that was done or there is no tool for it."""
    before, done = _parted(request.messages)
    is_able = any(tool.name == "remember" for tool in request.tools)
    if done or not is_able or not before or before[-1].role is not Role.USER:
        return ()
    statements = [
        _REMEMBER.sub("", paragraph, count=1).strip()
        for paragraph in _told(before[-1])
        if _REMEMBER.match(paragraph) and not _is_question(_REMEMBER.sub("", paragraph))
    ]
    return tuple(
        ToolCall(id=f"remember-{number}", name="remember", arguments=json.dumps({"text": text}))
        for number, text in enumerate(statements, start=1)
        if _content_words(text)
    )


def _to_look_up(request: ModelRequest) -> tuple[ToolCall, ...]:
    """What is known about whoever asks for it, unless that was done or there is no tool for it."""
    before, done = _parted(request.messages)
    is_able = any(tool.name == "facts" for tool in request.tools)
    if done or not is_able or not before or before[-1].role is not Role.USER:
        return ()
    asks = any(_ABOUT_ME.match(paragraph) for paragraph in _told(before[-1]))
    call = ToolCall(id=_LOOKED_UP, name="facts", arguments=json.dumps({"about_asker": True}))
    return (call,) if asks else ()


def _found(wanted: set[str], told: list[_Statement]) -> str:
    def shared(statement: _Statement) -> int:
        return len(wanted & _content_words(statement.text))

    # of two equals the later one holds: people correct themselves; their own words before a note
    best = max(reversed(told), key=lambda each: (shared(each), not each.is_note), default=None)
    if best is None or not shared(best):
        return _NOTHING
    return f"{best.opening}: {_full_stop(best.text)}"


def _statements(
    message: PromptMessage, latest: PromptMessage, today: datetime
) -> Iterator[_Statement]:
    """What the message tells: a person's own words, and the notes that the prompt adds."""
    asides = _ASIDES.match(message.content)
    notes = message.content if message.role is Role.SYSTEM else ""
    for heading, lines in re.findall(_ASIDE, asides[0] if asides else ""):
        if heading.startswith(_EARLIER):
            yield from _earlier(lines, latest, today)
        else:
            notes += lines
    for note in _NOTE.findall(notes):
        if _ENDED.search(note):
            continue
        yield _Statement(text=note, opening="I have noted", is_note=True)
    if message.role is Role.USER:
        opening = _opening(message, latest, today)
        for paragraph in _paragraphs(message):
            if not _is_question(paragraph):
                yield _Statement(text=paragraph, opening=opening)


def _earlier(lines: str, latest: PromptMessage, today: datetime) -> Iterator[_Statement]:
    """What people said long ago."""
    day = today
    for date, who, text in _SAID.findall(lines):
        if date:
            day = datetime.strptime(date, "%d %B %Y").replace(tzinfo=UTC)
        elif who != _OWN and not _is_question(text):
            said = _REMEMBER.sub("", re.sub(r"\n {3}", "\n", text), count=1)
            told = "you" if who == latest.author else who
            when = "Earlier today" if day.date() == today.date() else _day(day, today)
            yield _Statement(text=said, opening=f"{when} {told} told me")


def _opening(message: PromptMessage, latest: PromptMessage, today: datetime) -> str:
    who = "you" if message.author == latest.author else message.author or "somebody"
    day = _day(message.said_at, today) if message.said_at else "Earlier"
    return f"{day} {who} told me"


def _day(said_at: datetime, today: datetime) -> str:
    if said_at.date() == today.date():
        return f"Earlier today ({said_at:%H:%M})"
    year = "" if said_at.year == today.year else f" {said_at.year}"
    return f"On {said_at.day} {said_at:%B}{year}"


def _paragraphs(message: PromptMessage) -> list[str]:
    """The person's words without names and requests to remember."""
    return [_REMEMBER.sub("", paragraph, count=1) for paragraph in _told(message)]


def _told(message: PromptMessage) -> list[str]:
    """The person's words without names; a prompt joins messages so."""
    text = _ASIDES.sub("", message.content).strip()
    return [paragraph.removeprefix(f"{message.author}: ") for paragraph in text.split("\n\n")]


def _full_stop(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _is_question(text: str) -> bool:
    return "?" in text or bool(_ASKS.match(text))


def _content_words(text: str) -> set[str]:
    words = re.findall(r"\w+", text.casefold())
    return {_stem(word) for word in words if word not in _STOP_WORDS}


def _stem(word: str) -> str:
    if len(word) > 5 and word.endswith("ing"):
        return word[:-3]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word
