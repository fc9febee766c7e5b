"""
Benchmarks: `python -m bench`. Method and figures stand in docs/benchmarks.md.

    driver      sequential chains of requests, as cheap as Python gets
    requests    what is sent, and what a good answer holds
    processes   servers as children: pinned, measured, ended
    stores      embedded Postgres and Valkey for ours, a Valkey set up alike for the peers
    ours        `idp serve`, with users that really signed in
    node        the peers, oidc-provider and Express, installed by npm
    rounds      A B C, C B A, A B C; then how sessions grow
    layers      where the CPU time of one refresh goes, measured in this process
    report      Markdown and JSON
"""
