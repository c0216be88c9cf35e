"""Explain uncaught failures: the functions that raised them have returned, and their local tensors were freed."""

from __future__ import annotations

import textwrap

import pytest

from tests.explain.fixes import BEGIN, Mistake
from tests.worker.recording import Forker
from tutor.explain import cause, explanation, plain

CASES = [
    Mistake("elements by a mask in a function", """
        net = nn.Linear(3, 3)
        def masked(x):
            h = torch.sigmoid(net(x))
            h[h < 0.5] = 0
            return h
        masked(torch.randn(2, 3)).sum().backward()
        """, ("`h[h < 0.5] = 0` on line", "changed h in place", "SigmoidBackward0", "`h = h.clone()`"), "h[h < 0.5]",
        fixes=((("h[h <", "h = h.clone()\n            h[h <"),),)),
    Mistake("a quotient in forward", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)
            def forward(self, x):
                scores = self.fc(x).exp()
                scores /= scores.sum(1, keepdim=True)
                return scores.log()
        Net()(torch.randn(2, 3))[:, 0].sum().backward()
        """, ("changed scores in place", "`scores = scores / scores.sum(1, keepdim=True)`"),
        "scores /= scores.sum(1, keepdim=True)",
        fixes=((("scores /= ", "scores = scores / "),),)),
    Mistake("a layer that writes into the output of the one before", """
        net = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Tanh(), nn.Dropout(0.5, inplace=True)), nn.Linear(3, 1))
        net(torch.randn(2, 3)).sum().backward()
        """, ("changed the output of net[1][0] in place", "TanhBackward0", "net[1][1] writes into what it is given"),
        "net(torch.randn(2, 3))", fixes=(((", inplace=True", ""),),)),
    Mistake("a factor changed after the product", """
        def f(x):
            y = x * 2
            z = y * y
            y += 1
            return z
        x = torch.ones(2, requires_grad=True)
        f(x).sum().backward()
        """, ("`y += 1` on line", "changed y in place", "MulBackward0 of z", "`y = y + 1`"), "y += 1",
        fixes=((("y += 1", "y = y + 1"),),)),
    Mistake("an element in a loop", """
        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.query = nn.Linear(3, 3)
            def forward(self, x):
                a = torch.softmax(self.query(x) @ x.T, -1)
                for i in range(a.shape[0]):
                    a[i, i] = 0
                return (a / a.sum(-1, keepdim=True)) @ x
        Attention()(torch.randn(3, 3)).sum().backward()
        """, ("changed a in place", "SoftmaxBackward0", "`a = a.clone()`"), "a[i, i]", 1,
        ((("for i", "a = a.clone()\n                for i"),),)),
    Mistake("parameters in a loop in a function", """
        ours, theirs = nn.Linear(2, 2), nn.Linear(2, 2)
        def soft_update(tau=0.1):
            for t, s in zip(theirs.parameters(), ours.parameters()):
                t.mul_(1 - tau)
                t.add_(tau * s)
        soft_update()
        """, ("t is a leaf that requires grad", "`t.mul_(1 - tau)`", "`with torch.no_grad():`"),
        fixes=((("    for t", "    with torch.no_grad():\n             for t"),),)),
    Mistake("two statements on one line", """
        def scale(q, tau):
            for t in q.parameters(): t.mul_(tau); t.add_(1)
        scale(nn.Linear(2, 1), 0.5)
        """, ("t is a leaf that requires grad", "`t.mul_(tau)`"),
        fixes=((("    for t", "    with torch.no_grad():\n             for t"),),)),
    Mistake("rows of a parameter in a method", """
        class Table(nn.Module):
            def __init__(self):
                super().__init__()
                self.rows = nn.Parameter(torch.zeros(3, 2))
            def reset(self):
                for i in range(3): self.rows[i] = torch.ones(2) * i
        Table().reset()
        """, ("self.rows, a leaf that requires grad", "`with torch.no_grad():`"),
        fixes=((("    for i", "    with torch.no_grad():\n                     for i"),),)),
    Mistake("gradients of an inner loop without a graph", """
        net = nn.Linear(2, 1)
        def inner(parameters, x, y):
            loss = F.mse_loss(F.linear(x, *parameters), y)
            grads = torch.autograd.grad(loss, parameters)
            return grads
        grads = inner(list(net.parameters()), torch.randn(4, 2), torch.randn(4, 1))
        penalty = sum(g.pow(2).sum() for g in grads)
        penalty.backward()
        """, ("`torch.autograd.grad(loss, parameters)` on line", "create_graph=True"),
        "torch.autograd.grad(loss, parameters)",
        fixes=((("(loss, parameters)", "(loss, parameters, create_graph=True)"),),)),
    Mistake("a penalty on .grad", """
        critic = nn.Linear(2, 1)
        x = torch.randn(3, 2, requires_grad=True)
        critic(x).pow(2).sum().backward()
        penalty = (x.grad.norm(dim=1) - 1).pow(2).mean()
        penalty.backward()
        """, ("`critic(x).pow(2).sum().backward()` on line", "create_graph=True"),
        "critic(x).pow(2).sum().backward()", fixes=(((".sum().backward()", ".sum().backward(create_graph=True)"),),)),
    Mistake("a second derivative by grad", """
        x = torch.randn(3, requires_grad=True)
        y = (x ** 3).sum()
        g, = torch.autograd.grad(y, x)
        h = torch.autograd.grad(g.sum(), x)
        """, ("g.sum() has no history", "`torch.autograd.grad(y, x)` on line", "create_graph=True"),
        "torch.autograd.grad(y, x)", fixes=((("(y, x)", "(y, x, create_graph=True)"),),)),
    Mistake("an actor and a critic, a helper that goes back and steps", """
        actor, critic = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), nn.Linear(5, 1)
        by = [torch.optim.Adam(part.parameters(), lr=1e-2) for part in (actor, critic)]
        def update(opt, loss):
            opt.zero_grad()
            loss.backward(retain_graph=True)
            opt.step()
        s = torch.randn(6, 3)
        q = critic(torch.cat([s, actor(s)], 1))
        critic_loss, actor_loss = (q - 1).pow(2).mean(), -q.mean()
        update(by[1], critic_loss)
        update(by[0], actor_loss)
        """, ("changed critic.weight in place", "Compute actor_loss again after `update(by[1], critic_loss)`, the "
              "forward pass included."), "opt.step()",
        fixes=((("update(by[0], actor_loss)", "update(by[0], -critic(torch.cat([s, actor(s)], 1)).mean())"),),)),
    Mistake("gradients cleared before the second pass", """
        net, head = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)), nn.Linear(2, 1)
        opt = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.1)
        h = net(torch.ones(2, 2))
        first, second = head(h).mean(), head(h).pow(2).mean()
        first.backward(retain_graph=True)
        opt.step()
        opt.zero_grad()
        second.backward()
        """, ("Compute second again after `opt.step()`, the forward pass included.",), "opt.step()",
        fixes=((("second.backward()", "head(net(torch.ones(2, 2))).pow(2).mean().backward()"),),)),
    Mistake("item in an if, in vmap", """
        net = nn.Linear(3, 1)
        def score(x):
            y = net(x)
            if y.item() > 0:
                y = y * 2
            return y
        torch.vmap(score)(torch.randn(4, 3))
        """, ("Compute both sides and choose with torch.where(condition, a, b).",),
        fixes=((("if y.item() > 0:\n                y = y * 2", "y = torch.where(y > 0, y * 2, y)"),),)),
    Mistake("a total from outside, in vmap", """
        total = torch.zeros(3)
        def add(x):
            total.add_(x)
            return x * 2
        doubled = torch.vmap(add)(torch.randn(4, 3))
        """, ("`total.add_(x)` writes what there is for each row into total", "after torch.vmap"),
        fixes=((("total.add_(x)\n            return x * 2", "return x * 2, x"),
                ("doubled = torch.vmap(add)(torch.randn(4, 3))", "doubled, rows = torch.vmap(add)(torch.randn(4, 3))\n"
                 "        total.add_(rows.sum(0))")),)),
    Mistake("a single number for a batch of one", """
        for x, y in [(torch.randn(1, 2), torch.tensor(2))]:
            F.cross_entropy(nn.Linear(2, 3)(x), y)
        """, ("y is a scalar, a single number", "Write y.unsqueeze(0) there."),
        fixes=((("(x), y)", "(x), y.unsqueeze(0))"),),)),
    Mistake("two targets for one row", """
        F.cross_entropy(nn.Linear(2, 3)(torch.randn(1, 2)), torch.tensor([0, 1]))
        """, ("that is 1 sample,", "that is 2 samples")),
    Mistake("targets of one-hot rows", """
        y = torch.eye(3)
        F.nll_loss(torch.log_softmax(nn.Linear(2, 3)(torch.randn(3, 2)), 1), y)
        """, ("Each of its rows has a single 1: write y.argmax(1) there.",), fixes=(((", y)", ", y.argmax(1))"),),)),
    Mistake("actions without a second dimension", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
            def forward(self, x):
                return self.net(x)
        q, actions = Net(), torch.tensor([0, 1, 0])
        chosen = q(torch.randn(3, 2)).gather(1, actions)
        """, ("actions has shape 3", "write actions.unsqueeze(1)"),
        fixes=((("(1, actions)", "(1, actions.unsqueeze(1))"),),)),
    Mistake("hooks on every layer by a loop", """
        net = nn.Sequential(
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True)),
            nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.1, inplace=True)),
        )
        for name, module in net.named_modules():
            if isinstance(module, nn.Linear):
                module.register_full_backward_hook(lambda module, a, b: None)
        net(torch.randn(5, 3)).sum().backward()
        """, ("register_full_backward_hook on line", "what goes into net[1][0]", "without inplace=True"),
        "module.register_full_backward_hook(lambda module, a, b: None)", 7, (((", inplace=True", ""),),)),
    Mistake("a hook on a layer in each block", """
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)
            def forward(self, x):
                y = self.fc(x)
                y += x
                return y
        net = nn.Sequential(Block(), Block())
        for block in net:
            block.fc.register_full_backward_hook(lambda module, a, b: None)
        net(torch.randn(2, 4)).sum().backward()
        """, ("register_full_backward_hook on line", "what goes into self.fc,", "`y = y + x`"),
        "block.fc.register_full_backward_hook(lambda module, a, b: None)", 1, ((("y += x", "y = y + x"),),)),
    Mistake("a state in a tuple in a dict of an object", """
        lstm = nn.LSTMCell(2, 3)
        opt = torch.optim.SGD(lstm.parameters(), lr=0.1)
        class Env:
            def __init__(self):
                self.memory = {"lstm": (torch.zeros(1, 3), torch.zeros(1, 3))}
            def step(self, x):
                h, c = lstm(x, self.memory["lstm"])
                self.memory["lstm"] = (h, c)
                return h.sum()
        env = Env()
        for t in range(3):
            loss = env.step(torch.randn(1, 2))
            opt.zero_grad()
            loss.backward()
            opt.step()
        """, ("it reaches back into what the backward pass of `loss.backward()`", "detach what is carried over"),
        "loss.backward()", 1, ((("= (h, c)", "= (h.detach(), c.detach())"),),)),
    Mistake("log probabilities in a deque", """
        from collections import deque
        policy = nn.Linear(3, 2)
        opt = torch.optim.Adam(policy.parameters(), lr=1e-2)
        replay = deque(maxlen=10)
        for episode in range(3):
            replay.append((torch.log_softmax(policy(torch.randn(3)), -1)[0], 0.5))
            loss = -sum(lp * r for lp, r in replay)
            opt.zero_grad()
            loss.backward()
            opt.step()
        """, ("it reaches back into", "detach what is carried over"), "loss.backward()", 1,
        ((("opt.step()", "opt.step()\n            replay = deque([(lp.detach(), r) for lp, r in replay])"),),)),
    Mistake("a batch made of a deque", """
        from collections import deque
        policy, replay = nn.Linear(3, 2), deque(maxlen=10)
        for episode in range(3):
            replay.append((torch.log_softmax(policy(torch.randn(3)), -1)[0], 0.5))
            batch = list(replay)
            loss = -torch.stack([lp * r for lp, r in batch]).mean()
            loss.backward()
        """, ("through batch, it reaches back into", "detach what is carried over"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            replay = deque((lp.detach(), r) for lp, r in replay)"),),)),
    Mistake("parameters frozen by a loop", """
        net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        for name, p in net.named_parameters():
            p.requires_grad = name.startswith("head")
        loss = F.mse_loss(net(torch.randn(3, 2)), torch.randn(3, 1))
        loss.backward()
        """, ("net[0].weight, net[0].bias, net[2].weight and 1 more parameter, which need no gradient since",),
        "p.requires_grad", 1, ((('"head"', '"2"'),),)),
]  # fmt: skip
RIGHT = """
def f(x):
    y = x * 2
    y += 1
    return y * y
x = torch.ones(2, requires_grad=True)
f(x).sum().backward()
"""


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_failure_is_explained_where_its_frame_and_graph_are_gone(record: Forker, case: Mistake) -> None:
    run = record(BEGIN + textwrap.dedent(case.code))
    (step,) = run.steps_of("failed")
    said, because = explanation(run.timeline, step), cause(run.timeline, step)
    assert said is not None, run.timeline.event(step)
    for words in case.says:
        assert words in said
    assert (None if because is None else run.code(because)) == case.cause
    if case.iteration is not None and because is not None:
        assert run.timeline.view(because).iteration == case.iteration
    for fix in case.fixes:
        code = case.code
        for old, new in fix:
            assert old in code
            code = code.replace(old, new)
        assert record(BEGIN + textwrap.dedent(code)).status == 0


def test_what_is_right_is_not_alarmed_at(record: Forker) -> None:
    run = record(BEGIN + RIGHT)
    assert run.status == 0
    assert not [step for step in range(1, run.timeline.steps + 1) if "will fail" in plain(run.timeline, step)]
