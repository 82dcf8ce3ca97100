"""The hash chain: what was written verifies, and nothing else does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bracketeer.core.audit_files import ANCHOR_NAME, log_files, read_anchor
from bracketeer.core.audit_logger import VerifyReport, iter_lines, verify
from tests.support.profiles import examples
from tests.unit.core.audit_kit import DAY_US, NOON_US, Clock, journal

KEY = b"a key kept elsewhere"
keys = st.none() | st.just(KEY)


class Pristine(NamedTuple):
    """A closed log over a rotation by size and one by day, in memory: its folder and the bytes of each file."""

    folder: Path
    files: dict[str, bytes]

    @contextmanager
    def with_file(self, name: str, content: bytes) -> Iterator[VerifyReport]:
        """What is found when one file holds something else."""
        (self.folder / name).write_bytes(content)
        try:
            yield verify(self.folder)
        finally:
            (self.folder / name).write_bytes(self.files[name])

    @property
    def logs(self) -> list[str]:
        """The names of the log files in their order."""
        return [path.name for path in log_files(self.folder)]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    """Four files: a day in two parts, and two days more."""
    return written(tmp_path_factory.mktemp("pristine"), note="größe")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    """The same from the first line's number to the last line's time, but for what it says."""
    return written(tmp_path_factory.mktemp("twin"), note="gröbe")


def written(folder: Path, note: str) -> Pristine:
    """A log over a rotation by size and some by day."""
    clock = Clock()
    with journal(folder, clock, checkpoint_state=lambda: {"open": 0}, max_bytes=1200, fsync="never") as log:
        for n in range(9):
            log.append("event", "order_placed", symbol="BTCUSDT", fields={"n": n, "note": note})
            clock.now_us = NOON_US + n // 4 * DAY_US
            log.rotate_if_due()
    names = [path.name for path in folder.iterdir() if path.suffix in (".jsonl", ".head")]
    assert len(names) >= 5
    assert verify(folder).ok
    return Pristine(folder, {name: (folder / name).read_bytes() for name in names})


def first_line_of_change(before: bytes, after: bytes) -> int:
    """The number of the line that holds the first difference."""
    place = next((i for i, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), None)
    return before.count(b"\n", 0, min(len(before), len(after)) if place is None else place) + 1


acts = st.one_of(
    st.tuples(st.just("append"), st.text(max_size=20)),
    st.tuples(st.just("pass"), st.integers(1, 2 * DAY_US)),
    st.tuples(st.just("rotate"), st.none()),
    st.tuples(st.just("reopen"), st.none()),
)


@examples(40)
@given(st.lists(acts, max_size=25), keys, st.integers(300, 3000))
def test_an_untouched_log_verifies(story: list[tuple[str, object]], key: bytes | None, max_bytes: int) -> None:
    """Verifying accepts everything that writing makes: whatever is appended, over rotations by day and by size and over
    restarts, keyed or not, the folder verifies, each file verifies alone, and the lines are numbered without a gap."""
    with TemporaryDirectory() as name:
        folder, clock = Path(name), Clock()
        options = {"hmac_key": key, "max_bytes": max_bytes, "fsync": "never", "checkpoint_state": dict}
        log = journal(folder, clock, **options)
        log.open()
        written = []
        for act, value in story:
            match act:
                case "append":
                    log.append("event", "x", fields={"text": value})
                    written.append(value)
                case "pass":
                    clock.now_us += value  # type: ignore[operator]
                case "rotate":
                    log.rotate_if_due()
                case _:
                    log.close()
                    log = journal(folder, clock, **options)
                    log.open()
        log.close()
        report = verify(folder, hmac_key=key)
        assert (report.ok, report.problems) == (True, ())
        assert all(verify(file, hmac_key=key).ok for file in log_files(folder))
        lines = list(iter_lines(folder))
        assert [line.seq for line in lines] == list(range(1, report.lines + 1))
        assert [line.fields["text"] for line in lines if line.record == "event"] == written


@examples(300)
@given(st.data())
def test_any_single_byte_is_held(pristine: Pristine, data: st.DataObject) -> None:
    """Verifying is injective under a change of one byte: a byte replaced, inserted or removed anywhere in any log file,
    newlines and hashes included, is found, and the first finding names the line (or the one that was torn from it)."""
    name = data.draw(st.sampled_from(pristine.logs))
    content = pristine.files[name]
    place = data.draw(st.integers(0, len(content)) | st.just(len(content)))  # at the very end too
    byte = data.draw(st.sampled_from(b'\n\r \t0"{}') | st.integers(0, 255)).to_bytes()
    changed = data.draw(
        st.sampled_from([
            content[:place] + byte + content[place + 1 :],
            content[:place] + byte + content[place:],
            content[:place] + content[place + 1 :],
        ])
    )  # fmt: skip
    assume(changed != content)
    with pristine.with_file(name, changed) as report:
        assert not report.ok
        first = report.problems[0]
        assert first.file == name
        assert 0 <= first_line_of_change(content, changed) - first.line_number <= 1


@examples(200)
@given(st.data())
def test_any_truncation_is_found(pristine: Pristine, data: st.DataObject) -> None:
    """No proper prefix of a file passes for it: cut anywhere, at the end of a line too, in the newest file too (by the
    head anchor), it is found."""
    name = data.draw(st.sampled_from(pristine.logs))
    content = pristine.files[name]
    ends = [i + 1 for i, byte in enumerate(content[:-1]) if byte == ord("\n")]
    length = data.draw(st.sampled_from([0, *ends]) | st.integers(0, len(content) - 1))
    with pristine.with_file(name, content[:length]) as report:
        assert not report.ok


@examples(200)
@given(st.data())
def test_any_other_arrangement_of_lines_is_found(pristine: Pristine, data: st.DataObject) -> None:
    """The order of lines is part of what is proven: of all sequences made of the lines of a log (some removed, some
    repeated, some moved, within a file or to another) only the original verifies."""
    lines = [(name, line) for name in pristine.logs for line in pristine.files[name].splitlines(keepends=True)]
    start = data.draw(st.integers(0, len(lines) - 1))
    stop = data.draw(st.integers(start + 1, len(lines)))
    target = data.draw(st.integers(0, len(lines)))
    block = lines[start:stop]
    without = lines[:start] + lines[stop:]
    arranged = data.draw(
        st.sampled_from([
            without,
            lines[:target] + block + lines[target:],
            without[:target] + block + without[target:],
            lines[:start] + block[::-1] + lines[stop:],
        ])
    )  # fmt: skip
    moved_to = data.draw(st.none() | st.sampled_from(pristine.logs))
    if moved_to is not None:
        arranged = [(moved_to if one in block else one[0], one[1]) for one in arranged]
    assume(arranged != lines)
    contents = {name: b"".join(line for file, line in arranged if file == name) for name in pristine.logs}
    assume(contents != {name: pristine.files[name] for name in pristine.logs})
    try:
        for name, content in contents.items():
            (pristine.folder / name).write_bytes(content)
        assert not verify(pristine.folder).ok
    finally:
        for name in contents:
            (pristine.folder / name).write_bytes(pristine.files[name])


@examples(60)
@given(st.data())
def test_lines_of_another_log_are_found(pristine: Pristine, twin: Pristine, data: st.DataObject) -> None:
    """A log has one history: any stretch of it exchanged for the same stretch of another log, equal in files, numbers
    and times and right in itself, is found."""
    mine = [(name, line) for name in pristine.logs for line in pristine.files[name].splitlines(keepends=True)]
    theirs = [line for name in twin.logs for line in twin.files[name].splitlines(keepends=True)]
    start = data.draw(st.integers(0, len(mine) - 1))
    stop = data.draw(st.integers(start + 1, len(mine)))
    assume([line for _, line in mine[start:stop]] != theirs[start:stop])
    spliced = [(name, theirs[i] if start <= i < stop else line) for i, (name, line) in enumerate(mine)]
    try:
        for name in pristine.logs:
            (pristine.folder / name).write_bytes(b"".join(line for file, line in spliced if file == name))
        assert not verify(pristine.folder).ok
    finally:
        for name in pristine.logs:
            (pristine.folder / name).write_bytes(pristine.files[name])


@examples(150)
@given(st.data())
def test_the_anchor_says_what_it_says_or_is_found(pristine: Pristine, data: st.DataObject) -> None:
    """The head anchor has one meaning: a byte replaced, inserted or removed in it, or its end cut off, is found, unless
    what is read from it is still the same line and hash."""
    content = pristine.files[ANCHOR_NAME]
    digits = st.integers(7, 9)  # of the line's number
    place = data.draw(digits | st.integers(0, 130) | st.integers(0, len(content) - 1))
    byte = data.draw(st.sampled_from(b"-019 ") | st.integers(0, 255)).to_bytes()
    changed = data.draw(
        st.sampled_from([
            content[:place] + byte + content[place + 1 :],
            content[:place] + byte + content[place:],
            content[:place] + content[place + 1 :],
            content[:place],
        ])
    )  # fmt: skip
    said = read_anchor(pristine.folder)
    with pristine.with_file(ANCHOR_NAME, changed) as report:
        assert not report.ok or read_anchor(pristine.folder) == said


def test_a_removed_exchanged_or_renamed_file_is_found(pristine: Pristine) -> None:
    """A log is all of its files under their names: without any one of them, with two exchanged, or with one renamed
    (in the same order still), it does not verify."""
    last = pristine.logs[-1]
    for name in ("audit-2027-01-01.jsonl", last.replace(".jsonl", ".1.jsonl")):
        (pristine.folder / last).rename(pristine.folder / name)
        assert not verify(pristine.folder).ok
        (pristine.folder / name).rename(pristine.folder / last)
    for name in pristine.logs:
        (pristine.folder / name).unlink()
        assert not verify(pristine.folder).ok
        (pristine.folder / name).write_bytes(pristine.files[name])
    for one, other in pairwise(pristine.logs):
        shutil.copy(pristine.folder / one, pristine.folder / "aside")
        (pristine.folder / one).write_bytes(pristine.files[other])
        (pristine.folder / other).write_bytes(pristine.files[one])
        assert not verify(pristine.folder).ok
        (pristine.folder / one).write_bytes(pristine.files[one])
        (pristine.folder / other).write_bytes(pristine.files[other])
    assert verify(pristine.folder).ok
