"""Kernels compiled ahead are those that the codec then calls."""

import subprocess
import sys

CODE = """
from t4vcodec.codec.sample_kernels import predict_rows
from t4vcodec.codec.syntax import walk
from t4vcodec.eval.compiling import compile_coding, compile_decoding

def known():
    return len(walk.signatures), len(predict_rows.signatures)

compile_decoding()
ahead = known()
compile_coding()
print(ahead, known())
"""


def test_coding_finds_what_decoding_compiled():
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    assert out.split("\n")[0] == "(1, 1) (1, 1)"
