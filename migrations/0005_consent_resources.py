"""For which resource a user has allowed what, and what was shown of a client that registered itself."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("idp", "0004_client_fields")]

    operations = [
        ops.AddField(
            "ConsentRow", "resource_scopes", fields.JSONField(encoder=JSON_DUMPS, decoder=loads, db_default="{}")
        ),
        ops.AddField("ConsentRow", "shown", fields.CharField(null=True, max_length=64)),
    ]
