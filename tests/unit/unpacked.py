"""What the page's scripts read, in slow and obvious Python."""

import base64
import gzip
import json
import math
import struct


def unpacked(text: str):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def curves(text: str) -> dict:
    """The explorer's data of an experiment, with columns of numbers and None."""
    head, _, rest = gzip.decompress(base64.b64decode(text)).partition(b"\n")
    data, count = json.loads(head), len(rest) // 4
    folded = iter(
        struct.unpack(f"<{count}I", bytes(rest[k % 4 * count + k // 4] for k in range(4 * count)))
    )

    def integers(length: int, order: int) -> list[int]:
        found = [(z >> 1) ^ -(z & 1) for z in (next(folded) for _ in range(length))]
        for _ in range(order):
            for k in range(1, length):
                found[k] = (found[k] + found[k - 1] + 2**31) % 2**32 - 2**31
        return found

    for run in data["runs"]:
        steps = [data["steps"][k] for k in integers(run["rows"], 1)]
        for name, how in run["columns"].items():
            if "line" in how:
                run["columns"][name] = [how["line"][0] + how["line"][1] * step for step in steps]
                continue
            places = integers(how["values"], 1) if "values" in how else range(len(steps))
            column = [None] * len(steps)
            for place, k in zip(places, integers(len(places), how["order"]), strict=True):
                column[place] = how["scale"] * math.sinh(how["unit"] * (how["from"] + k))
            run["columns"][name] = column
        run["columns"]["step"] = steps
    assert next(folded, None) is None
    return data
