"""Verification: every way to change a log is found, and named with its file, line and number."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bracketeer.core import audit_verify
from bracketeer.core.audit_logger import Problem, verify
from bracketeer.core.errors import AuditError
from tests.unit.core.audit_kit import DAY_US, NOON_US, Clock, journal, three_files

KEY = b"a key kept elsewhere"
FIRST, MIDDLE, LAST = (f"audit-2026-11-{day}.jsonl" for day in (21, 22, 23))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of four lines each: seq 1-4, 5-8, 9-12."""
    folder = tmp_path_factory.mktemp("pristine")
    three_files(folder)
    return folder


@pytest.fixture
def log_dir(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "log"))


def found(log_dir: Path, *, hmac_key: bytes | None = None) -> list[tuple[str, int, int | None, str]]:
    report = verify(log_dir, hmac_key=hmac_key)
    assert report.ok == (not report.problems)
    return [(problem.file, problem.line_number, problem.seq, problem.code) for problem in report.problems]


def edit(file: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    file.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))


def test_whole_log_is_proven(log_dir: Path) -> None:
    """Nothing wrong: the report names what was proven."""
    report = verify(log_dir)
    assert (report.ok, report.files, report.lines, report.head_seq, report.problems) == (True, 3, 12, 12, ())
    assert report.head_hash in (log_dir / "audit.head").read_text()


def test_one_file_is_proven_on_its_own(log_dir: Path) -> None:
    """Its first line says where the chain stands; the newest is held against the anchor too."""
    assert [verify(log_dir / name).ok for name in (FIRST, MIDDLE, LAST)] == [True, True, True]
    edit(log_dir / LAST, lambda lines: lines[:-1])
    assert found(log_dir / LAST) == [(LAST, 3, 11, "tail_missing")]
    assert verify(log_dir / MIDDLE).head_seq == 8


@pytest.mark.parametrize("place", [25, -10])
def test_one_change_is_one_finding(log_dir: Path, place: int) -> None:
    """In the data or in the hash itself: the lines after it are not blamed."""

    def flip(lines: list[bytes]) -> list[bytes]:
        line = bytearray(lines[1])
        line[place] ^= 1
        return [lines[0], bytes(line), *lines[2:]]

    edit(log_dir / MIDDLE, flip)
    assert found(log_dir) == [(MIDDLE, 2, 6, "hash_mismatch")]


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        (FIRST, lambda x: x[1:], [(FIRST, 1, 2, "seq_gap"), (FIRST, 1, 2, "no_checkpoint")]),
        (MIDDLE, lambda x: x[1:], [(MIDDLE, 1, 6, "seq_gap"), (MIDDLE, 1, 6, "no_checkpoint")]),
        (MIDDLE, lambda x: [x[0], *x[2:]], [(MIDDLE, 2, 7, "seq_gap")]),
        (MIDDLE, lambda x: x[:-1], [(LAST, 1, 9, "seq_gap")]),
        (LAST, lambda x: x[:-1], [(LAST, 3, 11, "tail_missing")]),
        (MIDDLE, lambda x: [x[0], x[2], x[1], x[3]], [(MIDDLE, 2, 7, "seq_gap"), (MIDDLE, 3, 6, "seq_backwards")]),
        (MIDDLE, lambda x: [x[0], x[1], x[1], *x[2:]], [(MIDDLE, 3, 6, "seq_backwards")]),
        (MIDDLE, lambda x: [x[0], b"{broken}\n", *x[2:]], [(MIDDLE, 2, 6, "bad_line")]),
        (MIDDLE, lambda x: [*x[:-1], x[-1][:-1]], [(MIDDLE, 4, 7, "truncated"), (LAST, 1, 9, "seq_gap")]),
        (MIDDLE, lambda x: [], [(MIDDLE, 0, 4, "empty_file"), (LAST, 1, 9, "seq_gap")]),
        (LAST, lambda x: [*x, b'{"seq":13,'], [(LAST, 5, 12, "torn_tail")]),
        (LAST, lambda x: [*x[:-1], x[-1][:30]], [(LAST, 4, 11, "torn_tail"), (LAST, 4, 11, "tail_missing")]),
    ],
)
def test_each_change_is_named(
    log_dir: Path,
    name: str,
    change: Callable[[list[bytes]], list[bytes]],
    expected: list[tuple[str, int, int | None, str]],
) -> None:
    """Removed, swapped, doubled, broken, cut: what happened, and where."""
    edit(log_dir / name, change)
    observed = found(log_dir)
    # A swap breaks the order again where it ends; the first findings are what matters.
    assert observed[: len(expected)] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (FIRST, (MIDDLE, 1, 5, "seq_gap")),
        (MIDDLE, (LAST, 1, 9, "seq_gap")),
        (LAST, (MIDDLE, 4, 8, "tail_missing")),
    ],
)
def test_removed_file_is_named(log_dir: Path, name: str, expected: tuple[str, int, int, str]) -> None:
    """Whichever it is."""
    (log_dir / name).unlink()
    assert found(log_dir) == [expected]


@pytest.mark.parametrize("new_name", ["audit-2026-11-25.jsonl", "audit-2026-11-23.1.jsonl"])
def test_renamed_file_is_named(log_dir: Path, new_name: str) -> None:
    """Even where the order stays the same: a day must not pass for another."""
    (log_dir / LAST).rename(log_dir / new_name)
    assert found(log_dir) == [(new_name, 1, 9, "file_renamed")]


