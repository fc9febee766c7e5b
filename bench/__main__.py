"""The command line of the benchmarks."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from bench import layers, node, ours, report, rounds, storm
from bench.processes import Cores, pinned
from bench.requests import Workload
from bench.rounds import Plan
from bench.stores import peer_store
from bench.targets import Target
from idp.embedded import EmbeddedStores

RESULTS = Path(__file__).parent / "results"
SERVERS = click.Choice(["hypercorn", "granian"])
WORKLOADS = click.Choice([workload.value for workload in Workload])


@click.command()
@click.option("--rounds", "count", type=click.IntRange(1), default=3, show_default=True, help="Their medians count.")
@click.option("--seconds", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Length of a round.")
@click.option("--warm-up", type=click.FloatRange(0), default=1.0, show_default=True, help="Seconds before it counts.")
@click.option("--chains", type=click.IntRange(1), default=16, show_default=True, help="Clients at the same time.")
@click.option("--rotations", type=click.IntRange(0), default=10_000, show_default=True, help="Of a session that grows.")
@click.option("--only", type=WORKLOADS, multiple=True, help="This workload; may be repeated.")
@click.option("--server", type=SERVERS, multiple=True, default=["hypercorn"], help="Ours on it; may be repeated.")
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure oidc-provider and Express too.")
@click.option("--layers", "by_layer", is_flag=True, help="Instead: what each layer of one refresh costs.")
@click.option("--storm", "stormy", is_flag=True, help="Instead: ten times the logins that bcrypt can do.")
@click.option("--times", type=click.IntRange(1), default=1000, show_default=True, help="Repetitions of each layer.")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, help="Folder for the tables.")
def main(
    count: int,
    seconds: float,
    warm_up: float,
    chains: int,
    rotations: int,
    only: Sequence[Workload],
    server: Sequence[str],
    peers: bool,
    by_layer: bool,
    stormy: bool,
    times: int,
    results: Path,
) -> None:
    """
    Measure this server, and its peers beside it, on 127.0.0.1.

    \b
    Example:
      python -m bench --only refresh --server hypercorn --server granian
      python -m bench --layers
      python -m bench --storm --seconds 30
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: with every child
    plan = Plan(
        workloads=[Workload(name) for name in only] or list(Workload),
        rounds=count,
        seconds=seconds,
        warm_up=warm_up,
        chains=chains,
        rotations=rotations,
    )
    cores = Cores.of_this_machine()
    with _folder() as folder, pinned(cores.rest):
        if by_layer:
            _measure_layers(folder, cores, results, rounds=count, times=times)
        elif stormy:
            _measure_storm(folder, cores, results, chains=chains, seconds=seconds)
        else:
            _measure_servers(plan, folder, cores, results, servers=server, peers=peers)


@contextmanager
def _folder() -> Iterator[Path]:
    """Short, since sockets live in it; gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="idp-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _measure_servers(
    plan: Plan, folder: Path, cores: Cores, results: Path, *, servers: Sequence[str], peers: bool
) -> None:
    with ExitStack() as stack:
        embedded = stack.enter_context(EmbeddedStores(folder / "stores"))
        seeded = asyncio.run(ours.seed(embedded, folder, plan.chains))
        targets = [
            stack.enter_context(ours.served(seeded, server, chains=plan.chains, folder=folder, cores=cores))
            for server in dict.fromkeys(servers)
        ]
        notes = _add_peers(stack, targets, plan, folder, cores) if peers else []
        found = rounds.run(plan, targets, cores, _tell)
        found.record = ours.record_bytes(seeded)
        _publish(results, "servers", report.markdown(plan, found, cores, notes), report.figures(found))


def _add_peers(stack: ExitStack, targets: list[Target], plan: Plan, folder: Path, cores: Cores) -> list[str]:
    """What there is to say about them in the report."""
    try:
        node.install()
    except node.NotInstalled as why:
        _tell(f"peers skipped: {why}")
        return ["The peers were skipped: they could not be installed here."]
    store = stack.enter_context(peer_store(folder / "peers"))
    for peer in node.PEERS:
        served = node.served(peer, store, chains=plan.chains, folder=folder, cores=cores)
        targets.append(stack.enter_context(served))
    return [f"Node {node.runtime_version()}, {', '.join(node.package_versions())}."]


def _measure_layers(folder: Path, cores: Cores, results: Path, *, rounds: int, times: int) -> None:
    with EmbeddedStores(folder / "stores") as embedded, pinned(cores.server):
        found = layers.run(embedded, folder, rounds, times, _tell)
    text = f"{report.conditions(cores)} Rounds: {rounds} of {times:,} repetitions; medians.\n\n{layers.table(found)}\n"
    _publish(results, "layers", text, found)


def _measure_storm(folder: Path, cores: Cores, results: Path, *, chains: int, seconds: float) -> None:
    with EmbeddedStores(folder / "stores") as embedded:
        seeded = asyncio.run(ours.seed(embedded, folder, chains))
        with ours.served(seeded, "hypercorn", chains=chains, folder=folder, cores=cores) as target:
            found = storm.run(target, seeded.client, seconds, _tell)
    _publish(results, "storm", f"{report.conditions(cores)}\n\n{storm.markdown(found)}", asdict(found))


def _publish(folder: Path, name: str, text: str, figures: object) -> None:
    path = report.save(folder, name, text, figures)
    click.echo(text)
    _tell(f"written to {path}")


def _tell(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main(prog_name="python -m bench")
