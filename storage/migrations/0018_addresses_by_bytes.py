from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index


class Migration(migrations.Migration):
    """The index is made anew: on PostgreSQL it finds what lies below an address from now on."""

    dependencies = [("storage", "0017_passages")]

    initial = False

    operations = [
        ops.RemoveIndex(model_name="Conversation", name="conversation_address"),
        ops.AddIndex(
            model_name="Conversation",
            index=Index(fields=["address"], name="conversation_address"),
        ),
    ]
