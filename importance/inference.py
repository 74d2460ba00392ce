"""The predictor's network for one frame, in numpy: small pictures spend more time in torch's calls than in sums.

`ImportanceNetwork` is what is trained and what this must equal; a test compares them.
"""

from __future__ import annotations

import numpy as np
from t4vcodec.importance.features import FrameFeatures


class FrameNetwork:
    """weights: the state of an `ImportanceNetwork` as float32 arrays."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        def layer(name: str) -> tuple[np.ndarray, np.ndarray]:
            weight = weights[f"{name}.weight"]
            # Rows of a matrix; the constants stand in a column.
            return np.ascontiguousarray(weight.reshape(len(weight), -1)), weights[f"{name}.bias"][:, None]

        count = sum(name.startswith("scales.") and name.endswith(".weight") for name in weights)
        self._scales = [layer(f"scales.{i}") for i in range(count)]
        self._join, self._packet, self._out = (layer(name) for name in ("join", "packet", "out"))
        self._map_mean, self._map_factor = weights["map_mean"], 1 / weights["map_deviation"]
        self._scalar_mean, self._scalar_factor = weights["scalar_mean"], 1 / weights["scalar_deviation"]

    def __call__(self, features: FrameFeatures) -> np.ndarray:
        """(n, 2), as the network gives."""
        x = (features.maps - self._map_mean) * self._map_factor
        rows, columns = x.shape[1:]
        parts = []
        for octave, layer in enumerate(self._scales):
            x = _halved(x) if octave else x
            part = _convolved(x, *layer)
            for axis in (1, 2) if octave else ():
                part = np.repeat(part, 2**octave, axis)
            parts.append(part[:, :rows, :columns])
        x = _convolved(np.concatenate(parts), *self._join).reshape(len(self._join[0]), -1)
        numbers = (features.scalars - self._scalar_mean) * self._scalar_factor
        order = np.argsort(features.packet, kind="stable")
        counts = np.bincount(features.packet, minlength=len(numbers))
        firsts = np.cumsum(counts) - counts
        x = x[:, order]
        # Every packet has a position: the map deals them out in turn.
        mean = np.add.reduceat(x, firsts, 1) / counts
        most = np.maximum.reduceat(x, firsts, 1)
        hidden = _affine(np.concatenate([mean, most, numbers.T]).astype(np.float32), *self._packet)
        weight, bias = self._out
        return (weight @ np.maximum(hidden, 0, out=hidden) + bias).T


def _affine(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    out = weight @ x
    out += bias
    return out


def _convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """3x3 convolution of (C, R, K) with zeros around, and ReLU."""
    channels, rows, columns = x.shape
    padded = np.zeros((channels, rows + 2, columns + 2), np.float32)
    padded[:, 1:-1, 1:-1] = x
    c, r, k = padded.strides
    around = np.lib.stride_tricks.as_strided(padded, (channels, 3, 3, rows, columns), (c, r, k, r, k))
    out = _affine(around.reshape(channels * 9, rows * columns), weight, bias)
    return np.maximum(out, 0, out=out).reshape(-1, rows, columns)


def _halved(x: np.ndarray) -> np.ndarray:
    """Mean over squares of two by two; those at the right and lower border may be smaller."""
    for _ in range(2):
        # Rows, then columns.
        x = x.transpose(0, 2, 1)
        even = x.shape[2] // 2 * 2
        out = np.empty((*x.shape[:2], (x.shape[2] + 1) // 2), np.float32)
        np.add(x[:, :, 0:even:2], x[:, :, 1:even:2], out=out[:, :, : even // 2])
        out[:, :, : even // 2] *= 0.5
        out[:, :, even // 2 :] = x[:, :, even:]
        x = out
    return x
