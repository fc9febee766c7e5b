"""
`/openapi.json` and `/api-docs`: the description of this server, made of the declarations that check its requests.

    document   the routes of the application and their `operation`s as OpenAPI 3.1
    responses  what every operation of a kind answers beside what it gives: refusals and their headers
    protocol   the endpoints beside Quart, whose shapes RFCs define
    routes     both, as HTTP
"""
