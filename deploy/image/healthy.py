"""
Exit status 0 when the server in this container answers 200, for HEALTHCHECK: healthy.py [live|ready]

*live* asks no store, so an outage of one restarts nobody. *ready* is for who must wait until requests can be served.
"""

import http.client
import os
import sys

LIMIT = 3  # seconds


def status(check: str) -> int:
    port = int(os.environ.get("IDP_BIND", ":8000").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET", f"/health/{check}")
        return connection.getresponse().status
    except OSError:
        return 503
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(status(sys.argv[1] if len(sys.argv) > 1 else "live") != 200)
