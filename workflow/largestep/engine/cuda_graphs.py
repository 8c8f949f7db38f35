"""Steps on a CUDA device as replayed graphs: one launch instead of a hundred.

A graph repeats the same kernels on the same memory; layouts keep what a step leaves behind in
place, so that the next replay finds it there.
"""

from itertools import pairwise

import torch
from torch import Tensor

#: Steps in a graph: enough to make a launch cheap, few enough to be captured quickly.
_STEPS = 16


class Captured:
    """A layout on CUDA that takes its steps by graphs; the rest is the layout's own."""

    def __init__(self, layout):
        self.layout = layout
        self.graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def __getattr__(self, name: str):
        return getattr(self.layout, name)

    def advance(self, series: Tensor) -> None:
        done, steps = 0, len(series) - 1
        while done < steps:
            count = _STEPS if steps - done >= _STEPS else 1
            if count not in self.graphs:
                self.graphs[count] = self._capture(count, series[done])
            graph, scalars = self.graphs[count]
            scalars[0] = series[done]
            graph.replay()
            series[done + 1 : done + 1 + count] = scalars[1:]
            done += count

    def _capture(self, count: int, current: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """A graph of `count` steps, and the scalars (count + 1, 5, R) that it reads, in front, and
        writes."""
        layout, scalars = self.layout, current[None].repeat(count + 1, 1, 1)
        # Libraries set themselves up at their first call, which must not be captured: step once,
        # on a side stream as capturing asks for, and go back to the same point.
        here = {name: tensor.clone() for name, tensor in layout.state().items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            layout.update(scalars[0])
            layout.load(here)
            layout.measure(scalars[1])
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for before, after in pairwise(scalars):
                layout.update(before)
                layout.measure(after)
        return graph, scalars
