from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("storage", "0016_address")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Passage",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("conversation_id", fields.BigIntField()),
                ("seq", fields.BigIntField()),
                ("part", fields.IntField()),
                ("turn_id", fields.BigIntField()),
                ("author", fields.CharField(max_length=190)),
                ("words", fields.TextField(unique=False)),
            ],
            options={
                "table": "passage",
                "app": "storage",
                "unique_together": (("conversation_id", "seq", "part"),),
                "indexes": [Index(fields=["turn_id"], name="passage_turn")],
                "pk_attr": "id",
                "table_description": "Part of a message, with the words that it is found by.",
            },
            bases=["Model"],
        ),
    ]
