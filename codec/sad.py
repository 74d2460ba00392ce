"""The sum of absolute differences of 8x8 bytes, the innermost loop of the motion search.

It is written in the compiler's own vectors, because numba makes none of this loop: eight bytes are one load, and
the reduction below is one instruction where the machine has such (x86, ARM). Five times as fast as the loop.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

SIDE = 8
_BIT = ir.IntType(1)
_BYTES = ir.VectorType(ir.IntType(8), SIDE)
_WORD = ir.IntType(32)
_WORDS = ir.VectorType(_WORD, SIDE)


@intrinsic
def sad8x8(typing: Any, a: Any, a_start: Any, a_stride: Any, b: Any, b_start: Any, b_stride: Any) -> Any:
    """int32 SAD of two 8x8 blocks of C-contiguous uint8 arrays a and b.

    start: index of a block's first sample in the flattened array, stride: of the sample below, less that.
    Nothing checks bounds.
    """
    for array in (a, b):
        if not (isinstance(array, types.Array) and array.dtype == types.uint8 and array.layout == "C"):
            return None
    signature = types.int32(a, types.intp, types.intp, b, types.intp, types.intp)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        module = builder.module
        magnitude = cgutils.get_or_insert_function(
            module, ir.FunctionType(_WORDS, [_WORDS, _BIT]), f"llvm.abs.v{SIDE}i32"
        )
        total_of = cgutils.get_or_insert_function(
            module, ir.FunctionType(_WORD, [_WORDS]), f"llvm.vector.reduce.add.v{SIDE}i32"
        )

        def rows(array: int) -> list[ir.Value]:
            kind = signature.args[array]
            data = context.make_array(kind)(context, builder, values[array]).data
            start, stride = values[array + 1], values[array + 2]
            loaded = []
            for y in range(SIDE):
                at = builder.add(start, builder.mul(stride, ir.Constant(stride.type, y)))
                place = builder.bitcast(builder.gep(data, [at]), _BYTES.as_pointer())
                loaded.append(builder.zext(builder.load(place, align=1), _WORDS))
            return loaded

        total = ir.Constant(_WORD, 0)
        for x, y in zip(rows(0), rows(3)):
            difference = builder.call(magnitude, [builder.sub(x, y), ir.Constant(_BIT, 0)])
            total = builder.add(total, builder.call(total_of, [difference]))
        return total

    return signature, generate
