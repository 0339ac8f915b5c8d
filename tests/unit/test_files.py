"""Files that are whole or absent."""

import os
import threading

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.files import (
    check_writable,
    check_yaml,
    drafted,
    locked,
    read_bytes,
    read_json,
    read_text,
    read_yaml,
    write_json,
    write_text,
)

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_json_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "deep" / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    assert [file.name for file in path.parent.iterdir()] == ["value.json"]


def test_a_failed_write_leaves_the_old_content_and_no_draft(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    with pytest.raises(KeyboardInterrupt), drafted(path) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert read_json(path) == 1
    assert os.listdir(tmp_path) == ["value.json"]


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", "[" * 100_000])
def test_what_is_no_json_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "value.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"value\.json is damaged .*; restore it from a copy"):
        read_json(path)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match="where a file is needed"):
            read_text(path)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_text(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        (tmp_path / "file").touch()
        read_text(tmp_path / "file" / "below")
    (tmp_path / "large").write_bytes(bytes(11))
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        read_bytes(tmp_path / "large", 10)


def test_text_is_utf_8_and_nothing_else(tmp_path):
    write_text(tmp_path / "a.txt", "Fréchet ±")
    assert (tmp_path / "a.txt").read_bytes() == "Fréchet ±".encode()
    (tmp_path / "b.txt").write_bytes("Fréchet".encode("cp1252"))
    with pytest.raises(ValueError, match=r"b\.txt is no text .*; save it as UTF-8"):
        read_text(tmp_path / "b.txt")


@given(PLAIN)
def test_yaml_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("yaml") / "value.yaml"
    write_text(path, yaml.safe_dump(value))
    assert read_yaml(path) == value


LAUGHS = "\n".join(
    ["a0: &a0 [x, x]", *(f"a{k}: &a{k} [{f'*a{k - 1}, ' * 9}]" for k in range(1, 9))]
)
MERGES = "\n".join(
    ["a0: &a0 {x: 1}", *(f"a{k}: &a{k} {{<<: [{f'*a{k - 1}, ' * 9}]}}" for k in range(1, 9))]
)


@pytest.mark.parametrize(
    "text",
    {
        "aliases": LAUGHS,
        "merges": MERGES,
        "itself": "a: &a [*a]",
        "deep": "[" * 5000 + "]" * 5000,
        "deep by aliases": "\n".join(
            ["a0: &a0 [x]", *(f"a{k}: &a{k} [*a{k - 1}]" for k in range(1, 200))]
        ),
        "digits": "a: " + "9" * 10_000,
        "a date": "a: 2020-13-45",
        "open": "[8\n",
        "tag": "!!python/object/apply:os.system [ls]",
    }.items(),
    ids=lambda item: item[0],
)
def test_yaml_that_can_not_be_walked_through_is_refused(tmp_path, text):
    path = tmp_path / "value.yaml"
    path.write_text(text[1])
    with pytest.raises(ValueError, match=r"value\.yaml is no YAML: ") as error:
        read_yaml(path)
    assert "\n" not in str(error.value)


def test_aliases_that_stay_small_are_read():
    check_yaml("a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}}")


def test_a_lock_excludes(tmp_path):
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with locked(tmp_path / "l.lock"):
            entered.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    try:
        with (
            pytest.raises(ValueError, match="somebody else"),
            locked(tmp_path / "l.lock", "somebody else", timeout=0),
        ):
            raise AssertionError("two held it")
    finally:
        leave.set()
        thread.join()
    with locked(tmp_path / "l.lock", timeout=0):
        pass


def test_a_place_to_write_to_is_looked_at_without_a_trace(tmp_path):
    check_writable(tmp_path / "new" / "deep")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    (tmp_path / "round").symlink_to("round")
    for name in ("file", "file/in"):
        with pytest.raises(NotADirectoryError, match="file is a file; choose another place"):
            check_writable(tmp_path / name)
    with pytest.raises(OSError, match="Nothing can be written in .*round; choose another"):
        check_writable(tmp_path / "round")
