"""An error in the recorder makes checks of the suite fail: each of these passes, and fails with the error."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.explain import test_optimizing
from tests.recorder import mutations, test_backward
from tests.worker import test_changes, test_gradients, test_lines, test_loops, test_two_paths
from tests.worker.recording import Forker
from tests.worker.servers import recording_server
from tutor.check.runner import Fork, Runner

Check = Callable[[Forker, Path], None]


class MutatedServer:
    """The server of the recordings, whose forks get an error into their recorder."""

    def __init__(self, mutation: Callable[[], None]) -> None:
        self._mutation = mutation.__name__

    def fork(self, request: bytes, descriptors: Sequence[int]) -> Fork:
        """As `ForkServer.fork`."""
        asked = {**json.loads(request), "mutation": [mutations.__file__, self._mutation]}
        return recording_server().fork(json.dumps(asked).encode(), descriptors)


def inputs_of_an_operation(record: Forker, folder: Path) -> None:
    test_two_paths.test_operations_and_their_places(record(test_two_paths.SCRIPT))


def the_pass(record: Forker, folder: Path) -> None:
    test_two_paths.test_the_pass(record(test_two_paths.SCRIPT))


def the_end(record: Forker, folder: Path) -> None:
    test_two_paths.test_the_end(record(test_two_paths.SCRIPT))


def every_gradient(record: Forker, folder: Path) -> None:
    test_gradients.test_every_gradient("grads_passes", record, folder)


def two_passes(record: Forker, folder: Path) -> None:
    test_backward.test_over_passes_old_plus_incoming_is_new(record)


def the_graph(record: Forker, folder: Path) -> None:
    test_backward.test_graph_on_show(record)


def a_change(record: Forker, folder: Path) -> None:
    test_changes.test_a_change_is_seen_at_once(record, *test_changes.CHANGES[0][1:])


def names_at_every_line(record: Forker, folder: Path) -> None:
    test_lines.test_names_at_every_line("grads_passes", record, folder)


def iterations(record: Forker, folder: Path) -> None:
    test_loops.test_break_continue_else(record)


def formulas_of_optimizers(record: Forker, folder: Path) -> None:
    test_optimizing.test_every_formula_gives_what_torch_gave(record(test_optimizing.SCRIPT))


FAILING: dict[Callable[[], None], list[Check]] = {
    mutations.swap_gradients_of_nodes: [the_pass, every_gradient],
    mutations.swap_gradients_of_leaves: [the_pass, the_end],
    mutations.forget_what_was_accumulated: [two_passes, every_gradient],
    mutations.keep_values_of_before: [a_change, names_at_every_line],
    mutations.swap_inputs_of_nodes: [the_pass, the_graph],
    mutations.swap_inputs_of_operations: [inputs_of_an_operation],
    mutations.bind_after_the_next_line: [names_at_every_line],
    mutations.forget_the_state_of_before: [formulas_of_optimizers],
    mutations.count_iterations_from_0: [iterations],
}


CHECKS = {check.__name__: check for checks in FAILING.values() for check in checks}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_without_an_error_each_check_passes(check: Check, record: Forker, tmp_path: Path) -> None:
    check(record, tmp_path)


@pytest.mark.parametrize(
    ("mutation", "check"),
    [
        pytest.param(mutation, check, id=f"{mutation.__name__}-{check.__name__}")
        for mutation, checks in FAILING.items()
        for check in checks
    ],
)
def test_with_an_error_it_fails(mutation: Callable[[], None], check: Check, tmp_path: Path) -> None:
    record = Forker(Runner(MutatedServer(mutation)), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        check(record, tmp_path)


def test_every_error_is_tried() -> None:
    public = {name for name, value in vars(mutations).items() if getattr(value, "__module__", "") == mutations.__name__}
    assert {mutation.__name__ for mutation in FAILING} == {name for name in public if not name.startswith("_")}
