"""core/config/agents_file.py: the file that people write, and what they are told about it."""

from __future__ import annotations

from contextlib import suppress
from datetime import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.address import Address
from core.config.agents_file import AgentsFile, BackupPlan, read
from core.config.binding import Binding, Listen, SharedBy
from core.config.spec import DEFAULT_INSTRUCTIONS, AgentSpec
from core.errors import ConfigMistake
from core.llm import Api
from core.llm.pricing import Price

CONTRACT = """
default_agent = "assistant"            # who answers where no binding matches

[agents.assistant]
model = "gpt-6-luna"
instructions = "You are a project management assistant."
memory = true
tools = ["clock", "mytools.tickets:lookup"]
temperature = 0.2
base_url = "http://127.0.0.1:8000/v1"
api_key_env = "LOCAL_KEY"
fallback_models = ["qwen3"]
reasoning_effort = "low"
api = "chat"
first_token_seconds = 20.0
display_name = "Project Assistant"
icon = ":spiral_calendar_pad:"
window_tokens = 16000
daily_usd = 5.0

[agents.support]

[prices."qwen3"]
input = 0.10
cached = 0.01
output = 0.50

[[bindings]]
at = "slack/T0001/C0SUPPORT"
agent = "support"
listen = "all"
conversation = "channel"

[[bindings]]
at = "discord/1"
agent = "assistant"

[[commands]]
name = "/support"
agent = "support"
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def path(directory: Path) -> Path:
    return Path("agents.toml")


def written(path: Path, text: str | bytes) -> AgentsFile:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path)


def mistakes(path: Path, text: str | bytes) -> list[str]:
    with pytest.raises(ConfigMistake) as caught:
        written(path, text)
    return str(caught.value).splitlines()


def test_without_a_file_there_is_an_assistant() -> None:
    assistant = AgentSpec(name="assistant", instructions=DEFAULT_INSTRUCTIONS)
    assert read(None) == AgentsFile(
        default_agent="assistant",
        agents={"assistant": assistant},
        bindings=(),
        commands={},
        prices={},
    )


def test_the_file_of_the_contract_is_read(path: Path) -> None:
    assert written(path, CONTRACT) == AgentsFile(
        default_agent="assistant",
        agents={
            "assistant": AgentSpec(
                name="assistant",
                model="gpt-6-luna",
                instructions="You are a project management assistant.",
                memory=True,
                tools=("clock", "mytools.tickets:lookup"),
                temperature=0.2,
                base_url="http://127.0.0.1:8000/v1",
                api_key_env="LOCAL_KEY",
                fallback_models=("qwen3",),
                reasoning_effort="low",
                api=Api.CHAT,
                first_token_seconds=20.0,
                display_name="Project Assistant",
                icon=":spiral_calendar_pad:",
                window_tokens=16_000,
                daily_usd=5.0,
            ),
            "support": AgentSpec(name="support"),
        },
        bindings=(
            Binding(
                at=Address.parse("slack/T0001/C0SUPPORT"),
                agent="support",
                listen=Listen.ALL,
                conversation=SharedBy.CHANNEL,
            ),
            Binding(at=Address.parse("discord/1"), agent="assistant"),
        ),
        commands={"/support": "support"},
        prices={"qwen3": Price(input=0.10, cached=0.01, output=0.50)},
    )


def test_a_limit_that_cannot_be_kept_is_refused_with_both_ways_out(path: Path) -> None:
    text = '[agents.ada]\nmodel = "qwen3"\ndaily_usd = 5'
    assert mistakes(path, text) == [
        "agents.toml:3: agents.ada.daily_usd: cannot be kept, since nothing knows what 'qwen3' "
        'costs: add [prices."qwen3"] with input, cached and output in dollars per million tokens, '
        "or leave daily_usd out"
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[agents.ada]\nmodel = "openai/gpt-6-luna"\ndaily_usd = 5',
        '[prices.qwen3]\ninput = 0\noutput = 0\n[agents.ada]\nmodel = "v/qwen3"\ndaily_usd = 5',
    ],
)
def test_a_limit_can_be_kept_where_file_or_list_has_a_price(path: Path, text: str) -> None:
    assert written(path, text).agents["ada"].daily_usd == 5


def test_every_fallback_needs_a_price_as_well(path: Path) -> None:
    text = '[agents.ada]\nfallback_models = ["qwen3"]\ndaily_usd = 5'
    assert "'qwen3'" in mistakes(path, text)[0]


def test_an_unknown_price_is_no_mistake_where_nothing_is_limited(path: Path) -> None:
    assert written(path, '[agents.ada]\nmodel = "qwen3"').agents["ada"].model == "qwen3"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[prices.qwen3]\ninput = 1", "agents.toml:1: prices.qwen3.output: "),
        ("[prices.qwen3]\ninput = 1\noutput = -1", "agents.toml:3: prices.qwen3.output: "),
        ("[prices.qwen3]\ninptu = 1\noutput = 1", "agents.toml:2: prices.qwen3.inptu: "),
    ],
)
def test_a_faulty_price_is_told_with_its_line(path: Path, text: str, line: str) -> None:
    assert any(mistake.startswith(line) for mistake in mistakes(path, text))


def test_an_unknown_api_is_refused(path: Path) -> None:
    assert "api" in mistakes(path, '[agents.ada]\napi = "completions"')[0]


def test_a_file_without_agents_has_the_assistant_to_bind(path: Path) -> None:
    file = written(path, '[[bindings]]\nat = "slack/T1"\nagent = "assistant"')
    assert file.agents == read(None).agents


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("[agents.zoe]\n[agents.assistant]", "assistant"),
        ("[agents.zoe]\n[agents.adam]", "zoe"),
        ('default_agent = "adam"\n[agents.zoe]\n[agents.adam]', "adam"),
    ],
)
def test_the_default_agent_is_the_named_one_or_the_assistant_or_the_first(
    path: Path, text: str, default: str
) -> None:
    assert written(path, text).default_agent == default


def test_instructions_are_read_from_a_file_beside_the_agents_file(directory: Path) -> None:
    (directory / "deep").mkdir()
    (directory / "deep" / "kind.md").write_bytes(b"Be kind.\r\nBe brief.\r\n")
    text = '[agents.a]\ninstructions_file = "kind.md"'
    file = written(directory / "deep" / "agents.toml", text)
    assert file.agents["a"].instructions == "Be kind.\nBe brief."


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(path: Path) -> None:
    text = b'\xef\xbb\xbf[agents.a]\r\ninstructions = """one\r\ntwo"""\r\n'
    assert written(path, text).agents["a"].instructions == "one\ntwo"


def test_a_backup_goes_into_a_folder_beside_the_agents_file(directory: Path, path: Path) -> None:
    found = written(directory / path, '[backup]\nto = "backups"')
    assert found.backup == BackupPlan(to=directory / "backups", at=time(3), keep=14)
    later = written(path, '[backup]\nto = "/srv/b"\nat = "23:59"\nkeep = 1')
    assert later.backup == BackupPlan(to=Path("/srv/b"), at=time(23, 59), keep=1)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[backup]", "1: backup.to: is missing"),
        ('[backup]\nto = ""', "2: backup.to: has to be a folder, not ''"),
        ('[backup]\nto = "agents.toml"', "2: backup.to: has to be a folder, not 'agents.toml'"),
        ('[backup]\nto = "b"\nat = "3:00"', "3: backup.at: has to be a time of the day in UTC "),
        ('[backup]\nto = "b"\nat = "24:00"', "3: backup.at: has to be a time of the day in UTC "),
        ('[backup]\nto = "b"\nat = 03:00:00', "3: backup.at: has to be text in quotes, not "),
        ('[backup]\nto = "b"\nkeep = 0', "3: backup.keep: has to be at least 1, not 0"),
        ('[backup]\nto = "b"\nhour = 3', "3: backup.hour: unknown key; choose from: 'to', "),
        ("backup = true", "1: backup: has to be a table, not true"),
    ],
)
def test_a_faulty_backup_is_named_and_explained(path: Path, text: str, mistake: str) -> None:
    [told] = mistakes(path, text)
    assert told.startswith(f"agents.toml:{mistake}")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("temprature = 1", "a.temprature: unknown key; did you mean 'temperature'?"),
        ("model = 5", "a.model: has to be text in quotes, not 5"),
        ('model = ""', "a.model: has to be filled in"),
        ('memory = "yes"', "a.memory: has to be true or false, not 'yes'"),
        ("memory = {}", "a.memory: has to be true or false, not a table"),
        ("window_tokens = true", "a.window_tokens: has to be a whole number, not true"),
        ("temperature = 2.5", "a.temperature: has to be at most 2, not 2.5"),
        ("temperature = -1", "a.temperature: has to be at least 0, not -1"),
        ("window_tokens = 10_000_001", "a.window_tokens: has to be at most 10000000, not 10000001"),
        (
            f"window_tokens = 0x{'f' * 5_000}",
            "a.window_tokens: has to be at most 10000000, not such a huge one",
        ),
        (f"temperature = 0x{'f' * 5_000}", "a.temperature: has to be "),
        ("temperature = []", "a.temperature: has to be a number, not a list"),
        ("daily_usd = 0", "a.daily_usd: has to be more than 0, not 0"),
        ("daily_usd = inf", "a.daily_usd: has to be a finite number, not inf"),
        ('tools = "clock"', "a.tools: has to be a list in square brackets, not 'clock'"),
        ('tools = ["clok"]', "a.tools[0]: 'clok' is no tool; did you mean 'clock'?"),
        ('"my key" = 1', "a.\"my key\": unknown key; choose from: 'model', "),
        (
            'base_url = "localhost"',
            "a.base_url: has to be a web address such as 'http://127.0.0.1:8000/v1'",
        ),
        (
            'api_key_env = "sk-1"',
            "a.api_key_env: has to be the name of an environment variable, not the key itself",
        ),
    ],
)
def test_a_faulty_line_of_an_agent_is_named_and_explained(
    path: Path, line: str, complaint: str
) -> None:
    (mistake,) = mistakes(path, f"# ours\n[agents.a]\n\n{line}\n")
    assert mistake.startswith(f"agents.toml:4: agents.{complaint}")


def test_a_long_value_is_not_repeated_in_full(path: Path) -> None:
    (mistake,) = mistakes(path, f'[agents.a]\nmemory = "{"x" * 500}"')
    assert len(mistake) < 200


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("colour = 1", "1: colour: unknown key; choose from: 'default_agent', 'agents', "),
        ("agents = 5", "1: agents: has to be a table, not 5"),
        ("[agents]\na = 5", "2: agents.a: has to be a table, not 5"),
        ("[[agents]]", "1: agents: has to be a table, not a list"),
        ("[bindings]", "1: bindings: has to be a list, not a table"),
        ('[agents."a/b"]', '1: agents."a/b": is not a name: leave out slashes, '),
        ('[agents."[key]"]\n"[key]" = 1', '2: agents."[key]"."[key]": unknown key; '),
        ('default_agent = "b"\n[agents.bob]', "1: default_agent: there is no agent 'b'; "),
    ],
)
def test_a_faulty_table_is_named_and_explained(path: Path, text: str, mistake: str) -> None:
    assert mistakes(path, text)[0].startswith(f"agents.toml:{mistake}")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "1: bindings[0].at: is missing"),
        ('at = "slak/T1"', "2: bindings[0].at: 'slak/T1' is not an address: it must begin with "),
        ('at = "slack/"', "2: bindings[0].at: 'slack/' is not an address: each part "),
        (
            'at = "slack/T1"\nlisten = "al"',
            "3: bindings[0].listen: has to be 'all', 'mention' or 'mention-only', not 'al'",
        ),
        (
            'at = "slack/T1"\nconversation = "room"',
            "3: bindings[0].conversation: has to be 'channel', 'thread' or 'user', not 'room'",
        ),
    ],
)
def test_a_faulty_binding_is_named_and_explained(path: Path, line: str, complaint: str) -> None:
    (mistake,) = mistakes(path, f'[[bindings]]\n{line}\nagent = "assistant"')
    assert mistake.startswith(f"agents.toml:{complaint}")


def test_a_binding_to_nobody_suggests_who_was_meant(path: Path) -> None:
    text = '[agents.support]\n[[bindings]]\nat = "slack/T1"\nagent = "suport"'
    assert mistakes(path, text) == [
        "agents.toml:4: bindings[0].agent: there is no agent 'suport'; did you mean 'support'?"
    ]


def test_an_address_is_bound_once(path: Path) -> None:
    binding = '[[bindings]]\nat = "slack/T1"\nagent = "assistant"\n'
    assert mistakes(path, binding * 2) == [
        "agents.toml:5: bindings[1].at: 'slack/T1' is there twice; keep one of the two"
    ]


def test_a_command_is_there_once(path: Path) -> None:
    command = '[[commands]]\nname = "/ask"\nagent = "assistant"\n'
    assert mistakes(path, command * 2) == [
        "agents.toml:5: commands[1].name: '/ask' is there twice; keep one of the two"
    ]


@pytest.mark.parametrize("name", ["support", "/", "/two words", ""])
def test_a_command_is_a_slash_and_one_word(path: Path, name: str) -> None:
    assert mistakes(path, f'[[commands]]\nname = "{name}"\nagent = "assistant"') == [
        "agents.toml:2: commands[0].name: has to be a slash and one word, such as '/support', "
        f"not {name!r}"
    ]


def test_instructions_stand_in_one_place(path: Path) -> None:
    text = '[agents.a]\ninstructions_file = "a.md"\ninstructions = "Be kind."'
    assert mistakes(path, text) == [
        "agents.toml:2: agents.a.instructions_file: stands beside instructions; keep one of the two"
    ]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("gone.md", "gone.md: cannot be read (No such file or directory); "),
        (".", ".: cannot be read (Is a directory); "),
        ("\\u0000", "'\\x00': not a file name; "),
        ("latin.md", "latin.md:2: not UTF-8; save the file as UTF-8"),
    ],
)
def test_an_instructions_file_that_cannot_be_read_is_named(
    path: Path, directory: Path, name: str, complaint: str
) -> None:
    (directory / "latin.md").write_bytes(b"one\n\xe9\n")
    (mistake,) = mistakes(path, f'[agents.a]\n\ninstructions_file = "{name}"')
    assert mistake.startswith(f"agents.toml:3: agents.a.instructions_file: {complaint}")


def test_all_mistakes_are_told_at_once_from_top_to_bottom(path: Path) -> None:
    text = """default_agent = "b"
