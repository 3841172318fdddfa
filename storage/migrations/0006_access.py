from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("storage", "0005_readers")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Allowance",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("whom", fields.CharField(unique=True, max_length=255)),
                (
                    "uses",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("idle_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "allowance",
                "app": "storage",
                "pk_attr": "id",
                "table_description": "When somebody did what has a limit, in ms since 1970, oldest first.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Agent",
            name="named_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
