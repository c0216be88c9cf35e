"""What a node had kept and was written to: the right tensor, the step that wrote, and fixes that are typed in."""

from __future__ import annotations

import pytest

from tests.explain.fixes import Mistake, fixed, recorded
from tests.worker.recording import Forker, Recording
from tutor.explain import cause, explanation, plain

LIST_OR_COPY = "Keep the parts in a list and make one tensor of them in the end, with torch.stack or torch.cat"
CASES = [
    Mistake("a buffer filled step by step", """
        h = torch.zeros(4)
        w = torch.tensor(0.5, requires_grad=True)
        for t in range(1, 4):
            h[t] = torch.tanh(w * h[t - 1] + 1.0)
        h[3].backward()
        """, ("changed h in place, and h[t - 1] with it,", "MulBackward0 of `w * h[t - 1]`", LIST_OR_COPY,
              "`h[t - 1].clone()`"),
        "h[t]", 3, (
            (("w * h[t - 1]", "w * h[t - 1].clone()"),),
            (("h = torch.zeros(4)", "rows = [torch.zeros(())]"),
             ("h[t] = torch.tanh(w * h[t - 1] + 1.0)", "rows.append(torch.tanh(w * rows[-1] + 1.0))"),
             ("h[3].b", "h = torch.stack(rows)\n        h[3].b")),
        )),
    Mistake("rows of a buffer, multiplied by a matrix", """
        states, w = torch.zeros(4, 3), torch.eye(3).requires_grad_()
        for t in range(1, 4):
            states[t] = torch.tanh(states[t - 1] @ w)
        states.sum().backward()
        """, ("changed states in place, and states[t - 1] with it,", "MmBackward0 of `states[t - 1] @ w`",
              LIST_OR_COPY),
        "states[t]", 3, ((("states[t - 1] @", "states[t - 1].clone() @"),),)),
    Mistake("two buffers", """
        h, c, w = torch.zeros(4), torch.zeros(4), torch.tensor(0.5, requires_grad=True)
        for t in range(1, 4):
            c[t] = torch.sigmoid(w * h[t - 1]) * c[t - 1] + 1
            h[t] = torch.tanh(c[t])
        (h.sum() + c.sum()).backward()
        """, ("changed c in place, and c[t - 1] with it,", "`h[t - 1].clone()`", "`c[t - 1].clone()`"),
        "c[t]", 3, ((("h[t - 1])", "h[t - 1].clone())"), ("* c[t - 1]", "* c[t - 1].clone()")),)),
    Mistake("a slice of a buffer", """
        h, w = torch.zeros(6), torch.tensor(0.5, requires_grad=True)
        for t in range(2, 6, 2):
            h[t:t + 2] = torch.exp(w * h[t - 2:t])
        h.sum().backward()
        """, ("and h[t - 2:t] with it,", "`h[t - 2:t].clone()`"), "h[t:t + 2]", 2,
        ((("h[t - 2:t]", "h[t - 2:t].clone()"),),)),
    Mistake("index_put_", """
        h, w = torch.zeros(4), torch.tensor(0.5, requires_grad=True)
        for t in range(1, 4):
            h.index_put_((torch.tensor([t]),), torch.tanh(w * h[t - 1]))
        h.sum().backward()
        """, ("`h = h.index_put((torch.tensor([t]),), torch.tanh(w * h[t - 1]))`",),
        "h.index_put_((torch.tensor([t]),), torch.tanh(w * h[t - 1]))", 3, ((("h.index_put_", "h = h.index_put"),),)),
    Mistake("a trajectory in an attribute", """
        class Path:
            def __init__(self):
                self.x = torch.zeros(4, 2)
            def roll(self, w):
                for t in range(1, 4):
                    self.x[t] = self.x[t - 1] * w + 1
        w = torch.ones(2, requires_grad=True)
        path = Path()
        path.roll(w)
        path.x[-1].sum().backward()
        """, ("changed self.x in place, and self.x[t - 1] with it,", "`self.x[t - 1].clone()`"), "self.x[t]", 3,
        ((("self.x[t - 1] *", "self.x[t - 1].clone() *"),),)),
    Mistake("a column of a batch through a layer", """
        cell, out = nn.Linear(3, 3), torch.zeros(2, 4, 3)
        for t in range(1, 4):
            out[:, t] = torch.tanh(cell(out[:, t - 1]))
        out.sum().backward()
        """, ("and out[:, t - 1] with it,", "`out[:, t - 1].clone()`"), "out[:, t]", 3,
        ((("cell(out[:, t - 1])", "cell(out[:, t - 1].clone())"),),)),
    Mistake("copy_ into a row", """
        buf, w = torch.zeros(3, 2), torch.ones(2, requires_grad=True)
        for t in range(1, 3):
            buf[t].copy_(buf[t - 1] * w + 1)
        buf.sum().backward()
        """, ("and buf[t - 1] with it,", "`buf[t - 1].clone()`"), "buf[t].copy_(buf[t - 1] * w + 1)", 2,
        ((("buf[t - 1] *", "buf[t - 1].clone() *"),),)),
    Mistake("a row by a name of its own", """
        w, out, x = torch.ones(2, 2, requires_grad=True), torch.zeros(3, 2), torch.ones(3, 2)
        for i in range(3):
            prev = out[i - 1] if i else x[0]
            out[i] = prev @ w
        out.sum().backward()
        """, ("changed out in place, and prev with it,", "`prev.clone()`"), "out[i]", 3,
        ((("prev @ w", "prev.clone() @ w"),),)),
    Mistake("a state used at two lines", """
        state, gain, cost = torch.zeros(3), torch.tensor(0.5, requires_grad=True), 0.0
        for t in range(3):
            u = -gain * state[0]
            state[0] = state[0] + 0.1 * state[1]
            state[1] = state[1] + u
            cost = cost + state[0] ** 2
        cost.backward()
        """, ("changed state in place, and state[0] with it,", "`state[0].clone()` on line", "and `state[0].clone()`"),
        None, None, ((("gain * state[0]", "gain * state[0].clone()"), ("state[0] ** 2", "state[0].clone() ** 2")),)),
    Mistake("an optimizer's step between two passes of a GAN", """
        maker = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 4))
        judge = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1), nn.Sigmoid())
        opt_maker = torch.optim.Adam(maker.parameters(), lr=1e-3)
        opt_judge = torch.optim.Adam(judge.parameters(), lr=1e-3)
        fake = maker(torch.ones(8, 2))
        loss_judge = -torch.log(judge(torch.ones(8, 4))).mean() - torch.log(1 - judge(fake)).mean()
        loss_maker = torch.log(1 - judge(fake)).mean()
        loss_judge.backward(retain_graph=True)
        opt_judge.step()
        loss_maker.backward()
        opt_maker.step()
        """, ("`opt_judge.step()` on line", "changed judge[2].weight in place,", "AddmmBackward0 of `judge(fake)`",
              "Compute loss_maker again after `opt_judge.step()`",
              "let `opt_judge.step()` come after `loss_maker.backward()`"), "opt_judge.step()", None, (
            (("opt_judge.step()\n", "opt_judge.step()\n        loss_maker = torch.log(1 - judge(fake)).mean()\n"),),
            (("opt_judge.step()\n        loss_maker.backward()", "loss_maker.backward()\n        opt_judge.step()"),),
        )),
    Mistake("SGD and a plain Sequential", """
        net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        out = net(torch.ones(4, 2))
        a, b = out[:, 0].mean(), out[:, 1].pow(2).mean()
        a.backward(retain_graph=True)
        opt.step()
        b.backward()
        """, ("changed net[2].weight in place,", "Compute b again after `opt.step()`"), "opt.step()", None, (
            (("opt.step()\n        b.backward()", "b.backward()\n        opt.step()"),),
            (("b.backward()", "net(torch.ones(4, 2))[:, 1].pow(2).mean().backward()"),),
        )),
    Mistake("several optimizers of one model", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk, self.one, self.two = nn.Linear(2, 3), nn.Linear(3, 1), nn.Linear(3, 1)
            def forward(self, x):
                f = torch.tanh(self.trunk(x))
                return self.one(f), self.two(f)
        model = Net()
        opt_one = torch.optim.SGD([*model.trunk.parameters(), *model.one.parameters()], lr=0.1)
        opt_two = torch.optim.Adam([*model.trunk.parameters(), *model.two.parameters()], lr=0.1)
        p, q = model(torch.ones(2, 2, requires_grad=True))
        first, second = p.pow(2).mean(), q.pow(2).mean()
        first.backward(retain_graph=True)
        opt_one.step()
        second.backward()
        opt_two.step()
        """, ("changed model.trunk.weight in place,", "let `opt_one.step()` come after `second.backward()`"),
        "opt_one.step()", None,
        ((("opt_one.step()\n        second.backward()", "second.backward()\n        opt_one.step()"),),)),
    Mistake("two losses of reinforcement learning", """
        policy, value = nn.Linear(3, 2), nn.Linear(3, 1)
        seen = torch.ones(4, 3, requires_grad=True)
        opt = torch.optim.RMSprop([*policy.parameters(), *value.parameters()], lr=0.01)
        v = value(seen).squeeze(-1)
        chosen = torch.log_softmax(policy(seen), dim=1)[:, 0]
        loss_value, loss_policy = (v - 1).pow(2).mean(), -(chosen * v).mean()
        loss_value.backward(retain_graph=True)
        opt.step()
        loss_policy.backward()
        """, ("changed value.weight in place,", "Compute loss_policy again after `opt.step()`"), "opt.step()", None,
        ((("opt.step()\n        loss_policy.backward()", "loss_policy.backward()\n        opt.step()"),),)),
    Mistake("a step by hand between two passes", """
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        y = w * w
        a, b = y.sum(), (y * y).sum()
        a.backward(retain_graph=True)
        with torch.no_grad():
            w -= 0.1 * w.grad
        b.backward()
        """, ("changed w in place, which MulBackward0 of y has kept", "Compute b again after `w -= 0.1 * w.grad`"),
        "w -= 0.1 * w.grad", None, ((("b.backward()", "((w * w) ** 2).sum().backward()"),),)),
    Mistake("weights clipped between", """
        critic, x = nn.Linear(2, 1), torch.ones(3, 2, requires_grad=True)
        a = critic(x).mean()
        with torch.no_grad():
            for p in critic.parameters():
                p.clamp_(-0.01, 0.01)
        a.backward()
        """, ("changed critic.weight in place,", "Compute a again after `p.clamp_(-0.01, 0.01)`",
              "come after `a.backward()`"), "p.clamp_(-0.01, 0.01)", 1,
        ((("        a.backward()", "        a = critic(x).mean()\n        a.backward()"),),)),
    Mistake("a weight normalised between", """
        layer, x = nn.Linear(3, 2, bias=False), torch.ones(2, 3, requires_grad=True)
        loss = layer(x).pow(2).sum()
        with torch.no_grad():
            layer.weight.div_(layer.weight.norm())
        loss.backward()
        """, ("changed layer.weight in place, which MmBackward0", "Compute loss again after `layer.weight.div_("),
        "layer.weight.div_(layer.weight.norm())", None,
        ((("loss.backward()", "layer(x).pow(2).sum().backward()"),),)),
    Mistake("a state dict loaded between", """
        net, x = nn.Linear(2, 1), torch.ones(3, 2, requires_grad=True)
        best = {k: v.clone() for k, v in net.state_dict().items()}
        loss = net(x).pow(2).sum()
        net.load_state_dict(best)
        loss.backward()
        """, ("changed net.weight in place,", "come after `loss.backward()`"), "net.load_state_dict(best)", None,
        ((("net.load_state_dict(best)\n        loss.backward()",
           "loss.backward()\n        net.load_state_dict(best)"),),)),
    Mistake("an embedding with max_norm", """
        emb, w = nn.Embedding(4, 3, max_norm=0.1), torch.ones(3, 3, requires_grad=True)
        a = emb.weight @ w
        b = emb(torch.tensor([0, 2]))
        (a.sum() + b.sum()).backward()
        """, ("changed emb.weight in place, which MmBackward0 of a", "`emb.weight.clone()`"),
        "emb(torch.tensor([0, 2]))", None, ((("emb.weight @ w", "emb.weight.clone() @ w"),),)),
    Mistake("buffers written to between, as DDP does", """
        bn, x = nn.BatchNorm1d(2), torch.tensor([[1.0, 2], [3, 4], [5, 7]], requires_grad=True)
        y = bn(x)
        for b in bn.buffers():
            b.copy_(b.clone())
        y.pow(2).sum().backward()
        """, ("changed bn.running_mean in place,", "NativeBatchNormBackward0 of y",
              "Compute y again after `b.copy_(b.clone())`"),
        "b.copy_(b.clone())", 1, ((("        y.pow(2)", "        y = bn(x)\n        y.pow(2)"),),)),
    Mistake("a recurrent layer's weights", """
        lstm = nn.LSTM(2, 3, batch_first=True)
        opt = torch.optim.SGD(lstm.parameters(), lr=0.1)
        out, _ = lstm(torch.ones(1, 4, 2))
        a, b = out[:, 0].sum(), out[:, -1].sum()
        a.backward(retain_graph=True)
        opt.step()
        b.backward()
        """, ("changed lstm.weight_ih_l0 in place,", "Compute b again"), "opt.step()", None,
        ((("opt.step()\n        b.backward()", "b.backward()\n        opt.step()"),),)),
    Mistake("a hidden state with its graph kept, and a step", """
        cell, h = nn.RNNCell(2, 3), torch.zeros(1, 3)
        opt = torch.optim.SGD(cell.parameters(), lr=0.1)
        for i in range(3):
            h = cell(torch.ones(1, 2), h)
            loss = h.pow(2).mean()
            loss.backward(retain_graph=True)
            opt.step()
        """, ("changed cell.weight_hh in place,", "`h = h.detach()`"), "opt.step()", 2,
        ((("            opt.step()", "            h = h.detach()\n            opt.step()"),),)),
    Mistake("computed before the loop, its graph kept, and a step", """
        w = torch.tensor([2.0, 1.0], requires_grad=True)
        opt = torch.optim.SGD([w], lr=0.1)
        scaled = w * w
        for i in range(3):
            loss = (scaled - 1).pow(2).sum()
            loss.backward(retain_graph=True)
            opt.step()
        """, ("changed w in place", "scaled is computed once, before the loop"), "opt.step()", 1,
        ((("            loss = ", "            scaled = w * w\n            loss = "),),)),
    Mistake("two steps between", """
        one, two = nn.Linear(2, 2), nn.Linear(2, 1)
        opt_one, opt_two = (torch.optim.SGD(net.parameters(), lr=0.1) for net in (one, two))
        out = two(one(torch.ones(3, 2, requires_grad=True)))
        a, b = out.mean(), out.pow(2).mean()
        a.backward(retain_graph=True)
        opt_one.step()
        opt_two.step()
        b.backward()
        """, ("let `opt_one.step()` and `opt_two.step()` come after `b.backward()`",), "opt_two.step()", None,
        ((("        opt_one.step()\n        opt_two.step()\n        b.backward()",
           "        b.backward()\n        opt_one.step()\n        opt_two.step()"),),)),
    Mistake("a step in a function", """
        net = nn.Linear(2, 2)
        opt = torch.optim.Adam(net.parameters(), foreach=True)
        def update(loss, **how):
            opt.zero_grad()
            loss.backward(**how)
            opt.step()
        out = net(torch.ones(3, 2, requires_grad=True))
        a, b = out[:, 0].mean(), out[:, 1].pow(2).mean()
        update(a, retain_graph=True)
        update(b)
        """, ("`opt.step()` on line", "changed net.weight in place,",
              "Compute b again after `update(a, retain_graph=True)`"),
        "opt.step()", None, ((("update(b)", "b = net(torch.ones(3, 2))[:, 1].pow(2).mean()\n        update(b)"),),)),
    Mistake("a step of the learner's own", """
        class Plain:
            def __init__(self, params):
                self.params = list(params)
            @torch.no_grad()
            def step(self):
                for p in self.params:
                    p.sub_(0.1 * p.grad)
        net = nn.Linear(2, 2)
        opt, out = Plain(net.parameters()), net(torch.ones(3, 2, requires_grad=True))
        a, b = out[:, 0].mean(), out[:, 1].pow(2).mean()
        a.backward(retain_graph=True)
        opt.step()
        b.backward()
        """, ("changed net.weight in place,", "let `opt.step()` come after `b.backward()`"), "p.sub_(0.1 * p.grad)", 1,
        ((("opt.step()\n        b.backward()", "b.backward()\n        opt.step()"),),)),
    Mistake("an actor's loss through a critic that has stepped", """
        actor, critic = nn.Linear(2, 1), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        opt_actor, opt_critic = torch.optim.Adam(actor.parameters()), torch.optim.Adam(critic.parameters())
        s = torch.ones(5, 2)
        actor_loss = -critic(torch.cat([s, actor(s)], 1)).mean()
        critic_loss = critic(torch.cat([s, torch.zeros(5, 1)], 1)).pow(2).mean()
        critic_loss.backward()
        opt_critic.step()
        actor_loss.backward()
        opt_actor.step()
        """, ("changed critic[2].weight in place,", "Compute actor_loss again after `opt_critic.step()`"),
        "opt_critic.step()", None, (
            (("actor_loss.backward()", "(-critic(torch.cat([s, actor(s)], 1)).mean()).backward()"),),
        )),
    Mistake("the states of a cell in a module", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell = nn.GRUCell(2, 3)
            def forward(self, x):
                h = x.new_zeros(2, 5, 3)
                for t in range(4):
                    h[:, t + 1] = self.cell(x[:, t], h[:, t])
                return h[:, -1]
        Net()(torch.ones(2, 4, 2)).sum().backward()
        """, ("and h[:, t] with it,", "`h[:, t].clone()`"),
        "h[:, t + 1]", 4, ((("], h[:, t])", "], h[:, t].clone())"),),)),
    Mistake("einsum", """
        w, out = torch.eye(3).requires_grad_(), torch.ones(4, 3)
        for t in range(1, 4):
            out[t] = torch.einsum("ij,j->i", w, out[t - 1])
        out[-1].sum().backward()
        """, ("and out[t - 1] with it, which BmmBackward0", "`out[t - 1].clone()`"), "out[t]", 3,
        ((("out[t - 1])", "out[t - 1].clone())"),),)),
    Mistake("relu_ after sigmoid", """
        x = torch.tensor([1.0, -1.0], requires_grad=True)
        s = torch.sigmoid(x)
        s.relu_()
        s.sum().backward()
        """, ("changed s in place, which SigmoidBackward0 has kept", "`s = s.relu()`"), "s.relu_()", None,
        ((("s.relu_()", "s = s.relu()"),),)),
    Mistake("a layer with inplace=True after tanh", """
        net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.ReLU(inplace=True), nn.Linear(2, 1))
        net(torch.ones(3, 2)).sum().backward()
        """, ("changed the output of net[1] in place, which TanhBackward0 has kept",
              "net[2] writes into what it is given: make it `nn.ReLU(…)`"), "net(torch.ones(3, 2))", None,
        ((("nn.ReLU(inplace=True)", "nn.ReLU()"),),)),
    Mistake("dropout with inplace=True after sigmoid", """
        s = torch.sigmoid(torch.ones(4, requires_grad=True))
        drop = nn.Dropout(0.5, inplace=True)
        drop(s).sum().backward()
        """, ("changed s in place,", "drop writes into what it is given: make it `nn.Dropout(…)`"), "drop(s)", None,
        ((("nn.Dropout(0.5, inplace=True)", "nn.Dropout(0.5)"),),)),
    Mistake("a function with inplace=True after exp", """
        e = torch.exp(torch.ones(2, requires_grad=True))
        r = F.relu(e, inplace=True)
        r.sum().backward()
        """, ("changed e in place, which ExpBackward0", "`F.relu(e)`"), "F.relu(e, inplace=True)", None,
        ((("F.relu(e, inplace=True)", "F.relu(e)"),),)),
    Mistake("within an expression", """
        x = torch.ones(3, requires_grad=True)
        y = torch.sigmoid(x).relu_()
        y.sum().backward()
        """, ("`torch.sigmoid(x).relu()`",), "torch.sigmoid(x).relu_()", None, ((("relu_", "relu"),),)),
    Mistake("+= after sqrt", """
        s = torch.sqrt(torch.ones(4, requires_grad=True))
        s += 1
        s.sum().backward()
        """, ("changed s in place, which SqrtBackward0 has kept", "`s = s + 1`"), "s += 1", None,
        ((("s += 1", "s = s + 1"),),)),
    Mistake("masked_fill_ after softmax", """
        p = torch.softmax(torch.ones(2, 3, requires_grad=True), dim=-1)
        hidden = torch.tensor([[True, False, False], [False, False, True]])
        p.masked_fill_(hidden, 0.0)
        p.pow(2).sum().backward()
        """, ("which SoftmaxBackward0 has kept", "`p = p.masked_fill(hidden, 0.0)`"),
        "p.masked_fill_(hidden, 0.0)", None, ((("p.masked_fill_", "p = p.masked_fill"),),)),
    Mistake("an element of a result", """
        y = torch.exp(torch.ones(3, requires_grad=True))
        y[0] += 1
        y.sum().backward()
        """, ("changed y in place, which ExpBackward0", "`y = y.clone()`, before `y[0] += 1`"), "y[0] += 1", None,
        ((("y[0] +=", "y = y.clone()\n        y[0] +="),),)),
    Mistake("elements by a mask", """
        y = torch.sigmoid(torch.ones(3, requires_grad=True))
        y[y > 0.5] = 0.0
        y.sum().backward()
        """, ("`y = y.clone()`, before `y[y > 0.5] = 0.0`",), None, None,
        ((("y[y >", "y = y.clone()\n        y[y >"),),)),
    Mistake("through a view", """
        y = torch.exp(torch.ones(3, requires_grad=True))
        top = y[:1]
        top.mul_(2)
        y.sum().backward()
        """, ("changed top in place, and y with it,", "`y = y.clone()`, before top is taken from it"),
        "top.mul_(2)", None, ((("top = y", "y = y.clone()\n        top = y"),),)),
    Mistake("what detach gave", """
        y = torch.exp(torch.ones(3, requires_grad=True))
        d = y.detach()
        d.clamp_(max=1.0)
        (y.sum() + d.sum()).backward()
        """, ("changed d in place, and y with it,", "`d = d.clamp(max=1.0)`"),
        "d.clamp_(max=1.0)", None, ((("d.clamp_", "d = d.clamp"),),)),
    Mistake("out=", """
        y = torch.ones(3, requires_grad=True).exp()
        with torch.no_grad():
            torch.add(y, 1, out=y)
        y.sum().backward()
        """, ("`y = torch.add(y, 1)`",), "torch.add(y, 1, out=y)", None,
        ((("torch.add(y, 1, out=y)", "y = torch.add(y, 1)"), ("y.sum()", "y.requires_grad_().sum()")),)),
    Mistake("a result in a list", """
        x = torch.ones(3, requires_grad=True)
        outs = [torch.exp(x), torch.exp(-x)]
        outs[0] += 1
        (outs[0] + outs[1]).sum().backward()
        """, ("changed outs[0] in place,", "`outs[0] = outs[0] + 1`"), "outs[0] += 1", None,
        ((("outs[0] += 1", "outs[0] = outs[0] + 1"),),)),
    Mistake("a residual", """
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.act = nn.Linear(2, 2), nn.Sigmoid()
            def forward(self, x):
                out = self.act(self.a(x))
                out += x
                return out
        Block()(torch.ones(2, 2)).sum().backward()
        """, ("changed out in place, which SigmoidBackward0", "`out = out + x`"), "out += x", None,
        ((("out += x", "out = out + x"),),)),
    Mistake("what a custom function saved", """
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x
            @staticmethod
            def backward(ctx, g):
                return 2 * ctx.saved_tensors[0] * g
        y = torch.ones(3, requires_grad=True) * 3
        z = Square.apply(y)
        y.zero_()
        z.sum().backward()
        """, ("which SquareBackward of z has kept", "`y.clone()`"), "y.zero_()", None,
        ((("apply(y)", "apply(y.clone())"),),)),
]  # fmt: skip


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    return recorded(record, CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_overwritten_is_told(run: Recording, case: Mistake) -> None:
    step = run.steps_of("failed")[CASES.index(case)]
    said = explanation(run.timeline, step)
    assert said is not None, run.timeline.event(step)
    for words in case.says:
        assert words in said, said
    for words in ("mat2", "%", "its input", "its second input", "Make a new tensor instead of"):
        assert words not in said
    assert said.endswith(".")


@pytest.mark.parametrize("case", [case for case in CASES if case.cause], ids=lambda case: case.name)
def test_the_step_that_wrote_is_the_cause_and_says_so(run: Recording, case: Mistake) -> None:
    step = cause(run.timeline, run.steps_of("failed")[CASES.index(case)])
    assert step is not None
    view = run.timeline.view(step)
    assert (view.code, view.iteration) == (case.cause, case.iteration)
    assert "backward will fail" in plain(run.timeline, step)


def test_the_fixes_are_fixes(record: Forker) -> None:
    fixed(record, CASES)
