"""A second pass through one graph: what is shared is told from what is carried over, and the fixes are typed in."""

from __future__ import annotations

import pytest

from tests.explain.fixes import Mistake, fixed, recorded
from tests.worker.recording import Forker, Recording
from tutor.explain import cause, explanation

RETAIN = "retain_graph=True in every pass through that part but the last"
HEADS = """
        trunk, one, two = nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(4, 1)
        opt = torch.optim.Adam([*trunk.parameters(), *one.parameters(), *two.parameters()], lr=0.01)
        x = torch.ones(5, 3, requires_grad=True)
"""
SHARED = [
    Mistake("actor and critic", HEADS + """
        features = torch.tanh(trunk(x))
        actor, critic = one(features).pow(2).mean(), two(features).pow(2).mean()
        actor.backward()
        critic.backward()
        opt.step()
        """, ("through features,", "`actor.backward()` on line", "`(actor + critic).backward()`", RETAIN),
        "actor.backward()", None, (
            (("actor.backward()\n        critic.backward()", "(actor + critic).backward()"),),
            (("actor.backward()", "actor.backward(retain_graph=True)"),),
        )),
    Mistake("the critic computed after the actor's pass", HEADS + """
        features = torch.tanh(trunk(x))
        actor = one(features).pow(2).mean()
        actor.backward()
        critic = two(features).pow(2).mean()
        critic.backward()
        """, ("through features,", "`(actor + critic).backward()`", RETAIN), "actor.backward()", None, (
            (("        actor.backward()\n", ""), ("critic.backward()", "(actor + critic).backward()")),
            (("actor.backward()", "actor.backward(retain_graph=True)"),),
        )),
    Mistake("in a function of its own", """
        class Agent(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk, self.policy, self.value = nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(4, 1)
            def forward(self, x):
                hidden = torch.tanh(self.trunk(x))
                return torch.distributions.Categorical(logits=self.policy(hidden)), self.value(hidden).squeeze(-1)
        agent = Agent()
        policy, value = agent(torch.ones(5, 3))
        advantage = 1.0 - value
        actor_loss = -(policy.log_prob(policy.sample()) * advantage.detach()).mean()
        critic_loss = advantage.pow(2).mean()
        actor_loss.backward()
        critic_loss.backward()
        """, ("through hidden,", "`(actor_loss + critic_loss).backward()`"), "actor_loss.backward()", None,
        ((("actor_loss.backward()\n        critic_loss.backward()", "(actor_loss + critic_loss).backward()"),),)),
    Mistake("a list of heads", """
        trunk, heads = nn.Linear(3, 4), nn.ModuleList(nn.Linear(4, 1) for _ in range(3))
        f = torch.tanh(trunk(torch.ones(5, 3)))
        losses = [head(f).pow(2).mean() for head in heads]
        for loss in losses:
            loss.backward()
        """, ("through f,", "call backward() once, on their sum", RETAIN), "loss.backward()", 1, (
            (("        for loss in losses:\n            loss.backward()", "        sum(losses).backward()"),),
            (("loss.backward()", "loss.backward(retain_graph=loss is not losses[-1])"),),
        )),
    Mistake("heads in epochs", HEADS + """
        for epoch in range(2):
            z = torch.tanh(trunk(x))
            first, second = one(z).mean(), two(z).pow(2).mean()
            opt.zero_grad()
            first.backward()
            second.backward()
            opt.step()
        """, ("through z,", "`(first + second).backward()`"), "first.backward()", 1,
        ((("first.backward()\n            second.backward()", "(first + second).backward()"),),)),
    Mistake("a step between", HEADS + """
        z = torch.tanh(trunk(x))
        first, second = one(z).mean(), two(z).pow(2).mean()
        first.backward()
        opt.step()
        second.backward()
        """, ("through z,", "retain_graph=True would not do: compute second again"), "first.backward()", None,
        ((("second.backward()", "two(torch.tanh(trunk(x))).pow(2).mean().backward()"),),)),
    Mistake("a judge of what a maker made", """
        maker, judge = nn.Linear(2, 4), nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
        opt = torch.optim.Adam(judge.parameters(), lr=0.01)
        fake = torch.tanh(maker(torch.ones(3, 2)))
        loss_judge = judge(fake).mean() - judge(torch.ones(3, 4)).mean()
        loss_judge.backward()
        opt.step()
        loss_maker = -judge(fake).mean()
        loss_maker.backward()
        """, ("through fake,", "`judge(fake.detach())` in place of `judge(fake)`"), "loss_judge.backward()", None,
        ((("judge(fake).mean() - ", "judge(fake.detach()).mean() - "),),)),
    Mistake("a judge and a maker in classes and a function", """
        class Part(nn.Module):
            def __init__(self, *sizes):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(*sizes), nn.Tanh(), nn.Linear(sizes[1], sizes[0]))
            def forward(self, x):
                return self.net(x)
        maker, judge, loss_of = Part(2, 4), Part(2, 4), nn.MSELoss()
        steps = torch.optim.Adam(judge.parameters()), torch.optim.Adam(maker.parameters())
        def train(real):
            fake = maker(torch.ones(3, 2))
            on_real = loss_of(judge(real), torch.ones(3, 2))
            on_fake = loss_of(judge(fake), torch.zeros(3, 2))
            loss = on_real + on_fake
            loss.backward()
            steps[0].step()
            loss_of(judge(fake), torch.ones(3, 2)).backward()
            steps[1].step()
        for i in range(2):
            train(torch.ones(3, 2))
        """, ("through fake,", "`judge(fake.detach())` in place of `judge(fake)`"), "loss.backward()", 1,
        ((("judge(fake), torch.z", "judge(fake.detach()), torch.z"),),)),
    Mistake("what a teacher says, computed once", """
        teacher, student = nn.Linear(2, 3), nn.Linear(2, 3)
        opt = torch.optim.SGD(student.parameters(), lr=0.1)
        x = torch.randn(4, 2)
        wanted = torch.tanh(teacher(x))
        for i in range(2):
            loss = F.mse_loss(student(x), wanted)
            opt.zero_grad()
            loss.backward()
            opt.step()
        """, ("through wanted,", "`F.mse_loss(student(x), wanted.detach())`"), "loss.backward()", 1,
        ((("(student(x), wanted)", "(student(x), wanted.detach())"),),)),
    Mistake("two calls of grad", """
        w = torch.tensor(2.0, requires_grad=True)
        s = w.exp()
        a, b = s * 2, s * s
        torch.autograd.grad(a, w)
        torch.autograd.grad(b, w)
        """, ("through s,", RETAIN), "torch.autograd.grad(a, w)", None,
        ((("grad(a, w)", "grad(a, w, retain_graph=True)"),),)),
    Mistake("computed once, before the loop", """
        w = torch.tensor([2.0, 1.0], requires_grad=True)
        opt = torch.optim.SGD([w], lr=0.1)
        scaled = w * w
        for i in range(3):
            loss = (scaled - 1).pow(2).sum()
            loss.backward()
            opt.step()
        """, ("through scaled,", "scaled is computed once, before the loop"), "loss.backward()", 1,
        ((("            loss = ", "            scaled = w * w\n            loss = "),),)),
    Mistake("computed once, and no step", """
        w = torch.tensor([2.0, 1.0], requires_grad=True)
        base = w.exp()
        for x in (1.0, 2.0):
            loss = (base * x).sum()
            loss.backward()
        """, ("through base,", RETAIN), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward(retain_graph=x < 2)"),),)),
    Mistake("twice", """
        w = torch.tensor(2.0, requires_grad=True)
        loss = w ** 2
        loss.backward()
        loss.backward()
        """, ("The graph behind loss was freed", "Compute loss again", "retain_graph=True in the first"),
        "loss.backward()", None, (
            (("loss.backward()\n        l", "loss.backward(retain_graph=True)\n        l"),),
            (("loss.backward()\n        loss.backward()", "loss.backward()\n        (w ** 2).backward()"),),
        )),
    Mistake("the loss before the loop", """
        w = torch.tensor(2.0, requires_grad=True)
        opt = torch.optim.SGD([w], lr=0.1)
        loss = w ** 2
        for i in range(3):
            loss.backward()
            opt.step()
        """, ("loss is computed once, before the loop: compute it again in each iteration.",), "loss.backward()", 1,
        ((("            loss.backward()", "            loss = w ** 2\n            loss.backward()"),),)),
    Mistake("grad twice", """
        w = torch.tensor(2.0, requires_grad=True)
        y = w ** 3
        torch.autograd.grad(y, w)
        torch.autograd.grad(y, [w])
        """, ("The graph behind y was freed", "`torch.autograd.grad(y, w)` on line",
              "retain_graph=True in the first"),
        "torch.autograd.grad(y, w)", None, ((("grad(y, w)", "grad(y, w, retain_graph=True)"),),)),
    Mistake("grad, then backward", """
        w = torch.tensor(2.0, requires_grad=True)
        y = w ** 3
        torch.autograd.grad(y, w)
        y.backward()
        """, ("The graph behind y was freed", "retain_graph=True in the first"), "torch.autograd.grad(y, w)", None,
        ((("grad(y, w)", "grad(y, w, retain_graph=True)"),),)),
    Mistake("the whole, then a part", """
        w = torch.tensor(2.0, requires_grad=True)
        part = (w * 3) ** 2
        whole = part + w ** 2
        whole.backward()
        part.backward()
        """, ("The graph behind part was freed", "`whole.backward()` on line"), "whole.backward()", None,
        ((("whole.backward()", "whole.backward(retain_graph=True)"),),)),
    Mistake("a step between two passes of one loss", """
        w = torch.tensor(2.0, requires_grad=True)
        opt = torch.optim.SGD([w], lr=0.1)
        loss = w ** 2
        loss.backward()
        opt.step()
        loss.backward()
        """, ("Compute loss again before each backward.",), "loss.backward()", None,
        ((("opt.step()\n        loss.backward()", "opt.step()\n        (w ** 2).backward()"),),)),
]  # fmt: skip

AFTER = "If nothing should flow back that far, write {} after each backward pass."
CARRIED = [
    Mistake("a hidden state", """
        w, h = torch.tensor(0.5, requires_grad=True), torch.tensor(1.0)
        for t in range(3):
            h = torch.tanh(w * h)
            (h ** 2).backward()
        """, ("through h,", AFTER.format("`h = h.detach()`")), "(h ** 2).backward()", 1,
        ((("(h ** 2).backward()", "(h ** 2).backward()\n            h = h.detach()"),),)),
    Mistake("without a loop", """
        w = torch.tensor(0.5, requires_grad=True)
        h = torch.tanh(w * 1.0)
        (h ** 2).backward()
        h = torch.tanh(w * h)
        (h ** 3).backward()
        """, ("through h,", AFTER.format("`h = h.detach()`")), "(h ** 2).backward()", None,
        ((("(h ** 2).backward()", "(h ** 2).backward()\n        h = h.detach()"),),)),
    Mistake("the state of an LSTM", """
        lstm, state = nn.LSTM(2, 3), (torch.zeros(1, 1, 3), torch.zeros(1, 1, 3))
        opt = torch.optim.SGD(lstm.parameters(), lr=0.1)
        for i in range(3):
            out, state = lstm(torch.ones(2, 1, 2), state)
            loss = out.pow(2).mean()
            loss.backward()
            opt.step()
        """, ("through state,", AFTER.format("`state = tuple(s.detach() for s in state)`")), "loss.backward()", 1,
        ((("opt.step()", "opt.step()\n            state = tuple(s.detach() for s in state)"),),)),
    Mistake("the state of an LSTM inside of a module", """
        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(4, 5, batch_first=True)
            def forward(self, tokens, hc):
                out, hc = self.lstm(tokens, hc)
                return out, hc
        model, state = Tagger(), None
        for i in range(3):
            logits, state = model(torch.ones(2, 3, 4), state)
            loss = logits.pow(2).mean()
            loss.backward()
        """, ("through state,", "`state = tuple(s.detach() for s in state)`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            state = tuple(s.detach() for s in state)"),),)),
    Mistake("a list of states", """
        cells, states = [nn.GRUCell(2, 2), nn.GRUCell(2, 2)], [torch.zeros(1, 2), torch.zeros(1, 2)]
        for i in range(3):
            x = torch.ones(1, 2)
            for k in range(2):
                states[k] = x = cells[k](x, states[k])
            loss = x.pow(2).mean()
            loss.backward()
        """, ("through states,", "`states = [s.detach() for s in states]`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            states = [s.detach() for s in states]"),),)),
    Mistake("a list with more than states in it", """
        w, states = torch.tensor(0.5, requires_grad=True), [torch.tensor(1.0), "noise", 3]
        for i in range(3):
            states[0] = torch.tanh(w * states[0])
            loss = states[0] ** 2
            loss.backward()
        """, ("`states[0] = states[0].detach()`",), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            states[0] = states[0].detach()"),),)),
    Mistake("a list of tuples", """
        cells = [nn.LSTMCell(2, 2), nn.LSTMCell(2, 2)]
        states = [(torch.zeros(1, 2), torch.zeros(1, 2)) for _ in range(2)]
        for i in range(3):
            x = torch.ones(1, 2)
            for k in range(2):
                states[k] = cells[k](x, states[k])
                x = states[k][0]
            loss = x.pow(2).mean()
            loss.backward()
        """, ("`states = [tuple(s.detach() for s in each) for each in states]`",), "loss.backward()", 1,
        ((("loss.backward()",
           "loss.backward()\n            states = [tuple(s.detach() for s in each) for each in states]"),),)),
    Mistake("a dict", """
        w, state = torch.tensor(0.5, requires_grad=True), {"h": torch.tensor(1.0), "c": torch.tensor(1.0)}
        for i in range(3):
            c = state["c"] * w
            state = {"h": torch.tanh(c * state["h"]), "c": c}
            loss = state["h"] ** 2
            loss.backward()
        """, ("through state,", "`state = {k: v.detach() for k, v in state.items()}`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            state = {k: v.detach() for k, v in state.items()}"),),)),
    Mistake("a named tuple", """
        from collections import namedtuple
        State = namedtuple("State", "h c")
        cell, state = nn.LSTMCell(2, 3), State(torch.zeros(1, 3), torch.zeros(1, 3))
        for i in range(3):
            state = State(*cell(torch.ones(1, 2), state))
            loss = state.h.pow(2).mean()
            loss.backward()
        """, ("through state,", "`state = type(state)(*(s.detach() for s in state))`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            state = type(state)(*(s.detach() for s in state))"),),)),
    Mistake("two names", """
        cell, h, c = nn.LSTMCell(2, 3), torch.zeros(1, 3), torch.zeros(1, 3)
        for i in range(3):
            h, c = cell(torch.ones(1, 2), (h, c))
            loss = h.pow(2).mean()
            loss.backward()
        """, ("`h = h.detach()`", "`c = c.detach()`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            h = h.detach()\n            c = c.detach()"),),)),
    Mistake("two names in a tuple", """
        rnn, hidden = nn.LSTM(2, 3), None
        for i in range(3):
            out, (hn, cn) = rnn(torch.ones(2, 1, 2), hidden)
            hidden = (hn, cn)
            out.pow(2).mean().backward()
        """, ("through hidden,", "`hidden = tuple(s.detach() for s in hidden)`"), "out.pow(2).mean().backward()", 1,
        ((("mean().backward()", "mean().backward()\n            hidden = tuple(s.detach() for s in hidden)"),),)),
    Mistake("an attribute of a module", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell, self.h = nn.GRUCell(2, 3), torch.zeros(1, 3)
            def forward(self, x):
                self.h = self.cell(x, self.h)
                return self.h
        net = Net()
        for i in range(3):
            loss = net(torch.ones(1, 2)).pow(2).mean()
            loss.backward()
        """, ("through net.h,", "`net.h = net.h.detach()`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            net.h = net.h.detach()"),),)),
    Mistake("a tuple in an attribute", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn, self.state = nn.LSTM(2, 3), None
            def forward(self, x):
                out, self.state = self.rnn(x, self.state)
                return out
        net = Net()
        for i in range(3):
            loss = net(torch.ones(2, 1, 2)).pow(2).mean()
            loss.backward()
        """, ("through net.state,", "`net.state = tuple(s.detach() for s in net.state)`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            net.state = tuple(s.detach() for s in net.state)"),),)),
    Mistake("an attribute of an object", """
        class Agent:
            def __init__(self):
                self.cell, self.memory = nn.GRUCell(2, 3), torch.zeros(1, 3)
            def act(self, x):
                self.memory = self.cell(x, self.memory)
                return self.memory.sum()
        agent = Agent()
        for i in range(3):
            loss = agent.act(torch.ones(1, 2)) ** 2
            loss.backward()
        """, ("through agent.memory,", "`agent.memory = agent.memory.detach()`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            agent.memory = agent.memory.detach()"),),)),
    Mistake("an argument of a function", """
        w = torch.tensor(0.5, requires_grad=True)
        def train(x, hidden):
            hidden = torch.tanh(w * hidden + x)
            loss = (hidden - 1) ** 2
            loss.backward()
            return hidden
        h = torch.tensor(0.0)
        for i in range(3):
            h = train(torch.tensor(1.0), h)
        """, ("through hidden,", "`hidden = hidden.detach()`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            hidden = hidden.detach()"),),)),
    Mistake("a global", """
        w, memory = torch.tensor(0.5, requires_grad=True), torch.tensor(1.0)
        def go(x):
            global memory
            memory = torch.tanh(w * memory + x)
            loss = memory ** 2
            loss.backward()
        for x in range(3):
            go(x)
        """, ("through memory,", "`memory = memory.detach()`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            memory = memory.detach()"),),)),
    Mistake("a trainer's own state", """
        class Trainer:
            def __init__(self):
                self.model, self.state = nn.LSTM(2, 3), None
                self.opt = torch.optim.SGD(self.model.parameters(), lr=0.1)
            def train_step(self, x):
                out, self.state = self.model(x, self.state)
                loss = out.pow(2).mean()
                loss.backward()
                self.opt.step()
        trainer = Trainer()
        for i in range(3):
            trainer.train_step(torch.ones(2, 1, 2))
        """, ("through self.state,", "`self.state = tuple(s.detach() for s in self.state)`"), "loss.backward()", 1,
        ((("loss.backward()",
           "loss.backward()\n                self.state = tuple(s.detach() for s in self.state)"),),)),
    Mistake("half of it detached", """
        cell, h, c = nn.LSTMCell(2, 3), torch.zeros(1, 3), torch.zeros(1, 3)
        for i in range(3):
            h, c = cell(torch.ones(1, 2), (h, c))
            h.pow(2).mean().backward()
            h = h.detach()
        """, ("through c,", AFTER.format("`c = c.detach()`")), "h.pow(2).mean().backward()", 1,
        ((("h = h.detach()", "h, c = h.detach(), c.detach()"),),)),
    Mistake("the prediction before", """
        w, prev = torch.tensor(0.5, requires_grad=True), None
        for x in (1.0, 2.0, 3.0):
            out = torch.tanh(w * x)
            loss = out ** 2 if prev is None else (out - prev) ** 2
            loss.backward()
            prev = out
        """, ("through prev,", "write `prev = out.detach()` instead of `prev = out`"), "loss.backward()", 1,
        ((("prev = out", "prev = out.detach()"),),)),
    Mistake("a tuple made after the pass", """
        rnn, hidden = nn.LSTM(2, 3), None
        for i in range(3):
            out, (hn, cn) = rnn(torch.ones(2, 1, 2), hidden)
            out.pow(2).mean().backward()
            hidden = (hn, cn)
        """, ("through hidden,", "write `hidden = (hn.detach(), cn.detach())` instead of `hidden = (hn, cn)`"),
        "out.pow(2).mean().backward()", 1, ((("hidden = (hn, cn)", "hidden = (hn.detach(), cn.detach())"),),)),
    Mistake("a running total", """
        w, total = torch.tensor(2.0, requires_grad=True), 0.0
        for x in (1.0, 2.0, 3.0):
            total += (w * x - 1) ** 2
            total.backward()
        """, ("through total,", "`total = total.detach()`"), "total.backward()", 1,
        ((("total.backward()", "total.backward()\n            total = total.detach()"),),)),
    Mistake("a memory that grows", """
        w, kept = torch.tensor(2.0, requires_grad=True), []
        for x in (1.0, 2.0, 3.0):
            kept.append(torch.tanh(w * x))
            loss = torch.stack(kept).sum()
            loss.backward()
        """, ("through kept,", "`kept = [s.detach() for s in kept]`"), "loss.backward()", 1,
        ((("loss.backward()", "loss.backward()\n            kept = [s.detach() for s in kept]"),),)),
]  # fmt: skip
CASES = SHARED + CARRIED


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    return recorded(record, CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_used_up_is_told(run: Recording, case: Mistake) -> None:
    step = run.steps_of("failed")[CASES.index(case)]
    said = explanation(run.timeline, step)
    assert said is not None, run.timeline.event(step)
    for words in case.says:
        assert words in said, said
    assert ("detach" in said) == (case in CARRIED or "detach" in "".join(case.says))
    assert "%" not in said
    assert said.endswith(".")
    first = cause(run.timeline, step)
    assert first is not None
    view = run.timeline.view(first)
    assert (view.code, view.iteration) == (case.cause, case.iteration)


def test_the_fixes_are_fixes(record: Forker) -> None:
    fixed(record, CASES)
