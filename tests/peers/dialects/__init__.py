"""How endpoints really answer: one entry for each report, played by the test endpoint.

`Endpoint.play(dialect)` answers as it says. Every entry names its source; none is invented.
"""

from tests.peers.dialects.dialect import Ask, Dialect, Expected, Objection, Outcome, Play
from tests.peers.dialects.endings import ENDINGS
from tests.peers.dialects.framing import FRAMING
from tests.peers.dialects.overflow import OVERFLOW
from tests.peers.dialects.parameters import PARAMETERS
from tests.peers.dialects.responses import RESPONSES
from tests.peers.dialects.thinking import THINKING
from tests.peers.dialects.vendors import VENDORS

DIALECTS = (*VENDORS, *FRAMING, *THINKING, *ENDINGS, *PARAMETERS, *OVERFLOW, *RESPONSES)

__all__ = ["DIALECTS", "Ask", "Dialect", "Expected", "Objection", "Outcome", "Play"]
