"""Print docs/configuration.md."""

import sys

from idp.settings.document import document

if __name__ == "__main__":
    sys.stdout.write(document())
