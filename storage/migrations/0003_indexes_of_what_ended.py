from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("storage", "0002_outbox_tried_at")]

    initial = False

    operations = [
        ops.AddIndex(
            model_name="Fact",
            index=Index(fields=["source_key"], name="fact_source"),
        ),
        ops.AddIndex(
            model_name="Message",
            index=Index(fields=["turn_id"], name="message_turn"),
        ),
        ops.AddIndex(
            model_name="Turn",
            index=Index(fields=["ended_at"], name="turn_ended"),
        ),
    ]
