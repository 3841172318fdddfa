"""What the process has learnt about one model of one endpoint: what it is not sent again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.llm import Api, ModelRequest, PromptCache, PromptMessage, Role
from core.llm.caching import MARK, OPTIONS
from core.llm.complaint import Complaint
from core.llm.tokens import estimate, shortened

_OTHER_NAME = "max_completion_tokens"  # of max_tokens, for newer models of OpenAI's
_OUTPUT_LIMITS = ("max_tokens", _OTHER_NAME, "max_output_tokens")
_LEAST_BRIEFING = 64  # tokens: what is shorter tells nothing
_LEAST_OUTPUT = 256  # tokens: with less, no answer is worth asking for
_ESSENTIAL = {"model", "messages", "input", "stream", *_OUTPUT_LIMITS}
_OTHER_API = {
    Api.CHAT: re.compile(r"v1/responses|responses api|/responses\b", re.IGNORECASE),
    Api.RESPONSES: re.compile(r"v1/chat/completions|chat completions", re.IGNORECASE),
}
_WANTS_NO_EFFORT = re.compile(r"reasoning[._ ]effort\b.{0,60}\bnone\b", re.IGNORECASE | re.DOTALL)
_NO_SYSTEM = re.compile(
    r"system (role|message|prompt|instruction)s?\b.{0,20}\b(not|n't|unsupported)\b"
    r"|(not|n't) support (a |the )?(system|developer)"
    r"|developer instruction is not enabled|only user(,| and)? (assistant|model)",
    re.IGNORECASE,
)
_ALTERNATE = re.compile(r"\balternat(e|es|ing|ely)\b", re.IGNORECASE)
_NO_TOOLS = re.compile(
    r"(not|n't|un|cannot|no)\W*(support|allow|accept|permit|available|implement|use|call)\w*"
    r"\W+(\w+\W+){0,4}(tool|function)"
    r"|(tool|function)s?\b.{0,50}\b(not|n't|unsupported|unknown|unrecognized|disabled|no longer)\b"
    r"|tool (use|choice|call).{0,40}\brequires?\b|no endpoints found that support tool",
    re.IGNORECASE | re.DOTALL,
)
_UNSUPPORTED = re.compile(
    r"\b(not|n't|un(supported|known|recogni[sz]ed|expected)|extra|only|invalid|deprecated|cannot)\b",
    re.IGNORECASE,
)
_SPELLINGS = {"reasoning": "reasoning([._ ]?effort)?"}
_SCHEMA = re.compile(r"invalid schema|\bschema\b.{0,40}\b(invalid|not valid)", re.IGNORECASE)
_SHARE = 0.8  # of a window that a prompt may take: we count by estimate, and an answer needs room


@dataclass(slots=True)
class Capabilities:
    """What was learned about one model at one endpoint.

    Kept as long as the process lives, and shared by all agents that ask this model there.
    """

    api: Api | None = None
    left_out: set[str] = field(default_factory=set[str])
    effort: str | None = None  # what it asked for in place of the agent's
    has_no_system: bool = False
    must_alternate: bool = False
    most_output: int | None = None  # tokens that it writes at most, where it told so
    limits_by_other_name: bool = False
    is_plain: bool = False  # does not take back what it wrote itself
    thinks_first: bool = False
    window: int | None = None  # tokens that fitted after more did not
    lessons: int = 0  # so far; a request that was sent before the newest one is sent again
    _longest: int = 0  # characters of the longest prompt that it took
    _refused: int | None = None  # tokens of the shortest prompt that was too long
    _switches: int = 0

    @property
    def takes_tools(self) -> bool:
        """Whether tools may be offered."""
        return "tools" not in self.left_out and not self.must_alternate

    def __str__(self) -> str:
        """What is done differently for it, for a person."""
        said = [f"effort {self.effort}"] if self.effort else []
        said += [f"without {name}" for name in sorted(self.left_out)]
        said += ["without a system message"] if self.has_no_system else []
        said += ["in turns"] if self.must_alternate else []
        return ", ".join(said)

    def from_refusal(
        self, complaint: Complaint, body: Mapping[str, Any], api: Api, *, may_switch: bool
    ) -> str | None:
        """Learn what to do differently; in a few words, or None if there is nothing new in it."""
        if lesson := self._output(complaint, body):
            self.lessons += 1
            return lesson
        if complaint.is_overflow or complaint.is_about_images:
            return None
        lesson = self._other_api(complaint, api) if may_switch else None
        if complaint.is_refusal or complaint.status == 404:
            lesson = (
                lesson
                or self._effort(complaint, body)
                or self._manners(complaint)
                or self._field(complaint, body)
                or self._plain(complaint, body)
            )
        self.lessons += lesson is not None
        return lesson

    def overflowed(self, tokens: int, complaint: Complaint) -> int:
        """How many tokens the next prompt may have, after one of so many was too long."""
        self._refused = min(self._refused or tokens, tokens)
        stated = int((complaint.limit or 0) * _SHARE)
        most = stated if 0 < stated < tokens else tokens // 2
        if self.window:
            self.window = min(self.window, most)
        return most

    def took(self, request: ModelRequest) -> None:
        """The request was answered."""
        self._longest = max(self._longest, _length(request))
        if self._refused and request.budget and request.budget < self._refused:
            self.window = max(request.budget, self.window or 0)

    def is_longest(self, request: ModelRequest) -> bool:
        """Whether it is longer than all that were answered."""
        return _length(request) > self._longest

    def output_within(self, most: int | None) -> int | None:
        """So many tokens, or as many as it writes at all."""
        return min(most, self.most_output or most) if most else None

    def spelled(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body without what it does not take, and with the names that it wants."""
        if self.limits_by_other_name and "max_tokens" in body:
            body[_OTHER_NAME] = body.pop("max_tokens")
        return {key: value for key, value in body.items() if key not in self.left_out}

    def _output(self, complaint: Complaint, body: Mapping[str, Any]) -> str | None:
        """Its limit by another name, or a lower one: a budget is kept with it, so never none."""
        name = next((name for name in _OUTPUT_LIMITS if name in body), None)
        if name is None or not complaint.is_refusal:
            return None
        if name == "max_tokens" and _OTHER_NAME in complaint.message:
            self.limits_by_other_name = True
            return f"its output is limited by {_OTHER_NAME}"
        most = _lower(body[name], name, complaint)
        if most < _LEAST_OUTPUT:
            return None
        self.most_output = most
        return f"its output is limited to {most} tokens"

    def _other_api(self, complaint: Complaint, api: Api) -> str | None:
        """Followed once, and back if there is no other API."""
        other = Api.RESPONSES if api is Api.CHAT else Api.CHAT
        is_named = complaint.status in {400, 404, 422} and _OTHER_API[api].search(complaint.message)
        is_absent = self._switches == 1 and self.api is api and complaint.status in {404, 405}
        if not (is_absent or (is_named and self._switches == 0)):
            return None
        self.api = other
        self._switches += 1
        return f"it is asked through {other.value}"

    def _effort(self, complaint: Complaint, body: Mapping[str, Any]) -> str | None:
        if self.effort or "messages" not in body or "reasoning_effort" in self.left_out:
            return None
        if not _WANTS_NO_EFFORT.search(complaint.message):
            return None
        self.effort = "none"
        return "its reasoning_effort is none"

    def _manners(self, complaint: Complaint) -> str | None:
        if _NO_SYSTEM.search(complaint.message) and not self.has_no_system:
            self.has_no_system = True
            return "instructions go into the first message"
        if not _ALTERNATE.search(complaint.message):
            return None
        if not self.must_alternate:
            self.must_alternate = True
            return "person and model take turns, and no tools"
        if not self.has_no_system:
            self.has_no_system = True
            return "instructions go into the first message"
        return None

    def _field(self, complaint: Complaint, body: Mapping[str, Any]) -> str | None:
        name = _named(complaint, [key for key in body if key not in _ESSENTIAL])
        if MARK in f"{complaint.parameter} {complaint.message}":
            name = OPTIONS
        if name is None or name in self.left_out:
            return None
        if name == "instructions":
            self.has_no_system = True
            return "instructions go into the first message"
        self.left_out.add(name)
        self.effort = None if "reasoning" in name else self.effort
        return f"{name} is left out"

    def _plain(self, complaint: Complaint, body: Mapping[str, Any]) -> str | None:
        """A field that the model wrote itself, and that its endpoint does not take back."""
        sent = {key for message in body.get("messages", ()) for key in message}
        unknown = sent - {"role", "content", "tool_calls", "tool_call_id"}
        if self.is_plain or not any(key in complaint.message for key in unknown):
            return None
        self.is_plain = True
        return "what it wrote besides text and calls is not given back"

    def adapted(self, request: ModelRequest, briefing: str) -> ModelRequest:
        """The request as this model takes it; `briefing` stands for the tools that it does not.

        It has the room that the messages leave of the request's budget.
        """
        messages = request.messages
        if told := _fitting(briefing, request):
            messages = _briefed(messages, told)
        if not self.takes_tools:
            messages = tuple(map(_spoken, messages))
        elif self.is_plain:
            messages = tuple(replace(each, native=None) for each in messages)
        if self.has_no_system:
            messages = _without_system(messages)
        if self.must_alternate:
            messages = _alternating(messages)
        if OPTIONS in self.left_out and request.prompt_cache is PromptCache.EXPLICIT:
            request = replace(request, prompt_cache=PromptCache.OFF)
        return replace(
            request,
            messages=messages,
            tools=request.tools if self.takes_tools else (),
            temperature=None if "temperature" in self.left_out else request.temperature,
            reasoning_effort=self.effort or request.reasoning_effort,
        )


