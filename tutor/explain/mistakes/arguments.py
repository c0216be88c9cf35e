"""Explain calls and values that torch refuses, and that need no look at earlier steps.

Covers `requires_grad` and hooks of tensors that cannot have them, deep copies, truth values of tensors, arguments of
optimizers and modules, `state_dict`, steps of LBFGS, and tensors converted to Python numbers.
"""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import FailureContext, parenthesize, parse_code, parse_sizes
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.explain.rules.arrays import count
from tutor.i18n import _
from tutor.trace.number_format import shape as shape_text


@mistake("RuntimeError", r"^you can only change requires_grad flags of leaf variables")
def explain_requires_grad_of_result(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "you can only change requires_grad flags of leaf variables"."""
    name = context.receiver_of("requires_grad") or context.receiver_of("requires_grad_")
    if name is None:
        return None
    return Diagnosis(_(
        "{name} was computed from tensors that require grad, so it does too. {fix} is the same numbers without the "
        "history.", name=name, fix=f"{parenthesize(name)}.detach()",
    ))  # fmt: skip


@mistake("RuntimeError", r"^can't retain_grad on Tensor that has requires_grad=False")
@mistake("RuntimeError", r"^cannot register a hook on a tensor that doesn't require gradient")
@mistake("RuntimeError", r"^One of the differentiated Tensors does not require grad")
def explain_no_gradient_needed(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "can't retain_grad on Tensor that has requires_grad=False", and the same of hooks and `autograd.grad`."""
    name = context.receiver_of("retain_grad") or context.receiver_of("register_hook") or _input_without_grad(context)
    if name is None:
        return None
    return Diagnosis(_(
        "{name} does not require grad, so no gradient is worked out for it. Write {fix} before it is used.",
        name=name, fix=f"{parenthesize(name)}.requires_grad_()",
    ))  # fmt: skip


def _input_without_grad(context: FailureContext) -> str | None:
    """Return the input of `torch.autograd.grad(y, [x])` that does not require grad; None if there is none."""
    for inputs in context.arguments()[1:2]:
        parts = inputs.elts if isinstance(inputs, (ast.List, ast.Tuple)) else [inputs]
        return next((part.source for part in context.operands(parts) if not part.tensor.requires_grad), None)
    return None


@mistake("RuntimeError", r"^Only Tensors created explicitly by the user \(graph leaves\) support the deepcopy protocol")
def explain_deepcopy(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol"."""
    for operand in context.all_operands():
        if not operand.tensor.is_leaf:
            by, step = context.made_by(operand.tensor.tensor)
            fix = f"{parenthesize(operand.source)}.detach().clone()"
            problem = _(
                "{name} was computed from other tensors{by}, and a deep copy would have to copy their graph as well. "
                "Copy the numbers alone: {fix}.", name=operand.source, by=by, fix=fix,
            )  # fmt: skip
            return Diagnosis(problem, step)
    computed = _non_leaf_attribute(context)
    if computed is not None:
        return Diagnosis(_(
            "What is copied holds {name}, which was computed from other tensors, and a deep copy would have to copy "
            "their graph as well. Keep {fix} there.", name=computed, fix=f"{computed}.detach()",
        ))  # fmt: skip
    return Diagnosis(_(
        "What is copied holds a tensor that was computed from others, and a deep copy would have to copy their graph "
        "as well. Keep its detach() there, or copy state_dict() instead."
    ))  # fmt: skip


def _non_leaf_attribute(context: FailureContext) -> str | None:
    """Return the name of a non-leaf tensor that an object among the arguments holds; None if unknown."""
    held = (operand for copied in context.arguments(1) for operand in context.held_by(ast.unparse(copied)))
    return next((operand.source for operand in held if not operand.tensor.is_leaf), None)


# ---------------------------------------------------------------- one truth value of many


@mistake("RuntimeError", r"^Boolean value of Tensor with (?:more than one|no) values? is ambiguous")
def explain_ambiguous_truth(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Boolean value of Tensor with more than one value is ambiguous"."""
    problem = _("`{code}` needs one truth value, and the tensor has one for each element.", code=context.code)
    value = context.expression
    fix = None if value is None else _format_elementwise(value)
    if fix is not None:
        return Diagnosis(problem, fix=_("Element by element it is `{fix}`, and whether that holds for all, `{all}`.",
                                    fix=fix, all=f"({fix}).all()"))  # fmt: skip
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("max", "min") and len(value.args) == 2:
        function = {"max": "maximum", "min": "minimum"}[ast.unparse(value.func)]
        fix = f"torch.{function}({', '.join(map(ast.unparse, value.args))})"
        return Diagnosis(problem, fix=_("Element by element it is `{fix}`.", fix=fix))
    if isinstance(value, ast.Compare) and isinstance(value.ops[0], (ast.In, ast.NotIn)):
        fix = f"any({ast.unparse(value.left)} is item for item in {ast.unparse(value.comparators[0])})"
        return Diagnosis(problem, fix=_("Whether it is one of them, as an object, says `{fix}`.", fix=fix))
    condition = value.operand if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not) else value
    if isinstance(condition, ast.Call) and ast.unparse(condition.func) == "bool" and condition.args:
        condition = condition.args[0]
    if condition is None or not (isinstance(condition, ast.Compare) or context.resolve(condition) is not None):
        return Diagnosis(problem)
    source = parenthesize(ast.unparse(condition))
    return Diagnosis(problem, fix=_("Say whether all must be true, {all}, or one is enough, {any}.",
                                all=f"{source}.all()", any=f"{source}.any()"))  # fmt: skip


def _format_elementwise(value: ast.expr) -> str | None:
    """Return `(a > 0) & (a < 2)` of `a > 0 and a < 2` and of `0 < a < 2`; None for any other expression."""
    if isinstance(value, ast.BoolOp):
        return (" & " if isinstance(value.op, ast.And) else " | ").join(
            f"({ast.unparse(each)})" for each in value.values
        )
    if isinstance(value, ast.Compare) and len(value.ops) > 1:
        operands = [value.left, *value.comparators]
        pairs = zip(operands, value.ops, operands[1:], strict=False)
        return " & ".join(f"({ast.unparse(ast.Compare(a, [op], [b]))})" for a, op, b in pairs)
    return None


# ---------------------------------------------------------------- optimizers and modules


@mistake("TypeError", r"^params argument given to the optimizer should be an iterable of Tensors or dicts, but got")
def explain_optimizer_of_tensor(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "params argument given to the optimizer should be an iterable of Tensors or dicts"."""
    arguments = context.arguments(1)
    if not arguments:
        return None
    name = ast.unparse(arguments[0])
    return Diagnosis(_("An optimizer is given a list of tensors; {name} is a tensor: write [{name}].", name=name))


@mistake("TypeError", r"^'(?P<kind>\w+)' object is not iterable")
def explain_optimizer_of_module(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "'Linear' object is not iterable" of an optimizer that is given a module."""
    call = next((call for call in context.calls if call.args), None)
    if call is None or "optim" not in ast.unparse(call.func).lower():
        return None
    name = ast.unparse(call.args[0])
    if match["kind"] == "method" and name.endswith(".parameters"):
        return Diagnosis(_("{name} is the method; with parentheses it gives the parameters: {name}().", name=name))
    if any(context.held_by(name)):
        return Diagnosis(
            _("An optimizer is given the parameters of a module, not the module: {name}.parameters().", name=name)
        )
    return None


@mistake("AttributeError", r"^cannot assign (?:module|parameters?) before Module\.__init__\(\) call")
def explain_module_without_init(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "cannot assign module before Module.__init__() call"."""
    return Diagnosis(_(
        "A module takes parameters and layers only after nn.Module has been initialised: the first line of __init__ "
        "is super().__init__()."
    ))  # fmt: skip


@mistake("NotImplementedError", r"^Module \[(?P<name>\w+)\] is missing the required \"forward\" function")
def explain_module_without_forward(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Module [Net] is missing the required "forward" function"."""
    return Diagnosis(_(
        "{name} has no method forward, which is what runs when the module is called. Is it there, spelled so, and "
        "indented as deep as __init__?", name=match["name"],
    ))  # fmt: skip


@mistake("TypeError", r"^list is not a Module subclass")
def explain_sequential_of_list(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "list is not a Module subclass" of `nn.Sequential`."""
    call = next((call for call in context.calls if call.args), None)
    if call is None or not ast.unparse(call.func).endswith("Sequential"):
        return None
    name = ast.unparse(call.args[0])
    layers = name[1:-1] if isinstance(call.args[0], ast.List) else f"*{name}"
    return Diagnosis(_(
        "nn.Sequential takes the layers one by one, not a list of them: {fix}.",
        fix=f"{ast.unparse(call.func)}({layers})",
    ))  # fmt: skip


@mistake("TypeError", r"^\w+\(\): argument 'input' \(position 1\) must be Tensor, not tuple")
def explain_rnn_result(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "argument 'input' must be Tensor, not tuple", as after a recurrent layer."""
    return Diagnosis(_(
        "`{code}` passes on a tuple where a tensor is taken. nn.LSTM, nn.GRU and nn.RNN give two things, the outputs "
        "and the state: out, state = rnn(x), and out goes on.", code=context.code,
    ))  # fmt: skip


@mistake("TypeError", r"^cannot assign '[\w.]+' as parameter '(?P<name>\w+)'")
def explain_parameter_assignment(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "cannot assign 'torch.FloatTensor' as parameter 'weight'"."""
    statements = [node for node in parse_code(context.statement).body if isinstance(node, ast.Assign)]
    assignment = next(
        (statement for statement in statements if ast.unparse(statement.targets[0]).endswith(match["name"])), None
    )
    fix = "nn.Parameter(…)" if assignment is None else (
        f"{ast.unparse(assignment.targets[0])} = nn.Parameter({ast.unparse(assignment.value)})"
    )  # fmt: skip
    return Diagnosis(_(
        "{name} is a parameter of the module, and a plain tensor cannot take its place: `{fix}`. To keep the parameter "
        "that the optimizer knows, change its numbers inside `with torch.no_grad():`, by copy_().",
        name=match["name"], fix=fix,
    ))  # fmt: skip


@mistake("ValueError", r"^Expected more than 1 value per channel when training, got input size")
def explain_batch_of_one(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Expected more than 1 value per channel when training" of `BatchNorm`."""
    return Diagnosis(_(
        "While it trains, `{code}` works out the mean and the variance of each channel over the batch, and this batch "
        "has a single value. Train with more samples (DataLoader(…, drop_last=True)); to predict, call eval() first.",
        code=context.code,
    ))  # fmt: skip


# ---------------------------------------------------------------- state_dict


@mistake("RuntimeError", r"^Error\(s\) in loading state_dict for (?P<module>\w+):")
def explain_load_state_dict(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Error(s) in loading state_dict for Net": shapes, missing and unexpected keys."""
    mismatches = re.findall(
        r"size mismatch for (\S+): copying a param with shape torch\.Size\((.*?)\) from checkpoint, the shape in "
        r"current model is torch\.Size\((.*?)\)", match.string,
    )  # fmt: skip
    missing, unexpected = (_parse_keys(match.string, word) for word in ("Missing", "Unexpected"))
    problems = []
    if mismatches:
        name, loaded_shape, module_shape = mismatches[0]
        problems.append(_(
            "{name} has shape {held} in what is loaded and {own} in the module, which must have been made with the "
            "same sizes.", name=name, held=shape_text(parse_sizes(loaded_shape)),
            own=shape_text(parse_sizes(module_shape)),
        ))  # fmt: skip
    prefix = _common_prefix(missing, unexpected)
    if prefix is not None and unexpected:
        problems.append(_(
            "The keys of what is loaded begin with {prefix}, those of the module do not: it was saved from a module "
            "around this one. Take it off: `{fix}`.", prefix=f"\"{prefix}\"",
            fix=_format_without_prefix(context, prefix),
        ))  # fmt: skip
    elif missing or unexpected:
        keys = {"missing": ", ".join(missing[:3]) or _("none"), "unexpected": ", ".join(unexpected[:3]) or _("none")}
        problems.append(_(
            "A state_dict fits a module with the same names only. The module needs and does not find: {missing}; what "
            "is loaded has besides: {unexpected}. With strict=False both are passed over.", **keys,
        ))  # fmt: skip
    return Diagnosis(sentences(problems))


def _parse_keys(message: str, kind: str) -> list[str]:
    """Return the missing, or the unexpected, keys that the message lists."""
    match = re.search(rf"{kind} key\(s\) in state_dict: (.*?)\. ?(?:\n|$)", message)
    return re.findall(r'"([^"]+)"', match[1]) if match is not None else []


def _common_prefix(missing: list[str], unexpected: list[str]) -> str | None:
    """Return what the unexpected keys have in front of the missing ones, if that is the only difference; else None."""
    for key in missing[:1]:
        for other in unexpected:
            if other.endswith(f".{key}"):
                prefix = other[: -len(key)]
                return prefix if [prefix + name for name in missing] == unexpected else None
    return None


def _format_without_prefix(context: FailureContext, prefix: str) -> str:
    """Return code that removes a prefix from the keys of the loaded `state_dict`."""
    argument = next((ast.unparse(call.args[0]) for call in context.calls if call.args), "state")
    return f'{{key.removeprefix("{prefix}"): value for key, value in {parenthesize(argument)}.items()}}'


@mistake(
    "ValueError",
    r"^loaded state dict (?:contains a parameter group that doesn't match|has a different number of parameter groups)",
)
def explain_load_optimizer_state(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"."""
    return Diagnosis(_(
        "What is loaded is of an optimizer with another number of parameters. Make the optimizer over the same "
        "parameters, in the same groups, as the one that was saved."
    ))  # fmt: skip


# ---------------------------------------------------------------- LBFGS


@mistake("TypeError", r"^LBFGS\.step\(\) missing 1 required positional argument: 'closure'")
@mistake("TypeError", r"^'(?P<kind>Tensor|NoneType)' object is not callable")
@mistake("TypeError", r"^float\(\) argument must be a string or a real number, not '(?P<kind>NoneType)'")
def explain_lbfgs_closure(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain a missing or wrong closure of `LBFGS.step`, or a loss passed to another optimizer's `step`."""
    call = context.call
    if call is None or context.function != "step" or not isinstance(call.func, ast.Attribute):
        return None
    name = ast.unparse(call.func.value)
    if "missing" not in match.string and not _is_made_as(context, name, "LBFGS"):
        return _describe_step_of_loss(context, call, name) if "Tensor" in match.string else None
    if match.string.startswith("float()"):
        return Diagnosis(_(
            "LBFGS works out the loss by the function that {name}.step() is given, and that returned None: it must "
            "return the loss.", name=name,
        ))  # fmt: skip
    return Diagnosis(_(
        "LBFGS works out the loss several times in one step, so {name}.step() takes a function: one that sets the "
        "gradients to zero, computes the loss, calls backward() on it and returns it. Then `{fix}`.",
        name=name, fix=f"{name}.step(closure)",
    ))  # fmt: skip


def _describe_step_of_loss(context: FailureContext, call: ast.Call, name: str) -> Diagnosis | None:
    """Explain `optimizer.step(loss)`; None for any other call."""
    loss = context.argument(0, "closure")
    if loss is None or not _is_made_as(context, name, r"(?:optim\.\w+|SGD|Adam|AdamW|RMSprop|Adagrad)"):
        return None
    return Diagnosis(_(
        "{name}.step() goes by the gradients that are there, not by a loss: `{fix}`.",
        name=name, fix=f"{parenthesize(ast.unparse(loss))}.backward(); {name}.step()",
    ))  # fmt: skip


def _is_made_as(context: FailureContext, name: str, pattern: str) -> bool:
    """Return whether every assignment to this name in the file calls a class that matches the pattern."""
    values = [
        ast.unparse(node.value)
        for node in ast.walk(context.file_tree)
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets)
    ]
    return bool(values) and all(re.match(rf"(?:[\w.]+\.)?{pattern}\(", code) for code in values)


@mistake("RuntimeError", r"^a Tensor with (?P<count>\d+) elements cannot be converted to Scalar")
@mistake("ValueError", r"^only one element tensors can be converted to Python scalars", priority=-1)
def explain_scalar_conversion(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "a Tensor with 3 elements cannot be converted to Scalar" of `item`, `float` and `int`."""
    node = _converted_expression(context)
    name = context.receiver_of("item") or (None if node is None else parenthesize(ast.unparse(node)))
    tensor = None if name is None else context.tensor(name)
    if tensor is None and node is not None:
        tensor = context.resolve(node)
    size = count(tensor.shape) if tensor is not None else match.groupdict().get("count")
    if name is None or size is None:
        return None
    shape = _(", shape {shape}", shape=shape_text(tensor.shape)) if tensor is not None else ""
    return Diagnosis(_(
        "{name} has {count} elements{shape}, and a plain number can be made of one only. Choose an element "
        "({name}[0].item()), make one of them ({name}.sum().item()), or take them all: {name}.tolist().",
        name=name, count=size, shape=shape,
    ))  # fmt: skip


def _converted_expression(context: FailureContext) -> ast.expr | None:
    """Return `t` of `float(t)` and `int(t)`; None if the code has no such call."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("float", "int"):
            return node.args[0] if node.args else None
    return None


@mistake("ValueError", r"^can't optimize a non-leaf Tensor")
def explain_optimizer_of_non_leaf(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "can't optimize a non-leaf Tensor"."""
    for node in ast.walk(context.tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = ast.unparse(node)
            tensor = context.tensor(name)
            if tensor is not None and not tensor.is_leaf:
                by, step = context.made_by(tensor.tensor)
                problem = _(
                    "{name} was computed from other tensors{by}, so a step of the optimizer would not last. Give it "
                    "the leaf, or make {name} one: {name} = {name}.detach().requires_grad_().", name=name, by=by,
                )  # fmt: skip
                return Diagnosis(problem, step)
    return Diagnosis(_(
        "One of the tensors was computed from others, so a step of the optimizer would not last. Give the optimizer "
        "leaves: tensors that were made with requires_grad=True, or the parameters of a module."
    ))  # fmt: skip


@mistake("ValueError", r"^optimizer got an empty parameter list")
def explain_optimizer_of_nothing(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "optimizer got an empty parameter list"."""
    model = context.receiver_of("parameters")
    generator = None if model is not None else _exhausted_generator(context)
    if generator is not None:
        return Diagnosis(_(
            "{name} is a generator, and what went through it before has exhausted it. Make a list of it: {name} = "
            "list({source}).", name=generator[0], source=generator[1],
        ))  # fmt: skip
    if model is None:
        return Diagnosis(_("The list that the optimizer was given is empty: there is nothing for it to change."))
    return Diagnosis(_(
        "{model}.parameters() is empty: a module knows only those tensors as its parameters that are wrapped in "
        "torch.nn.Parameter (as in self.w = nn.Parameter(torch.zeros(1))) or belong to layers such as nn.Linear.",
        model=model,
    ))  # fmt: skip


def _exhausted_generator(context: FailureContext) -> tuple[str, str] | None:
    """Return the name of the generator passed to an optimizer, and the code that made it; None if unknown."""
    argument = next((ast.unparse(call.args[0]) for call in context.calls if call.args), "")
    for node in ast.walk(context.file_tree) if argument.isidentifier() else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == argument:
            source = ast.unparse(node.value)
            if source.endswith(".parameters()"):
                return argument, source
    return None
