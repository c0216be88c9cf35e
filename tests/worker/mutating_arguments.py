"""Finds arguments for the operations of torch whose schema says that an argument is written to.

`python -m tests.worker.mutating_arguments` reads names of overloads (`aten::add_.Tensor`), one a line, and writes a
line of JSON for each. Arguments are drawn from the types and names in the schema until a call is accepted and changes
something; the draws are the same each time. A wrong argument can end the process: whoever started it leaves that
overload out and goes on with the next (`arguments_for`).
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.worker.mutating_hints import HINTS, NO_KERNEL, without_arguments

TRIALS = 600
"""So many times arguments are drawn for an overload before it is given up."""
REMEMBERED = Path(__file__).with_name("mutating_draws.json")
"""By overload: the draw and the trial that gave arguments, or why there are none, so that they need not be searched for
again. `python -m tests.worker.mutating_arguments --remember` adds what is missing."""
FILL = 7
"""What `out` holds before the call."""
DRAWS = 4
"""So many other draws there are for one that ended the process."""


def mutating_schemas() -> dict[str, Any]:
    """By name: each schema with a tensor, or list of tensors, that is written to."""
    import torch

    found = {}
    for schema in torch._C._jit_get_all_schemas():
        if any(is_written(argument) and str(argument.type) in _TENSORS for argument in schema.arguments):
            found[f"{schema.name}.{schema.overload_name}".rstrip(".")] = schema
    return found


_TENSORS = ("Tensor", "List[Tensor]", "Optional[Tensor]")


def is_written(argument: Any) -> bool:
    return argument.alias_info is not None and bool(argument.alias_info.is_write)


def overload_of(schema: Any) -> Any:
    """What one calls: `torch.ops.aten.add_.Tensor`."""
    import torch

    namespace, name = schema.name.split("::")
    return getattr(getattr(getattr(torch.ops, namespace), name), schema.overload_name or "default")


def arguments_for(names: list[str]) -> dict[str, Any]:
    """For each overload: its arguments as source text (see `Drawn.told`), or a text that says why there are none."""
    found: dict[str, Any] = {}
    draws = 0
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        while len(found) < len(names):
            process = subprocess.run(
                [sys.executable, "-P", "-m", "tests.worker.mutating_arguments", str(draws)],
                input="\n".join(names[len(found) :]), capture_output=True, text=True, check=False, cwd=folder,
                env={**os.environ, "PYTHONPATH": str(root)},
            )  # fmt: skip
            for line in process.stdout.splitlines():
                name, told = json.loads(line)
                found[name] = told
                draws = 0
            if process.returncode == 0:
                break
            if process.returncode > 0:
                raise RuntimeError(process.stderr)
            draws += 1
            if draws == DRAWS:
                found[names[len(found)]] = f"the process died of signal {-process.returncode}"
                draws = 0
    return found


# ---------------------------------------------------------------- drawing

SHAPES: list[tuple[int, ...]] = [(4,), (3, 3), (2, 3), (2, 3, 4), (2, 2, 4, 4), (1, 2, 3, 4, 4), (3, 3, 3), ()]
DTYPES = ["float32", "float32", "float32", "int64", "bool", "complex64", "float64", "uint8", "int32", "float16"]
OUT_DTYPES = ["float32", "int64", "bool", "float64", "complex64", "int32", "uint8"]
LAYOUTS = ["strided"] * 8 + ["sparse", "quantized", "csr"]
INDEX = ("index", "indices", "offset", "target", "length", "sorted", "mapping", "bucket", "ids", "crow", "col", "perm")
VECTORS = ("weight", "bias", "running", "mean", "var", "rstd", "invstd", "scale", "zero_point", "sum", "count")
ONE = ("found_inf", "inv_scale", "grad_scale", "growth_tracker", "current_scale", "observer_on", "fake_quant_on", "lr")
WORDS = [
    "sum",
    "mean",
    "amax",
    "prod",
    "add",
    "none",
    "trunc",
    "floor",
    "reflect",
    "right",
    "linear",
    "A",
    "left",
    "ij",
]


class Drawn:
    """Arguments of one overload, drawn once."""

    def __init__(self, schema: Any, trial: int, draw: int) -> None:
        name = f"{schema.name}.{schema.overload_name}".rstrip(".")
        self.hints = dict(hint.split("=", 1) for hint in HINTS.get(name, "").split(" ") if hint)
        self.random = random.Random(f"{schema.name}.{schema.overload_name}:{trial}:{draw}")
        self.shape = self.random.choice(SHAPES[: 3 + trial // 20])
        self.dtype = self.random.choice(DTYPES[: 3 + trial // 20])
        self.layout = self.random.choice(LAYOUTS) if trial > 60 else "strided"
        self.tensors: dict[str, str] = {}
        """What makes each tensor, in source text."""
        self.given: list[tuple[str, str, bool]] = []
        """Of each argument: its name, its text, and whether it is given by keyword."""
        self.out: list[str] = []
        """The names of what is given as `out`."""
        self.written: list[str] = []
        for argument in schema.arguments:
            self._draw(argument)

    def told(self) -> dict[str, Any]:
        return {"tensors": self.tensors, "given": self.given, "out": self.out, "written": self.written}

    def _draw(self, argument: Any) -> None:
        kind, name = str(argument.type), argument.name
        written = is_written(argument)
        hint = self.hints.get(name)
        if argument.kwarg_only and written:
            if kind == "Tensor":
                dtype = hint or self.random.choice([self.dtype, self.dtype, *OUT_DTYPES])
                whole = dtype if dtype.startswith("torch.") else f"torch.tensor([], dtype=torch.{dtype})"
                text = self._tensor("out", whole)
                self.out.append(name)
            elif kind == "List[Tensor]":
                empty = f"torch.tensor([], dtype=torch.{self.dtype})"
                text = "[" + ", ".join(self._tensor("out", empty) for _ in range(2)) + "]"
                self.out.append(name)
            else:
                text = "None"
        elif hint is not None:
            text = self._hinted(name, hint)
        elif argument.has_default_value() and not written and self.random.random() < 0.8:
            return
        elif kind.startswith("Optional[") and not written and self.random.random() < 0.5:
            text = "None"
        else:
            text = self._value(
                kind.removeprefix("Optional[").removesuffix("]") if kind.startswith("Opt") else kind, argument
            )
        if written:
            self.written += [part for part in text.strip("[]").split(", ") if part in self.tensors]
        self.given.append((name, text, argument.kwarg_only))

    def _hinted(self, name: str, hint: str) -> str:
        if re.fullmatch(r"\[[fil][\dx]*,[fil][\dx]*\]", hint):
            return "[" + ", ".join(self._hinted(name, part) for part in hint[1:-1].split(",")) + "]"
        short = re.fullmatch(r"([fil])((?:\d+x)*\d*)", hint)
        if short is not None:
            shape = tuple(int(size) for size in short[2].split("x") if size)
            hint = self._literal(shape, {"f": "float32", "l": "int64", "i": "int32"}[short[1]])
        return (
            self._tensor(name, hint)
            if hint.startswith("torch.") and "storage" not in hint and name != "dtype"
            else hint
        )

    def _value(self, kind: str, argument: Any) -> str:
        choose, name = self.random.choice, argument.name
        if kind == "Tensor":
            return self._tensor(name, self._make(name))
        if kind in ("List[Tensor]", "List[Optional[Tensor]]"):
            count = 2 if self.random.random() < 0.9 else 1
            return "[" + ", ".join(self._tensor(name, self._make(name)) for _ in range(count)) + "]"
        if kind in ("number", "Scalar"):
            return choose(["2", "0.5", "1", "0", "3"])
        if kind == "float":
            return choose(["0.5", "0.1", "1.0", "2.0"])
        if kind == "bool":
            return choose(["False", "True"])
        if kind == "str":
            return repr(choose(WORDS))
        if kind in ("Device",):
            return "'cpu'"
        if kind in ("List[float]", "List[number]", "List[Scalar]"):
            return repr([choose([0.5, 1.0, 2.0]) for _ in range(choose([1, 2, 2, 3]))])
        if kind == "List[bool]":
            return repr([choose([True, False]) for _ in range(argument.N or choose([1, 2, 3]))])
        if kind == "List[int]":
            return self._numbers(name, argument.N)
        if kind == "int":
            return self._number(name)
        return "None"

    def _number(self, name: str) -> str:
        if name in ("dtype", "layout", "memory_format"):
            return {"dtype": f"torch.{self.dtype}", "layout": "torch.strided"}.get(name, "torch.contiguous_format")
        if "dim" in name or name == "axis":
            return self.random.choice(["0", "0", "-1", "1", "2"])
        return self.random.choice(["0", "1", "2", "3", "1", "2", "4"])

    def _numbers(self, name: str, fixed: int | None) -> str:
        choose = self.random.choice
        if "size" in name and "kernel" not in name and self.random.random() < 0.6:
            return repr(list(self.shape) if self.random.random() < 0.7 else [2] * choose([1, 2, 3]))
        count = (
            fixed
            if fixed and fixed > 1
            else choose([1, 2, 3, max(len(self.shape) - 2, 1), len(self.shape), 2 * len(self.shape)])
        )
        if "dim" in name or name in ("dims", "axis"):
            return repr(choose([[0], [1], [-1], [0, 1], [1, 0], list(range(len(self.shape)))[::-1]]))
        number = 0 if "padding" in name else 1 if name in ("stride", "dilation") else choose([0, 1, 2, 2, 3])
        return repr([number] * count)

    # ------------------------------------------------------------ tensors

    def _tensor(self, name: str, text: str) -> str:
        name = {"self": "x", "out": "out"}.get(name, name)
        count = 1
        while (unique := name if count == 1 and name != "lambda" else f"{name}{count}") in self.tensors:
            count += 1
        self.tensors[unique] = text
        return unique

    def _make(self, name: str) -> str:
        chance = self.random.random()
        shape, dtype = self.shape, self.dtype
        if name in ONE and chance < 0.8:
            return self._literal((1,) if self.random.random() < 0.5 else (), self.random.choice(["float32", "int32"]))
        if name == "state_steps" and chance < 0.9:
            return self._literal((), "float32")
        if "max_exp" in name or name in (
            "grads",
            "exp_avgs",
            "exp_avg_sqs",
            "momentum_buffer_list",
            "state_sums",
            "params",
        ):
            return self._literal(shape, dtype)
        if any(part in name for part in INDEX) and chance < 0.8:
            dtype = self.random.choice(["int64", "int64", "int32"])
            shape = self.random.choice([shape, shape, shape[:1] or (2,), (2,)])
        elif name in ("mask", "condition") and chance < 0.9:
            dtype = "bool"
        elif any(part in name for part in VECTORS) and chance < 0.7:
            channels = shape[1] if len(shape) > 1 else 3
            shape = self.random.choice(
                [(channels,), shape, shape[-1:], (1,), (channels, channels, *(2,) * (len(shape) - 2))]
            )
        elif chance > 0.85:
            shape = self.random.choice([(), shape[-1:], shape[::-1], shape[1:], (2, *shape), (3,), (2, 3)])
        elif chance > 0.8:
            dtype = self.random.choice(["bool", "int64", "float32", "float64", "uint8"])
        literal = self._literal(shape, dtype)
        if self.layout == "sparse" and self.random.random() < 0.6:
            return literal + ".to_sparse()"
        if self.layout == "csr" and len(shape) == 2 and self.random.random() < 0.6:
            return literal + ".to_sparse_csr()"
        if self.layout == "quantized" and dtype == "float32" and self.random.random() < 0.6:
            return f"torch.quantize_per_tensor({literal}, 0.1, 0, torch.quint8)"
        return literal

    def _literal(self, shape: tuple[int, ...], dtype: str) -> str:
        whole = dtype in ("int64", "uint8", "int32", "bool")

        def elements(sizes: tuple[int, ...], at: tuple[int, ...]) -> str:
            if not sizes:
                low = self.random.randrange(2 if dtype == "bool" or 2 in shape else 3)
                number = low if whole else round(self.random.uniform(0.1, 0.9), 2)
                if not whole and len(shape) >= 2 and at[-1] == at[-2]:
                    number += 2  # a matrix that has an inverse
                return str(bool(number)) if dtype == "bool" else str(number)
            return "[" + ", ".join(elements(sizes[1:], (*at, place)) for place in range(sizes[0])) + "]"

        return f"torch.tensor({elements(shape, ())}, dtype=torch.{dtype})"


# ---------------------------------------------------------------- trying


def search(schema: Any, draw: int, trials: range) -> dict[str, Any] | str:
    """The first arguments that are accepted and change something, else the first that are accepted."""
    overload = overload_of(schema)
    accepted: dict[str, Any] | None = None
    failure = ""
    accepted_at = missing = 0
    for trial in trials:
        if (accepted and trial > accepted_at + 60) or missing > 20:
            break
        drawn = Drawn(schema, trial, draw)
        try:
            before, after = call(overload, drawn)
            if drawn.out:
                fill_out(drawn, after)
                before, after = call(overload, drawn)
            again = call(overload, drawn, 3)[1]
            if any(differ(after[name], again[name]) for name in drawn.written):
                failure = "what it writes depends on what was in that memory"
                continue
        except Exception as error:
            failure = f"{type(error).__name__}: {error}".split("\n")[0][:200]
            missing += drawn.layout == "strided" and "from the 'CPU' backend" in failure
            continue
        if any(differ(before[name], after[name]) for name in drawn.written):
            return drawn.told() | {"draw": draw, "trial": trial}
        if accepted is None:
            accepted, accepted_at = drawn.told() | {"draw": draw, "trial": trial}, trial
    return accepted or failure


def call(overload: Any, drawn: Drawn, fill: int = FILL) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tensors before and after; `out` holds this number before."""
    import torch

    texts = {name: text.replace(f", {FILL}, dtype", f", {fill}, dtype") for name, text in drawn.tensors.items()}
    made = {name: eval(text, {"torch": torch}) for name, text in texts.items()}
    before = {name: tensor.clone() for name, tensor in made.items()}
    values = {name: eval(text, {"torch": torch}, dict(made)) for name, text, _ in drawn.given}
    torch.manual_seed(0)
    positional = [values[name] for name, _, keyword in drawn.given if not keyword]
    names = [argument.name for argument in overload._schema.arguments if not argument.kwarg_only]
    by_name = {name: values[name] for name, _, keyword in drawn.given if keyword}
    # A default between two that are given: from there on by name.
    gap = next(
        (n for n, (name, _, k) in enumerate(drawn.given) if not k and (n >= len(names) or names[n] != name)), None
    )
    if gap is not None:
        by_name |= {name: values[name] for name, _, keyword in drawn.given[gap:] if not keyword}
        positional = positional[:gap]
    overload(*positional, **by_name)
    return before, made


