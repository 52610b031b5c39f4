"""The canonical archive: one byte sequence per content, and every trick of a ZIP file refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from crypto.verifier import archive, reading, shapes
from crypto.verifier.archive import Unreadable
from crypto.verifier.findings import Failed

MEMBERS = [("manifest.json", b"{}"), ("log/a", b"x" * 300), ("log/b", b"")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    archive.write(tmp_path / "a.zip", MEMBERS)
    return tmp_path / "a.zip"


def test_what_was_written_is_read_and_any_zip_reader_agrees(path: Path) -> None:
    read = archive.read(path)
    assert [(name, read.read(name)) for name in read.members] == MEMBERS
    with zipfile.ZipFile(path) as other:
        assert other.testzip() is None
        assert [(name, other.read(name)) for name in other.namelist()] == MEMBERS


def test_every_flipped_bit_of_the_structure_is_noticed(path: Path) -> None:
    data = path.read_bytes()
    first = archive.read(path)
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        try:
            read = archive.read(path)
        except Unreadable:
            continue
        assert {m.sha256 for m in read.members.values()} != {m.sha256 for m in first.members.values()}


@pytest.mark.parametrize("cut", [0, 1, 21, 22, 100])
def test_truncated_file_is_unreadable(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(Unreadable):
        archive.read(path)


@pytest.mark.parametrize("extra", [b"\0", b"PK\5\6" + bytes(18)])
def test_appended_bytes_are_unreadable(path: Path, extra: bytes) -> None:
    path.write_bytes(path.read_bytes() + extra)
    with pytest.raises(Unreadable):
        archive.read(path)


@pytest.mark.parametrize("name", ["../up", "/root", "a//b", "a/./b", "a\\b", "招标", "a/", "", "x" * 201])
def test_path_tricks_are_refused_by_writer_and_reader(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        archive.write(tmp_path / "a.zip", [(name, b"")])
    if name:
        with zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
            other.writestr(name, b"")
        with pytest.raises(Unreadable):
            archive.read(tmp_path / "b.zip")


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        archive.write(tmp_path / "a.zip", [("a", b""), ("A", b"")])


def test_zip_bomb_is_refused_because_it_is_compressed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as other:
        other.writestr("manifest.json", bytes(10_000_000))
    with pytest.raises(Unreadable):
        archive.read(tmp_path / "a.zip")


def test_archive_of_many_members_uses_zip64_counts(tmp_path: Path) -> None:
    archive.write(tmp_path / "a.zip", ((f"m{number}", b"") for number in range(65_536)))
    assert len(archive.read(tmp_path / "a.zip").members) == 65_536
    with zipfile.ZipFile(tmp_path / "a.zip") as other:
        assert len(other.namelist()) == 65_536


@pytest.mark.parametrize(
    ("bytes_max", "size"),
    [(reading.JSON_BYTES_MAX, reading.JSON_BYTES_MAX + 1), (reading.MARKS_BYTES_MAX, reading.MARKS_BYTES_MAX + 1)],
    ids=["object", "marks"],
)
def test_a_member_beyond_its_limit_is_not_even_read(tmp_path: Path, bytes_max: int, size: int) -> None:
    listed = archive.Archive(tmp_path / "none.zip", [archive.Member("objects/x", 0, size, 0)])
    with pytest.raises(Failed, match="too large"):
        reading._json(listed, "objects/x", shapes.anything, bytes_max)


@pytest.mark.parametrize("part", [b"[],", b"0,"], ids=["brackets", "commas"])
def test_a_member_of_nothing_but_brackets_or_commas_is_not_parsed(part: bytes) -> None:
    count = reading.CONTAINERS_MAX if part == b"[]," else reading.VALUES_MAX
    with pytest.raises(Failed, match="too large"):
        reading._document(b"[" + part * (count + 1) + b"0]", shapes.anything, "objects/x", reading.MARKS_BYTES_MAX)
