"""The graph that every lecture on backpropagation begins with: f = (x + y) z, by hand.

Prints what went forward and what comes back, then draws it: lecture_graph.html plays
both passes in a browser, and says for each op what is upstream, local and downstream;
lecture_graph.svg is a still picture.
"""

import argparse
from pathlib import Path

import gradx as gx


def build(device):
    """Compute f = (x + y) z at x = -2, y = 5, z = -4, and name what is on the way."""
    x = gx.tensor(-2.0, name="x", device=device)
    y = gx.tensor(5.0, name="y", device=device)
    z = gx.tensor(-4.0, name="z", device=device)
    q = x + y
    q.name = "q"
    f = q * z
    f.name = "f"
    return x, y, z, q, f


def show(name, upstream, local):
    """Print the chain rule for one input of one op."""
    downstream = upstream * local
    print(f"{name:>6}: upstream {upstream:3g} x local {local:3g} = downstream {downstream:3g}")


def main():
    """Run the graph forwards and backwards, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="directory for the drawing")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    options = parser.parse_args()
    output = options.output

    x, y, z, q, f = build(options.device)
    picture = gx.draw(f)  # Before backward(), which frees the graph.
    f.backward()

    print("forward")
    for tensor in (x, y, z, q, f):
        print(f"{tensor.name:>6} = {float(tensor.detach()):g}")
    print("backward")
    show("df/dq", float(f.grad), float(z.detach()))
    show("df/dz", float(f.grad), float(q.detach()))
    show("df/dx", float(q.grad), 1.0)
    show("df/dy", float(q.grad), 1.0)
    assert (float(x.grad), float(y.grad), float(z.grad)) == (-4.0, -4.0, 3.0)

    output.mkdir(parents=True, exist_ok=True)
    for suffix in ("html", "svg"):
        picture.save(output / f"lecture_graph.{suffix}")
    print(f"to play it step by step, open {output / 'lecture_graph.html'}")


if __name__ == "__main__":
    main()
