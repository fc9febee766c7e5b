"""Where a client begins a sign-in, claims of scopes in its ID tokens, and client ids of up to 255 characters."""

from typing import Any

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

ALLOWED = {"changes a type": "varchar(64) to varchar(255) keeps the rows and the indexes as they are"}


def client_id(**options: Any) -> Any:
    return fields.CharField(max_length=255, **options)


class Migration(migrations.Migration):
    dependencies = [("idp", "0003_hosted_login")]

    operations = [
        ops.AddField("ClientRow", "initiate_login_uri", fields.TextField(null=True)),
        ops.AddField("ClientRow", "id_token_claims", fields.BooleanField(db_default=False)),
        ops.AlterField("ClientRow", "client_id", client_id(primary_key=True, unique=True, db_index=True)),
        ops.AlterField("SessionRow", "client_id", client_id()),
        ops.AlterField("ConsentRow", "client_id", client_id()),
        ops.AlterField("LogoutNoticeRow", "client_id", client_id()),
        ops.AlterField("EventRow", "client_id", client_id(null=True)),
    ]
