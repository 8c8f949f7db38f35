"""What is too large for a configuration, or no plain data, is refused in one line, unread."""

import json

import pytest

from largestep.common.errors import UserError
from largestep.configuration import plain

REFUSED = {
    "ten million stepsizes": ("eta: [" + "1,\n" * 10**7 + "]", "must be at most 4,194,304 bytes"),
    "a million seeds": ("seeds: [" + "123456," * 10**6 + "]", "must be at most 4,194,304 bytes"),
    "two million numbers": ("a: [" + "1," * 2_000_000 + "]", "must have at most 200,000 values"),
    "a hundred thousand numbers": ("a: [" + "1," * 10**5 + "]", None),
    "a template": ("__use_yte__: true\n?print(1): 2", "line 1: must have no templates"),
    "a template, JSON": ('{"__use_yte__": true}', "line 1: must have no templates"),
    "a tag": ("a: 1\nb: !!python/object/apply:os.mkdir [x]", "line 2: must have no tags"),
    "a tag of YAML's": ("a: !!binary aGk=", "line 1: must have no tags"),
    "an anchor": ("a: &a [1]\nb: [*a, *a]", "line 1: must have no anchors"),
    "many levels": ("a: " + "[" * 10**5, "must have at most 32 levels"),
    "broken YAML": ("a: [1", "expected"),
    "two documents": ("a: 1\n---\nb: 2", None),
    "bytes": (b"a: \xff", "invalid start byte"),
    "a control character": ("a: \x07", "control characters are not allowed"),
    "JSON with tabs": (json.dumps({"a": {"b": [1]}}, indent="\t"), None),
    "text": ("a: 'x: &b *c !d {e}'  # &x *y !z", None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_plain_data_is_refused(tmp_path, case):
    content, expected = REFUSED[case]
    path = tmp_path / "c.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for check in (
        plain.check,
        lambda file: plain.check_command_line(["-n", "--configfile", str(file)]),
    ):
        if expected is None:
            check(path)
            continue
        with pytest.raises(UserError) as caught:
            check(path)
        said = str(caught.value)
        assert said.startswith(f"{path}: ") and expected in said
        assert "\n" not in said and len(said) < len(str(path)) + 250


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="must be a file"):
        plain.check(tmp_path)


OTHERS = [["-n"], ["--configfile"], ["--configfile", "nowhere"], ["--config", "name=a"]]


@pytest.mark.parametrize("line", OTHERS)
def test_other_command_lines_are_snakemakes_business(line):
    plain.check_command_line(line)
