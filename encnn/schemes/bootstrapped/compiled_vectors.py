"""The inner steps of the compiled loops that are written in LLVM's own language, with vectors of neighbours in an array.

numba turns only simple loops into vector instructions.  It makes slow code of a transposition, and of products that read
several arrays in the order of the key.  Here each instruction is written out.  Additions and multiplications are those of
IEEE 754 in the order that is written, without flags, so that results are the same on every machine.

**Products.**  Half of the arithmetic of a rotation is products of transforms with the key.  Reading the key from memory can
take longer than the arithmetic.  So the key is stored in the order in which it is read, with cache lines of real and of
imaginary parts in turn.  Two ciphertexts share a read of it, and the sums over four bits stay in registers.  Each line is asked
for before it is read (`AHEAD`).
"""

from collections.abc import Callable, Iterable
from itertools import product

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import extending, types
from numba.core.base import BaseContext

from encnn.schemes.bootstrapped.frequencies import COMPILED_K, COMPILED_N, GROUP, LINE

intrinsic: Callable[[Callable[..., object]], Callable[..., int]] = extending.intrinsic
COMPONENTS = COMPILED_K + 1
WIDTH = LINE if get_host_cpu_features().get("avx512f") else LINE // 2
"""How many float64 a vector holds.  With twice as many, the sums would not fit into the registers."""
PACE = COMPILED_N + 24
"""The distance of two transforms in a work array.  At a multiple of 512 they would compete for the same places in the cache."""
TOGETHER = 2
"""How many ciphertexts share a read of the key."""
AHEAD = 2048, 1536, 1024, 512
"""How far ahead of its use, in numbers, each line of the key is asked for.

The processor drops what is asked for while too much is on its way, and a dropped line would be waited for.  So each line is
asked for several times.
"""
ROW = 2 * COMPONENTS * LINE
"""How many numbers of the key one line of frequencies takes, for one bit, one digit and one component of the result."""

Complex = tuple[ir.Value, ir.Value]
"""A vector of real parts and a vector of imaginary parts."""


class _Vectors:
    """The vectors of a contiguous numba array of float64, counted from an index."""

    def __init__(
        self, context: BaseContext, builder: ir.IRBuilder, kind: types.Array, array: ir.Value, index: ir.Value, width: int
    ) -> None:
        self._builder, self._index = builder, index
        self._data = context.make_array(kind)(context, builder, array).data
        self._pointer = ir.VectorType(ir.DoubleType(), width).as_pointer()

    def load(self, place: int | ir.Value) -> ir.Value:
        """Return the vector that begins `place` numbers after the index."""
        return self._builder.load(self._at(place), align=8)

    def store(self, vector: ir.Value, place: int | ir.Value) -> None:
        """Write a vector `place` numbers after the index."""
        self._builder.store(vector, self._at(place), align=8)

    def load_complex(self, place: int, apart: int) -> Complex:
        """Return the real parts at a place, and the imaginary parts `apart` numbers further."""
        return self.load(place), self.load(place + apart)

    def prefetch(self, place: int) -> None:
        """Ask for the line of the cache at a place, which may lie beyond the end of the array, without waiting for it."""
        address, number = self._builder.bitcast(self._at(place), ir.IntType(8).as_pointer()), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = self._builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        self._builder.call(function, [address, number(0), number(3), number(1)])  # to read; to the first cache; of data

    def _at(self, place: int | ir.Value) -> ir.Value:
        index = self._builder.add(self._index, self._index.type(place) if isinstance(place, int) else place)
        return self._builder.bitcast(self._builder.gep(self._data, [index]), self._pointer)


@intrinsic
def transpose_square(_, source, first, pace, target, place, step):
    """Transpose a square of 8 by 8 numbers.

    Its rows are at first, first + pace, ... of source, and those of the result at place, place + step, ... of target.
    """

    def code(context, builder, signature, arguments):
        from_, first_, pace_, to, place_, step_ = arguments
        read, write = (
            _Vectors(context, builder, kind, array, index, 8)
            for kind, array, index in ((source, from_, first_), (target, to, place_))
        )
        rows = [read.load(builder.mul(pace_, pace_.type(r))) for r in range(8)]
        for r, column in enumerate(_transposed(builder, rows)):
            write.store(column, builder.mul(step_, step_.type(r)))
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, target, types.int64, types.int64), code


