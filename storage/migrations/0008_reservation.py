from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("storage", "0007_failures")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Reservation",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("turn_id", fields.BigIntField(unique=True)),
                ("agent_id", fields.BigIntField()),
                ("nano_usd", fields.BigIntField()),
                ("ends_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "reservation",
                "app": "storage",
                "indexes": [Index(fields=["agent_id"], name="reservation_of_agent")],
                "pk_attr": "id",
                "table_description": "The most that the model call of a turn may cost, until it is recorded or ends_at has come.",
            },
            bases=["Model"],
        ),
    ]
