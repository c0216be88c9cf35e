"""Failures by shapes are explained with the learner's tensors and their sizes; each fix works when it is typed in."""

from __future__ import annotations

import textwrap

import pytest

from tests.explain.test_usual_failures import Failure, by_piece, script
from tests.worker.recording import Forker, Recording
from tutor.explain import explanation

JOINED = [
    Failure("cat along the other dimension", """
        a, b = torch.ones(2, 3), torch.ones(2, 4)
        torch.cat([a, b])
        """, ("joins along dimension 0", "a (shape 2×3) and b (shape 2×4)"), "[a, b])", "[a, b], dim=1)",
        "dim=1"),
    Failure("cat of a list by its name, in a function", """
        def joined(rows):
            return torch.cat(rows)
        joined([torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 4)])
        """, ("rows[0] (shape 2×3) and rows[2] (shape 2×4)",), "cat(rows)", "cat(rows, dim=1)", "dim=1"),
    Failure("cat with a row", """
        a, b = torch.ones(2, 3), torch.ones(3)
        torch.cat([a, b])
        """, ("the same number of dimensions", "b (shape 3)"), "[a, b]", "[a, b.unsqueeze(0)]", "b.unsqueeze(0)"),
    Failure("cat of two tensors by themselves", """
        a, b = torch.ones(3), torch.ones(3)
        torch.cat(a, b)
        """, ("as one list",), "torch.cat(a, b)", "torch.cat([a, b])"),
    Failure("stack of two tensors and a dimension", """
        a, b = torch.ones(3), torch.ones(3)
        torch.stack(a, b, dim=1)
        """, ("as one list",), "(a, b, dim=1)", "([a, b], dim=1)", "torch.stack([a, b], dim=1)"),
    Failure("cat of a tensor and None", """
        a, b = torch.ones(3), None
        torch.cat([a, b])
        """, ("element 1", "a None"), "[a, b]", "[a]", "list of tensors"),
    Failure("cat of single numbers", """
        losses = [torch.tensor(1.0), torch.tensor(2.0)]
        torch.cat(losses)
        """, ("a scalar has none",), "torch.cat(losses)", "torch.stack(losses)"),
    Failure("stack of different lengths", """
        a, b = torch.ones(3), torch.ones(2)
        torch.stack([a, b])
        """, ("a (shape 3) and b (shape 2)",), "stack([a, b])", "cat([a, b])", "torch.cat"),
    Failure("samples of different lengths", """
        samples = [(torch.ones(2), 0), (torch.ones(3), 1)]
        for x in DataLoader(samples, batch_size=2):
            pass
        """, ("one has 2, another 3",), "batch_size=2", "batch_size=2, collate_fn=list", "collate_fn=list"),
    Failure("arrays of different lengths, the next of a loader",
        "next(iter(DataLoader([np.ones(2), np.ones(3)], batch_size=2)))",
        ("one has 2, another 3",), "batch_size=2", "batch_size=2, collate_fn=list", "collate_fn=list"),
    Failure("lists of different lengths in the samples",
        "next(iter(DataLoader([([1, 2], 0), ([1], 1)], batch_size=2)))",
        ("not all of one length",), "batch_size=2", "batch_size=2, collate_fn=list", "collate_fn=list"),
    Failure("None in the samples", "next(iter(DataLoader([(1, None), (2, None)], batch_size=2)))",
        ("a None",), "batch_size=2", "batch_size=2, collate_fn=list", "collate_fn=list"),
    Failure("a Dataset of more inputs than targets", """
        x, y = torch.ones(4, 2), torch.ones(3)
        TensorDataset(x, y)
        """, ("x (shape 4×2) and y (shape 3)", "first sizes"), "torch.ones(3)", "torch.ones(4)", "equal"),
    Failure("rows of different lengths", "torch.tensor([[1., 2.], [3.]])",
        ("dimension 1", "2, and 1"), "torch.tensor([[1., 2.], [3.]])",
        "nn.utils.rnn.pad_sequence([torch.tensor(row) for row in [[1.0, 2.0], [3.0]]], batch_first=True)"),
    Failure("rows and a number", "torch.tensor([[1., 2.], 3.])",
        ("nested equally deep",), "3.]", "[3., 4.]]", "equally"),
    Failure("None among numbers", "torch.tensor([1., None])",
        ("a None among them",), "None", "0.", "numbers"),
]  # fmt: skip