def fill_out(drawn: Drawn, made: dict[str, Any]) -> None:
    """Gives `out` the shape that it needs, so that torch need not."""
    for name in drawn.tensors:
        if name.startswith("out") and name in drawn.written:
            tensor = made[name]
            if str(tensor.layout) == "torch.strided" and tensor.numel():
                drawn.tensors[name] = f"torch.full({tuple(tensor.shape)}, {FILL}, dtype={tensor.dtype})"


def differ(before: Any, after: Any) -> bool:
    import torch

    if before.shape != after.shape or before.layout != after.layout:
        return True
    if before.layout != torch.strided:
        return not torch.equal(before.to_dense(), after.to_dense())
    if before.is_quantized:
        return not torch.equal(before.int_repr(), after.int_repr())
    return repr(before.tolist()) != repr(after.tolist())


def main() -> None:
    import warnings

    warnings.simplefilter("ignore")
    schemas = mutating_schemas()
    remembered = json.loads(REMEMBERED.read_text(encoding="utf-8"))
    for number, name in enumerate(sys.stdin.read().split()):
        draw, told = 0 if number else int(sys.argv[1]), remembered.get(name)
        if isinstance(told, list):
            told = None if draw else search(schemas[name], told[0], range(told[1], told[1] + 1))
        if told is None or (isinstance(told, str) and name not in remembered):
            told = search(schemas[name], draw, range(TRIALS))
        print(json.dumps([name, told]), flush=True)


def remember() -> None:
    """Searches for what is not written down yet, and writes down where it was found, or why it was not."""
    written: dict[str, Any] = {}
    for name, told in arguments_for(sorted(mutating_schemas())).items():
        if isinstance(told, dict):
            written[name] = [told["draw"], told["trial"]]
        elif without_arguments(name, told):
            written[name] = NO_KERNEL if without_arguments(name, told) == NO_KERNEL else told
    lines = [f"{json.dumps(name)}: {json.dumps(told)}" for name, told in written.items()]
    REMEMBERED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    remember() if "--remember" in sys.argv else main()
