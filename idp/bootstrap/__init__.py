"""
The composition root: settings and the outside world in, services out.

Nothing below knows a setting or who implements a Protocol; nothing else opens or closes a connection.

    outside     what is opened and closed: keys, passwords, Postgres, Redis, and the repositories over them
    services    the use cases over those
    background  what goes on without a request
"""

from idp.bootstrap.accounts import letters_of
from idp.bootstrap.outside import key_files, now, secrets_of
from idp.bootstrap.services import Services, running

__all__ = ["Services", "key_files", "letters_of", "now", "running", "secrets_of"]
