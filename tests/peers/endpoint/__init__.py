"""A model endpoint on the loopback, scripted request by request, that speaks both APIs.

Chat Completions and Responses: the same behaviour is played on whichever is asked for.
"""

from tests.peers.endpoint.behaviours import (
    Behaviour,
    CallTool,
    CallTools,
    Disconnect,
    Exactly,
    Fail,
    FailLate,
    Malformed,
    Raw,
    Refuse,
    Reply,
    Stall,
    Truncate,
)
from tests.peers.endpoint.bodies import Body, Message, echo, recall
from tests.peers.endpoint.rules import OPENAI, Rule
from tests.peers.endpoint.server import Endpoint

__all__ = [
    "OPENAI",
    "Behaviour",
    "Body",
    "CallTool",
    "CallTools",
    "Disconnect",
    "Endpoint",
    "Exactly",
    "Fail",
    "FailLate",
    "Malformed",
    "Message",
    "Raw",
    "Refuse",
    "Reply",
    "Rule",
    "Stall",
    "Truncate",
    "echo",
    "recall",
]
