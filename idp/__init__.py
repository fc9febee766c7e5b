"""
idp: an OAuth 2.0 and OpenID Connect token server.

    edge          pure ASGI around everything: limits, headers, CORS, log line
    controllers   HTTP: parse, one call, answer
    services      use cases
    domain        what things are, rules on them, Protocols for storing them
    repositories  the Protocols, over Postgres and Redis
    database      connections, tables, scripts
    gateways      the outside that is not storage: bcrypt, key files, embedded servers
    bootstrap     settings + outside world → services
"""
