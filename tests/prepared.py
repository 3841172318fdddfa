"""Makes the models ready for queries once a dialect, not at each opening of a database."""

from __future__ import annotations

from collections.abc import Callable

from tortoise.apps import Apps


def once_a_dialect() -> None:
    """Tortoise would do it each time, for half of what an opening takes."""
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
