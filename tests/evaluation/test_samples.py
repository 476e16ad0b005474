from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.samples import Sample, read
from shared.errors import ResourceError

ENDINGS = frozenset({".jpg", ".mp4"})


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_folders_name_label_species_and_subject(tmp_path: Path) -> None:
    """The layout is live/SUBJECT and attack/SPECIES/SUBJECT; a file outside is its own subject."""
    touch(
        tmp_path,
        "live/anna/1.jpg",
        "live/anna/later/2.JPG",
        "live/bea.mp4",
        "attack/print/anna/1.jpg",
        "attack/replay/x.mp4",
    )
    found = {sample.name: (sample.species, sample.subject) for sample in read(tmp_path, ENDINGS)}
    assert found == {
        "live/anna/1.jpg": ("", "anna"),
        "live/anna/later/2.JPG": ("", "anna"),
        "live/bea.mp4": ("", "live/bea.mp4"),
        "attack/print/anna/1.jpg": ("print", "anna"),
        "attack/replay/x.mp4": ("replay", "attack/replay/x.mp4"),
    }


def test_other_files_are_ignored(tmp_path: Path) -> None:
    """Notes, hidden files and folders are not samples; an attack without species is one."""
    touch(tmp_path, "live/a.jpg", "live/readme.txt", "live/.x.jpg", "live/.t/b.jpg", "attack/c.jpg")
    assert [(one.name, one.species) for one in read(tmp_path, ENDINGS)] == [
        ("live/a.jpg", ""),
        ("attack/c.jpg", "unnamed"),
    ]


def test_table(tmp_path: Path) -> None:
    """A CSV gives labels, species and subjects; paths are relative to it."""
    touch(tmp_path, "one.jpg", "two.jpg")
    table = tmp_path / "set.csv"
    table.write_text("path,label,species,subject\none.jpg,live,,anna\ntwo.jpg,ATTACK,print,\n")
    assert read(table, ENDINGS) == [
        Sample(tmp_path / "one.jpg", "one.jpg", "", "anna"),
        Sample(tmp_path / "two.jpg", "two.jpg", "print", "two.jpg"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na,live\n", "column 'path' is missing"),
        ("path,label\none.jpg,real\n", "line 2: label: found 'real'"),
        ("path,label\nnone.jpg,live\n", "line 2: path: there is no file 'none.jpg'"),
        ("path,label\n,live\n", "line 2: path: there is no file ''"),
        ("path,label\n", "found no sample"),
    ],
)
def test_errors_of_a_table(tmp_path: Path, text: str, message: str) -> None:
    """An error names the line and the allowed values."""
    touch(tmp_path, "one.jpg")
    (tmp_path / "set.csv").write_text(text)
    with pytest.raises(ResourceError, match=message):
        read(tmp_path / "set.csv", ENDINGS)


def test_folder_of_another_layout(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    with pytest.raises(ResourceError, match="found no sample; expected live/"):
        read(tmp_path, ENDINGS)


def test_session_folder_is_one_sample(tmp_path: Path) -> None:
    """A folder that FileLogger wrote is one presentation; its images are not further samples."""
    session = f"live/anna/{1:032x}"
    touch(tmp_path, f"{session}/session.jsonl", f"{session}/000001.jpg", "live/b.jpg")
    found = [(sample.name, sample.subject) for sample in read(tmp_path, ENDINGS)]
    assert found == [(session, "anna"), ("live/b.jpg", "live/b.jpg")]


def test_no_attack_has_the_name_of_live_presentations(tmp_path: Path) -> None:
    """It would be counted as live."""
    touch(tmp_path, "live/a.jpg", "attack/live/a.jpg")
    with pytest.raises(ResourceError, match="attack/live: no kind of attack can have the name"):
        read(tmp_path, ENDINGS)
    table = tmp_path / "set.csv"
    table.write_text("path,label,species\nlive/a.jpg,attack,live\n")
    with pytest.raises(ResourceError, match="line 2: species: no kind of attack"):
        read(table, ENDINGS)


def test_a_column_names_groups(tmp_path: Path) -> None:
    """It is a column of the CSV; a set of folders has no groups."""
    touch(tmp_path, "live/a.jpg", "live/b.jpg")
    table = tmp_path / "set.csv"
    table.write_text("path,label,age\nlive/a.jpg,live,over 60\nlive/b.jpg,live,\n")
    assert [one.group for one in read(table, ENDINGS, "age")] == ["over 60", ""]
    with pytest.raises(ResourceError, match="the column 'skin' is missing"):
        read(table, ENDINGS, "skin")
    with pytest.raises(ResourceError, match="in a column of a CSV"):
        read(tmp_path, ENDINGS, "age")