def test_renamed_out_of_order_is_named(log_dir: Path) -> None:
    """The chain shows it."""
    (log_dir / LAST).rename(log_dir / "audit-2026-11-20.jsonl")
    assert found(log_dir)[0] == ("audit-2026-11-20.jsonl", 1, 9, "seq_gap")


def rebuilt(log_dir: Path, **options: object) -> None:
    """Somebody writes a consistent log of their own in the place of the old one."""
    shutil.rmtree(log_dir)
    clock = Clock()
    with journal(log_dir, clock, checkpoint_state=dict, **options) as log:
        for day in range(3):
            clock.now_us = NOON_US + day * DAY_US
            log.rotate_if_due()
            for _ in range(3):
                log.append("event", "order_placed", symbol="FAKE")


def test_file_of_another_log_breaks_the_chain(log_dir: Path, tmp_path: Path) -> None:
    """Right numbers, right hashes in themselves, but not the continuation."""
    other = tmp_path / "other"
    other.mkdir()
    rebuilt(other)
    shutil.copy(other / LAST, log_dir / LAST)
    assert found(log_dir) == [(LAST, 1, 9, "chain_broken"), (LAST, 4, 12, "head_mismatch")]


def test_wholesale_rewrite_shows_with_the_key(tmp_path: Path) -> None:
    """Without the key a consistent rewrite proves itself; with it, every checkpoint and the anchor give it away."""
    log_dir = tmp_path / "log"
    three_files(log_dir, hmac_key=KEY)
    assert verify(log_dir, hmac_key=KEY).ok
    assert verify(log_dir).ok
    rebuilt(log_dir, hmac_key=b"guessed")
    assert verify(log_dir).ok
    assert found(log_dir, hmac_key=KEY) == [
        ("audit.head", 1, 12, "hmac_mismatch"),
        (FIRST, 1, 1, "hmac_mismatch"),
        (MIDDLE, 1, 5, "hmac_mismatch"),
        (LAST, 1, 9, "hmac_mismatch"),
    ]


def test_unkeyed_log_fails_a_keyed_check(log_dir: Path) -> None:
    """Dropping the signatures is no way around them."""
    assert {code for *_, code in found(log_dir, hmac_key=KEY)} == {"hmac_mismatch"}


def resealed(file: Path, old: bytes, new: bytes) -> None:
    """Change a file's first line and give it the right hash: what somebody who knows the format would do."""
    from bracketeer.core.audit_chain import parse

    lines = file.read_bytes().splitlines(keepends=True)
    changed = lines[0].replace(old, new)
    assert changed != lines[0]
    line, real_hash = parse(changed[:-1])
    lines[0] = changed.replace(line.hash.encode(), real_hash.encode())
    file.write_bytes(b"".join(lines))


@pytest.mark.parametrize("new", [b'"head":{"seq":9', b'"head":{"sag":8', b'"hood":{"seq":8'])
def test_checkpoint_that_names_another_head_is_found(log_dir: Path, new: bytes) -> None:
    """Even with a right hash of its own, a checkpoint must agree with the chain."""
    resealed(log_dir / LAST, b'"head":{"seq":8', new)
    assert found(log_dir)[0] == (LAST, 1, 9, "checkpoint_mismatch")


def test_missing_anchor_is_found(log_dir: Path) -> None:
    """Without it a removed last line would not show, so removing both must."""
    (log_dir / "audit.head").unlink()
    assert found(log_dir) == [(LAST, 4, 12, "head_missing")]
    assert verify(log_dir / LAST).ok  # a file handed over alone has none


def test_unreadable_anchor_is_found(log_dir: Path) -> None:
    """Whatever it says instead."""
    (log_dir / "audit.head").write_text("{}")
    assert found(log_dir)[0] == ("audit.head", 1, None, "head_mismatch")


def test_empty_folder_proves_nothing(tmp_path: Path) -> None:
    """A mistyped path must not look like a good log."""
    assert found(tmp_path) == [(tmp_path.name, 0, None, "no_lines")]


def test_noise_does_not_fill_the_memory(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of findings is bounded."""
    monkeypatch.setattr(audit_verify, "PROBLEMS_MAX", 5)
    (log_dir / MIDDLE).write_bytes(b"noise\n" * 50)
    assert len(verify(log_dir).problems) == 5


def test_log_can_be_verified_while_it_is_written(tmp_path: Path) -> None:
    """Reading beside a writer finds no fault."""
    with journal(tmp_path) as log:
        for _ in range(3):
            log.append("event", "x")
            assert verify(tmp_path).problems == ()


def test_finding_reads_as_a_sentence(log_dir: Path) -> None:
    """People read it first."""
    edit(log_dir / MIDDLE, lambda lines: [lines[0], *lines[3:]])
    assert verify(log_dir).problems[0] == Problem(MIDDLE, 2, 8, "seq_gap", "2 missing before line 8, from 6 on")


@pytest.mark.parametrize("content", [b'{"seq":0,"hash":"%s"}' % (b"0" * 64), b'{"seq":-2,"hash":"x"}'])
def test_anchor_that_names_no_line_is_found(log_dir: Path, content: bytes) -> None:
    """It would let a removed end pass, as a missing one would."""
    (log_dir / "audit.head").write_bytes(content)
    assert found(log_dir) == [("audit.head", 1, None, "head_mismatch")]


def test_anchor_that_is_no_text_is_found(log_dir: Path) -> None:
    """A finding, not a crash; and the log is not opened for writing either."""
    (log_dir / "audit.head").write_bytes(b'{"seq":12,"hash":"\x80"}')
    assert found(log_dir) == [("audit.head", 1, None, "head_mismatch")]
    with pytest.raises(AuditError, match="unreadable"):
        journal(log_dir).open()
