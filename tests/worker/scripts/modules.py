import torch
from torch import nn

torch.manual_seed(0)
seq = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Dropout(0.5), nn.Linear(3, 1))
x = torch.randn(4, 2)
out = seq(x)
out.sum().backward()
lstm = nn.LSTM(2, 3, batch_first=True)
hs, (hn, cn) = lstm(torch.randn(1, 5, 2))
hs.mean().backward()
conv = nn.Conv2d(1, 2, 3, padding=1)
img = torch.randn(1, 1, 4, 4)
pooled = nn.functional.max_pool2d(conv(img), 2)
emb = nn.Embedding(5, 2)
looked = emb(torch.tensor([1, 1, 3]))
(looked.sum() + pooled.sum()).backward()
att = nn.MultiheadAttention(4, 2, batch_first=True)
q = torch.randn(1, 3, 4)
ao, aw = att(q, q, q)
enc = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
eo = enc(q)
eo.mean().backward()
ce = nn.CrossEntropyLoss()(torch.randn(3, 4, requires_grad=True), torch.tensor([0, 1, 2]))
ce.backward()
seq.eval()
with torch.no_grad():
    ev = seq(x)
frozen = nn.Linear(2, 2)
for p in frozen.parameters():
    p.requires_grad = False
fo = frozen(x)
state = {k: v.clone() for k, v in seq.state_dict().items()}
seq.load_state_dict(state)
seq.double()
dbl = seq(x.double())
handle = conv.register_forward_hook(lambda m, i, o: o * 2)
hooked = conv(img)
layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(2)])


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = layers
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("steps", torch.zeros(1))
        self.cache = None
        self.plain = torch.ones(2)

    def forward(self, t):
        self.steps += 1
        for layer in self.layers:
            t = layer(t)
        self.cache = t
        return t * self.scale


own = Own()
oo = own(x)
oo.sum().backward()
