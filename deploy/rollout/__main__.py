"""
Puts a new release on every node of a fleet, one after the other, and goes back by itself when one of them is not well.

    python3 deploy/rollout --tag 1.3.0 \\
        --node idp-1=http://10.0.0.11:8000 --node idp-2=http://10.0.0.12:8000 \\
        --proxy https://id.example.com \\
        --migrate 'TAG={tag} docker compose run --rm migrate' \\
        --replace 'TAG={tag} docker compose up --detach --no-deps {node}'

What happens: every node is ready and the smoke test passes, else nothing is begun → `--migrate` → for each node:
`--replace`, wait until `/health/detailed` names the tag (IDP_RELEASE) and `/health/ready` says 200, smoke test at the node →
smoke test through the proxy. When something fails, the nodes done so far, the failed one included, are replaced with what
ran on them before. The schema stays: releases get along with the next one's (docs/upgrades.md).

`{tag}` `{node}` `{url}` are filled in, quoted for the shell. `--replace` has to end the old process with SIGTERM, wait for
its end and start the new one; it may wait for that one, and fails with any status but 0. On Kubernetes the deployment is
one node: `--node idp=http://idp.example --replace 'kubectl set image deployment/idp idp=registry/idp:{tag} && kubectl
rollout status deployment/idp'`.

With `--haproxy SOCKET` a node gets no request between its end and its smoke test: nodes are named as haproxy's servers.

The smoke test signs in with ROLLOUT_CLIENT_ID and ROLLOUT_CLIENT_SECRET (a client with the client_credentials grant), and
with ROLLOUT_USER and ROLLOUT_PASSWORD, if given, keeps one session through the whole roll-out (the client then needs the
password and refresh_token grants too).

Exit status: 0 all nodes run the tag; 1 nothing has changed, or all is as it was; 2 wrong usage; 3 the way back failed too,
see which node. Needs Python 3.11 or newer and nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import ssl
import sys

from commands import Command
from nodes import Failed, Node
from rotation import Haproxy, NoRotation
from sequence import RollbackFailed, Rollout
from smoke import Smoke

TAG = re.compile(r"[A-Za-z0-9._+-]{1,128}")


def main() -> int:
    options = _options()
    try:
        rollout = _rollout(options)
    except ValueError as fault:
        print(f"rollout: {fault}", file=sys.stderr)
        return 2
    try:
        rollout.run(options.tag)
    except RollbackFailed as fault:
        print(f"FAILED, AND THE WAY BACK TOO: {fault}", file=sys.stderr)
        return 3
    except Failed as fault:
        print(f"FAILED: {fault}", file=sys.stderr)
        return 1
    print(f"All nodes run {options.tag}.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("rollout", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tag", required=True, type=_tag, help="the new release, as IDP_RELEASE will call it")
    parser.add_argument("--node", required=True, action="append", type=_node, metavar="NAME=URL")
    parser.add_argument("--proxy", required=True, metavar="URL", help="where users come in")
    parser.add_argument("--issuer", metavar="URL", help="what the tokens must name; the proxy's address by default")
    parser.add_argument("--replace", required=True, metavar="COMMAND")
    parser.add_argument("--migrate", metavar="COMMAND")
    parser.add_argument("--haproxy", metavar="SOCKET", help="haproxy's admin socket")
    parser.add_argument("--backend", default="idp", help="name of haproxy's backend (%(default)s)")
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust instead of the system's")
    parser.add_argument("--previous", type=_tag, help="what to go back to; by default what each node says it runs")
    parser.add_argument("--ready-within", type=float, default=120.0, metavar="SECONDS", help="(%(default)s)")
    parser.add_argument(
        "--settle", type=float, default=3.0, metavar="SECONDS", help="what the proxy needs (%(default)s)"
    )
    return parser.parse_args()


def _rollout(options: argparse.Namespace) -> Rollout:
    context = ssl.create_default_context(cafile=options.ca)
    names = [node.name for node in options.node]
    if len(set(names)) < len(names):
        raise ValueError("two nodes have the same name")
    client = _pair("ROLLOUT_CLIENT_ID", "ROLLOUT_CLIENT_SECRET")
    if client is None:
        raise ValueError("ROLLOUT_CLIENT_ID and ROLLOUT_CLIENT_SECRET: give a client for the smoke test")
    user = _pair("ROLLOUT_USER", "ROLLOUT_PASSWORD")
    return Rollout(
        nodes=options.node,
        proxy=options.proxy.rstrip("/"),
        smoke=Smoke(options.issuer or options.proxy, client, user, context),
        replace=Command(options.replace),
        migrate=Command(options.migrate) if options.migrate else None,
        rotation=Haproxy(options.haproxy, options.backend) if options.haproxy else NoRotation(),
        previous=options.previous,
        ready_within=options.ready_within,
        settle=options.settle,
    )


def _pair(name: str, secret: str) -> tuple[str, str] | None:
    given = os.environ.get(name), os.environ.get(secret)
    if given[0] and given[1]:
        return given[0], given[1]
    if given[0] or given[1]:
        raise ValueError(f"{name} and {secret}: give both or none")
    return None


def _tag(text: str) -> str:
    if TAG.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("up to 128 letters, digits and ._+-")
    return text


def _node(text: str) -> Node:
    name, _, url = text.partition("=")
    if re.fullmatch(r"[A-Za-z0-9._-]+", name) is None or not url.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("NAME=URL, such as idp-1=http://10.0.0.11:8000")
    return Node(name, url.rstrip("/"))


if __name__ == "__main__":
    sys.exit(main())