def _lower(sent: int, name: str, complaint: Complaint) -> int:
    """How many tokens of output it may take where it did not take so many; 0: it is not that."""
    if complaint.is_overflow:  # some count the output that may come as a part of the prompt
        quarter = (complaint.limit or 0) // 4
        return quarter if quarter < sent else 0
    if name not in f"{complaint.parameter} {complaint.message}":
        return 0
    stated = [int(number) for number in re.findall(r"\d{3,6}", complaint.message)]
    return max((most for most in stated if most < sent), default=sent // 2)


def _length(request: ModelRequest) -> int:
    return sum(len(message.content) for message in request.messages)


def _named(complaint: Complaint, names: Sequence[str]) -> str | None:
    """The field of the request that the complaint is about: the one it names, or speaks of."""
    root = re.split(r"[.\[]", complaint.parameter)[0]
    if root in names and root != "tools":
        return root
    if "tools" in names and _is_about_tools(complaint):
        return "tools"
    if not _UNSUPPORTED.search(complaint.message):
        return None
    return next((name for name in names if name != "tools" and _is_said(name, complaint)), None)


def _is_said(name: str, complaint: Complaint) -> bool:
    """Whether the message has the name, in whichever spelling."""
    spelling = _SPELLINGS.get(name) or name.replace("_", "[._ ]?")
    return bool(re.search(rf"\b{spelling}\b", complaint.message, re.IGNORECASE))


def _is_about_tools(complaint: Complaint) -> bool:
    """Whether it takes no tools at all; a faulty schema of one tool is the agent's to mend."""
    if _SCHEMA.search(complaint.message):
        return False
    is_named = complaint.parameter in {"tools", "tool_choice", "functions"}
    return is_named or bool(_NO_TOOLS.search(complaint.message))


def _fitting(briefing: str, request: ModelRequest) -> str:
    """What of it has room; empty where that is next to nothing."""
    if request.budget is None:
        return briefing
    room = request.budget - sum(estimate(message.content) for message in request.messages)
    return shortened(briefing, room) if room >= _LEAST_BRIEFING else ""


def _briefed(messages: tuple[PromptMessage, ...], briefing: str) -> tuple[PromptMessage, ...]:
    """With the briefing before the newest words of a person: it changes from turn to turn."""
    last = max(n for n, message in enumerate(messages) if message.role is Role.USER)
    asked = replace(messages[last], content=f"{briefing}\n\n{messages[last].content}")
    return (*messages[:last], asked, *messages[last + 1 :])


def _spoken(message: PromptMessage) -> PromptMessage:
    """Calls and results as words, for a model that knows no tools."""
    if message.role is Role.TOOL:
        return PromptMessage(role=Role.USER, content=f"(The tool gave: {message.content})")
    if not message.tool_calls:
        return message
    calls = ", ".join(f"{call.name} with {call.arguments}" for call in message.tool_calls)
    content = f"{message.content}\n\n(I used: {calls})".strip()
    return replace(message, content=content, tool_calls=(), native=None)


def _without_system(messages: tuple[PromptMessage, ...]) -> tuple[PromptMessage, ...]:
    told = "\n\n".join(each.content for each in messages if each.role is Role.SYSTEM)
    rest = [each for each in messages if each.role is not Role.SYSTEM]
    if rest and rest[0].role is Role.USER:
        rest[0] = replace(rest[0], content=f"{told}\n\n{rest[0].content}")
        return tuple(rest)
    return (PromptMessage(role=Role.USER, content=told), *rest)


def _alternating(messages: tuple[PromptMessage, ...]) -> tuple[PromptMessage, ...]:
    """Neighbours of one role as one message; the first after the instructions is a person's."""
    taken: list[PromptMessage] = []
    for message in messages:
        before = taken[-1].role if taken else Role.SYSTEM
        if message.role is Role.ASSISTANT and before is Role.SYSTEM:
            taken.append(PromptMessage(role=Role.USER, content="(Earlier.)"))
        if taken and taken[-1].role is message.role:
            images = (*taken[-1].images, *message.images)
            content = f"{taken[-1].content}\n\n{message.content}"
            taken[-1] = replace(taken[-1], content=content, images=images)
        else:
            taken.append(message)
    return tuple(taken)