[[bindings]]
agent = "c"
[agents.a]
instructions = '''
listen = 1
'''
tools = [
    "clock",
    "clok",
]
modle = "m"
[agents.a.more]
"""
    places = [mistake.split(": ")[:2] for mistake in mistakes(path, text)]
    assert places == [
        ["agents.toml:1", "default_agent"],
        ["agents.toml:2", "bindings[0].at"],
        ["agents.toml:3", "bindings[0].agent"],
        ["agents.toml:8", "agents.a.tools[1]"],
        ["agents.toml:12", "agents.a.modle"],
        ["agents.toml:13", "agents.a.more"],
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "[agents.a]\nmodel gpt",
            "2:7: not valid TOML: expected '=' after a key in a key/value pair",
        ),
        ("[agents.a]\nmodel = ", "2:9: not valid TOML: invalid value"),
        (
            "[agents.a]\nmodel = gpt-4o",
            '2:9: not valid TOML: invalid value; a text stands in quotes: "gpt-4o"',
        ),
        (
            "[agents.a]\ntools = [clock, history]",
            '2:10: not valid TOML: invalid value; a text stands in quotes: "clock"',
        ),
        (
            "[agents.a]\ninstructions = Be short.\n",
            '2:16: not valid TOML: invalid value; a text stands in quotes: "Be short."',
        ),
        ("[agents.a]\nmemory = True", "2:10: not valid TOML: invalid value; write true"),
        ('[agents.a]\nmodel = "m"\nmodel = "n"', "3:12: not valid TOML: cannot overwrite a value"),
        (b"[agents.a]\nmodel = '\xff'", "2: not UTF-8; save the file as UTF-8"),
    ],
)
def test_what_is_not_toml_is_refused_with_its_place(
    path: Path, text: str | bytes, mistake: str
) -> None:
    assert mistakes(path, text) == [f"agents.toml:{mistake}"]


def test_a_number_too_long_for_python_is_refused(path: Path) -> None:
    assert "a number is too long" in mistakes(path, f"a = {'9' * 5_000}")[0]


def test_an_agents_file_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(ConfigMistake, match=r"^agents\.toml: cannot be read \(No such file"):
        read(path)


def test_a_directory_is_not_an_agents_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ConfigMistake, match=r"^agents\.toml: cannot be read \(Is a directory\)"):
        read(path)


WORDS = st.sampled_from(
    [
        *("agents", "bindings", "commands", "a", "at", "agent", "listen", "tools", "slack/T1"),
        *("1", "true", "nan", "=", "[", "]", "[[", "]]", ".", ",", "{", "}", "#", "'", "'''"),
        *(" ", "\n"),
    ]
)


@given(st.text() | st.lists(WORDS).map("".join) | st.binary())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_reads_or_is_refused(path: Path, text: str | bytes) -> None:
    with suppress(ConfigMistake):
        file = written(path, text)
        assert file.default_agent in file.agents
