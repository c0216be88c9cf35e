"""What is usual and needs no look at the past: an argument of another kind, a call on what is no tensor.

Values and calls that an operation refuses: probabilities outside of 0 to 1, gradients, views, steps of LBFGS.

Numbers where tensors are meant and the other way round; what an optimizer and a layer will not take."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import number, sentences
from tutor.explain.mistakes.context import (
    Diagnosis,
    FailureContext,
    Operands,
    call_argument,
    failing_call,
    function_name,
    mistake,
    parenthesize,
    parse_code,
    resolve_operands,
)
from tutor.explain.mistakes.dtypes_and_devices import parse_dtype
from tutor.explain.mistakes.lost_history import by_name
from tutor.explain.rules.arrays import count
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _
from tutor.trace.values import elements

# ---------------------------------------------------------------- backward and requires_grad


@mistake("AttributeError", r"^'(?P<kind>NoneType|list|tuple|dict|str)' object has no attribute 'backward'")
def backward_of_no_tensor(scene: FailureContext, match: re.Match[str]) -> str | None:
    source = scene.receiver_of("backward")
    if source is None or source.startswith(("'", '"')):
        return None
    if match["kind"] == "NoneType":
        return _(
            "{name} is None, and backward() is a method of tensors. Does the function that it comes from return the "
            "loss?", name=source,
        )  # fmt: skip
    if match["kind"] in ("list", "tuple"):
        return _(
            "{name} is a {kind}, and backward() is a method of tensors. Make one loss of them: {fix}.",
            name=source, kind=match["kind"], fix=f"sum({source}).backward()",
        )  # fmt: skip
    return None


@mistake("RuntimeError", r"^you can only change requires_grad flags of leaf variables")
def flag_of_a_result(scene: FailureContext, _match: re.Match[str]) -> str | None:
    name = scene.receiver_of("requires_grad") or scene.receiver_of("requires_grad_")
    if name is None:
        return None
    return _(
        "{name} was computed from tensors that require grad, so it does too. {fix} is the same numbers without the "
        "history.", name=name, fix=f"{parenthesize(name)}.detach()",
    )  # fmt: skip


@mistake("RuntimeError", r"^can't retain_grad on Tensor that has requires_grad=False")
@mistake("RuntimeError", r"^cannot register a hook on a tensor that doesn't require gradient")
@mistake("RuntimeError", r"^One of the differentiated Tensors does not require grad")
def needs_no_gradient(scene: FailureContext, _match: re.Match[str]) -> str | None:
    name = scene.receiver_of("retain_grad") or scene.receiver_of("register_hook") or _differentiated(scene)
    if name is None:
        return None
    return _(
        "{name} does not require grad, so no gradient is worked out for it. Write {fix} before it is used.",
        name=name, fix=f"{parenthesize(name)}.requires_grad_()",
    )  # fmt: skip


def _differentiated(scene: FailureContext) -> str | None:
    """What a gradient is asked for by, in `torch.autograd.grad(y, [x])`, and does not require grad."""
    operands = Operands(scene)
    arguments = operands.arguments()
    wanted = arguments[1] if len(arguments) > 1 else None
    parts = wanted.elts if isinstance(wanted, (ast.List, ast.Tuple)) else [wanted]
    for one in parts:
        tensor = None if one is None else operands.resolve(one)
        if one is not None and tensor is not None and not tensor.requires_grad:
            return ast.unparse(one)
    return None


@mistake("RuntimeError", r"^Only Tensors created explicitly by the user \(graph leaves\) support the deepcopy protocol")
def deep_copy(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | str:
    for one in Operands(scene).all():
        if not one.tensor.is_leaf:
            made = scene.producer(one.tensor.tensor)
            by = _(" ({place})", place=scene.place_of(made[0])) if made is not None else ""
            fix = f"{parenthesize(one.source)}.detach().clone()"
            said = _(
                "{name} was computed from other tensors{by}, and a deep copy would have to copy their graph as well. "
                "Copy the numbers alone: {fix}.", name=one.source, by=by, fix=fix,
            )  # fmt: skip
            return Diagnosis(said, None if made is None else made[0])
    computed = _computed_inside(scene)
    if computed is not None:
        return _(
            "What is copied holds {name}, which was computed from other tensors, and a deep copy would have to copy "
            "their graph as well. Keep {fix} there.", name=computed, fix=f"{computed}.detach()",
        )  # fmt: skip
    return _(
        "What is copied holds a tensor that was computed from others, and a deep copy would have to copy their graph "
        "as well. Keep its detach() there, or copy state_dict() instead."
    )


def _computed_inside(scene: FailureContext) -> str | None:
    """The tensor with a history that an object among the arguments holds."""
    operands = Operands(scene)
    for copied in operands.arguments(1):
        source = ast.unparse(copied)
        for name, serial in operands.names.items():
            held = scene.state.tensors.get(serial)
            if name.startswith((f"{source}.", f"{source}[")) and held is not None and not held.is_leaf:
                return name
    return None


# ---------------------------------------------------------------- one truth value of many


@mistake("RuntimeError", r"^Boolean value of Tensor with (?:more than one|no) values? is ambiguous")
def truth_of_many(scene: FailureContext, _match: re.Match[str]) -> str:
    begin = _("`{code}` needs one truth value, and the tensor has one for each element.", code=scene.code)
    body = scene.tree.body if isinstance(scene.tree, ast.Module) else []
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    fix = None if value is None else _element_by_element(value)
    if fix is not None:
        return sentences([begin, _("Element by element it is `{fix}`, and whether that holds for all, `{all}`.",
                                    fix=fix, all=f"({fix}).all()")])  # fmt: skip
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("max", "min") and len(value.args) == 2:
        kind = {"max": "maximum", "min": "minimum"}[ast.unparse(value.func)]
        fix = f"torch.{kind}({', '.join(map(ast.unparse, value.args))})"
        return sentences([begin, _("Element by element it is `{fix}`.", fix=fix)])
    if isinstance(value, ast.Compare) and isinstance(value.ops[0], (ast.In, ast.NotIn)):
        fix = f"any({ast.unparse(value.left)} is item for item in {ast.unparse(value.comparators[0])})"
        return sentences([begin, _("Whether it is one of them, as an object, says `{fix}`.", fix=fix)])
    asked = value.operand if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not) else value
    if isinstance(asked, ast.Call) and ast.unparse(asked.func) == "bool" and asked.args:
        asked = asked.args[0]
    if asked is None or not (isinstance(asked, ast.Compare) or Operands(scene).resolve(asked) is not None):
        return begin
    source = parenthesize(ast.unparse(asked))
    return sentences([begin, _("Say whether all must be true, {all}, or one is enough, {any}.",
                                all=f"{source}.all()", any=f"{source}.any()")])  # fmt: skip


def _element_by_element(value: ast.expr) -> str | None:
    """`(a > 0) & (a < 2)` of `a > 0 and a < 2` and of `0 < a < 2`."""
    if isinstance(value, ast.BoolOp):
        return (" & " if isinstance(value.op, ast.And) else " | ").join(f"({ast.unparse(one)})" for one in value.values)
    if isinstance(value, ast.Compare) and len(value.ops) > 1:
        sides = [value.left, *value.comparators]
        pairs = zip(sides, value.ops, sides[1:], strict=False)
        return " & ".join(f"({ast.unparse(ast.Compare(a, [op], [b]))})" for a, op, b in pairs)
    return None


# ---------------------------------------------------------------- optimizers and modules


@mistake("TypeError", r"^params argument given to the optimizer should be an iterable of Tensors or dicts, but got")
def optimizer_of_one(scene: FailureContext, _match: re.Match[str]) -> str | None:
    given = Operands(scene).arguments(1)
    if not given:
        return None
    name = ast.unparse(given[0])
    return _("An optimizer is given a list of tensors; {name} is a tensor: write [{name}].", name=name)


@mistake("TypeError", r"^'(?P<kind>\w+)' object is not iterable")
def optimizer_of_a_module(scene: FailureContext, match: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    if call is None or "optim" not in ast.unparse(call.func).lower():
        return None
    name = ast.unparse(call.args[0])
    if match["kind"] == "method" and name.endswith(".parameters"):
        return _("{name} is the method; with parentheses it gives the parameters: {name}().", name=name)
    if any(one.startswith((f"{name}.", f"{name}[")) for one in Operands(scene).names):
        return _("An optimizer is given the parameters of a module, not the module: {name}.parameters().", name=name)
    return None


@mistake("AttributeError", r"^cannot assign (?:module|parameters?) before Module\.__init__\(\) call")
def without_init(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "A module takes parameters and layers only after nn.Module has been initialised: the first line of __init__ "
        "is super().__init__()."
    )


@mistake("NotImplementedError", r"^Module \[(?P<name>\w+)\] is missing the required \"forward\" function")
def without_forward(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "{name} has no method forward, which is what runs when the module is called. Is it there, spelled so, and "
        "indented as deep as __init__?", name=match["name"],
    )  # fmt: skip


@mistake("TypeError", r"^list is not a Module subclass")
def list_of_layers(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    if call is None or not ast.unparse(call.func).endswith("Sequential"):
        return None
    name = ast.unparse(call.args[0])
    layers = name[1:-1] if isinstance(call.args[0], ast.List) else f"*{name}"
    return _(
        "nn.Sequential takes the layers one by one, not a list of them: {fix}.",
        fix=f"{ast.unparse(call.func)}({layers})",
    )  # fmt: skip


@mistake("TypeError", r"^\w+\(\): argument 'input' \(position 1\) must be Tensor, not tuple")
def output_and_state(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "`{code}` hands on a tuple where a tensor is taken. nn.LSTM, nn.GRU and nn.RNN give two things, the outputs "
        "and the state: out, state = rnn(x), and out goes on.", code=scene.code,
    )  # fmt: skip


@mistake("TypeError", r"^cannot assign '[\w.]+' as parameter '(?P<name>\w+)'")
def no_parameter(scene: FailureContext, match: re.Match[str]) -> str:
    statements = [node for node in parse_code(scene.statement).body if isinstance(node, ast.Assign)]
    assignment = next((one for one in statements if ast.unparse(one.targets[0]).endswith(match["name"])), None)
    fix = "nn.Parameter(…)" if assignment is None else (
        f"{ast.unparse(assignment.targets[0])} = nn.Parameter({ast.unparse(assignment.value)})"
    )  # fmt: skip
    return _(
        "{name} is a parameter of the module, and a plain tensor cannot take its place: `{fix}`. To keep the parameter "
        "that the optimizer knows, change its numbers inside `with torch.no_grad():`, by copy_().",
        name=match["name"], fix=fix,
    )  # fmt: skip


@mistake("ValueError", r"^Expected more than 1 value per channel when training, got input size")
def batch_of_one(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "While it trains, `{code}` works out the mean and the variance of each channel over the batch, and this batch "
        "has a single value. Train with more samples (DataLoader(…, drop_last=True)); to predict, call eval() first.",
        code=scene.code,
    )  # fmt: skip


# ---------------------------------------------------------------- state_dict


@mistake("RuntimeError", r"^Error\(s\) in loading state_dict for (?P<module>\w+):")
def state_dict(scene: FailureContext, match: re.Match[str]) -> str:
    wrong = re.findall(
        r"size mismatch for (\S+): copying a param with shape torch\.Size\((.*?)\) from checkpoint, the shape in "
        r"current model is torch\.Size\((.*?)\)", match.string,
    )  # fmt: skip
    missing, unexpected = (_keys(match.string, word) for word in ("Missing", "Unexpected"))
    said = []
    if wrong:
        name, held, own = wrong[0]
        said.append(_("{name} has shape {held} in what is loaded and {own} in the module, which must have been made "
                       "with the same sizes.", name=name, held=held, own=own))  # fmt: skip
    prefix = _prefix(missing, unexpected)
    if prefix is not None and unexpected:
        said.append(_(
            "The keys of what is loaded begin with {prefix}, those of the module do not: it was saved from a module "
            "around this one. Take it off: `{fix}`.", prefix=f"\"{prefix}\"", fix=_without(scene, prefix),
        ))  # fmt: skip
    elif missing or unexpected:
        keys = {"missing": ", ".join(missing[:3]) or _("none"), "unexpected": ", ".join(unexpected[:3]) or _("none")}
        said.append(_(
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


def _without(scene: FailureContext, prefix: str) -> str:
    given = next(
        (ast.unparse(node.args[0]) for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args),
        "state",
    )
    return f'{{key.removeprefix("{prefix}"): value for key, value in {parenthesize(given)}.items()}}'


@mistake(
    "ValueError",
    r"^loaded state dict (?:contains a parameter group that doesn't match|has a different number of parameter groups)",
)
def optimizer_state(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "What is loaded is of an optimizer with another number of parameters. Make the optimizer over the same "
        "parameters, in the same groups, as the one that was saved."
    )


# ---------------------------------------------------------------- sizes of a gradient


@mistake(
    "RuntimeError",
    r"^attempting to assign a gradient of size '\[(?P<given>.*?)\]' to a tensor of size '\[(?P<own>.*?)\]'",
)
def gradient_of_another_size(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "A gradient has a number for each element of its tensor, so it has its shape: [{own}], not [{given}].",
        own=match["own"], given=match["given"],
    )  # fmt: skip


@mistake("RuntimeError", r"^output with shape \[(?P<own>.*?)\] doesn't match the broadcast shape \[(?P<wide>.*?)\]")
def grows_in_place(scene: FailureContext, match: re.Match[str]) -> str:
    begin = _(
        "`{code}` writes a result of shape [{wide}] into a tensor of shape [{own}], which cannot grow.",
        code=scene.code, wide=match["wide"], own=match["own"],
    )  # fmt: skip
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.AugAssign):
            target = ast.unparse(node.target)
            fix = f"{target} = {ast.unparse(ast.BinOp(ast.Name(target), node.op, node.value))}"
            return sentences([begin, _("Make a new tensor instead: `{code}`.", code=fix)])
    return begin


@mistake("RuntimeError", r"^all elements of (?P<which>input|target) should be between 0 and 1")
def no_probability(scene: FailureContext, match: re.Match[str]) -> str | None:
    call = failing_call(scene)
    if call is None:
        return None
    place = 0 if match["which"] == "input" else 1
    node = call_argument(call, place, match["which"])
    given = [] if node is None else resolve_operands(Operands(scene), [node])
    values = (elements(given[0].tensor.value) or ()) if given else ()
    wrong = next((x for x in values if not 0 <= x <= 1), None)
    name = _("the target") if place else _("the prediction")
    if wrong is None:
        said = _("`{code}` takes probabilities, from 0 to 1, and {name} holds other numbers.", code=scene.code,
                  name=given[0].source if given else name)  # fmt: skip
    else:
        said = _(
            "`{code}` takes probabilities, from 0 to 1, and {name} holds {number}.",
            code=scene.code, name=given[0].source, number=number(wrong),
        )  # fmt: skip
    if place or wrong is None or wrong != wrong:
        return said
    name = ast.unparse(call.func)
    fix = f"{name}_with_logits" if name.endswith("binary_cross_entropy") else "nn.BCEWithLogitsLoss()"
    more = _("If these are the numbers of a last layer as they are (logits), the loss for them is {fix}.", fix=fix)
    return sentences([said, more])


@mistake("RuntimeError", r"^attempting to assign a gradient with dtype '(?P<given>[\w: ]+)' to a tensor with "
         r"(?:grad_)?dtype '(?P<wanted>[\w: ]+)'")  # fmt: skip
def gradient_of_another_dtype(scene: FailureContext, match: re.Match[str]) -> str:
    said = _("A gradient has the dtype of its tensor: {wanted}, not {given}.",
              wanted=parse_dtype(match["wanted"]), given=parse_dtype(match["given"]))  # fmt: skip
    assignment = _assigned(scene)
    if assignment is None:
        return said
    target, value = (ast.unparse(node) for node in (assignment.targets[0], assignment.value))
    owner = target.removesuffix(".grad")
    return sentences([said, _("Write `{fix}`.", fix=f"{target} = {parenthesize(value)}.to({owner}.dtype)")])


@mistake("TypeError", r"^assigned grad expected to be a Tensor or None but got grad of type (?P<kind>\w+)")
def gradient_of_no_tensor(scene: FailureContext, match: re.Match[str]) -> str:
    said = _("A gradient is a tensor or None, not of type {kind}.", kind=match["kind"])
    assignment = _assigned(scene)
    if assignment is None:
        return said
    return sentences([said, _("To clear it write `{fix}`.", fix=f"{ast.unparse(assignment.targets[0])} = None")])


def _assigned(scene: FailureContext) -> ast.Assign | None:
    """`w.grad = …`, where that is the statement."""
    body = parse_code(scene.statement).body
    statement = body[0] if len(body) == 1 else None
    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]).endswith(".grad"):
        return statement
    return None


# ---------------------------------------------------------------- views


@mistake("RuntimeError", r"^Can't detach views in-place")
def detached_view(scene: FailureContext, _match: re.Match[str]) -> str | None:
    name = scene.receiver_of("detach_")
    if name is None:
        return None
    fix = f"{name} = {name}.detach()" if name.isidentifier() else f"{parenthesize(name)}.detach()"
    return _("{name} is a view of another tensor, and a view cannot be cut off in place: `{fix}`.", name=name, fix=fix)


# ---------------------------------------------------------------- LBFGS


@mistake("TypeError", r"^LBFGS\.step\(\) missing 1 required positional argument: 'closure'")
@mistake("TypeError", r"^'(?P<kind>Tensor|NoneType)' object is not callable")
@mistake("TypeError", r"^float\(\) argument must be a string or a real number, not '(?P<kind>NoneType)'")
def step_without_closure(scene: FailureContext, match: re.Match[str]) -> str | None:
    call = failing_call(scene)
    if call is None or function_name(scene) != "step" or not isinstance(call.func, ast.Attribute):
        return None
    name = ast.unparse(call.func.value)
    if "missing" not in match.string and not _made_as(scene, name, "LBFGS"):
        return _step_of_a_loss(scene, call, name) if "Tensor" in match.string else None
    if match.string.startswith("float()"):
        return _(
            "LBFGS works out the loss by the function that {name}.step() is given, and that returned None: it must "
            "return the loss.", name=name,
        )  # fmt: skip
    return _(
        "LBFGS works out the loss several times in one step, so {name}.step() takes a function: one that sets the "
        "gradients to zero, computes the loss, calls backward() on it and returns it. Then `{fix}`.",
        name=name, fix=f"{name}.step(closure)",
    )  # fmt: skip


def _step_of_a_loss(scene: FailureContext, call: ast.Call, name: str) -> str | None:
    """Of `optimizer.step(loss)`."""
    loss = call_argument(call, 0, "closure")
    if loss is None or not _made_as(scene, name, r"(?:optim\.\w+|SGD|Adam|AdamW|RMSprop|Adagrad)"):
        return None
    return _(
        "{name}.step() goes by the gradients that are there, not by a loss: `{fix}`.",
        name=name, fix=f"{parenthesize(ast.unparse(loss))}.backward(); {name}.step()",
    )  # fmt: skip


def _made_as(scene: FailureContext, name: str, kind: str) -> bool:
    """Whether every assignment to this name in the file makes such an object."""
    text = None if scene.event.file is None else scene.timeline.book.text(scene.event.file)
    tree = parse_code(None if text is None else "\n".join(text.lines))
    made = [
        ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets)
    ]
    return bool(made) and all(re.match(rf"(?:[\w.]+\.)?{kind}\(", code) for code in made)


@mistake("AttributeError", r"^'(?:float|int)' object has no attribute 'backward'")
def of_a_number(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | str | None:
    source = scene.receiver_of("backward")
    if source is None:
        return None
    if source.endswith(".item()"):
        return _(
            "{code} is a plain Python number, which has no history. Call backward() on the tensor itself, and keep "
            "item() for printing.", code=source,
        )  # fmt: skip
    found = next(iter(by_name(scene, scene.step, {source})), None)
    if found is not None:
        said = _(
            "{code} is a plain Python number since {place}, which has no history. Leave that call out, so that {code} "
            "is a tensor, and keep item() for printing.", code=source, place=scene.place_of(found.step, found.code),
        )  # fmt: skip
        return Diagnosis(said, found.step)
    return _("{code} is a plain Python number, which has no history. backward() is a method of tensors.", code=source)


@mistake("RuntimeError", r"^a Tensor with (?P<count>\d+) elements cannot be converted to Scalar")
@mistake("ValueError", r"^only one element tensors can be converted to Python scalars")
def not_one(scene: FailureContext, match: re.Match[str]) -> str | None:
    node = _made_a_number(scene)
    name = scene.receiver_of("item") or (None if node is None else parenthesize(ast.unparse(node)))
    tensor = None if name is None else scene.tensor(name)
    if tensor is None and node is not None:
        tensor = Operands(scene).resolve(node)
    size = count(tensor.shape) if tensor is not None else match.groupdict().get("count")
    if name is None or size is None:
        return None
    shape = _(", shape {shape}", shape=shape_text(tensor.shape)) if tensor is not None else ""
    return _(
        "{name} has {count} elements{shape}, and a plain number can be made of one only. Choose an element "
        "({name}[0].item()), make one of them ({name}.sum().item()), or take them all: {name}.tolist().",
        name=name, count=size, shape=shape,
    )  # fmt: skip


def _made_a_number(scene: FailureContext) -> ast.expr | None:
    """`t` of `float(t)`."""
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("float", "int"):
            return node.args[0] if node.args else None
    return None


@mistake("ValueError", r"^can't optimize a non-leaf Tensor")
def optimizer_of_result(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | str:
    for node in ast.walk(scene.tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = ast.unparse(node)
            tensor = scene.tensor(name)
            if tensor is not None and not tensor.is_leaf:
                made = scene.producer(tensor.tensor)
                by = _(" ({place})", place=scene.place_of(made[0]).strip()) if made is not None else ""
                said = _(
                    "{name} was computed from other tensors{by}, so a step of the optimizer would not last. Give it "
                    "the leaf, or make {name} one: {name} = {name}.detach().requires_grad_().", name=name, by=by,
                )  # fmt: skip
                return Diagnosis(said, None if made is None else made[0])
    return _(
        "One of the tensors was computed from others, so a step of the optimizer would not last. Give the optimizer "
        "leaves: tensors that were made with requires_grad=True, or the parameters of a module."
    )


@mistake("ValueError", r"^optimizer got an empty parameter list")
def optimizer_of_nothing(scene: FailureContext, _match: re.Match[str]) -> str:
    model = scene.receiver_of("parameters")
    used_up = None if model is not None else _used_up(scene)
    if used_up is not None:
        return _(
            "{name} is a generator, and what went through it before has used it up. Make a list of it: {name} = "
            "list({source}).", name=used_up[0], source=used_up[1],
        )  # fmt: skip
    if model is None:
        return _("The list that the optimizer was given is empty: there is nothing for it to change.")
    return _(
        "{model}.parameters() is empty: a module knows only those tensors as its parameters that are wrapped in "
        "torch.nn.Parameter (as in self.w = nn.Parameter(torch.zeros(1))) or belong to layers such as nn.Linear.",
        model=model,
    )  # fmt: skip


def _used_up(scene: FailureContext) -> tuple[str, str] | None:
    """The name of a generator of parameters that an optimizer is given, and what made it."""
    argument = next((node.args[0] for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    file = scene.event.file
    text = None if file is None else scene.timeline.book.text(file)
    if not isinstance(argument, ast.Name) or text is None:
        return None
    for node in ast.walk(parse_code("\n".join(text.lines))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == argument.id:
            source = ast.unparse(node.value)
            if source.endswith(".parameters()"):
                return argument.id, source
    return None
