"""The folder in which workers leave their metrics for each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from idp.gateways.metrics_folder import FOLDER, metrics_folder


def folders(data: Path) -> list[Path]:
    return sorted(data.glob("idp-metrics-*"))


def test_processes_of_the_block_inherit_its_name_and_it_is_gone_afterwards(tmp_path: Path) -> None:
    with metrics_folder(tmp_path / "data"):
        [folder] = folders(tmp_path / "data")
        assert os.environ[FOLDER] == str(folder)
        assert folder.stat().st_mode & 0o077 == 0

    assert folders(tmp_path / "data") == []
    assert FOLDER not in os.environ


def test_what_a_killed_server_left_is_removed(tmp_path: Path) -> None:
    program = "import os, sys, pathlib\nfrom idp.gateways.metrics_folder import metrics_folder\n"
    program += "with metrics_folder(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    [left] = folders(tmp_path)

    with metrics_folder(tmp_path):
        assert left not in folders(tmp_path)


def test_that_of_a_server_that_runs_stays(tmp_path: Path) -> None:
    with metrics_folder(tmp_path):
        [first] = folders(tmp_path)
        program = "import sys, pathlib\nfrom idp.gateways.metrics_folder import metrics_folder\n"
        program += (
            "with metrics_folder(pathlib.Path(sys.argv[1])): print(len(list(pathlib.Path(sys.argv[1]).iterdir())))"
        )
        other = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, check=True)

        assert other.stdout.strip() == b"2"
        assert folders(tmp_path) == [first]


def test_gauges_of_processes_that_have_ended_are_forgotten_and_their_counts_kept(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with metrics_folder(tmp_path) as metrics:
        [folder] = folders(tmp_path)
        kept = [f"gauge_livesum_{os.getpid()}.db", f"counter_{ended.pid}.db"]
        for name in [*kept, f"gauge_livesum_{ended.pid}.db", f"gauge_livemax_{ended.pid}.db"]:
            (folder / name).touch()

        metrics.forget_dead()

        assert sorted(file.name for file in folder.iterdir()) == sorted(kept)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_no_reason_not_to_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with metrics_folder(tmp_path / "data"):
        assert FOLDER in os.environ


def test_a_data_folder_that_is_a_file_is_no_reason_not_to_start(tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    with metrics_folder(tmp_path / "data"):
        assert not os.environ[FOLDER].startswith(str(tmp_path))