RESHAPED = [
    Failure("a view of more elements", """
        x = torch.ones(4, 3)
        x.view(5, 2)
        """, ("x (shape 4×3)", "shape 5×2, which is 10 elements", "has 12"), "5, 2", "6, 2",
        "must keep them all"),
    Failure("a view that is made for larger images", """
        x = torch.ones(2, 16, 4, 4)
        x.view(-1, 16 * 5 * 5)
        """, ("512 elements cannot be divided by 400", "shape 2×256"), "x.view(-1, 16 * 5 * 5)", "x.flatten(1)"),
    Failure("a reshape by the function", """
        x = torch.ones(4, 3)
        torch.reshape(x, (5, -1))
        """, ("x (shape 4×3)", "cannot be divided by 5"), "(5, -1)", "(6, -1)", "12"),
    Failure("two sizes left open", """
        x = torch.ones(4, 3)
        x.view(-1, -1)
        """, ("one only",), "-1, -1", "-1, 3", "-1"),
    Failure("a view of a transpose", """
        x = torch.ones(4, 3)
        x.t().view(12)
        """, ("x.t() (shape 3×4)",), "x.t().view(12)", "x.t().reshape(12)"),
    Failure("a view after permute", """
        x = torch.ones(2, 3, 4).permute(0, 2, 1)
        x.view(2, -1)
        """, ("x (shape 2×4×3)",), "x.view(2, -1)", "x.reshape(2, -1)"),
    Failure("expand of a dimension that is there", """
        x = torch.ones(4, 3)
        x.expand(4, 6)
        """, ("x (shape 4×3)", "3 is to become 6"), "x.expand(4, 6)", "x.repeat(1, 2)"),
    Failure("expand to fewer dimensions", """
        x = torch.ones(4, 3)
        x.expand(3)
        """, ("for each dimension of x (shape 4×3)",), "x.expand(3)", "x.expand(4, 3)", "2 at least"),
    Failure("a row that is too long", """
        a = torch.ones(2, 3)
        a[0] = torch.ones(4)
        """, ("`a[0]` has shape 3", "`torch.ones(4)`"), "ones(4)", "ones(3)", "shape 4"),
    Failure("permute of two of three", """
        x = torch.ones(2, 3, 4)
        x.permute(1, 2)
        """, ("every dimension of x (shape 2×3×4)", "0, 1, 2"), "x.permute(1, 2)", "x.transpose(1, 2)"),
    Failure("permute with one twice", "torch.ones(2, 3, 4).permute(0, 1, 1)",
        ("every dimension",), "0, 1, 1", "0, 2, 1", "0, 1, 2"),
    Failure("t of a batch", """
        x = torch.ones(2, 3, 4)
        x.t()
        """, ("x (shape 2×3×4) has 3 dimensions",), "x.t()", "x.transpose(1, 2)"),
    Failure("transpose of a dimension that is not there", """
        x = torch.ones(2, 3)
        x.transpose(1, 2)
        """, ("asks for dimension 2", "x (shape 2×3) has 2"), "(1, 2)", "(0, 1)", "from 0 to 1"),
    Failure("a softmax along the columns of a vector", """
        x = torch.ones(3)
        F.softmax(x, dim=1)
        """, ("asks for dimension 1", "x (shape 3) has 1"), "dim=1", "dim=0", "from 0 to 0"),
    Failure("a new dimension too far", """
        x = torch.ones(2, 3)
        x.unsqueeze(4)
        """, ("room for it from 0 to 2",), "(4)", "(2)", "new dimension"),
    Failure("a size that is not there", """
        x = torch.ones(2, 3)
        x.shape[2]
        """, ("x (shape 2×3)", "2 dimensions"), "[2]", "[1]", "numbered from 0"),
    Failure("two names for three sizes", """
        x = torch.ones(2, 3, 4)
        rows, columns = x.shape
        """, ("x (shape 2×3×4) has 3 sizes", "takes 2"), "rows, columns", "n, rows, columns", "a name for each"),
    Failure("four names for three sizes", """
        x = torch.ones(2, 3, 4)
        n, c, h, w = x.size()
        """, ("x (shape 2×3×4) has 3 sizes", "takes 4"), "n, c, h, w", "n, h, w", "a name for each"),
    Failure("columns by two names", """
        x = torch.ones(3, 2)
        a, b = x
        """, ("along its first dimension", "into 3", "2 names"), "= x", "= x.unbind(1)", "x.unbind(1)"),
    Failure("three things of an LSTM", """
        rnn = nn.LSTM(4, 6)
        out, h, c = rnn(torch.ones(5, 2, 4))
        """, ("nn.LSTM gives two things",), "out, h, c =", "out, (h, c) =", "out, (h, c) = rnn(torch.ones(5, 2, 4))"),
    Failure("a number in a loop", """
        n = torch.tensor(3)
        for i in n:
            pass
        """, ("n is a scalar",), "in n:", "in range(n.item()):", "n.item()"),
    Failure("parts that are not all", """
        x = torch.ones(5)
        x.split([2, 2])
        """, ("add up to 4",), "[2, 2]", "[2, 3]", "add up to 5"),
]  # fmt: skip

