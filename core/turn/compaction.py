"""One compaction: the model reads a stretch of a history once; what it writes takes its place."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta

from core import kill_points
from core.address import Address
from core.context.decide import Material, Question, before_kept, decide, summary_tokens
from core.context.load import Asked, load
from core.context.render import render
from core.errors import ContextOverflow, ModelDown, MooringsError, Postponed
from core.llm import Finished, ModelRequest, PromptCache, demo
from core.llm.tokens import estimate
from core.memory.learning_answer import Learnings, journalled, read
from core.memory.learning_request import request
from core.messaging.directory import KnownAgent
from core.turn.budget import Budget, no_step
from core.turn.resources import Resources
from core.turn.runner import cache_key
from storage import compactions, conversations, facts, stretches, summaries
from storage.compactions import Changed, Outcome, Stretch
from storage.lease import Lease
from storage.models import Conversation
from storage.side_models import Compaction, CompactionKind, CompactionState
from storage.stretches import StretchMessage

log = logging.getLogger(__name__)

_WORDS = 200  # of a summary, as the model is told
_MOST_TRIES = 2  # answers that cannot be used
_MOST_FAILURES = 10  # calls that come to nothing, as by a process that died
_PAUSE = timedelta(minutes=5)
_LONGEST_PAUSE = timedelta(hours=2)
_PEOPLE_SPOKE = 6  # messages after which a conversation that is quiet is read
_MOST_KNOWN = 1_000  # facts among which the most similar are looked for
_CHANGES = 3  # of who can read, while it is finished


async def due_over(resources: Resources, conversation_id: int) -> Stretch | None:
    """What is to be cut of a history that has grown, a summary in its place; None if it is short.

    Raises:
        DatabaseBusy, DatabaseUnusable, ConfigMistake: nobody can tell.
    """
    conversation = await conversations.by_id(conversation_id)
    agent = await resources.directory.of(conversation.agent_id)
    turn_id = await stretches.newest_turn(conversation_id)
    if turn_id is None or not _may_read(resources, agent):
        return None
    material = await _material(resources, agent, conversation)
    upto = before_kept(material)
    if upto is None:
        return None
    base = await summaries.newest(conversation_id)
    return Stretch(
        conversation_id=conversation_id,
        agent_id=agent.id,
        turn_id=turn_id,
        kind=CompactionKind.GROWN,
        after_seq=base.upto_seq if base else 0,
        upto_seq=upto,
    )


async def quiet_over(resources: Resources, conversation_id: int) -> Stretch | None:
    """What was said there since facts were learned last; None if people said little.

    A history that is compacted is read when it has grown: until then all of it is shown.
    Raises as `due_over`.
    """
    conversation = await conversations.by_id(conversation_id)
    agent = await resources.directory.of(conversation.agent_id)
    turn_id = await stretches.newest_turn(conversation_id)
    if turn_id is None or not _may_read(resources, agent):
        return None
    base = await summaries.newest(conversation_id)
    if base and base.text:
        return None
    learned = await compactions.learned_upto(conversation_id)
    after = max(learned, base.upto_seq if base else 0)  # nothing from before a reset or a cut
    if await stretches.people_spoke(conversation_id, after_seq=after) < _PEOPLE_SPOKE:
        return None
    return Stretch(
        conversation_id=conversation_id,
        agent_id=agent.id,
        turn_id=turn_id,
        kind=CompactionKind.QUIET,
        after_seq=after,
        upto_seq=conversation.last_seq,
    )


async def carry_out(resources: Resources, row: Compaction) -> None:
    """Ask the model, journal what it wrote, and keep what is usable of it.

    What goes wrong with the model puts it off, and at last leaves it out.

    Raises:
        LeaseLost: somebody else does it now.
        DatabaseBusy, DatabaseUnusable: it stays for whoever comes when the lease has lapsed.
    """
    try:
        work = await _begun(resources, row)
        learnings = await _written(work) if _may_go_on(work) else None
    except MooringsError as error:
        await _put_off(resources, row, error)
        return
    if learnings is None:
        log.warning("compaction left out", extra={"compaction": row.id})
        await compactions.leave_out(row, resources.clock())
    else:
        await _finish(work, learnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A compaction, with all that is needed for it."""

    resources: Resources
    row: Compaction
    agent: KnownAgent
    conversation: Conversation
    said: Sequence[StretchMessage]

    @property
    def writes_summary(self) -> bool:
        """Whether what is read will be cut."""
        return self.row.kind is CompactionKind.GROWN


def _may_read(resources: Resources, agent: KnownAgent) -> bool:
    """Without a language model, a history is cut when it has to be, and nothing is learned."""
    is_model = resources.model_of(agent.spec).name != demo.NAME
    return agent.spec.memory and not agent.is_retired and is_model


def _may_go_on(work: _Work) -> bool:
    """Unless its processes end, or the agent is not to remember any more."""
    return work.row.failures < _MOST_FAILURES and _may_read(work.resources, work.agent)


async def _begun(resources: Resources, row: Compaction) -> _Work:
    conversation = await conversations.by_id(row.conversation_id)
    agent = await resources.directory.of(row.agent_id)
    after = max(row.after_seq, await compactions.learned_upto(row.conversation_id))
    said = await stretches.read(row.conversation_id, after_seq=after, upto_seq=row.upto_seq)
    if not said:  # all of it was read when it was quiet: the last one says where the cut is
        last = row.upto_seq
        found = await stretches.read(row.conversation_id, after_seq=last - 1, upto_seq=last)
        said = [replace(each, key="") for each in found]
    return _Work(resources=resources, row=row, agent=agent, conversation=conversation, said=said)


