"""Right programs whose saved buffers change without effect: nothing is said of them; what has an effect is told."""

from __future__ import annotations

import textwrap

import pytest

from tests.explain.fixes import BEGIN
from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.step import describe_side_effects

RIGHT = {
    "bn train": """
        net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
        x, y = torch.randn(5, 2), torch.randn(5, 1)
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(2):
            loss = F.mse_loss(net(x), y)
            opt.zero_grad(); loss.backward(); opt.step()
        net.eval()
        F.mse_loss(net(x), y).backward()
        """,
    "bn large": """
        bn = nn.BatchNorm2d(3, momentum=None); conv = nn.Conv2d(1, 3, 3)
        out = bn(conv(torch.randn(4, 1, 12, 12)))
        out.pow(2).mean().backward()
        """,
    "siamese": """
        bn = nn.BatchNorm1d(3); lin = nn.Linear(2, 3)
        a, b = bn(lin(torch.randn(5, 2))), bn(lin(torch.randn(5, 2)))
        (a - b).pow(2).sum().backward()
        """,
    "siamese large": """
        bn = nn.BatchNorm1d(300); lin = nn.Linear(2, 300)
        a, b = bn(lin(torch.randn(5, 2))), bn(lin(torch.randn(5, 2)))
        (a - b).pow(2).sum().backward()
        """,
    "instance norm": """
        inorm = nn.InstanceNorm1d(3, affine=True, track_running_stats=True)
        x = torch.randn(2, 3, 4, requires_grad=True)
        for k in range(2):
            inorm(x).pow(2).sum().backward()
        inorm.eval()
        inorm(x).pow(2).sum().backward()
        """,
    "functional bn, buffers": """
        rm, rv = torch.zeros(3), torch.ones(3)
        x = torch.randn(4, 3, requires_grad=True)
        a = F.batch_norm(x, rm, rv, training=True, momentum=0.5)
        b = F.batch_norm(x * 2, rm, rv, training=True, momentum=0.5)
        (a * b).sum().backward()
        """,
    "spectral": """
        lin = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))
        old = nn.utils.spectral_norm(nn.Linear(3, 2))
        x = torch.randn(4, 3)
        opt = torch.optim.SGD([*lin.parameters(), *old.parameters()], lr=0.1)
        for k in range(2):
            loss = (lin(x) + lin(x * 2) + old(x) + old(x * 3)).pow(2).mean()
            opt.zero_grad(); loss.backward(); opt.step()
        """,
    "ema": """
        student, teacher = nn.Linear(2, 2), nn.Linear(2, 2)
        teacher.requires_grad_(False)
        ema = {k: v.detach().clone() for k, v in student.state_dict().items()}
        opt = torch.optim.SGD(student.parameters(), lr=0.1)
        for k in range(2):
            x = torch.randn(3, 2)
            loss = F.mse_loss(student(x), teacher(x))
            opt.zero_grad(); loss.backward(); opt.step()
            with torch.no_grad():
                for t, s in zip(teacher.parameters(), student.parameters()):
                    t.mul_(0.9).add_(s, alpha=0.1)
                for key, v in student.state_dict().items():
                    ema[key].lerp_(v, 0.1)
            for t, s in zip(teacher.parameters(), student.parameters()):
                t.data.mul_(0.9).add_(s.data, alpha=0.1)
        """,
    "weight norm, dropout, layernorm": """
        net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 4)), nn.LayerNorm(4),
                            nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(4, 1))
        opt = torch.optim.Adam(net.parameters())
        for k in range(2):
            opt.zero_grad(); net(torch.randn(3, 2)).mean().backward(); opt.step()
        """,
    "gan right": """
        G, D = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4),
                                              nn.LeakyReLU(0.2, inplace=True), nn.Linear(4, 1))
        og, od = torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())
        for k in range(2):
            fake = G(torch.randn(4, 2))
            od.zero_grad()
            errd = F.softplus(-D(torch.randn(4, 3))).mean()
            errd.backward()
            errf = F.softplus(D(fake.detach())).mean()
            errf.backward()
            od.step()
            og.zero_grad()
            errg = F.softplus(-D(fake)).mean()
            errg.backward()
            og.step()
        """,
    "wgan clip after step": """
        C = nn.Linear(2, 1); o = torch.optim.RMSprop(C.parameters(), lr=0.01)
        for k in range(2):
            loss = C(torch.randn(3, 2)).mean() - C(torch.randn(3, 2)).mean()
            o.zero_grad(); loss.backward(); o.step()
            for p in C.parameters():
                p.data.clamp_(-0.01, 0.01)
        """,
    "rnn detach": """
        rnn = nn.LSTM(2, 3); o = torch.optim.SGD(rnn.parameters(), lr=0.1); state = None
        for k in range(3):
            out, state = rnn(torch.randn(2, 1, 2), state)
            loss = out.pow(2).mean()
            o.zero_grad(); loss.backward(); o.step()
            state = tuple(s.detach() for s in state)
        """,
    "moco queue": """
        enc = nn.Linear(2, 3); queue = F.normalize(torch.randn(3, 4), dim=0)
        o = torch.optim.SGD(enc.parameters(), lr=0.1)
        for k in range(2):
            q = F.normalize(enc(torch.randn(2, 2)), dim=1)
            with torch.no_grad():
                key = F.normalize(enc(torch.randn(2, 2)), dim=1)
            loss = F.cross_entropy(q @ queue.clone().detach(), torch.tensor([0, 1]))
            o.zero_grad(); loss.backward(); o.step()
            queue[:, 2 * k:2 * k + 2] = key.T
        """,
    "vq ema": """
        enc = nn.Linear(2, 3); codebook = torch.randn(4, 3); o = torch.optim.SGD(enc.parameters(), lr=0.1)
        for k in range(2):
            z = enc(torch.randn(5, 2))
            idx = torch.cdist(z.detach(), codebook).argmin(1)
            q = codebook[idx]
            with torch.no_grad():
                codebook.index_add_(0, idx, 0.1 * (z - q))
            out = z + (q - z).detach()
            loss = (z - q).pow(2).mean() + out.pow(2).mean()
            o.zero_grad(); loss.backward(); o.step()
        """,
    "both passes then step": """
        t, a, b = nn.Linear(2, 3), nn.Linear(3, 1), nn.Linear(3, 1)
        o = torch.optim.SGD([*t.parameters(), *a.parameters(), *b.parameters()], lr=0.1)
        f = torch.tanh(t(torch.randn(4, 2)))
        la, lb = a(f).mean(), b(f).pow(2).mean()
        la.backward(retain_graph=True)
        lb.backward()
        o.step()
        """,
    "list and stack": """
        h = [torch.zeros(2)]; w = torch.eye(2).requires_grad_()
        for t in range(3):
            h.append(torch.tanh(h[-1] @ w))
        torch.stack(h).sum().backward()
        buf = torch.zeros(3, 2)
        for t in range(3):
            buf[t] = h[t].detach() * w[0]
        buf.sum().backward()
        """,
    "momentum zero": """
        bn = nn.BatchNorm1d(2, momentum=0.0)
        x = torch.randn(4, 2, requires_grad=True)
        (bn(x) * bn(x + 1)).sum().backward()
        """,
    "conv bn inplace relu net": """
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
                            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        o = torch.optim.AdamW(net.parameters())
        for k in range(2):
            loss = F.cross_entropy(net(torch.randn(3, 1, 6, 6)), torch.tensor([0, 1, 1]))
            o.zero_grad(set_to_none=True); loss.backward(); nn.utils.clip_grad_norm_(net.parameters(), 1.0); o.step()
            val = net(torch.randn(3, 1, 6, 6)).detach()
        """,
    "bn eval while training elsewhere": """
        bn = nn.BatchNorm1d(2); x = torch.randn(4, 2, requires_grad=True)
        y = bn(x)
        bn.eval()
        with torch.no_grad():
            z = bn(x)
        bn.train()
        y.pow(2).sum().backward()
        """,
    "center loss buffer": """
        centers = torch.zeros(3, 2); enc = nn.Linear(2, 2); o = torch.optim.SGD(enc.parameters(), lr=0.1)
        for k in range(2):
            z = enc(torch.randn(4, 2)); lab = torch.tensor([0, 1, 2, 0])
            loss = (z - centers[lab]).pow(2).mean()
            o.zero_grad(); loss.backward(); o.step()
            with torch.no_grad():
                centers[lab] += 0.5 * (z - centers[lab])
        """,
    "grad penalty": """
        D = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)); o = torch.optim.Adam(D.parameters())
        for k in range(2):
            x = torch.randn(4, 2, requires_grad=True)
            g, = torch.autograd.grad(D(x).sum(), x, create_graph=True)
            loss = ((g.norm(dim=1) - 1) ** 2).mean()
            o.zero_grad(); loss.backward(); o.step()
        """,
    "a validation loss that is kept": """
        net = nn.Linear(2, 1); o = torch.optim.SGD(net.parameters(), lr=0.1); losses = []
        for k in range(2):
            loss = net(torch.randn(3, 2)).pow(2).mean()
            o.zero_grad(); loss.backward(); o.step()
            losses.append(net(torch.randn(3, 2)).pow(2).mean())
        """,
    "two passes through one graph, then a step": """
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        o = torch.optim.Adam([w]); y = w * w
        y.sum().backward(retain_graph=True)
        (y * y).sum().backward(retain_graph=True)
        o.step()
        """,
    "a parameter of another's data": """
        a = nn.Linear(2, 1); b = nn.Linear(2, 1)
        b.weight = nn.Parameter(a.weight.data)
        o = torch.optim.SGD(b.parameters(), lr=0.0)
        x = torch.randn(3, 2, requires_grad=True)
        y = a(x).sum()
        (b(x) ** 2).mean().backward()
        o.step()
        y.backward()
        """,
}  # fmt: skip
WRONG = """
bn = nn.BatchNorm1d(2)
x = torch.tensor([[1.0, 2], [3, 9], [4, 1]], requires_grad=True)
bn(x.detach())
bn.eval()
y = bn(x)
bn.train()
bn(x.detach() * 5)
y.pow(2).sum().backward()
"""


