"""The Slack app's manifest for this configuration: scopes, events, commands and ways in."""

from __future__ import annotations

from dataclasses import dataclass

from bots.slack.agent_view import prompts
from bots.slack.commands import AGENT, ASK_AGENT
from core.config.agents_file import AgentsFile

SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "chat:write.customize",
    "chat:write.public",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "mpim:read",
    "team:read",
    "usergroups:read",
    "users:read",
)
EVENTS = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "tokens_revoked",
)
_NAME = "Moorings"
_DESCRIPTION = "Named agents that answer in channels, threads and direct messages."

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where Slack reaches the bot: by Socket Mode, or at an address without its path."""

    url: str | None = None

    @property
    def is_socket(self) -> bool:
        """Whether the bot dials Slack, so that Slack needs no address."""
        return self.url is None

    def at(self, name: str, path: str) -> Json:
        """The address of one way in, where there is one."""
        return {} if self.url is None else {name: f"{self.url.rstrip('/')}{path}"}


def manifest(file: AgentsFile, served: Served) -> Json:
    """Ready to be pasted under `Create an app > From a manifest`."""
    return {
        "display_information": {"name": _NAME, "description": _DESCRIPTION},
        "features": _features(file, served),
        "oauth_config": {"scopes": {"bot": list(SCOPES)}} | _redirects(served),
        "settings": {
            "event_subscriptions": {
                **served.at("request_url", "/slack/events"),
                "bot_events": list(EVENTS),
            },
            "interactivity": {
                "is_enabled": True,
                **served.at("request_url", "/slack/interactivity"),
            },
            "org_deploy_enabled": False,
            "socket_mode_enabled": served.is_socket,
            "token_rotation_enabled": False,
        },
    }


def _features(file: AgentsFile, served: Served) -> Json:
    suggested = prompts(file.agents[file.default_agent].suggested_prompts)
    return {
        "agent_view": {"agent_description": _DESCRIPTION, "suggested_prompts": suggested},
        "app_home": {
            "home_tab_enabled": True,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": _NAME, "always_online": True},
        "slash_commands": [
            _command(AGENT, "Ask and manage agents", "ask | use | list | help", served),
            *(
                _command(name, f"Ask {agent}", "what you want to know", served)
                for name, agent in file.commands.items()
                if name != AGENT
            ),
        ],
        "shortcuts": [
            {
                "name": "Ask an agent",
                "type": "message",
                "callback_id": ASK_AGENT,
                "description": "Let this channel's agent answer the message",
            }
        ],
    }


def _command(name: str, description: str, hint: str, served: Served) -> Json:
    return {
        "command": name,
        "description": description,
        "usage_hint": hint,
        "should_escape": True,
        **served.at("url", "/slack/commands"),
    }


def _redirects(served: Served) -> Json:
    at = served.at("url", "/slack/oauth_redirect")
    return {"redirect_urls": list(at.values())} if at else {}