def _transposed(builder: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    """Return the columns of eight rows.

    Halves of the square are exchanged across its diagonal, then quarters within each half, then neighbours.
    """
    choice = ir.VectorType(ir.IntType(32), 8)
    for far in (4, 2, 1):
        # of two rows, numbers 0 to 7 belong to the upper one, and 8 to 15 to the one `far` further down
        upper = choice([8 + i - far if i & far else i for i in range(8)])
        lower = choice([8 + i if i & far else i + far for i in range(8)])
        for r in (r for r in range(8) if not r & far):
            a, b = rows[r], rows[r + far]
            rows[r], rows[r + far] = builder.shuffle_vector(a, b, upper), builder.shuffle_vector(a, b, lower)
    return rows


@intrinsic
def low_word(_, number):
    """Return the low 32 bits of a float64, int32."""

    def code(context, builder, signature, arguments):
        return builder.trunc(builder.bitcast(arguments[0], ir.IntType(64)), ir.IntType(32))

    return types.int32(types.float64), code


@intrinsic
def shift_right(_, number, bits):
    """Return number / 2^bits rounded down, int32, for 0 <= bits < 32.  numba would use int64, in vectors of half as many."""

    def code(context, builder, signature, arguments):
        return builder.ashr(*arguments)

    return types.int32(types.int32, types.int32), code


def _products(bits: int, together: int) -> Callable[..., object]:
    """Return a function for compiled loops that adds products with `bits` bits of the key to sums of `together` ciphertexts."""

    @intrinsic
    def add_products(_, v, p, factors, q, key, r, sums, s, fresh, ask):
        """Add to the sums at s the products of transforms v at p with rows of the key at r, times the factors at q.

        Ciphertext b has its sum at s + 3 b PACE, component c of its transforms at p + (3 b + c) PACE, and its factor for bit i
        at q + (2 i + b) PACE.  Fresh sums begin at zero, whatever the array holds.  If `ask` is set, what follows in the key is
        brought nearer.
        """

        def code(context, builder, signature, arguments):
            pairs = zip((v, factors, key, sums), arguments[:-2:2], arguments[1:-2:2], strict=True)
            arrays = (_Vectors(context, builder, kind, array, index, WIDTH) for kind, array, index in pairs)
            _add_products(builder, *arrays, fresh=arguments[-2], ask=arguments[-1], bits=bits, together=together)
            return context.get_dummy_value()

        index = types.int64
        return types.void(v, index, factors, index, key, index, sums, index, types.boolean, types.boolean), code

    return add_products


def _add_products(
    builder: ir.IRBuilder,
    v: _Vectors,
    factors: _Vectors,
    key: _Vectors,
    sums: _Vectors,
    *,
    fresh: ir.Value,
    ask: ir.Value,
    bits: int,
    together: int,
) -> None:
    """Write the instructions of `_products`."""
    before = [sums.load_complex(b * COMPONENTS * PACE, GROUP) for b in range(together)]
    totals = [(_unless(builder, fresh, x), _unless(builder, fresh, y)) for x, y in before]
    for i in range(bits):
        with builder.if_then(ask):
            for line, ahead in product(range(i * ROW, (i + 1) * ROW, LINE), AHEAD):
                key.prefetch(line + ahead)
        rows = [key.load_complex(i * ROW + 2 * c * LINE, LINE) for c in range(COMPONENTS)]
        for b in range(together):
            transforms = (v.load_complex((b * COMPONENTS + c) * PACE, GROUP) for c in range(COMPONENTS))
            unturned = _inner_product(builder, zip(transforms, rows, strict=True))
            turned = _inner_product(builder, [(unturned, factors.load_complex((i * TOGETHER + b) * PACE, GROUP))])
            totals[b] = builder.fadd(totals[b][0], turned[0]), builder.fadd(totals[b][1], turned[1])
    for b, (x, y) in enumerate(totals):
        sums.store(x, b * COMPONENTS * PACE)
        sums.store(y, b * COMPONENTS * PACE + GROUP)


@intrinsic
def add_two_rows(_, v, p, key, r, sums, s, fresh):
    """Add to three sums, from s on, the products of two transforms, from p on, with two rows of three transforms, from r on.

    All lie one after the other, a row being the three factors of a transform.  Fresh sums begin at zero.
    """

    def code(context, builder, signature, arguments):
        pairs = zip((v, key, sums), arguments[:-1:2], arguments[1::2], strict=True)
        _add_two_rows(builder, *(_Vectors(context, builder, kind, a, i, WIDTH) for kind, a, i in pairs), fresh=arguments[-1])
        return context.get_dummy_value()

    index = types.int64
    return types.void(v, index, key, index, sums, index, types.boolean), code


def _add_two_rows(builder: ir.IRBuilder, v: _Vectors, key: _Vectors, sums: _Vectors, *, fresh: ir.Value) -> None:
    """Write the instructions of `add_two_rows`."""
    N = COMPILED_N
    transforms = [v.load_complex(row * N, GROUP) for row in range(2)]
    for o in range(COMPONENTS):
        rows = [key.load_complex((row * COMPONENTS + o) * N, GROUP) for row in range(2)]
        for half, part in enumerate(_inner_product(builder, zip(transforms, rows, strict=True))):
            place = o * N + half * GROUP
            sums.store(builder.fadd(_unless(builder, fresh, sums.load(place)), part), place)


def _unless(builder: ir.IRBuilder, condition: ir.Value, vector: ir.Value) -> ir.Value:
    """Return a vector, or zeros if the condition holds."""
    return builder.select(condition, vector.type(None), vector)


def _inner_product(builder: ir.IRBuilder, pairs: Iterable[tuple[Complex, Complex]]) -> Complex:
    """Return the sum of the products of pairs of complex vectors."""
    x = y = None
    for (a, b), (c, d) in pairs:
        ac, ad = builder.fmul(a, c), builder.fmul(a, d)
        x, y = (ac, ad) if x is None else (builder.fadd(x, ac), builder.fadd(y, ad))
        x, y = builder.fsub(x, builder.fmul(b, d)), builder.fadd(y, builder.fmul(b, c))
    return x, y


add_four_bits_of_two, add_four_bits, add_bit = _products(4, TOGETHER), _products(4, 1), _products(1, 1)
