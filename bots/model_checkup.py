"""What `moorings doctor` looks at in the models: each is asked once, as a turn asks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches

from bots.check_result import CheckResult, failed, fine, warning
from core import clock
from core.config.model_choice import ModelChoice
from core.config.settings import Settings
from core.config.spec import AgentSpec
from core.errors import ConfigMistake, ModelDown, ModelRefused
from core.llm import ChatModel, ModelRequest, PromptMessage, Role, ToolSpec
from core.llm.endpoints import Endpoints
from core.llm.time_limits import Limits
from core.tools.catalogue import toolbox

_LIMITS = Limits(whole=60, wait=30)
_HARDLY_ALIKE = 0.3  # of 1
_WARN_BEFORE = timedelta(days=180)


async def examine(settings: Settings, specs: Iterable[AgentSpec]) -> list[CheckResult]:
    """Ask every model of these agents for an answer, with the agent's tools, to its end."""
    endpoints = Endpoints(_LIMITS)
    choice = ModelChoice(settings, endpoints, may_demo=False)
    results: list[CheckResult] = []
    try:
        for spec, names in _each_once(specs).items():
            results += await _model(choice, spec, ", ".join(names))
    finally:
        await endpoints.close()
    return list(dict.fromkeys(results))  # a key may be missing for several of them


def _each_once(specs: Iterable[AgentSpec]) -> Mapping[AgentSpec, list[str]]:
    """Every model at every endpoint, fallbacks too, with the agents that it speaks for."""
    found: dict[tuple[object, ...], tuple[AgentSpec, list[str]]] = {}
    for spec in specs:
        for model in (spec.model, *spec.fallback_models):
            alone = replace(spec, model=model, fallback_models=(), daily_usd=None)
            key = (model, spec.base_url, spec.api_key_env, spec.api, spec.reasoning_effort)
            found.setdefault(key, (alone, []))[1].append(spec.name)
    return dict(found.values())


async def _model(choice: ModelChoice, spec: AgentSpec, whose: str) -> Sequence[CheckResult]:
    try:
        model = choice.of(spec)
        await _answered(model, spec)
    except (ModelRefused, ModelDown, ConfigMistake) as error:
        return [failed("model", f"{whose}: {error}{await _nearest(choice, spec)}")]
    answers = fine("model", f"{whose}: {spec.model} answers ({_terms(model, spec)})")
    return [answers, *await _shutdown(choice, spec, whose)]


def _terms(model: ChatModel, spec: AgentSpec) -> str:
    """With the effort: the one that the model asked for, or the agent's, or the model's own."""
    if any(word in model.terms for word in ("effort", "reasoning")):
        return model.terms
    effort = f"effort {spec.reasoning_effort}" if spec.reasoning_effort else "its own effort"
    return f"{model.terms}, {effort}"


async def _answered(model: ChatModel, spec: AgentSpec) -> None:
    request = ModelRequest(
        messages=(
            PromptMessage(role=Role.SYSTEM, content=spec.instructions),
            PromptMessage(role=Role.USER, content="Say ok."),
        ),
        tools=_tools(spec),
        temperature=spec.temperature,
        reasoning_effort=spec.reasoning_effort,
    )
    async with aclosing(model.stream(request)) as events:
        async for _ in events:
            pass


def _tools(spec: AgentSpec) -> tuple[ToolSpec, ...]:
    """None where they are faulty, which is told elsewhere."""
    try:
        return toolbox(spec.tools, with_memory=spec.memory).specs
    except ConfigMistake:
        return ()


async def _nearest(choice: ModelChoice, spec: AgentSpec) -> str:
    """The name that was probably meant, where the endpoint lists its models and not this one."""
    try:
        found = await choice.listing(spec)
    except (ModelRefused, ConfigMistake):
        return ""
    if found is None or spec.model in found.names:
        return ""
    nearest = get_close_matches(spec.model, found.names, n=1, cutoff=_HARDLY_ALIKE)
    return f" It lists {nearest[0]!r}, but no {spec.model!r}." if nearest else ""


async def _shutdown(choice: ModelChoice, spec: AgentSpec, whose: str) -> list[CheckResult]:
    found = await choice.listing(spec)
    day = found.shutdowns.get(spec.model) if found else None
    if day is None or day - clock.now().date() > _WARN_BEFORE:
        return []
    when = f"{day:%d %B %Y}".lstrip("0")
    return [warning("model", f"{whose}: {spec.model} is shut down on {when}; choose another model")]
