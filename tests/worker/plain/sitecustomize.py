"""Python imports this before a script that is run plainly, and learns here what the script's names hold at its end.

It knows nothing of the recorder: it is the second way to the same figures. `PLAIN_OUT` names the file to write, as
JSON; with `PLAIN_PASSES` set, what the engine does in backward passes is told too, by hooks that are put on the
graph's nodes before each pass; with `PLAIN_LINES` what all names hold each time that a line is about to run.
"""

from __future__ import annotations

import atexit
import json
import keyword
import math
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

OUT = os.environ.pop("PLAIN_OUT", None)
PASSES = os.environ.pop("PLAIN_PASSES", None)
LINES = os.environ.pop("PLAIN_LINES", None)
SCALARS = (int, float, str, bool, type(None), bytes, complex)


def value(thing: Any) -> Any:
    """As the command line's JSON has it."""
    if isinstance(thing, list | tuple):
        return [value(item) for item in thing]
    if isinstance(thing, complex):
        return [value(thing.real), value(thing.imag)]
    if isinstance(thing, float) and not math.isfinite(thing):
        return "nan" if math.isnan(thing) else "inf" if thing > 0 else "-inf"
    return thing


def elements(tensor: Any) -> Any:
    """Nested lists; a string for what has too many elements, or none that could be listed."""
    import torch

    if tensor.is_nested or tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
        return "no list"
    if torch.nn.parameter.is_lazy(tensor):
        return "no list"
    if tensor.numel() > 1000:
        return "large"
    inside, batched = torch._C._functorch.is_functorch_wrapped_tensor, torch._C._functorch.is_batchedtensor
    below = tensor
    while inside(below):
        if batched(below):
            raise RuntimeError("in vmap it stands for several")
        below = torch._C._functorch.get_unwrapped(below)
    with torch._C._DisableFuncTorch():  # torch 2.9 and older list no elements in transforms
        return value(below.detach().clone().resolve_conj().resolve_neg().cpu().tolist())


def statistics(tensor: Any) -> dict[str, Any]:
    import torch

    numbers = tensor.detach().double().flatten()
    finite = numbers[torch.isfinite(numbers)]
    return {
        "min": finite.min().item(), "max": finite.max().item(), "mean": finite.mean().item(),
        "std": finite.std().item(), "nan": int(torch.isnan(numbers).sum()), "inf": int(torch.isinf(numbers).sum()),
        "zero": int((numbers == 0).sum()),
    }  # fmt: skip


def told(tensor: Any) -> dict[str, Any]:
    import torch

    strided = tensor.layout == torch.strided and not tensor.is_nested
    try:
        leaf, node = tensor.is_leaf, tensor.grad_fn
    except RuntimeError:  # torch refuses to tell of a view whose base was changed since
        leaf = node = None
    grad = tensor.grad if leaf or tensor.retains_grad else None
    shown = elements(tensor)
    return {
        "value": shown,
        "stats": statistics(tensor) if shown == "large" and not tensor.dtype.is_complex else None,
        "shape": [] if tensor.is_nested else list(tensor.shape),
        "strides": list(tensor.stride()) if strided else None,
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "device": str(tensor.device),
        "layout": str(tensor.layout).removeprefix("torch."),
        "class_name": type(tensor).__name__,
        "requires_grad": tensor.requires_grad,
        "is_leaf": leaf,
        "grad_fn": None if node is None else type(node).__name__,
        "retains_grad": tensor.retains_grad,
        "version": None if tensor.is_inference() else tensor._version,
        "grad": None if grad is None else elements(grad),
        "storage": tensor.untyped_storage()._cdata if strided else None,
    }


