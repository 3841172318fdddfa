"""What each process of the tests is spared: work that is done already, and imports."""

from __future__ import annotations

from collections.abc import Callable

from tortoise.apps import Apps

from core.lazy import postpone
from core.llm import endpoints


def without_types() -> None:
    """What openai has types in is imported where somebody looks at one, as in the program."""
    for package in endpoints._TYPED:
        postpone(package)


def once_a_dialect() -> None:
    """The models are made ready for queries once; Tortoise would do it at each opening."""
    name = "_build_initial_querysets"
    setattr(Apps, name, _if_other(getattr(Apps, name)))


def _if_other(prepare: Callable[[Apps], None]) -> Callable[[Apps], None]:
    prepared: list[object] = []

    def prepare_if_other(apps: Apps) -> None:
        models = [(model, model._meta.db.query_class) for model in apps.get_models_iterable()]
        if prepared != models:
            prepare(apps)
            prepared[:] = models

    return prepare_if_other
