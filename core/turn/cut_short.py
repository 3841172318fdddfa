"""What a person is told where an answer was cut short or declined."""

from __future__ import annotations

from dataclasses import replace

from core.llm import Finished

# By finish reason: below an answer, and where there is none.
_SENTENCES = {
    "length": (
        "(Cut off here: this is as much as my language model may write at once. Ask me to go on.)",
        "(My language model used up all that it may write before it came to an answer. "
        "Please ask for less at once.)",
    ),
    "content_filter": (
        "(Cut off here: the content filter of my language model stopped this answer.)",
        "(The content filter of my language model stopped this answer before its first word. "
        "Please put it differently.)",
    ),
    "refusal": (
        "(My language model declined to answer this.)",
        "(My language model declined to answer this. Please put it differently.)",
    ),
}


def explained(finished: Finished) -> Finished:
    """The answer with one honest sentence below what there is, if it is not whole."""
    sentences = _SENTENCES.get(finished.finish_reason)
    if sentences is None or finished.tool_calls:
        return finished
    text = finished.text.rstrip()
    return replace(finished, text=f"{text}\n\n{sentences[0]}" if text else sentences[1])