def inside(thing: Any, prefix: str, level: int, objects: int) -> Iterator[tuple[str, Any]]:
    """Two levels of lists, tuples and dicts of up to 20 items; modules by path; own objects' attributes, one level."""
    import torch

    kind = type(thing)
    own = kind.__module__ in OWN
    if issubclass(kind, torch.Tensor):
        yield prefix, thing
    elif issubclass(kind, torch.nn.Module):
        if "_parameters" not in vars(thing):
            return  # its own __init__ has not called that of Module yet
        for path, tensor in [*thing.named_parameters(), *thing.named_buffers()]:
            yield prefix + typed(thing, path.split(".")), tensor
        for name, item in vars(thing).items() if own else ():
            if not name.startswith("_"):
                yield from inside(item, f"{prefix}.{name}", max(level, 1), 1)
    elif issubclass(kind, list | tuple) and level < 2:
        for number, item in enumerate(list(thing)[:20]):
            yield from inside(item, f"{prefix}[{number}]", level + 1, objects)
    elif issubclass(kind, dict) and level < 2:
        for key, item in list(thing.items())[:20]:
            if all(type(part) in SCALARS for part in (key if type(key) is tuple else (key,))):
                yield from inside(item, f"{prefix}[{key!r}]", level + 1, objects)
    elif own and objects == 0 and not issubclass(kind, type):
        slots = {name for one in kind.__mro__ for name in vars(one).get("__slots__", ())}
        for name in [*getattr(thing, "__dict__", {}), *slots]:
            if hasattr(thing, name):
                yield from inside(getattr(thing, name), f"{prefix}.{name}", max(level, 1), 1)


def typed(module: Any, path: list[str]) -> str:
    """What one would type for a path in a module: `.fc1.weight`, `[0].weight`, `.out.weight`, `['no name'].weight`."""
    from torch import nn

    text = ""
    for step in path:
        keyed = isinstance(module, nn.ModuleDict | nn.ParameterDict)
        keyed = keyed and (hasattr(type(module), step) or not step.isidentifier() or keyword.iskeyword(step))
        text += f"[{step!r}]" if keyed else f"[{step}]" if step.isdigit() else f".{step}"
        module = getattr(module, step)
    return text


OWN = {"__main__"}


def at_end(process: int, passes: list[Any], lines: list[Any]) -> None:
    sys.settrace(None)
    sys.stdout, printed = open(os.devnull, "w"), sys.stdout  # noqa: SIM115 - some objects tell that they are looked at
    if os.getpid() != process or "torch" not in sys.modules:
        return
    import warnings

    OWN.update(name for name, module in sys.modules.items() if is_own(module))
    names = {name: thing for name, thing in vars(sys.modules["__main__"]).items() if not name.startswith("__")}
    tensors: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, thing in names.items():
            tensors.update((path, told(tensor)) for path, tensor in inside(thing, name, 0, 0))
    plain = {name: value(thing) for name, thing in names.items() if type(thing) in (int, float, bool, str, type(None))}
    with open(str(OUT), "w", encoding="utf-8") as file:
        json.dump({"tensors": tensors, "values": plain, "passes": passes, "lines": lines}, file)
    sys.stdout = printed


def is_own(module: Any) -> bool:
    place = getattr(module, "__file__", None)
    return place is not None and os.path.dirname(os.path.abspath(place)) == os.path.dirname(
        os.path.abspath(sys.argv[0])
    )


# ---------------------------------------------------------------- what the engine does


