"""
Pure ASGI around everything, so that static answers and hot endpoints pass through the same edge as Quart's routes.

From outside to inside: request id and caller's address, security headers and CORS on every answer, the body read within
limits and decoded strictly, faults turned into answers, one line in the log.
"""
