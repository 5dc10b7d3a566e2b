"""Samples with padding, as loops over windows read them: copied row by row, with zeros around."""

from gradx.backends.native.packing import Packer
from gradx.backends.native.values import Value
from gradx.backends.native.windows import tiles

COPIES = 1 << 17  # bytes of copies at a time: they stay in a core's second cache
WORD = 8


class Samples(Packer):
    """A function that goes over bands of rows of samples, which it copies to its stack."""

    def __init__(
        self, dtype: str, lanes: int, pointers: tuple[str, ...], numbers: tuple[str, ...]
    ) -> None:
        super().__init__(dtype, lanes)
        self.pointers = [
            self.load("ptr", self.at("%arrays", WORD * place)) for place in range(len(pointers))
        ]
        self.given = {
            name: self.load("i64", self.at("%numbers", WORD * place))
            for place, name in enumerate(numbers)
        }
        beyond = (tiles().products[1] + 1) * self.bytes_of_vector
        self.copies = self.code.cell(f"[{COPIES + beyond} x i8]")
        self.of_copy = self.do("mul", self.given["columns"], self.size)

    def parted(self, number: str, count: str) -> tuple[str, str]:
        """Divide a number: return how often the other is in it, and what is left."""
        return self.do("udiv", number, count), self.do("urem", number, count)

    def copy(self, x: str, channels: str, first: str, rows: str) -> None:
        """Copy rows, once for each column of the kernel."""
        given = self.given
        top = self.do("sub", first, given["before"])
        bounds = self._bounds(top, self.do("add", rows, given["reach"]))
        lanes = self.code.lanes
        whole = self.do("mul", self.do("add", given["band"], given["reach"]), self.of_copy)
        with self.loop(0, self.do("mul", channels, given["kernel"])) as number:
            channel, column = self.parted(number, given["kernel"])
            source = self.beyond(x, channel, given["x_channel"])
            target = self.beyond(self.copies, number, whole)
            shift = self.do("mul", column, given["dilation"])
            shift = self.do("sub", shift, given["left"])
            vectors = self.do("add", given["columns"], lanes - 1)
            with self.loop(0, self.do("udiv", vectors, lanes)) as vector:
                place = self.do("mul", vector, lanes)
                from_x = self.do("add", place, shift)
                line = self.beyond(self.beyond(source, top, given["x_row"]), from_x, self.size)
                to = self.beyond(target, vector, self.bytes_of_vector)
                left = self.smaller(self.do("sub", given["columns"], place), lanes)
                self._copy_vectors(to, line, bounds, self._within(from_x), self.mask(left))

    def _copy_vectors(
        self, to: str, line: str, bounds: list[str], inside: Value, own: Value
    ) -> None:
        """Copy a vector of each row, and zeros to rows above and below the sample."""
        above, below, end = bounds
        nothing = self.code.constant(self.dtype, 0.0)
        for first, last in (("0", above), (below, end)):
            with self.loop(first, last) as row:
                self.store_some(nothing, self.beyond(to, row, self.of_copy), own)
        with self.loop(above, below) as row:
            found = self.some(self.beyond(line, row, self.given["x_row"]), inside)
            self.store_some(found, self.beyond(to, row, self.of_copy), own)

    def _bounds(self, top: str, count: str) -> list[str]:
        """Return which rows to copy are the first inside a sample, and below it, and how many."""
        zero, ends = "0", []
        for place in (self.do("sub", zero, top), self.do("sub", self.given["height"], top)):
            place = self.choose(self.do("icmp slt", place, 0), 0, place)
            ends.append(self.smaller(place, count))
        return [*ends, count]

    def _within(self, place: str) -> Value:
        """Return a mask of the elements from a place on that are a row's."""
        lanes, vector = self.code.lanes, f"<{self.code.lanes} x i64>"
        places = self._every(vector, place)
        numbers = ", ".join(f"i64 {i}" for i in range(lanes))
        found = self.code.fresh()
        self.code.lines.append(f"{found} = add {vector} {places}, <{numbers}>")
        width = self._every(vector, self.given["width"])
        # As numbers without a sign, those before the row are beyond it.
        return self.code.emit("bool", f"icmp ult {vector} {found}, {width}")

    def _every(self, vector: str, number: str) -> str:
        first, every = self.code.fresh(), self.code.fresh()
        self.code.lines += [
            f"{first} = insertelement {vector} poison, i64 {number}, i32 0",
            f"{every} = shufflevector {vector} {first}, {vector} poison,"
            f" <{self.code.lanes} x i32> zeroinitializer",
        ]
        return every
