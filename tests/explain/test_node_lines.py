"""The lines of nodes that mix elements: the rule before the numbers, and no G that is not said."""

from __future__ import annotations

from tests.explain.explained import line
from tests.worker.recording import Forker

SCRIPT = """\
import torch
a = torch.tensor([3.0], requires_grad=True)
b = torch.tensor([2.0], requires_grad=True)
loss = torch.cat([a * b, a + b])
loss.backward(torch.tensor([1.0, 2.0]))
torch.stack([a, b]).sum().backward()
(torch.ones(2, 1) @ a.view(1, 1)).sum().backward()
g, = torch.autograd.grad(a ** 3, a, create_graph=True)
g.backward()
with torch.inference_mode():
    fast = b * 2
"""


def test_lines(record: Forker) -> None:
    run = record(SCRIPT)
    assert run.status == 0, run.stderr

    def said(name: str) -> list[str]:
        lines = [line(run.timeline, step) for step in run.steps_of("node")]
        return ["".join(text for text, _ in pieces) for pieces in lines if pieces[0][0] == name]

    rule = "CatBackward0 · loss = (a * b), (a + b) joined along dimension 0 · each gets its piece of G"
    assert said("CatBackward0") == [f"{rule} · grad(a * b) = 1 · grad(a + b) = 2 · G = [1 2] arrived"]
    assert "each gets its piece of G · grad(a) = 1 · grad(b) = 1 · G = " in said("StackBackward0")[0]
    assert said("MmBackward0")[0].endswith(" · G = [[1] [1]] arrived")
    inner = [text for text in said("MulBackward0") + said("PowBackward0") if "graph" in text]
    assert len(inner) >= 2
    assert all(" · in the graph of pass 4 · " in text and " arrived · " in text for text in inner)
    fast = "".join(text for text, _ in line(run.timeline, run.op("b * 2")))
    assert fast.endswith("made in inference mode: no graph is made")
