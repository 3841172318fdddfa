"""From the tools that an agent's configuration names to its toolbox."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from core.errors import ConfigMistake
from core.tools import Tool
from core.tools.clock import clock
from core.tools.facts import facts
from core.tools.function import Function, tool_from
from core.tools.history import history
from core.tools.imported import imported
from core.tools.remember import forget, remember
from core.tools.toolbox import Toolbox

_BUILT_IN: dict[str, Function] = {
    "remember": remember,
    "forget": forget,
    "facts": facts,
    "clock": clock,
    "history": history,
}
_NEED_MEMORY = {"remember", "forget", "facts", "history"}


def toolbox(references: Sequence[str], *, with_memory: bool) -> Toolbox:
    """Built-in tools by name, others as `module:function`; some make no sense without memory.

    Raises:
        ConfigMistake: a reference leads nowhere, or two tools have one name.
    """
    tools: dict[str, Tool] = {}
    for reference in references:
        if reference in _NEED_MEMORY and not with_memory:
            continue
        tool = _tool(reference)
        if tool.name in tools:
            raise ConfigMistake(
                f"tool {reference!r}: there is a tool {tool.name!r} already; rename one of the two"
            )
        tools[tool.name] = tool
    return Toolbox(tools.values())


def _tool(reference: str) -> Tool:
    return _built_in(reference) if reference in _BUILT_IN else imported(reference)


@cache
def _built_in(name: str) -> Tool:
    return tool_from(_BUILT_IN[name], name)