async def _written(work: _Work) -> Learnings | None:
    """What is usable of the model's answer, now journalled; None if nothing is.

    Whoever takes it over from a process that died reads what is journalled.
    """
    row = work.row
    if row.state is CompactionState.WRITTEN and (known := journalled(row.content or {})):
        return known
    for attempt in range(row.tries + 1, _MOST_TRIES + 1):
        budget = Budget(
            work.agent,
            row.turn_id,
            work.resources.price,
            work.resources.clock,
            purpose="compaction",
        )
        try:
            asked = await _asked(work, budget)
            finished = await _answer(work, asked.request, budget)
            step = no_step()
            spent = budget.spent(finished, step)
            kill_points.reach("compaction answered, not journalled")
            learnings = read(finished.text, work.said, asked.known, room=asked.room)
            is_last = attempt == _MOST_TRIES
            if learnings and (learnings.summary or is_last or not work.writes_summary):
                now = work.resources.clock()
                await compactions.record(row, learnings.journalled(), spent, step=step, now=now)
                budget.settled()
                kill_points.reach("compaction journalled, not finished")
                return learnings
            await compactions.try_again(
                row, spent, step=step, attempt=attempt, now=work.resources.clock()
            )
            budget.settled()
        finally:
            await budget.cut()
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the model is sent, the facts that are named there, and what a summary may take."""

    request: ModelRequest
    known: Sequence[int]
    room: int


async def _asked(work: _Work, budget: Budget) -> _Asked:
    """Over the prompt that the conversation has in the provider's cache, while that is warm."""
    resources, spec, row = work.resources, work.agent.spec, work.row
    material = await _material(resources, work.agent, work.conversation)
    scope = Address.parse(work.conversation.address, work.conversation.readers).scope
    known = await facts.current(agent_id=work.agent.id, scope=scope)
    text, named = request(
        work.said, known[-_MOST_KNOWN:], words=_WORDS if work.writes_summary else None
    )
    if not work.writes_summary:
        unread = [said for said in material.history if said.seq > row.after_seq]
        material = replace(material, summary="", facts=(), history=unread, tools=0)
    cut = [said for said in material.history if said.seq <= row.upto_seq]
    shown = decide(replace(material, questions=[Question(text=text)], beyond=estimate(text)))
    return _Asked(
        request=ModelRequest(
            messages=tuple(render(shown)),
            tools=resources.toolbox_of(spec).specs if work.writes_summary else (),
            temperature=spec.temperature,
            reasoning_effort=spec.reasoning_effort,
            budget=material.budget,
            allow=budget.allow,
            cache_key=cache_key(_reader(work.conversation)) if work.writes_summary else "",
            prompt_cache=spec.prompt_cache if work.writes_summary else PromptCache.OFF,
        ),
        known=named,
        room=summary_tokens(material.summary, cut),
    )


async def _material(
    resources: Resources, agent: KnownAgent, conversation: Conversation
) -> Material:
    """What the next prompt may show, but for its question."""
    return await load(
        agent,
        _reader(conversation),
        Asked(questions=(), tools=resources.toolbox_of(agent.spec).specs),
        resources.window_of(agent.spec),
    )


def _reader(conversation: Conversation) -> Lease:
    """Whoever only reads: nothing can be written with it."""
    return Lease(
        conversation_id=conversation.id,
        agent_id=conversation.agent_id,
        address=conversation.address,
        opened_by=conversation.opened_by,
        token=-1,
        seconds=0,
        readers=conversation.readers,
    )


async def _answer(work: _Work, asked: ModelRequest, budget: Budget) -> Finished:
    model = work.resources.model_of(work.agent.spec)
    async with aclosing(model.stream(asked)) as events:
        async for event in events:
            budget.saw(event)
            if isinstance(event, Finished):
                return event
    raise ModelDown(f"{model.name} ended without an answer")


async def _finish(work: _Work, learnings: Learnings) -> None:
    """Keep it, for those who can read there at this moment."""
    for _ in range(_CHANGES):
        conversation = await conversations.by_id(work.row.conversation_id)
        address = Address.parse(conversation.address, conversation.readers)
        outcome = Outcome(
            summary=learnings.summary or None if work.writes_summary else None,
            facts=learnings.facts,
            scope=address.scope,
            place=address.key,
            readers=conversation.readers,
        )
        try:
            await compactions.finish(work.row, outcome, work.resources.clock())
        except Changed:
            continue
        log.info(
            "compacted" if outcome.summary else "facts learned",
            extra={"conversation": conversation.id, "facts": len(learnings.facts)},
        )
        kill_points.reach("compaction finished")
        return
    log.warning("compaction put off", extra={"compaction": work.row.id, "why": "others can read"})
    await compactions.put_off(work.row, work.resources.clock(), has_failed=False)


async def _put_off(resources: Resources, row: Compaction, error: MooringsError) -> None:
    is_last = row.failures + 1 >= _MOST_FAILURES and not isinstance(error, Postponed)
    is_over = is_last or isinstance(error, ContextOverflow)
    extra = {"compaction": row.id, "why": str(error)}
    log.warning("compaction left out" if is_over else "compaction put off", extra=extra)
    if is_over:
        await compactions.leave_out(row, resources.clock())
    else:
        until = resources.clock() + min(_PAUSE * (1 << row.failures), _LONGEST_PAUSE)
        await compactions.put_off(row, until, has_failed=not isinstance(error, Postponed))
