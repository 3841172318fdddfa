"""core/tools/imported.py: tools by `module:function`."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigMistake
from core.tools import ToolContext
from core.tools.imported import imported

FOREIGN = "tests.core.tools.foreign"


async def test_a_function_is_imported_under_its_name(context: ToolContext) -> None:
    tool = imported(f"{FOREIGN}:lookup")
    assert tool.name == "lookup"
    assert await tool.run({"ticket": 3}, context) == "ticket 3: open"


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("no_such_module:f", "'no_such_module' has to be importable from the working directory"),
        (f"{FOREIGN}:lokup", "has no function 'lokup'; did you mean 'lookup'?"),
        (f"{FOREIGN}:limit", "has no function 'limit'; choose from: "),
        ("tests.core.tools:f", "tests.core.tools has no function 'f'"),
        (f"{FOREIGN}:prüfe", "name it with at most 64 letters"),
        (f"{FOREIGN}:keywords", "each parameter needs a name"),
        (f"{FOREIGN}:calls_back", "annotated with types that JSON can carry"),
        (f"{FOREIGN}:misspelt", "annotated with types that JSON can carry: name 'Nowhere'"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(reference: str, complaint: str) -> None:
    with pytest.raises(ConfigMistake) as caught:
        imported(reference)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("line", ["def f(:", "import os; os.environ['NO_SUCH_VARIABLE']"])
def test_a_module_that_fails_is_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "failing_tools.py").write_text(line)
    with pytest.raises(ConfigMistake, match="'failing_tools' fails when it is imported: "):
        imported("failing_tools:f")
