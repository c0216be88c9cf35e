"""What is usual and needs no look at the past: an argument of another kind, a call on what is no tensor."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.given import Operands, enclosed
from tutor.explain.mistakes.scene import Found, Scene, mistake, parsed
from tutor.explain.words import sentences
from tutor.language import tr

# ---------------------------------------------------------------- backward and requires_grad


@mistake("AttributeError", r"^'(?P<kind>NoneType|list|tuple|dict|str)' object has no attribute 'backward'")
def backward_of_no_tensor(scene: Scene, match: re.Match[str]) -> str | None:
    source = scene.called_on("backward")
    if source is None or source.startswith(("'", '"')):
        return None
    if match["kind"] == "NoneType":
        return tr(
            "{name} is None, and backward() is a method of tensors. Does the function that it comes from return the "
            "loss?", name=source,
        )  # fmt: skip
    if match["kind"] in ("list", "tuple"):
        return tr(
            "{name} is a {kind}, and backward() is a method of tensors. Make one loss of them: {fix}.",
            name=source, kind=match["kind"], fix=f"sum({source}).backward()",
        )  # fmt: skip
    return None


@mistake("RuntimeError", r"^you can only change requires_grad flags of leaf variables")
def flag_of_a_result(scene: Scene, _: re.Match[str]) -> str | None:
    name = scene.called_on("requires_grad") or scene.called_on("requires_grad_")
    if name is None:
        return None
    return tr(
        "{name} was computed from tensors that require grad, so it does too. {fix} is the same numbers without the "
        "history.", name=name, fix=f"{enclosed(name)}.detach()",
    )  # fmt: skip


@mistake("RuntimeError", r"^can't retain_grad on Tensor that has requires_grad=False")
@mistake("RuntimeError", r"^cannot register a hook on a tensor that doesn't require gradient")
@mistake("RuntimeError", r"^One of the differentiated Tensors does not require grad")
def needs_no_gradient(scene: Scene, _: re.Match[str]) -> str | None:
    name = scene.called_on("retain_grad") or scene.called_on("register_hook") or _differentiated(scene)
    if name is None:
        return None
    return tr(
        "{name} does not require grad, so no gradient is worked out for it. Write {fix} before it is used.",
        name=name, fix=f"{enclosed(name)}.requires_grad_()",
    )  # fmt: skip


def _differentiated(scene: Scene) -> str | None:
    """What a gradient is asked for by, in `torch.autograd.grad(y, [x])`, and does not require grad."""
    operands = Operands(scene)
    arguments = operands.call()
    wanted = arguments[1] if len(arguments) > 1 else None
    parts = wanted.elts if isinstance(wanted, (ast.List, ast.Tuple)) else [wanted]
    for one in parts:
        tensor = None if one is None else operands.meant_by(one)
        if one is not None and tensor is not None and not tensor.requires_grad:
            return ast.unparse(one)
    return None


@mistake("RuntimeError", r"^Inference tensors cannot be saved for backward")
def inference(scene: Scene, _: re.Match[str]) -> str:
    return tr(
        "`{code}` was given a tensor that was made in torch.inference_mode(): autograd can never use such a one. Make "
        "it under torch.no_grad() instead, or use its clone().", code=scene.code,
    )  # fmt: skip


@mistake("RuntimeError", r"^Only Tensors created explicitly by the user \(graph leaves\) support the deepcopy protocol")
def deep_copy(scene: Scene, _: re.Match[str]) -> Found | str:
    for one in Operands(scene).all():
        if not one.tensor.is_leaf:
            made = scene.maker(one.tensor.tensor)
            by = tr(" ({place})", place=scene.where(made[0])) if made is not None else ""
            said = tr(
                "{name} was computed from other tensors{by}, and a deep copy would have to copy their graph as well. "
                "Copy the numbers alone: {fix}.", name=one.source, by=by, fix=f"{enclosed(one.source)}.detach().clone()",
            )  # fmt: skip
            return Found(said, None if made is None else made[0])
    computed = _computed_inside(scene)
    if computed is not None:
        return tr(
            "What is copied holds {name}, which was computed from other tensors, and a deep copy would have to copy "
            "their graph as well. Keep {fix} there.", name=computed, fix=f"{computed}.detach()",
        )  # fmt: skip
    return tr(
        "What is copied holds a tensor that was computed from others, and a deep copy would have to copy their graph "
        "as well. Keep its detach() there, or copy state_dict() instead."
    )


def _computed_inside(scene: Scene) -> str | None:
    """The tensor with a history that an object among the arguments holds."""
    operands = Operands(scene)
    for argument in operands.call(1):
        source = ast.unparse(argument)
        for name, number in operands.names.items():
            held = scene.state.tensors.get(number)
            if name.startswith((f"{source}.", f"{source}[")) and held is not None and not held.is_leaf:
                return name
    return None


# ---------------------------------------------------------------- one truth value of many


@mistake("RuntimeError", r"^Boolean value of Tensor with (?:more than one|no) values? is ambiguous")
def truth_of_many(scene: Scene, match: re.Match[str]) -> str:
    joins = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.BoolOp)), None)
    begin = tr(
        "`{code}` needs one truth value, and the tensor has one for each element.", code=scene.code
    )  # fmt: skip
    if joins is not None:
        sign = " & " if isinstance(joins.op, ast.And) else " | "
        fix = sign.join(f"({ast.unparse(one)})" for one in joins.values)
        return sentences([begin, tr("Element by element that is `{fix}`.", fix=fix)])
    calls = [node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    if calls and ast.unparse(calls[0].func) in ("max", "min") and len(calls[0].args) == 2:
        kind = {"max": "maximum", "min": "minimum"}[ast.unparse(calls[0].func)]
        fix = f"torch.{kind}({', '.join(map(ast.unparse, calls[0].args))})"
        return sentences([begin, tr("Element by element that is `{fix}`.", fix=fix)])
    compared = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Compare)), None)
    if compared is not None and isinstance(compared.ops[0], (ast.In, ast.NotIn)):
        name, several = ast.unparse(compared.left), ast.unparse(compared.comparators[0])
        fix = f"any({name} is one for one in {several})"
        return sentences([begin, tr("Whether it is one of them, as an object, says `{fix}`.", fix=fix)])
    source = _truth(scene)
    fixes = {"all": f"{enclosed(source)}.all()", "any": f"{enclosed(source)}.any()"}
    return sentences([begin, tr("Say whether all must be true, {all}, or one is enough, {any}.", **fixes)])


def _truth(scene: Scene) -> str:
    """What is asked whether it is true."""
    body = scene.tree.body if isinstance(scene.tree, ast.Module) else []
    first = body[0] if body else None
    if isinstance(first, (ast.If, ast.While, ast.Assert)):
        return ast.unparse(first.test)
    value = first.value if isinstance(first, ast.Expr) else None
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
        return ast.unparse(value.operand)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "bool" and value.args:
        return ast.unparse(value.args[0])
    return scene.code if value is None else ast.unparse(value)


# ---------------------------------------------------------------- optimizers and modules


@mistake("TypeError", r"^params argument given to the optimizer should be an iterable of Tensors or dicts, but got")
def optimizer_of_one(scene: Scene, _: re.Match[str]) -> str | None:
    given = Operands(scene).call(1)
    if not given:
        return None
    name = ast.unparse(given[0])
    return tr("An optimizer is given a list of tensors; {name} is a tensor: write [{name}].", name=name)


@mistake("TypeError", r"^'(?P<kind>\w+)' object is not iterable")
def optimizer_of_a_module(scene: Scene, match: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    if call is None or "optim" not in ast.unparse(call.func).lower():
        return None
    name = ast.unparse(call.args[0])
    if match["kind"] == "method" and name.endswith(".parameters"):
        return tr("{name} is the method; with parentheses it gives the parameters: {name}().", name=name)
    if any(one.startswith((f"{name}.", f"{name}[")) for one in Operands(scene).names):
        return tr("An optimizer is given the parameters of a module, not the module: {name}.parameters().", name=name)
    return None


@mistake("AttributeError", r"^cannot assign (?:module|parameters?) before Module\.__init__\(\) call")
def without_init(scene: Scene, _: re.Match[str]) -> str:
    return tr(
        "A module takes parameters and layers only after nn.Module has been initialised: the first line of __init__ "
        "is super().__init__()."
    )


@mistake("NotImplementedError", r"^Module \[(?P<name>\w+)\] is missing the required \"forward\" function")
def without_forward(scene: Scene, match: re.Match[str]) -> str:
    return tr(
        "{name} has no method forward, which is what runs when the module is called. Is it there, spelled so, and "
        "indented as deep as __init__?", name=match["name"],
    )  # fmt: skip


@mistake("TypeError", r"^list is not a Module subclass")
def list_of_layers(scene: Scene, _: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    if call is None or not ast.unparse(call.func).endswith("Sequential"):
        return None
    name = ast.unparse(call.args[0])
    layers = name[1:-1] if isinstance(call.args[0], ast.List) else f"*{name}"
    return tr(
        "nn.Sequential takes the layers one by one, not a list of them: {fix}.",
        fix=f"{ast.unparse(call.func)}({layers})",
    )  # fmt: skip


@mistake("TypeError", r"^\w+\(\): argument 'input' \(position 1\) must be Tensor, not tuple")
def output_and_state(scene: Scene, _: re.Match[str]) -> str:
    return tr(
        "`{code}` hands on a tuple where a tensor is taken. nn.LSTM, nn.GRU and nn.RNN give two things, the outputs "
        "and the state: out, state = rnn(x), and out goes on.", code=scene.code,
    )  # fmt: skip


@mistake("TypeError", r"^cannot assign '[\w.]+' as parameter '(?P<name>\w+)'")
def no_parameter(scene: Scene, match: re.Match[str]) -> str:
    assignment = next((node for node in parsed(scene.statement).body if isinstance(node, ast.Assign)), None)
    fix = "nn.Parameter(…)" if assignment is None else (
        f"{ast.unparse(assignment.targets[0])} = nn.Parameter({ast.unparse(assignment.value)})"
    )  # fmt: skip
    return tr(
        "{name} is a parameter of the module, and a plain tensor cannot take its place: `{fix}`. To keep the parameter "
        "that the optimizer knows, change its numbers inside `with torch.no_grad():`, by copy_().",
        name=match["name"], fix=fix,
    )  # fmt: skip


@mistake("ValueError", r"^Expected more than 1 value per channel when training, got input size")
def batch_of_one(scene: Scene, _: re.Match[str]) -> str:
    return tr(
        "While it trains, `{code}` works out the mean and the variance of each channel over the batch, and this batch "
        "has a single value. Train with more samples (DataLoader(…, drop_last=True)); to predict, call eval() first.",
        code=scene.code,
    )  # fmt: skip


# ---------------------------------------------------------------- state_dict


@mistake("RuntimeError", r"^Error\(s\) in loading state_dict for (?P<module>\w+):")
def state_dict(scene: Scene, match: re.Match[str]) -> str:
    wrong = re.findall(
        r"size mismatch for (\S+): copying a param with shape torch\.Size\((.*?)\) from checkpoint, the shape in "
        r"current model is torch\.Size\((.*?)\)", match.string,
    )  # fmt: skip
    missing, unexpected = (_keys(match.string, word) for word in ("Missing", "Unexpected"))
    said = []
    if wrong:
        name, held, own = wrong[0]
        said.append(tr("{name} has shape {held} in what is loaded and {own} in the module, which must have been made "
                       "with the same sizes.", name=name, held=held, own=own))  # fmt: skip
    prefix = _prefix(missing, unexpected)
    if prefix is not None and unexpected:
        said.append(tr(
            "The keys of what is loaded begin with {prefix}, those of the module do not: it was saved from a module "
            "around this one. Take it off: `{fix}`.", prefix=f"\"{prefix}\"", fix=_without(scene, prefix),
        ))  # fmt: skip
    elif missing or unexpected:
        keys = {"missing": ", ".join(missing[:3]) or tr("none"), "unexpected": ", ".join(unexpected[:3]) or tr("none")}
        said.append(tr(
            "A state_dict fits a module with the same names only. The module needs and does not find: {missing}; what "
            "is loaded has besides: {unexpected}. With strict=False both are passed over.", **keys,
        ))  # fmt: skip
    return sentences(said)


def _keys(message: str, word: str) -> list[str]:
    found = re.search(rf"{word} key\(s\) in state_dict: (.*?)\. ?(?:\n|$)", message)
    return re.findall(r'"([^"]+)"', found[1]) if found is not None else []


def _prefix(missing: list[str], unexpected: list[str]) -> str | None:
    """What all unexpected keys begin with, if they are the missing ones behind it."""
    for key in missing[:1]:
        for other in unexpected:
            if other.endswith(f".{key}"):
                prefix = other[: -len(key)]
                return prefix if [prefix + one for one in missing] == unexpected else None
    return None


def _without(scene: Scene, prefix: str) -> str:
    given = next((ast.unparse(node.args[0]) for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), "state")
    return f'{{key.removeprefix("{prefix}"): value for key, value in {enclosed(given)}.items()}}'


@mistake("ValueError", r"^loaded state dict (?:contains a parameter group that doesn't match|has a different number of parameter groups)")
def optimizer_state(scene: Scene, _: re.Match[str]) -> str:
    return tr(
        "What is loaded is of an optimizer with another number of parameters. Make the optimizer over the same "
        "parameters, in the same groups, as the one that was saved."
    )


# ---------------------------------------------------------------- sizes of a gradient


@mistake("RuntimeError", r"^attempting to assign a gradient of size '\[(?P<given>.*?)\]' to a tensor of size '\[(?P<own>.*?)\]'")
def gradient_of_another_size(scene: Scene, match: re.Match[str]) -> str:
    return tr(
        "A gradient has a number for each element of its tensor, so it has its shape: [{own}], not [{given}].",
        own=match["own"], given=match["given"],
    )  # fmt: skip


@mistake("RuntimeError", r"^output with shape \[(?P<own>.*?)\] doesn't match the broadcast shape \[(?P<wide>.*?)\]")
def grows_in_place(scene: Scene, match: re.Match[str]) -> str:
    begin = tr(
        "`{code}` writes a result of shape [{wide}] into a tensor of shape [{own}], which cannot grow.",
        code=scene.code, wide=match["wide"], own=match["own"],
    )  # fmt: skip
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.AugAssign):
            target = ast.unparse(node.target)
            fix = f"{target} = {ast.unparse(ast.BinOp(ast.Name(target), node.op, node.value))}"
            return sentences([begin, tr("Make a new tensor instead: `{code}`.", code=fix)])
    return begin