def watch_passes(told: list[Any]) -> None:
    """Puts hooks on all nodes before each pass, and takes them off after it."""
    import torch

    def walk(roots: Any) -> list[Any]:
        found: dict[Any, None] = {}
        tensors = [root for root in roots if isinstance(root, torch.Tensor) and root.requires_grad]
        waiting = [root.grad_fn or gradient_writer(root) for root in tensors]
        waiting += [root.node for root in roots if not isinstance(root, torch.Tensor)]
        while waiting:
            node = waiting.pop()
            if node is not None and node not in found:
                found[node] = None
                waiting += [source for source, _ in node.next_functions]
        return list(found)

    def gradient_writer(leaf: Any) -> Any:
        with torch.enable_grad():
            return leaf.view_as(leaf).grad_fn.next_functions[0][0]

    def hook_of(node: Any) -> Callable[[Any, Any], None]:
        name = type(node).__name__

        def ran(grad_inputs: Any, grad_outputs: Any) -> None:
            if name == "AccumulateGrad":
                entry = written.pop(id(node.variable), None)
                if entry is None:
                    told.append(["accumulate", shown(grad_outputs[0]), shown(node.variable.grad)])
                else:
                    entry[1] = shown(grad_outputs[0])
            else:
                told.append(["node", name, [shown(g) for g in grad_outputs], [shown(g) for g in grad_inputs]])

        return ran

    def shown(gradient: Any) -> Any:
        if gradient is None:
            return None
        try:
            return elements(gradient)
        except RuntimeError:  # vmap's: it stands for several
            return "no list"

    def watched(original: Callable[..., Any], roots_are: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return original(*args, **kwargs)  # in which order it would be told is not sure
            outputs = args[0] if args else kwargs[roots_are]
            one = isinstance(outputs, torch.Tensor | torch.autograd.graph.GradientEdge)
            roots = [outputs] if one else list(outputs)
            told.append(["backward", [shown(root) for root in roots if isinstance(root, torch.Tensor)]])
            handles = [node.register_hook(hook_of(node)) for node in walk(roots)]
            try:
                result = original(*args, **kwargs)
                if original is grad:
                    told.extend(["captured", shown(one)] for one in result)
                return result
            finally:
                told.append(["end"])
                for handle in handles:
                    handle.remove()

        return call

    def register(tensor: Any, hook: Callable[[Any], Any]) -> Any:
        def ran(gradient: Any) -> Any:
            before = shown(gradient)
            result = hook(gradient)
            told.append(["hook", before, shown(gradient if result is None else result)])
            return result

        return original_register(tensor, ran)

    def register_after(leaf: Any, hook: Callable[[Any], Any]) -> Any:
        def ran(parameter: Any) -> Any:
            before = shown(parameter.grad)
            if id(parameter) not in written:  # the first of several; what came in is told by the node
                written[id(parameter)] = ["accumulate", None, before]
                told.append(written[id(parameter)])
            result = hook(parameter)
            told.append(["hook", before, shown(parameter.grad)])
            return result

        return original_register_after(leaf, ran)

    written: dict[int, list[Any]] = {}
    grad = torch.autograd.grad
    original_register: Callable[..., Any] = torch.Tensor.register_hook
    original_register_after: Callable[..., Any] = torch.Tensor.register_post_accumulate_grad_hook
    torch.autograd.backward = watched(torch.autograd.backward, "tensors")
    torch.autograd.grad = watched(grad, "outputs")
    torch.Tensor.register_hook = register  # type: ignore[method-assign]
    torch.Tensor.register_post_accumulate_grad_hook = register_after  # type: ignore[method-assign]


def watch_lines(seen: list[Any]) -> None:
    """Tells what a frame's names hold at each line of the script."""

    def short(tensor: Any) -> Any:
        """What torch tells of a tensor; None where it refuses to."""
        leaf = allowed(lambda: tensor.is_leaf)
        retains = allowed(lambda: tensor.retains_grad)
        grad = tensor.grad if leaf or retains else None
        grad_fn = allowed(lambda: tensor.grad_fn)
        return {
            "value": listed(tensor),
            "grad": None if grad is None else listed(grad),
            "requires_grad": allowed(lambda: tensor.requires_grad),
            "is_leaf": leaf,
            "grad_fn": None if grad_fn is None else type(grad_fn).__name__,
            "version": allowed(lambda: tensor._version),
            "shape": allowed(lambda: list(tensor.shape)) or [],
            "dtype": str(tensor.dtype).removeprefix("torch."),
        }

    def listed(tensor: Any) -> Any:
        try:
            return elements(tensor)
        except RuntimeError:  # vmap's: it stands for several
            return "no list"

    def allowed(ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except RuntimeError:  # of a view made under no_grad, an inference tensor, a nested or a lazy one
            return None

    def line(frame: Any, event: str, argument: Any) -> Any:
        if event == "line":
            try:
                note(frame)
            except BaseException:  # or Python would stop tracing without a word
                traceback.print_exc()
                os._exit(70)
        return line

    def note(frame: Any) -> None:
        held: dict[str, Any] = {}
        for name, thing in list(frame.f_locals.items()):
            if not name.startswith(("__", ".")):
                held.update((path, short(tensor)) for path, tensor in inside(thing, name, 0, 0))
        code = frame.f_code
        seen.append([code.co_name, frame.f_lineno, held, code.co_freevars])

    def call(frame: Any, event: str, argument: Any) -> Any:
        return line if frame.f_code.co_filename == script else None

    script = os.path.abspath(str(LINES))
    sys.settrace(call)


if OUT is not None:
    engine: list[Any] = []
    lines: list[Any] = []
    if PASSES:
        watch_passes(engine)
    if LINES:
        watch_lines(lines)
    atexit.register(at_end, os.getpid(), engine, lines)
