"""How long a test waits for what is sure to come: only a fault takes so long, on any machine."""

from __future__ import annotations

PATIENCE = 140.0  # seconds; some of what must not be waited for takes 150
