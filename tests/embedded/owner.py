"""Run by the tests as a process of its own: python owner.py FOLDER [--fork]."""

import os
import sys
import time
from pathlib import Path

from idp.embedded import EmbeddedStores

stores = EmbeddedStores(Path(sys.argv[1]), durable=False)
stores.start()
pids = [stores.postgres_pid, stores.valkey_pid]
if "--fork" in sys.argv:
    worker = os.fork()
    if worker == 0:
        os.close(1)
        time.sleep(60)
        os._exit(0)
    pids.append(worker)
print(*pids, flush=True)
sys.stdin.read()
stores.stop()
