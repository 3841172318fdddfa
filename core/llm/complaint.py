"""What an endpoint says against a request, in whichever shape it says so."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import openai

from core.llm.events import Event
from core.llm.untrusted import count_of, list_of, mapping_of, text_of

_LONGEST = 4_000  # characters of it that are looked at: some repeat the whole prompt
_REFUSED = {400, 413, 422}
_ERROR_EVENTS = {"error", "response.failed"}

_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|context[_ ]window|context (length|size)"
    r"|maximum (context|prompt)|token limit|context the overflows|context overflows"
    r"|(prompt|input|request|messages?|inputs?)( tokens?)?( length)? (is|are|was) too (long|large)"
    r"|(request|prompt|input) (entity )?too (large|long)|too many (input |prompt )?tokens"
    r"|token count.{0,40}exceeds|exceeds? the (maximum|max|model|context|limit|available)"
    r"[^.]{0,60}(token|context|length)|(token|length)s?[^.]{0,60}exceeds? the (maximum|limit)"
    r"|max_(input|prompt|total|model|seq)_?\w*(tokens|len\w*)|reduce the length"
    r"|\b(inputs?|prompt)`? (tokens |validation )?[^.]{0,60}must (have|be) (less|<=)",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:(?:context|prompt) (?:length|size|window)(?: of| is|:)?(?: only)?|only|maximum"
    r"(?: number of tokens| length)?(?: allowed)?(?: of)?|limit(?: of| is|:)?"
    r"|max_model_len\D{0,3}|n_ctx\D{0,4}|[<>]=?|up to|at most)"
    r"\s*\(?\s*(\d[\d,]{2,8})",
    re.IGNORECASE,
)
_NO_IMAGES = re.compile(  # in the words of OpenAI, vLLM, llama.cpp, OpenRouter and others
    r"image_url|image input|image content|not (support|accept|allow)\w* (images?|vision)"
    r"|images? (is|are) not|no vision|not a multimodal",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """An error of an endpoint; `status` is 0 where it came inside of a stream without one."""

    status: int
    message: str
    code: str = ""
    parameter: str = ""
    retry_after: float | None = None
    window: int | None = None  # tokens, where it is a field of its own

    @property
    def is_refusal(self) -> bool:
        """Whether the request itself is what is wrong."""
        return self.status in _REFUSED

    @property
    def is_overflow(self) -> bool:
        """Whether it says, in any known words, that the prompt is too long."""
        is_about_it = self.status in {0, 413, 429, 500, *_REFUSED}
        return self.status == 413 or (is_about_it and bool(_OVERFLOW.search(self._words)))

    @property
    def is_filtered(self) -> bool:
        """Whether a content filter stopped the prompt."""
        return self.is_refusal and "content_filter" in self.code

    @property
    def is_about_images(self) -> bool:
        """Whether it says that the model cannot look at images."""
        return bool(_NO_IMAGES.search(self.message))

    @property
    def limit(self) -> int | None:
        """How many tokens the model takes, if it says so."""
        found = [int(number.replace(",", "")) for number in _LIMIT.findall(self.message)]
        return self.window or min(found, default=None)

    @property
    def _words(self) -> str:
        return f"{self.code} {self.message}"


def of_error(error: openai.APIError) -> Complaint:
    """What the SDK raised: an answer with an error status, or no answer at all."""
    if not isinstance(error, openai.APIStatusError):
        return Complaint(status=0, message="")
    retry_after = _seconds(error.response.headers.get("retry-after", ""))
    return _complaint(error.body, error.status_code, retry_after)


def of_event(event: Event) -> Complaint | None:
    """The error that an event of an answered request carries, if it does."""
    data = event.data
    failure = data.get("error") or _nested(data)
    if failure is None and _is_error(event):
        failure = data
    return _complaint(failure, 0, None) if failure else None


def _nested(data: dict[str, Any]) -> object:
    """The error of a response, or of the first choice."""
    if choices := data.get("choices"):
        first = mapping_of(list_of(choices)[0]) if list_of(choices) else {}
        return first.get("error")
    response = data.get("response")
    return mapping_of(response).get("error") if response else None


def _is_error(event: Event) -> bool:
    return event.kind in _ERROR_EVENTS or event.data.get("object") == "error"


def _complaint(given: object, status: int, retry_after: float | None) -> Complaint:
    """From OpenAI's shape, FastAPI's `detail`, a bare text, or a list with one of them."""
    if several := list_of(given):
        given = several[0]
    body = mapping_of(given)
    body = mapping_of(body.get("error")) or body
    code = body.get("code") or body.get("status")
    kind = text_of(body.get("type"))
    said = text_of(given) or text_of(body.get("message")) or text_of(body.get("error"))
    if detail := body.get("detail"):
        said = f"{said} {_detail(detail)}"
    metadata = mapping_of(body.get("metadata"))
    said = f"{said} {text_of(metadata.get('raw'))}".strip()
    if not status:
        status = _status(code, kind)
    return Complaint(
        status=status,
        message=said[:_LONGEST],
        code=f"{text_of(code)} {kind}".strip(),
        parameter=text_of(body.get("param")),
        retry_after=retry_after,
        window=count_of(body.get("n_ctx")) or None,
    )


def _status(code: object, kind: str) -> int:
    """Of an error inside of a stream: its code where HTTP has it, or what its type means."""
    if isinstance(code, int | str) and re.fullmatch(r"[45]\d\d", str(code)):
        return int(code)
    return 400 if "invalid_request" in kind or "invalid_prompt" in str(code) else 0


def _detail(detail: object) -> str:
    """Of FastAPI: where something is wrong and why, without the input, which it repeats."""
    if isinstance(detail, str):
        return detail
    lines = [mapping_of(each) for each in list_of(detail)]
    return "; ".join(
        f"{'.'.join(map(str, list_of(line.get('loc'))))}: {text_of(line.get('msg'))}"
        for line in lines
    ) or text_of(mapping_of(detail).get("message"))


def _seconds(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:  # none, or a date, which endpoints do not send
        return None
    return seconds if 0 < seconds < math.inf else None
