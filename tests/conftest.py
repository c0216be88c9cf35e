"""The options of the test run, and what runs learners' code for the tests of all folders, with torch imported once."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from hatch_build import compile_catalogs
from tests import sampling
from tests.worker.recording import Forker
from tests.worker.servers import close_servers, recording_server, share_plain_server
from tutor.check.runner import Runner

_shared = ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("generated tests")
    group.addoption("--all", action="store_true", dest="everything", help="run all that is generated, not a sample")
    group.addoption("--seed", type=int, default=0, help="draw the sample by this seed")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set how much is generated, before any test is read and before hypothesis reads its seed."""
    sampling.options.everything = config.option.everything
    sampling.options.seed = config.option.seed
    settings.register_profile("generated", max_examples=sampling.count(25, 100), deadline=None)
    settings.load_profile("generated")
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(config.option.seed)
    # Git has no compiled translations: without them, or with old ones, the tests would run in English.
    compile_catalogs(Path(__file__).parents[1])
    # Nothing that is kept for the one who runs the tests, as the language, is theirs.
    os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="gradtutor-kept-")
    # Where a block lies in memory decides which of its routines MKL takes, and so the last bit, from run to run.
    os.environ["MKL_CBWR"] = "COMPATIBLE"
    if config.option.numprocesses and not hasattr(config, "workerinput"):
        _shared.enter_context(share_plain_server())


LONG = {"test_no_english_is_left", "test_every_form_on_random_inputs", "test_random_graphs"}
"""Tests of `tests/explain` that record all of its programs, or many that are generated."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as slow what starts the real program or takes long, before `-m "not slow"` chooses; draw the samples."""
    for item in items:
        folder, module = item.path.parent.name, getattr(item, "module", None)
        starts = folder in ("e2e", "wild") or (folder == "cli" and hasattr(module, "subprocess"))
        if starts or getattr(item, "originalname", None) in LONG:
            item.add_marker(pytest.mark.slow)
    left_out = _outside_samples(items)
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


SLOW_SHARE = 8
"""Of the slow tests that are in no sample a run takes one of this many."""


def _outside_samples(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return the tests that their sample leaves out: those marked `sampled`, of a test by its own mark, else of its
    file; and slow ones that are not.
    """
    slow = [item for item in items if item.get_closest_marker("slow") and not item.get_closest_marker("sampled")]
    groups: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        for node, mark in item.iter_markers_with_node("sampled"):
            name = item.nodeid.partition("[")[0] if node is item else node.nodeid
            groups.setdefault((name, mark.args[0]), []).append(item)
            break
    samples = [(slow, -(-len(slow) // SLOW_SHARE)), *((group, size) for (_, size), group in groups.items())]
    return {item for group, size in samples for item in {*group} - {*sampling.sample(group, size)}}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what tests import: torch alone is 165,000 objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    _shared.close()
    close_servers()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the seed, so that a failure in a sample can be had again."""
    options = sampling.options
    size = "all of them" if options.everything else "a sample (--all runs all of them)"
    terminalreporter.write_line(f"generated tests: {size}, --seed={options.seed}")


@pytest.fixture(scope="session")
def runner() -> Runner:
    """Runs lessons, each in a process of its own."""
    return Runner(recording_server())


@pytest.fixture(scope="session")
def record(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Forker:
    """Records a script, or its text, in a process of its own."""
    return Forker(runner, tmp_path_factory.mktemp("recorded"))
