from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("storage", "0013_compaction")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Turn",
            name="edits",
            field=fields.IntField(default=0, db_default=0),
        ),
    ]
