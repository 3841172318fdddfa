"""Bodies as Slack sends them, and others that are nearly so."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import strategies as st

Json = dict[str, object]


def body(**event: object) -> Json:
    """An event as Slack wraps it."""
    return {
        "type": "event_callback",
        "team_id": "T0001",
        "api_app_id": "A0001",
        "event_id": "Ev1",
        "authorizations": [{"team_id": "T0001", "user_id": "U0BOT", "is_bot": True}],
        "event": {"type": "message", "channel": "C1", "channel_type": "channel", **event},
    }


def said(text: str = "hello", **event: object) -> Json:
    """A message by Anna."""
    return body(**{"user": "U0ANNA", "ts": "1700000000.000100", "text": text, **event})


COMMAND: Json = {
    "command": "/agent",
    "text": "ask &lt;b&gt; <@U0BEN|ben>",
    "team_id": "T0001",
    "channel_id": "C1",
    "user_id": "U0ANNA",
    "user_name": "anna",
    "trigger_id": "13345224609.738474920.8088930838d88f008e0",
}
PRESS: Json = {
    "type": "block_actions",
    "team": {"id": "T0001"},
    "user": {"id": "U0ANNA"},
    "trigger_id": "t.1",
    "container": {"type": "message", "message_ts": "1.000001", "channel_id": "C1"},
    "actions": [{"action_id": "feedback", "value": "good:k", "type": "feedback_buttons"}],
}
SHORTCUT: Json = {
    "type": "message_action",
    "callback_id": "ask_agent",
    "team": {"id": "T0001"},
    "user": {"id": "U0ANNA"},
    "trigger_id": "t.2",
    "channel": {"id": "C1"},
    "message_ts": "1700000000.000100",
    "message": {"ts": "1700000000.000100", "text": "a &amp; b", "user": "U0BEN"},
}


KNOWN: list[Json] = [
    said("<@U0BOT> hi", files=[{"name": "a"}], thread_ts="1600000000.000001"),
    body(subtype="message_deleted", deleted_ts="1700000000.000100"),
    body(subtype="message_changed", message=said()["event"], previous_message=said()["event"]),
    body(type="app_home_opened", user="U0ANNA", tab="home"),
    COMMAND,
    PRESS,
    SHORTCUT,
]
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        steps = list(value.items())
    else:
        steps = list(enumerate(value)) if isinstance(value, list) else []
    return [path, *(each for step, item in steps for each in places(item, (*path, step)))]


@st.composite
def nearly_known(draw: st.DrawFn) -> Json:
    """A body of Slack's, with something else in one place of it."""
    raw = deepcopy(draw(st.sampled_from(KNOWN)))
    *path, last = draw(st.sampled_from([place for place in places(raw) if place]))
    target: object = raw
    for step in path:
        target = target[step]  # type: ignore[index]  # a place that was found in it
    target[last] = draw(json)  # type: ignore[index]  # as above
    return raw
