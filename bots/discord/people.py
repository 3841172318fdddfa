"""Who somebody on Discord is: the name that people see, and the roles where they are told."""

from __future__ import annotations

import discord

from core.messaging.messages import Author


def author_of(user: discord.User | discord.Member) -> Author:
    """A member has roles, everybody's among them; of somebody else they are not known."""
    roles = None
    if isinstance(user, discord.Member):
        roles = frozenset(str(role.id) for role in user.roles)
    return Author(id=str(user.id), name=user.display_name, roles=roles)
