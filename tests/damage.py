"""Damaged and hostile checkpoint files: each must raise ``CheckpointError``, or be what was saved.

    python -m tests.damage --files 10000

prints how many there were of each kind. Files are damaged at random, by the byte and by what
their headers say; hostile ones have digests that hold, and lie in all else. Where such a lie is a
file in itself, as of an array of no elements that has another dtype, no digest without a secret
can tell: that is a forgery, which must be read as what it says, and be refused by ``like=``.
"""

import argparse
import json
import tracemalloc
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import load_file

import gradx as gx
from gradx.saving.layout import ARRAY_DIGESTS, HEADER_DIGEST, METADATA, header_digest


def example():
    """Return the arrays that are saved and damaged."""
    rng = np.random.default_rng(0)
    return {
        "weight": rng.normal(size=(5, 3)),
        "bias": rng.normal(size=3).astype(np.float32),
        "count": np.asarray(7),
        "mask": np.asarray([True, False, True]),
        "empty": np.zeros((0, 4)),
    }


def flipped(rng, data):
    position = rng.integers(len(data))
    return data[:position] + bytes([data[position] ^ (1 << rng.integers(8))]) + data[position + 1 :]


def cut(rng, data):
    return data[: rng.integers(len(data))]


def grown(rng, data):
    position = rng.integers(len(data) + 1)
    return data[:position] + rng.bytes(rng.integers(1, 20)) + data[position:]


def without_some(rng, data):
    start = rng.integers(len(data))
    return data[:start] + data[start + rng.integers(1, 20) :]


def overwritten(rng, data):
    start, noise = rng.integers(len(data)), rng.bytes(rng.integers(1, 200))
    return (data[:start] + noise + data[start + len(noise) :])[: len(data)]


def zeroed(rng, data):
    start, count = rng.integers(len(data)), rng.integers(1, 500)
    return (data[:start] + b"\0" * count + data[start + count :])[: len(data)]


def swapped(rng, data):
    a, b = sorted(rng.integers(len(data), size=2))
    return data[:a] + data[b:] + data[a:b]


def noise(rng, data):
    return rng.bytes(rng.integers(0, 300))


def other_length(rng, data):
    lengths = [0, 1, 7, 2**16, 2**31, 2**32, 2**63, 2**64 - 1]
    return lengths[rng.integers(8)].to_bytes(8, "little") + data[8:]


def parsed(data):
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def written(text, body):
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return len(text).to_bytes(8, "little") + text + body


VALUES = [None, True, -1, 0, 1, 2**62, 2**64, 10**30, 1.5, "", "F32", "F64", "os.system", [], {}]
VALUES += [[-1, 2], [1, 2], [2**40, 2**40], [0, 2**63], [0] * 70, [True], ["1"], [[1]]]


def header_changed(rng, data):
    """Change something that the header says of an array; digests no longer hold."""
    header, body = parsed(data)
    name = rng.choice([n for n in header if n != METADATA])
    key = rng.choice(["dtype", "shape", "data_offsets", "other"])
    header[name][str(key)] = VALUES[rng.integers(len(VALUES))]
    return written(header, body)


def entries_mixed(rng, data):
    header, body = parsed(data)
    names = [n for n in header if n != METADATA]
    first, second = rng.choice(names, size=2, replace=False)
    header[first], header[second] = header[second], header[first]
    return written(header, body)


def digests_gone(rng, data):
    header, body = parsed(data)
    del header[METADATA][str(rng.choice([ARRAY_DIGESTS, HEADER_DIGEST]))]
    return written(header, body)


def key_twice(rng, data):
    header, body = parsed(data)
    name = rng.choice(list(header))
    text = json.dumps(header)[:-1] + f', "{name}": {json.dumps(header[name])}}}'
    return written(text.encode(), body)


def hostile_text(rng, data):
    """Write a header to break a parser."""
    texts = [
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"{}",
        b"null",
        b'{"__metadata__": []}',
        b'{"__metadata__": {"a": 1}}',
        b'{"\xff": 1}',
        b'{"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}' + b"\0",
        b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.",
    ]
    return written(texts[rng.integers(len(texts))], data[:: rng.integers(1, 9)])


def hostile_places(rng, data):
    """Change a header as ``header_changed`` does, and make its digests hold again."""
    header, body = parsed(header_changed(rng, data))
    header[METADATA][HEADER_DIGEST] = header_digest(header)
    return written(header, body)


def hostile_digests(rng, data):
    """Put something else for the digests of arrays, under a digest of the header that holds."""
    header, body = parsed(data)
    texts = ["", "[]", "null", "{", "3", '"a"', "{}", '{"weight": 3}', "[" * 50_000]
    header[METADATA][ARRAY_DIGESTS] = texts[rng.integers(len(texts))]
    header[METADATA][HEADER_DIGEST] = header_digest(header)
    return written(header, body)


DAMAGES = [flipped, cut, grown, without_some, overwritten, zeroed, swapped, noise, other_length]
DAMAGES += [header_changed, entries_mixed, digests_gone, key_twice]
HOSTILE = [hostile_text, hostile_places, hostile_digests]


def same(found, expected):
    return found.keys() == expected.keys() and all(
        found[n].dtype == expected[n].dtype and found[n].tobytes() == expected[n].tobytes()
        for n in expected
    )


def outcome(path, expected):
    """Tell what loading a file gives: "refused", "as saved", "forged" or "different"."""
    try:
        found = gx.load(path)
    except gx.CheckpointError:
        return "refused"
    if same(found, expected):
        return "as saved"
    return "forged" if is_what_it_says(path, found) else "different"


def is_what_it_says(path, found):
    """Tell if another reader finds the same, and a reader that knows what was saved refuses."""
    try:
        gx.load(path, like=example())
    except gx.GradxError:  # the dtype or shape is another, which is no damage
        return same(load_file(path), found)
    return False


def run(files, seed=0):
    """Load ``files`` damaged files, and count ``(kind, outcome)``; raise where one is wrong."""
    rng, expected, counts = np.random.default_rng(seed), example(), Counter()
    with TemporaryDirectory() as directory:
        path = Path(directory) / "saved.safetensors"
        gx.save(path, expected)
        data = path.read_bytes()
        names = {n: f"['{n}']" for n in expected}
        expected = {names[n]: np.asarray(a) for n, a in expected.items()}
        assert outcome(path, expected) == "as saved"
        for number in range(files):
            damage = (DAMAGES + HOSTILE)[number % len(DAMAGES + HOSTILE)]
            damaged = damage(rng, data)
            path.write_bytes(damaged)
            tracemalloc.start()
            found = outcome(path, expected)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            allowed = {"refused", "as saved"} | ({"forged"} if damage in HOSTILE else set())
            assert found in allowed, (damage.__name__, found, damaged)
            # Besides the arrays there is the header, as text and parsed.
            assert peak < 100_000 + 40 * len(damaged), (damage.__name__, peak, len(damaged))
            counts[damage.__name__, found] += 1
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for (kind, found), count in sorted(run(arguments.files, arguments.seed).items()):
        print(f"{kind:16} {found:10} {count}")
