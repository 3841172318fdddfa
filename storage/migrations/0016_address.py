from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("storage", "0014_edits")]

    initial = False

    operations = [
        ops.AddIndex(
            model_name="Conversation",
            index=Index(fields=["address"], name="conversation_address"),
        ),
    ]
