"""What a fork server imports first: what its children do without is not imported for them."""

from __future__ import annotations

from tests import prepared

prepared.without_types()
