"""What a fork server imports last: its children need not copy all its memory to find garbage."""

from __future__ import annotations

import gc

gc.collect()
gc.freeze()