COMPUTED = [
    Failure("a vector for each row", """
        a, b = torch.ones(2, 3), torch.ones(2)
        a * b
        """, ("a (shape 2×3) and b (shape 2)", "3 meets 2"), "a * b", "a * b.unsqueeze(1)", "b.unsqueeze(1)"),
    Failure("one of two the wrong way round", """
        a, b = torch.ones(2, 3), torch.ones(3, 2)
        a - b
        """, ("b.T would fit",), "a - b", "a - b.T", "b.T"),
    Failure("in place", """
        a, b = torch.ones(2, 3), torch.ones(4)
        a += b
        """, ("a (shape 2×3) and b (shape 4)",), "ones(4)", "ones(3)", "3 meets 4"),
    Failure("a comparison", """
        a, b = torch.ones(2, 3), torch.ones(4)
        a > b
        """, ("a (shape 2×3) and b (shape 4)",), "ones(4)", "ones(3)", "3 meets 4"),
    Failure("batches of matrices by @", """
        a, b = torch.ones(2, 3, 4), torch.ones(3, 4, 5)
        a @ b
        """, ("multiplies two batches of matrices", "a (shape 2×3×4)"), "ones(3, 4", "ones(2, 4", "2 meets 3"),
    Failure("a vector that is too short", """
        A, v = torch.ones(2, 3), torch.ones(2)
        torch.mv(A, v)
        """, ("A (shape 2×3) by v (shape 2)", "3 elements"), "(A, v)", "(A.T, v)", "A.T would fit"),
    Failure("a vector before a matrix", """
        v, A = torch.ones(3), torch.ones(2, 3)
        v @ A
        """, ("v (shape 3) by A (shape 2×3)",), "v @ A", "v @ A.T", "A.T would fit"),
    Failure("vectors of two lengths", """
        a, b = torch.ones(2), torch.ones(3)
        a.dot(b)
        """, ("a (shape 2) and b (shape 3)",), "ones(3)", "ones(2)", "same number of elements"),
    Failure("dot of matrices", """
        a, b = torch.ones(2, 3), torch.ones(3, 2)
        a.dot(b)
        """, ("takes two vectors",), "a.dot(b)", "a @ b"),
    Failure("bmm of rows by rows", """
        q, k = torch.ones(2, 3, 4), torch.ones(2, 5, 4)
        torch.bmm(q, k)
        """, ("q (shape 2×3×4) and k (shape 2×5×4)", "4, not 5"), "(q, k)", "(q, k.transpose(1, 2))",
        "k.transpose(1, 2) would fit"),
    Failure("bmm of two matrices", """
        a, b = torch.ones(2, 3), torch.ones(3, 5)
        torch.bmm(a, b)
        """, ("3 dimensions and one of 3",), "torch.bmm(a, b)", "a @ b"),
    Failure("a product with a number", """
        a, b = torch.tensor(2.0), torch.ones(3)
        a @ b
        """, ("a (a scalar)",), "a @ b", "a * b"),
    Failure("distances of points of two kinds", """
        a, b = torch.ones(3, 2), torch.ones(4, 5)
        torch.cdist(a, b)
        """, ("a (shape 3×2) and b (shape 4×5)",), "ones(4, 5)", "ones(4, 2)", "last sizes must be equal"),
    Failure("the determinant of what is not square", """
        a = torch.ones(2, 3)
        torch.det(a)
        """, ("a (shape 2×3)",), "2, 3", "3, 3", "square"),
    Failure("a letter of two sizes", """
        a, b = torch.ones(2, 3), torch.ones(4, 5)
        torch.einsum("ij,jk->ik", a, b)
        """, ("the letter j", "3 and 4", "b (shape 4×5)"), "ones(4", "ones(3", "one size"),
    Failure("too many letters", """
        a, b = torch.ones(2, 3), torch.ones(3, 5)
        torch.einsum("nij,jk->nik", a, b)
        """, ("3 letters for a (shape 2×3)",), "nij,jk->nik", "ij,jk->ik", "one letter for each"),
    Failure("images straight into a layer", """
        layer, x = nn.Linear(64, 10), torch.ones(5, 1, 8, 8)
        layer(x)
        """, ("layer takes 64 numbers", "x has shape 5×1×8×8, so 8"), "layer(x)", "layer(x.flatten(1))",
        "x.flatten(1)"),
    Failure("images into a layer of a model", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.fc = nn.Conv2d(1, 8, 3), nn.Linear(288, 10)
            def forward(self, x):
                x = self.conv(x).relu()
                return self.fc(x)
        Net()(torch.ones(2, 1, 8, 8))
        """, ("self.fc takes 288", "x has shape 2×8×6×6"), "self.fc(x)", "self.fc(x.flatten(1))", "x.flatten(1)"),
    Failure("nothing flattens in a Sequential", """
        net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Linear(288, 10))
        net(torch.ones(2, 1, 8, 8))
        """, ("net[2] takes 288", "shape 2×8×6×6"), "nn.Linear", "nn.Flatten(), nn.Linear", "put nn.Flatten()"),
    Failure("a layer for another number", """
        net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(8, 10))
        net(torch.ones(2, 1, 8, 8))
        """, ("net[2] takes 8", "shape 2×288"), "nn.Linear(8, 10)", "nn.Linear(288, 10)"),
    Failure("a flat layer and no Flatten", """
        net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.MaxPool2d(2), nn.Linear(8, 10))
        net(torch.ones(2, 1, 8, 8))
        """, ("makes one of 72 numbers",), "nn.Linear(8, 10)", "nn.Flatten(), nn.Linear(72, 10)", "nn.Linear(72, 10)"),
    Failure("an image in one row", """
        layer, x = nn.Linear(64, 10), torch.ones(8, 8)
        layer(x)
        """, ("x has shape 8×8",), "layer(x)", "layer(x.flatten())", "x.flatten()"),
    Failure("a weight by hand", """
        x, w = torch.ones(5, 3), torch.ones(3, 2)
        F.linear(x, w)
        """, ("x (shape 5×3) and w (shape 3×2)",), "(x, w)", "(x, w.T)", "w.T would fit"),
]  # fmt: skip

LAYERS = [
    Failure("channels", """
        conv, x = nn.Conv2d(1, 4, 3), torch.ones(2, 3, 8, 8)
        conv(x)
        """, ("conv takes 1 channels, dimension 1", "x has shape 2×3×8×8, so 3"), "Conv2d(1", "Conv2d(3",
        "3 input channels"),
    Failure("channels of a layer inside", """
        net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(4, 2, 3))
        net(torch.ones(2, 1, 8, 8))
        """, ("net[1] takes 4 channels", "shape 2×8×6×6"), "Conv2d(4", "Conv2d(8", "8 input channels"),
    Failure("channels last", """
        conv, x = nn.Conv2d(3, 4, 3), torch.ones(2, 8, 8, 3)
        conv(x)
        """, ("x has shape 2×8×8×3",), "conv(x)", "conv(x.permute(0, 3, 1, 2))", "x.permute(0, 3, 1, 2)"),
    Failure("one image with its channels last", """
        conv, x = nn.Conv2d(3, 4, 3), torch.ones(8, 8, 3)
        conv(x)
        """, ("dimension 0", "x has shape 8×8×3"), "conv(x)", "conv(x.permute(2, 0, 1))", "x.permute(2, 0, 1)"),
    Failure("a batch without channels", """
        conv, x = nn.Conv2d(1, 4, 3), torch.ones(5, 8, 8)
        conv(x)
        """, ("x has shape 5×8×8, so 5",), "conv(x)", "conv(x.unsqueeze(1))", "x.unsqueeze(1)"),
    Failure("an image without channels", """
        conv, x = nn.Conv2d(1, 4, 3), torch.ones(8, 8)
        conv(x)
        """, ("x has shape 8×8",), "conv(x)", "conv(x.unsqueeze(0))", "x.unsqueeze(0)"),
    Failure("an image that is smaller than the kernel", """
        conv, x = nn.Conv2d(3, 4, 3), torch.ones(2, 3, 2, 2)
        conv(x)
        """, ("size 3 x 3", "only 2 x 2"), "4, 3)", "4, 3, padding=1)", "greater by 1"),
    Failure("one pooling too many", """
        net = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(4))
        net(torch.ones(1, 1, 4, 4))
        """, ("2 x 2 in each of 1 channels",), "nn.MaxPool2d(2), ", "", "one pooling less"),
    Failure("features of a normalization", """
        bn, x = nn.BatchNorm1d(5), torch.ones(4, 6)
        bn(x)
        """, ("bn takes 5 features", "x has shape 4×6, so 6"), "nn.BatchNorm1d(5)", "nn.BatchNorm1d(6)"),
    Failure("features of a normalization inside", """
        net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(4))
        net(torch.ones(2, 1, 8, 8))
        """, ("net[1] takes 4 features", "has 8"), "nn.BatchNorm2d(4)", "nn.BatchNorm2d(8)"),
    Failure("features last", """
        bn, x = nn.BatchNorm1d(6), torch.ones(4, 5, 6)
        bn(x)
        """, ("so 5 features",), "bn(x)", "bn(x.permute(0, 2, 1))", "x.permute(0, 2, 1)"),
    Failure("a normalization for images", """
        bn, x = nn.BatchNorm2d(6), torch.ones(4, 6)
        bn(x)
        """, ("4 dimensions", "x has shape 4×6"), "nn.BatchNorm2d(6)", "nn.BatchNorm1d(6)"),
    Failure("one image for a normalization", """
        bn, x = nn.BatchNorm2d(3), torch.ones(3, 8, 8)
        bn(x)
        """, ("x has shape 3×8×8",), "bn(x)", "bn(x.unsqueeze(0))", "x.unsqueeze(0)"),
    Failure("images with their channels last, for a normalization", """
        bn, x = nn.BatchNorm2d(3), torch.ones(2, 8, 8, 3)
        bn(x)
        """, ("so 8 features",), "bn(x)", "bn(x.permute(0, 3, 1, 2))", "x.permute(0, 3, 1, 2)"),
    Failure("an LSTM cell with one state", """
        cell, x, h = nn.LSTMCell(4, 6), torch.ones(5, 4), torch.zeros(5, 6)
        cell(x, h)
        """, ("two states",), "cell(x, h)", "cell(x, (h, torch.zeros_like(h)))", "(h, torch.zeros_like(h))"),
    Failure("classes of each place with a channel", """
        out, target = torch.ones(2, 3, 4, 4), torch.ones(2, 1, 4, 4, dtype=torch.long)
        F.cross_entropy(out, target)
        """, ("a target of shape 2×4×4",), "(out, target)", "(out, target.squeeze(1))", "target.squeeze(1)"),
    Failure("the last dimensions", """
        ln, x = nn.LayerNorm([4, 5]), torch.ones(4, 6, 5)
        ln(x)
        """, ("must be 4×5", "so 6×5"), "nn.LayerNorm([4, 5])", "nn.LayerNorm([6, 5])"),
    Failure("features of a sequence", """
        rnn, x = nn.GRU(4, 6), torch.ones(5, 2, 3)
        rnn(x)
        """, ("rnn was made for 4", "x has shape 5×2×3"), "GRU(4, 6)", "GRU(input_size=3, hidden_size=6)",
        "input_size=3"),
    Failure("features of a cell", """
        cell, x = nn.LSTMCell(4, 6), torch.ones(5, 3)
        cell(x)
        """, ("cell was made for 4",), "(4, 6)", "(input_size=3, hidden_size=6)", "input_size=3"),
    Failure("a sequence without features", """
        rnn, x = nn.LSTM(1, 6), torch.ones(5)
        rnn(x)
        """, ("x has shape 5", "the features last"), "rnn(x)", "rnn(x.unsqueeze(1))", "the features last"),
    Failure("a state for another batch", """
        rnn, x, h = nn.GRU(4, 6), torch.ones(5, 2, 4), torch.zeros(1, 3, 6)
        rnn(x, h)
        """, ("shape 1×2×6", "one has 1×3×6"), "torch.zeros(1, 3, 6)", "torch.zeros(1, 2, 6)"),
    Failure("an LSTM with one state", """
        rnn, x, h = nn.LSTM(4, 6), torch.ones(5, 2, 4), torch.zeros(1, 2, 6)
        rnn(x, h)
        """, ("two states",), "rnn(x, h)", "rnn(x, (h, torch.zeros_like(h)))", "(h, torch.zeros_like(h))"),
    Failure("a state without layers", """
        rnn, x, h = nn.GRU(4, 6), torch.ones(5, 2, 4), torch.zeros(2, 6)
        rnn(x, h)
        """, ("as many dimensions as its input, 3", "has 2"), "zeros(2, 6)", "zeros(1, 2, 6)", "layers, samples"),
    Failure("a mask of another length", """
        mha, x = nn.MultiheadAttention(8, 2), torch.ones(5, 2, 8)
        mha(x, x, x, attn_mask=torch.zeros(4, 4))
        """, ("shape 5×5, not 4×4",), "zeros(4, 4)", "zeros(5, 5)", "5×5"),
    Failure("heads that do not divide", "nn.MultiheadAttention(8, 3)",
        ("embed_dim must be a multiple of num_heads",), "8, 3", "9, 3", "multiple"),
]  # fmt: skip

PICKED = [
    Failure("an element of each row", """
        x, i = torch.ones(2, 3), torch.tensor([0, 1])
        x.gather(1, i)
        """, ("x (shape 2×3) and i (shape 2)",), "gather(1, i)", "gather(1, i.unsqueeze(1))", "i.unsqueeze(1)"),
    Failure("an element of each column, by the function", """
        x, i = torch.ones(2, 3), torch.tensor([0, 1, 0])
        torch.gather(x, 0, i)
        """, ("x (shape 2×3) and i (shape 3)",), "0, i)", "0, i.unsqueeze(0))", "i.unsqueeze(0)"),
    Failure("a number that is too large", """
        x, i = torch.ones(2, 3), torch.tensor([[0], [3]])
        x.gather(1, i)
        """, ("i (shape 2×1), which holds 3", "dimension 1", "3 elements"), "[3]]", "[2]]", "from 0 to 2"),
    Failure("more rows than there are", """
        x, i = torch.ones(2, 3), torch.tensor([[0], [1], [1]])
        x.gather(1, i)
        """, ("x (shape 2×3) and i (shape 3×1)",), ", [1]])", "])", "must not be larger"),
    Failure("rows by number", """
        x, i = torch.ones(2, 3), torch.tensor([0, 2])
        x.index_select(0, i)
        """, ("i (shape 2), which holds 2",), "[0, 2]", "[0, 1]", "from 0 to 1"),
    Failure("rows by a table", """
        x, i = torch.ones(2, 3), torch.tensor([[0, 1]])
        x.index_select(0, i)
        """, ("i (shape 1×2) has 2",), "(0, i)", "(0, i.flatten())", "i.flatten()"),
    Failure("scatter into a column that is not there", """
        x, i = torch.zeros(2, 3), torch.tensor([[0], [3]])
        x.scatter_(1, i, 1.0)
        """, ("i (shape 2×1), which holds 3",), "[3]]", "[2]]", "from 0 to 2"),
    Failure("pairs of indices", """
        x, i, j = torch.zeros(4, 3), torch.tensor([0, 1, 2]), torch.tensor([0, 1])
        x[i, j]
        """, ("i (shape 3) and j (shape 2)",), "tensor([0, 1])", "tensor([0, 1, 2])", "one shape"),
    Failure("a column that is not there", """
        x, i = torch.zeros(2, 3), torch.tensor([0, 3])
        x[:, i]
        """, ("takes element 3 along a dimension of size 3",), "3])", "2])", "from 0 to 2"),
    Failure("a mask for the columns", """
        x = torch.ones(3, 4)
        x[:, torch.ones(3) > 0]
        """, ("along dimension 1", "has 3"), "ones(3) > 0", "ones(4) > 0", "must have the shape 4"),
    Failure("a mask for the rows", """
        x = torch.ones(3, 4)
        x[torch.ones(2) > 0]
        """, ("it has 2",), "ones(2)", "ones(3)", "its first dimensions"),
    Failure("what a mask takes", """
        x = torch.zeros(2, 3)
        x[x == 0] = torch.ones(4)
        """, ("`x[x == 0]` has shape 6", "shape 4"), "ones(4)", "ones(6)", "shape 6"),
    Failure("a column to fill that is not there", """
        x, i = torch.ones(2, 3), torch.tensor([3])
        x.index_fill_(1, i, 0.0)
        """, ("i (shape 1), which holds 3",), "[3]", "[2]", "from 0 to 2"),
    Failure("beyond the end", """
        x = torch.ones(2, 3)
        x.narrow(1, 2, 2)
        """, ("x (shape 2×3)",), "1, 2, 2", "1, 1, 2", "beyond the end"),
    Failure("more than there are", """
        x = torch.ones(2, 3)
        torch.topk(x, 4)
        """, ("x (shape 2×3)",), "(x, 4)", "(x, 3)", "more elements"),
]  # fmt: skip

REFUSED = [
    Failure("scores for probabilities", """
        p, y = torch.tensor([0.5, 1.5]), torch.ones(2)
        F.binary_cross_entropy(p, y)
        """, ("p holds 1.5",), "F.binary_cross_entropy", "F.binary_cross_entropy_with_logits"),
    Failure("scores for probabilities, by the module", """
        p, y = torch.tensor([0.5, -1.5]), torch.ones(2)
        nn.BCELoss()(p, y)
        """, ("p holds -1.5",), "nn.BCELoss()", "nn.BCEWithLogitsLoss()"),
    Failure("a class for a probability", """
        p, y = torch.tensor([0.5, 0.5]), torch.tensor([1., 2.])
        nn.BCELoss()(p, y)
        """, ("y holds 2",), "2.]", "0.]", "from 0 to 1"),
    Failure("a gradient in double", """
        w = torch.ones(2, requires_grad=True)
        w.grad = torch.ones(2, dtype=torch.float64)
        """, ("float32, not float64",), "torch.ones(2, dtype=torch.float64)",
        "torch.ones(2, dtype=torch.float64).to(w.dtype)"),
    Failure("a gradient that is a number", """
        w = torch.ones(2, requires_grad=True)
        w.grad = 0
        """, ("not of type int",), "w.grad = 0", "w.grad = None"),
    Failure("a view cut off in place", """
        w = torch.ones(2, requires_grad=True)
        v = (w * 2)[0:1]
        v.detach_()
        """, ("v is a view",), "v.detach_()", "v = v.detach()"),
    Failure("a step of LBFGS", """
        w = torch.ones(2, requires_grad=True)
        def closure():
            opt.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            return loss
        opt = torch.optim.LBFGS([w])
        opt.step()
        """, ("takes a function",), "opt.step()", "opt.step(closure)"),
    Failure("a closure without a result", """
        w = torch.ones(2, requires_grad=True)
        minimizer = torch.optim.LBFGS([w])
        def closure():
            minimizer.zero_grad()
            loss = (w * w).sum()
            loss.backward()
        minimizer.step(closure)
        """, ("returned None",), "loss.backward()", "loss.backward(); return loss", "must return the loss"),
    Failure("a step of a loss", """
        w = torch.ones(2, requires_grad=True)
        sgd = torch.optim.SGD([w], lr=0.1)
        loss = (w * w).sum()
        sgd.step(loss)
        """, ("not by a loss",), "sgd.step(loss)", "loss.backward(); sgd.step()"),
    Failure("a loss without its history", """
        a = torch.ones(2, requires_grad=True)
        loss = (a * 2).sum().data
        loss.backward()
        """, ("uses (a * 2).sum().data",), ".sum().data", ".sum()", "Write (a * 2).sum() alone"),
    Failure("a backward of many, in brackets", """
        a = torch.ones(2, requires_grad=True)
        (a * 2).backward()
        """, ("for instance (a * 2).sum().backward()",), "(a * 2).backward()", "(a * 2).sum().backward()"),
    Failure("a gradient of many", """
        a = torch.ones(2, requires_grad=True)
        torch.autograd.grad(a * 2, a)
        """, ("a * 2 has several elements", "grad_outputs="), "a * 2, a", "(a * 2).sum(), a", "(a * 2).sum()"),
]  # fmt: skip

FAILURES = [*JOINED, *RESHAPED, *COMPUTED, *LAYERS, *PICKED, *REFUSED]

ALIKE = {
    "names for a list": "a, b = [1, 2, 3]",
    "names for what a method gives": "v, i, j = torch.ones(2, 3).max(1)",
    "an index of a tuple": "(1, 2)[2]",
    "an index of a shape that is no tensor's": "np.ones(2).shape[1]",
    "a step that is no optimizer's": """
        class Game:
            def __init__(self): self.step = torch.ones(1)
        game = Game()
        game.step(torch.ones(1))
        """,
    "a function of the learner's": """
        def tensor(x): raise TypeError("not a sequence")
        tensor([1])
        """,
    "raised by hand": 'raise RuntimeError("Tensors must have same number of dimensions: got 2 and 3")',
    "sizes of arrays": "np.ones(2) + np.ones(3)",
    "an assertion of the learner's": 'assert torch.ones(2).shape == (3,), "Size mismatch between tensors"',
}


@pytest.fixture(scope="module")
def failed(record: Forker) -> Recording:
    return record(script([one.code for one in FAILURES]))


@pytest.fixture(scope="module")
def fixed(record: Forker) -> Recording:
    return record(script([textwrap.dedent(one.code).replace(one.old, one.new) for one in FAILURES]))


@pytest.fixture(scope="module")
def alike(record: Forker) -> Recording:
    return record(script(list(ALIKE.values())))


@pytest.mark.parametrize("number", range(len(FAILURES)), ids=[one.name for one in FAILURES])
def test_a_failure_is_explained_and_its_fix_works(failed: Recording, fixed: Recording, number: int) -> None:
    failure = FAILURES[number]
    said = explanation(failed.timeline, by_piece(failed)[number])
    assert said is not None
    for words in (*failure.says, failure.quotes or failure.new):
        assert words in said
    assert said.endswith(".")
    assert failure.old in failure.code
    left = by_piece(fixed).get(number)
    assert left is None, fixed.timeline.event(left)


@pytest.mark.parametrize("number", range(len(ALIKE)), ids=list(ALIKE))
def test_what_looks_alike_is_not_explained(alike: Recording, number: int) -> None:
    assert explanation(alike.timeline, by_piece(alike)[number]) is None


def test_what_meets_is_what_the_failing_operation_was_given(record: Forker) -> None:
    """A product in an operand, or a call around, is not what failed."""
    code = ["""
        a, b, c = torch.ones(2, 3), torch.ones(3, 4), torch.ones(5)
        a @ b + c
        """, """
        a, b, c = torch.ones(2, 3), torch.ones(3, 4), torch.ones(5)
        torch.matmul(a, b) * c
        """, """
        x, w, z = torch.ones(2, 3), torch.ones(4, 3), torch.ones(5, 2)
        F.linear(x, w) @ z
        """, """
        net, x = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(3, 4, 3)), torch.ones(2, 1, 8, 3)
        net(x)
        """, """
        torch.ones(2, 3).scatter_(1, torch.tensor([0, 1]), torch.ones(2))
        """]  # fmt: skip
    recording = record(script(code))
    said = [explanation(recording.timeline, step) or "" for step in by_piece(recording).values()]
    assert "works element by element, and a @ b (shape 2×4) and c (shape 5)" in said[0]
    assert "works element by element, and torch.matmul(a, b) (shape 2×4) and c (shape 5)" in said[1]
    assert "multiplies F.linear(x, w) (shape 2×4) by z (shape 5×2)" in said[2]
    assert "net[2] takes 3 channels" in said[3]
    assert "permute" not in said[3]
    assert "unsqueeze" not in said[4]


def test_the_layer_is_named_only_where_it_is_the_one(record: Forker) -> None:
    """Two layers of one shape: which of them failed is said by its weight, or not at all."""
    twins = record(script(["""
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3))
        net(torch.ones(2, 1, 8, 8))
        """, """
        net = nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3))
        net(torch.ones(5, 2))
        """]))  # fmt: skip
    said = [explanation(twins.timeline, step) for step in by_piece(twins).values()]
    assert "`net(torch.ones(2, 1, 8, 8))` takes 1 channels" in str(said[0])
    assert "net[1] takes 2 numbers" in str(said[1])
