"""From a text to the words that it is found by, alike for every database.

Lower case, accents off, endings off by language where that is known, words that tell nothing left
out; what is written without spaces becomes pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Protocol, cast

import snowballstemmer  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # has none

from core.memory.languages import COMMON_WORDS, EMPTY_WORDS, ENGLISH, FILLER, MONTHS, OF_SCRIPT

_LONGEST_WORD = 64  # characters; what is longer is data, of which the beginning is enough
_FEWEST_COMMON = 2  # words of a language before a text is taken to be in it

# Han, kana, Hangul (whose words carry particles), Thai, Lao, Khmer, Burmese, Tibetan.
_WITHOUT_SPACES = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_RUN = re.compile(f"[{_WITHOUT_SPACES}]+")
_TOKEN = re.compile(
    f"[{_WITHOUT_SPACES}]+|[^\\W_{_WITHOUT_SPACES}]+"
    "|[\u2600-\u27bf\U0001f300-\U0001faff]"  # a picture is a word
)
# Of scripts in which one leaves it out; a voiced kana or a vowel sign is another letter.
_ACCENT = re.compile("[\u0300-\u036f]+")


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802  # as Snowball names it


def words(text: str) -> list[str]:
    """The words of a text as an index has them, each as often as it is said."""
    said = all_words(text)
    language = _language(said)
    empty = _EMPTY[language]
    found: list[str] = []
    for token in said:
        if token not in empty:
            found += _forms(token, language)
    return found


def question_words(text: str) -> list[tuple[str, ...]]:
    """What a question looks for: for each of its words the forms that an index may have of it.

    Chat filler is left out unless nothing else is left. Days and months are looked for as the
    index has them: in English, with two digits.
    """
    asked = all_words(text)
    language = _language(asked)
    said = [token for token in asked if token not in _EMPTY[language]]
    telling = [token for token in said if token not in FILLER]
    return list(dict.fromkeys(_question_forms(token, language) for token in telling or said))


def all_words(text: str) -> list[str]:
    """All the words of a text: in lower case, without accents, otherwise as they are said."""
    return list(_tokens(text))


def _question_forms(token: str, language: str) -> tuple[str, ...]:
    forms = _forms(token, language)
    if token in _MONTHS.get(language, {}):
        return (*forms, _stem(_MONTHS[language][token], ENGLISH))
    return (*forms, f"0{token}") if len(token) == 1 and token.isdecimal() else forms


def _tokens(text: str) -> Iterator[str]:
    for token in _TOKEN.findall(_folded(text)):
        if _RUN.match(token):
            yield from _pairs(token)
        else:
            yield token[:_LONGEST_WORD]


def _folded(text: str) -> str:
    """Compatible forms as one, lower case, no accents; whole syllables and kana stay whole."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENT.sub("", apart))


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for start in range(len(run) - 1):
        yield run[start : start + 2]


def _language(tokens: list[str]) -> str:
    """What a text seems to be written in, by its common words; English if nothing tells."""
    counts = Counter(name for token in tokens for name in _LANGUAGES_OF.get(token, ()))
    if not counts:
        return ENGLISH
    english = counts.pop(ENGLISH, 0)
    best, count = max(counts.items(), key=lambda each: each[1], default=(ENGLISH, 0))
    return best if count >= max(_FEWEST_COMMON, english + 1) else ENGLISH


@lru_cache(maxsize=50_000)
def _forms(token: str, language: str) -> tuple[str, ...]:
    """As every question finds it, and as one in the same language does."""
    if not token.isascii() and (known := OF_SCRIPT.get(_script(token[0]))):
        return (_stem(token, known),)
    return tuple(dict.fromkeys((_stem(token, ENGLISH), _stem(token, language))))


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _stem(word: str, language: str) -> str:
    return _stemmer(language).stemWord(word)


@cache
def _stemmer(language: str) -> _Stemmer:
    return cast("_Stemmer", snowballstemmer.stemmer(language))  # pyright: ignore[reportUnknownMemberType]  # as above


_COMMON = {language: frozenset(map(_folded, common)) for language, common in COMMON_WORDS.items()}
_EMPTY = {language: EMPTY_WORDS | common for language, common in _COMMON.items()}
_EMPTY[ENGLISH] = EMPTY_WORDS
_MONTHS = {
    language: dict(zip(map(_folded, months), MONTHS[ENGLISH], strict=True))
    for language, months in MONTHS.items()
    if language != ENGLISH
}
_LANGUAGES_OF = {
    word: tuple(name for name, common in _COMMON.items() if word in common)
    for word in frozenset[str]().union(*_COMMON.values())
}
