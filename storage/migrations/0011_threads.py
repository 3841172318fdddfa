from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("storage", "0008_reservation")]

    initial = False

    operations = [
        ops.AddField(
            model_name="InboxMessage",
            name="thread",
            field=fields.CharField(null=True, max_length=190),
        ),
        ops.AddField(
            model_name="InboxMessage",
            name="quotes",
            field=fields.JSONField(null=True),
        ),
        ops.AddIndex(
            model_name="InboxMessage",
            index=Index(fields=["thread", "position"], name="inbox_thread"),
        ),
    ]
