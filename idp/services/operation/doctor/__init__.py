"""
Examining an installation: what answers, and what is unsafe.

    keys      the folder of signing keys
    database  Postgres itself, its roles, its replicas
    contents  what is in it: administrators, clients, the audit trail
    cache     Redis or Valkey

What production must not have is `UNSAFE`, everywhere; who shows it weighs it (`Check.weighed`).
"""

from idp.services.operation.doctor.cache import examine_cache
from idp.services.operation.doctor.contents import examine_contents
from idp.services.operation.doctor.database import examine_database
from idp.services.operation.doctor.keys import examine_keys

__all__ = ["examine_cache", "examine_contents", "examine_database", "examine_keys"]
