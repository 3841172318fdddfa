"""What an agent does, on no particular platform."""

from core.api.agent import Agent
from core.api.process import close

__all__ = ["Agent", "close"]
