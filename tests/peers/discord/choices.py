"""What a person picks in the command menu: the registered command, and the options typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.peers.discord import payloads, permissions
from tests.peers.discord.wire import Json
from tests.peers.discord.world import Channel, World

SUBCOMMAND, GROUP, USER, CHANNEL = 1, 2, 6, 7
SLASH, MESSAGE_MENU = 1, 3
Value = str | int | float | bool


class Menu:
    """The commands as registered, guild's before global ones."""

    def __init__(self, world: World) -> None:
        self.registered: dict[str, list[Json]] = {}  # guild id, empty for global -> commands
        self._world = world

    def find(self, name: str, kind: int, place: Channel, user: str) -> Json:
        """Raises LookupError where there is none, PermissionError where it is not for them."""
        scopes = (place.guild, "") if place.guild else ("",)
        every = [command for scope in scopes for command in self.registered.get(scope, [])]
        found = [c for c in every if c["name"] == name and c["type"] == kind]
        if not found:
            raise LookupError(f"no command {name}; there are {[c['name'] for c in every]}")
        self._check(found[0], place, user)
        return found[0]

    def _check(self, command: Json, place: Channel, user: str) -> None:
        contexts = command.get("contexts")
        is_direct = not place.guild
        is_elsewhere = contexts is not None and (1 if is_direct else 0) not in contexts
        if is_elsewhere or (is_direct and command.get("dm_permission") is False):
            raise PermissionError(f"{command['name']} cannot be used here")
        needed = int(command.get("default_member_permissions") or 0)
        if not is_direct and needed & ~self._world.permissions(place, user):
            raise PermissionError(f"{command['name']} is not for this person")

    def data(self, command: Json, path: Sequence[str], options: list[Json]) -> Json:
        """The interaction's data, with the options under their subcommand."""
        for depth, name in reversed(list(enumerate(path))):
            kind = SUBCOMMAND if depth == len(path) - 1 else GROUP
            options = [Json(name=name, type=kind, options=options)]
        data = Json(id=command["id"], name=command["name"], type=command["type"])
        data["options"] = options
        if command.get("guild_id"):
            data["guild_id"] = command["guild_id"]
        resolved = self._resolved(command, options)
        if resolved:
            data["resolved"] = resolved
        return data

    def _resolved(self, command: Json, options: list[Json]) -> Json:
        users, channels, members = Json(), Json(), Json()
        for option in _leaves(options):
            value, guild = str(option["value"]), self._guild(command)
            if option["type"] == USER and value in self._world.users:
                users[value] = payloads.user(self._world.users[value])
                if guild and value in self._world.guilds[guild].members:
                    members[value] = payloads.member(self._world.guilds[guild], value)
                    members[value]["permissions"] = str(permissions.EVERYONE)
            elif option["type"] == CHANNEL and value in self._world.channels:
                place = self._world.channels[value]
                channels[value] = payloads.channel(self._world, place)
                channels[value]["permissions"] = str(permissions.EVERYONE)
        named = {"users": users, "members": members, "channels": channels}
        return Json({name: found for name, found in named.items() if found})

    def _guild(self, command: Json) -> str:
        return str(command.get("guild_id") or next(iter(self._world.guilds), ""))


def typed(command: Json, path: Sequence[str], options: Mapping[str, Value]) -> list[Json]:
    """Raises ValueError where Discord's own menu would not let it go."""
    known = _options_at(command, path)
    unknown = set(options) - {option["name"] for option in known}
    missing = {option["name"] for option in known if option.get("required")} - set(options)
    if unknown or missing:
        raise ValueError(f"{command['name']}: unknown {unknown or '-'}, missing {missing or '-'}")
    return [
        Json(name=option["name"], type=option["type"], value=options[option["name"]])
        for option in known
        if option["name"] in options
    ]


def being_typed(
    command: Json, path: Sequence[str], options: Mapping[str, Value], focus: str
) -> list[Json]:
    """For autocomplete: what is there so far, one of them with the cursor in it."""
    known = {option["name"]: option for option in _options_at(command, path)}
    if not known[focus].get("autocomplete"):
        raise ValueError(f"{focus} has no autocomplete")
    filled = [
        Json(name=name, type=known[name]["type"], value=value) for name, value in options.items()
    ]
    for option in filled:
        if option["name"] == focus:
            option["focused"] = True
    return filled


def _options_at(command: Json, path: Sequence[str]) -> list[Json]:
    options = [Json(option) for option in command.get("options") or ()]
    for name in path:
        inner = [option for option in options if option["name"] == name]
        if not inner:
            raise LookupError(f"{command['name']} has no {name}")
        options = [Json(option) for option in inner[0].get("options") or ()]
    if any(option["type"] in (SUBCOMMAND, GROUP) for option in options):
        raise ValueError(f"{command['name']} needs a subcommand")
    return options


def _leaves(options: list[Json]) -> list[Json]:
    found: list[Json] = []
    for option in options:
        inner = [Json(each) for each in option.get("options") or ()]
        found += [option] if "value" in option else _leaves(inner)
    return found
