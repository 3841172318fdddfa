"""What an agent does, on no particular platform."""

from core.agent import Agent
from core.process import close

__all__ = ["Agent", "close"]
