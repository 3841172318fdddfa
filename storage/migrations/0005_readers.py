from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("storage", "0004_interruptions")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Conversation",
            name="readers",
            field=fields.CharField(default="", db_default="", max_length=16),
        ),
    ]