@pytest.fixture(scope="module")
def right(record: Forker) -> Recording:
    programs = (f"def program_{at}():\n{_body(code)}\nprogram_{at}()\n" for at, code in enumerate(RIGHT.values()))
    run = record(BEGIN + "".join(programs))
    assert run.status == 0, run.stderr
    return run


def _body(code: str) -> str:
    return textwrap.indent(textwrap.dedent(code).strip(), "    ")


@pytest.mark.parametrize("number", range(len(RIGHT)), ids=list(RIGHT))
def test_a_right_program_alarms_nobody(right: Recording, number: int) -> None:
    timeline = right.timeline
    steps = [step for step in range(1, timeline.steps + 1) if timeline.view(step).function == f"program_{number}"]
    assert len(steps) > 5
    said = {step: [text for text, role in describe_side_effects(timeline, step) if role == "error"] for step in steps}
    assert {step: text for step, text in said.items() if text} == {}
    assert not [step for step in steps if "was kept by" in plain(timeline, step)]


def test_running_statistics_that_are_used_are_told_of(record: Forker) -> None:
    run = record(BEGIN + WRONG)
    wrote = run.op("bn(x.detach() * 5)", 2)  # after num_batches_tracked.add_
    assert "bn.running_var was kept by NativeBatchNormBackward0 of y as" in plain(run.timeline, wrote)
    node = next(step for step in run.steps_of("node") if "NativeBatchNorm" in plain(run.timeline, step))
    assert "changed where autograd cannot see it" in plain(run.timeline, node)
