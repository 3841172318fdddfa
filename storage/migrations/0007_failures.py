from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("storage", "0006_access")]

    initial = False

    operations = [
        ops.AddField(
            model_name="OutboxMessage",
            name="failures",
            field=fields.IntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name="Turn",
            name="lone_tries",
            field=fields.IntField(default=0, db_default=0),
        ),
    ]
