"""The file of rows: whatever ends a writing, and whoever writes beside."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from softdiffusion.studies import Rows

#: Adds so many rows, half of which the other processes add, too.
ADD = """
import sys
from softdiffusion.studies import Rows
rows, me, count = Rows(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for calls in range(1, count + 1):
    for arm in (me, "shared"):
        rows.append({"arm": arm, "seed": 0, "evaluation": "naive", "calls": calls, "frechet": 1.5})
"""


def row(**changes):
    return {"arm": "a", "seed": 0, "evaluation": "naive", "calls": 5, "frechet": 1.5} | changes


def test_a_row_that_was_cut_off_anywhere_is_measured_again(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    for calls in (5, 10, 20):
        rows.append(row(calls=calls))
    whole = rows.path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole) + 1):
        rows.path.write_bytes(whole[:end])
        assert rows.cut_off == (start < end < len(whole) - 1)
        known = list(rows)
        assert known[:2] == [row(calls=5), row(calls=10)]
        assert rows.append(row(calls=20)) == (len(known) == 2)
        assert rows.path.read_bytes().strip() == whole.strip()
        assert not rows.cut_off


def test_a_row_measured_twice_is_one(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    assert rows.append(row(frechet=1.5)) and not rows.append(row(frechet=1.6))
    assert list(rows) == [row(frechet=1.5)]


def test_no_row_is_lost_among_threads(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda n: rows.append(row(calls=1 + n % 30)), range(60)))
    assert sum(added) == 30
    assert sorted(one["calls"] for one in rows) == list(range(1, 31))


@pytest.mark.slow
def test_no_row_is_lost_among_processes(tmp_path):
    path, count = tmp_path / "rows.jsonl", 50
    processes = [
        subprocess.Popen([sys.executable, "-c", ADD, str(path), f"arm {name}", str(count)])
        for name in "abc"
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0, 0]
    keys = sorted((one["arm"], one["calls"]) for one in Rows(path))
    arms = ("arm a", "arm b", "arm c", "shared")
    assert keys == [(arm, calls) for arm in arms for calls in range(1, count + 1)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_what_is_no_finite_number_is_no_row(tmp_path, value):
    rows = Rows(tmp_path / "rows.jsonl")
    rows.append(row())
    with pytest.raises(ValueError, match="its frechet is "):
        rows.append(row(calls=6, frechet=value))
    assert list(rows) == [row()]


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"nothing",
        b"5",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 10_000,
        b'{"arm": "a", "seed": 0, "evaluation": "naive"}',
        b'{"arm": 1, "seed": 0, "evaluation": "naive", "calls": 5}',
        b'{"arm": "a\\n|", "seed": 0, "evaluation": "naive", "calls": 5}',
        b'{"arm": "\\ud800", "seed": 0, "evaluation": "naive", "calls": 5}',
        b'{"arm": "a", "seed": 0.5, "evaluation": "naive", "calls": 5}',
        b'{"arm": "a", "seed": true, "evaluation": "naive", "calls": 5}',
        b'{"arm": "a", "seed": 0, "evaluation": "naive", "calls": 5, "frechet": NaN}',
        b'{"arm": "a", "seed": 0, "evaluation": "naive", "calls": 5, "frechet": 1e999}',
        b'{"arm": "a", "seed": 0, "evaluation": "naive", "calls": 5, "n": -1}',
    ],
)
def test_a_damaged_line_is_named_and_stays(tmp_path, line):
    rows = Rows(tmp_path / "rows.jsonl")
    before = json.dumps(row()).encode() + b"\n" + line + b"\n" + json.dumps(row(calls=6)).encode()
    rows.path.write_bytes(before)
    for use in (lambda: list(rows), lambda: rows.append(row(calls=7))):
        with pytest.raises(ValueError, match="Line 2 of .* is damaged; delete it") as error:
            use()
        assert "\n" not in str(error.value) and len(str(error.value)) < 500
    assert rows.path.read_bytes() == before


def test_a_folder_is_no_file_of_rows(tmp_path):
    with pytest.raises(ValueError, match="is a folder, where a file is needed"):
        list(Rows(tmp_path))
