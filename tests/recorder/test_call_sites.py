"""Which code is the learner's: that of the project, wherever it lies; libraries stay libraries."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tutor.lesson.catalog import Target
from tutor.recorder.call_sites import CallSite, SourceRecorder
from tutor.recorder.event_writer import EventWriter
from tutor.recorder.rewrite import CALLBACKS
from tutor.recorder.twins import Gate
from tutor.session.session import Session, record_blocking
from tutor.text.steps import record as step_record
from tutor.trace.events import Event, Site, Source

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x):
        h = self.fc(x)
        return torch.tanh(h)
"""
TRAIN = """\
import torch
from .net import Net


def main():
    torch.manual_seed(0)
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.ones(4, 2), torch.zeros(4, 1)
    for step in range(3):
        loss = ((net(x) - y) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("loss", loss.item())
"""
PACKAGE = {"mypkg/__init__.py": "", "mypkg/net.py": NET, "mypkg/train.py": TRAIN}
IMPORTS = "from mypkg.train import main\n\nmain()\n"


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def below(name: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{name}/{path}": text for path, text in files.items()}


def steps(recorded: Recording) -> list[dict[str, Any]]:
    """The steps but for the script's own, whose lines are others, and without what tells where a file lies."""
    timeline = recorded.timeline
    found = [step_record(timeline, step) for step in range(1, timeline.steps + 1)]
    own = [fields for fields in found if fields["file"] is not None and "mypkg" in fields["file"]]
    for fields in own:
        del fields["step"], fields["file"]
        if fields.get("optimizer"):
            del fields["optimizer"]["step"]
    return own


def points(recorded: Recording) -> list[float]:
    assert list(recorded.timeline.series) == ["loss"]
    return [point.value for point in recorded.timeline.series["loss"]]


def functions(recorded: Recording) -> set[str | None]:
    """The functions in which statements were recorded."""
    return {recorded.timeline.view(step).function for step in recorded.steps_of("line")}


def files(recorded: Recording) -> list[str]:
    return [source.path for source in recorded.timeline.sources.values()]


@pytest.fixture(scope="module")
def beside(record: Forker, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The package beside the script."""
    folder = written(tmp_path_factory.mktemp("beside"), PACKAGE | {"train.py": IMPORTS})
    return record(folder / "train.py")


PUT = "import os\nimport sys\n\nsys.path.{how}\n" + IMPORTS
SRC = 'os.path.join(os.path.dirname(__file__), "..", "src")'


@pytest.mark.parametrize("how", [f"insert(0, {SRC})", f"append(os.path.abspath({SRC}))", f"extend([{SRC}])"])
def test_a_folder_that_the_script_puts_on_the_path(record: Forker, beside: Recording, tmp_path: Path, how: str) -> None:
    written(tmp_path, below("src", PACKAGE) | {"scripts/train.py": PUT.format(how=how)})
    recorded = record(tmp_path / "scripts" / "train.py")
    assert recorded.status == 0
    assert steps(recorded) == steps(beside)
    assert len(steps(recorded)) > 100
    assert points(recorded) == points(beside)
    assert files(recorded)[1:] == ["mypkg/__init__.py", "mypkg/train.py", "mypkg/net.py"]


@pytest.mark.parametrize("marker", [".git/HEAD", "pyproject.toml", "setup.py", "setup.cfg"])
def test_the_project_around_the_script(record: Forker, beside: Recording, tmp_path: Path, marker: str) -> None:
    """Two folders up, as in minGPT; the working folder is put on the path from outside."""
    put = f"import sys\nsys.path.append({str(tmp_path)!r})\n"
    written(tmp_path, PACKAGE | {marker: "", "projects/adder/adder.py": put + IMPORTS})
    recorded = record(tmp_path / "projects" / "adder" / "adder.py")
    assert steps(recorded) == steps(beside)
    assert "mypkg/net.py" in files(recorded)


@pytest.mark.slow
def test_pythonpath(beside: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, below("lib", PACKAGE) | {"scripts/train.py": IMPORTS})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    script = tmp_path / "scripts" / "train.py"
    session = Session(Target("file", script, str(script)))
    timeline = record_blocking(session)
    assert session.exit_status == 0
    assert steps(Recording(timeline, 0)) == steps(beside)


def finder(name: str, folder: Path) -> str:
    """What `pip install -e` writes for a package whose folder has another name, or lies beside things not installed."""
    from setuptools.command.editable_wheel import _finder_template  # type: ignore[import-untyped]

    return str(_finder_template(name, {"mypkg": str(folder)}, {}))


@pytest.mark.parametrize("kind", ["finder", "path", "egg-link"])
def test_an_editable_install(record: Forker, beside: Recording, tmp_path: Path, kind: str) -> None:
    written(tmp_path, below("checkout/python", PACKAGE))
    package = tmp_path / "checkout" / "python"
    if kind == "finder":
        installed = {
            "mypkg.pth": "import __editable___mypkg_0_1_finder as finder; finder.install()",
            "__editable___mypkg_0_1_finder.py": finder("mypkg", package / "mypkg"),
        }
    elif kind == "path":
        installed = {"__editable__.mypkg-0.1.pth": str(package)}
    else:
        installed = {"easy-install.pth": str(package), "mypkg.egg-link": f"{package}\n."}
    written(tmp_path, below("env/site-packages", installed))
    script = f"import site\nsite.addsitedir({str(tmp_path / 'env' / 'site-packages')!r})\n" + IMPORTS
    written(tmp_path, {"elsewhere/train.py": script})
    recorded = record(tmp_path / "elsewhere" / "train.py")
    assert recorded.status == 0
    assert steps(recorded) == steps(beside)


WAYS = {
    "importlib": "import importlib\nmain = importlib.import_module('mypkg.train').main\nmain()\n",
    "from a file": """\
import importlib.util, os, sys
place = os.path.join(os.path.dirname(__file__), "mypkg", "__init__.py")
spec = importlib.util.spec_from_file_location("mypkg", place)
sys.modules["mypkg"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from mypkg.train import main
main()
""",
    "runpy": "import runpy\nmain = runpy.run_module('mypkg.train')['main']\nmain()\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_however_it_is_imported(record: Forker, beside: Recording, tmp_path: Path, way: str) -> None:
    written(tmp_path, PACKAGE | {"train.py": WAYS[way]})
    recorded = record(tmp_path / "train.py")
    assert recorded.status == 0, recorded.stderr
    assert {"main", "forward", "__init__"} <= functions(recorded)
    assert [fields for fields in steps(recorded) if fields["function"] != "<module>"] == [
        fields for fields in steps(beside) if fields["function"] != "<module>"
    ]
    assert list(recorded.end.frames[0].names) == [
        name for name in recorded.end.frames[0].names if name in ("place",)
    ], "a module's own names are not the script's"


def test_a_namespace_package(record: Forker, beside: Recording, tmp_path: Path) -> None:
    files = {path: text for path, text in PACKAGE.items() if "__init__" not in path}
    written(tmp_path, below("parts", files) | {"pyproject.toml": "", "train.py": PUT.format(how="append('parts')")})
    put = f"import sys\nsys.path.append({str(tmp_path / 'parts')!r})\n"
    written(tmp_path, {"train.py": put + IMPORTS})
    assert steps(record(tmp_path / "train.py")) == steps(beside)


def test_a_module_that_is_run_keeps_its_names(record: Forker, tmp_path: Path) -> None:
    """What a module binds while another one's line runs is the module's."""
    module = "import torch\nweight = torch.ones(2)\ntotal = weight.sum()\n"
    script = (
        "import runpy\nimport torch\nweight = torch.zeros(1)\nfound = runpy.run_module('extra')\nlast = weight + 1\n"
    )
    written(tmp_path, {"extra.py": module, "train.py": script})
    recorded = record(tmp_path / "train.py")
    assert recorded.value("weight") == [0.0]
    inside = recorded.line(3, 2)
    assert [frame.function for frame in recorded.timeline.state(inside).frames] == ["<module>", "<module>"]
    assert recorded.value("weight", inside) == [1.0, 1.0]
    assert [frame.function for frame in recorded.end.frames] == ["<module>"]


def test_a_configuration_that_is_executed_stays_what_it_is(record: Forker, tmp_path: Path) -> None:
    script = """\
import os
rate = 0.1
exec(compile(open(os.path.dirname(__file__) + '/c.py').read(), 'c.py', 'exec'))
x = rate
"""
    written(tmp_path, {"c.py": "rate = 0.5\n", "train.py": script})
    recorded = record(tmp_path / "train.py")
    assert recorded.end.frames[0].names["x"].value == 0.5
    assert len(files(recorded)) == 1


def test_a_module_that_is_written_anew_is_shown_as_it_is_now(record: Forker, tmp_path: Path) -> None:
    script = """\
import importlib
import pathlib
import torch
import mod
first = mod.made()
text = "import torch\\n\\n\\ndef made():\\n    twice = torch.ones(1) * 2\\n    return twice\\n"
pathlib.Path(mod.__file__).write_text(text)
importlib.reload(mod)
second = mod.made()
"""
    written(tmp_path, {"mod.py": "import torch\ndef made():\n    return torch.ones(1)\n", "train.py": script})
    recorded = record(tmp_path / "train.py")
    assert recorded.status == 0, recorded.stderr
    assert recorded.value("second") == [2.0]
    codes = [
        recorded.code(step) for step in recorded.steps_of("line") if recorded.timeline.view(step).function == "made"
    ]
    assert codes == ["return torch.ones(1)", "twice = torch.ones(1) * 2", "return twice"]


LIBRARY = "import torch\n\n\ndef helper(x):\n    y = x * 2\n    return y + 1\n"
USES = "import sys\nimport torch\nsys.path.append({path!r})\nfrom lib import helper\n\nz = helper(torch.ones(1))\n"


@pytest.mark.parametrize(
    "folder",
    [
        ".venv/lib/python3.11/site-packages", "env/src", "node_modules/x", "third_party", "vendor", "pkg/_vendor",
        "usr/lib/python3/dist-packages", ".tox/py311/lib",
    ],
)  # fmt: skip
def test_libraries_inside_the_project(record: Forker, tmp_path: Path, folder: str) -> None:
    marks = {"pyproject.toml": "", ".venv/pyvenv.cfg": "", "env/pyvenv.cfg": "", "pkg/_vendor/__init__.py": ""}
    written(tmp_path, marks | {f"{folder}/lib.py": LIBRARY, "train.py": USES.format(path=str(tmp_path / folder))})
    recorded = record(tmp_path / "train.py")
    assert recorded.status == 0
    assert functions(recorded) == {"<module>"}
    assert recorded.value("z") == [3.0]


@pytest.mark.parametrize("folder", ["vendor", "environment", "src/third_parties"])
def test_look_alikes_of_libraries(record: Forker, tmp_path: Path, folder: str) -> None:
    """A package of the learner's own that is called so; folders with other names."""
    marks = {"pyproject.toml": "", "vendor/__init__.py": ""}
    written(tmp_path, marks | {f"{folder}/lib.py": LIBRARY, "train.py": USES.format(path=str(tmp_path / folder))})
    assert functions(record(tmp_path / "train.py")) == {"<module>", "helper"}


def test_a_home_that_is_a_repository_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tutor.recorder.call_sites import Project

    home = written(tmp_path, {".git/HEAD": "", "work/train.py": "", "work/sub/x.py": "", ".cache/hub/x.py": ""})
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    project = Project(str(home / "work" / "train.py"))
    assert project.is_own(str(home / "work" / "sub" / "x.py"), lambda: False)
    assert not project.is_own(str(home / ".cache" / "hub" / "x.py"), lambda: False)
    assert project.is_own(str(home / ".cache" / "hub" / "x.py"))


def test_torch_and_gradtutor_stay_libraries_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    import tutor
    from tutor.recorder.call_sites import Project

    checkout = written(tmp_path, {"pytorch/setup.py": "", "pytorch/mine.py": "", "pytorch/torch/nn/x.py": ""})
    monkeypatch.setattr(torch, "__file__", str(checkout / "pytorch" / "torch" / "__init__.py"))
    project = Project(str(checkout / "pytorch" / "mine.py"))
    assert not project.is_own(str(checkout / "pytorch" / "torch" / "nn" / "x.py"))
    assert project.is_own(str(checkout / "pytorch" / "bench" / "x.py"), lambda: False)
    here = Path(tutor.__file__).parent
    project = Project(str(here.parent / "lessons" / "graph" / "x.py"))
    assert not project.is_own(str(here / "trace" / "walk.py"))


def test_what_lies_beside_a_lesson_is_recorded_where_gradtutor_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tutor.recorder import call_sites

    installed = written(tmp_path, {"site-packages/tutor/_lessons/start/own/train.py": "", "site-packages/x/y.py": ""})
    lessons = installed / "site-packages" / "tutor" / "_lessons"
    monkeypatch.setattr(call_sites, "_LESSONS", str(lessons))
    project = call_sites.Project(str(lessons / "start" / "02-own.py"))
    assert project.is_own(str(lessons / "start" / "own" / "train.py"))
    assert not project.is_own(str(installed / "site-packages" / "x" / "y.py"))


def test_what_a_library_generates_stays_its_own(record: Forker, tmp_path: Path) -> None:
    """`torch.distributed` writes a module into a temporary folder, and imports it."""
    script = "import torch\nimport torch.distributed.nn.jit.instantiator\nx = torch.ones(1)\n"
    written(tmp_path, {"train.py": script})
    recorded = record(tmp_path / "train.py")
    assert recorded.status == 0, recorded.stderr
    assert len(files(recorded)) == 1


@pytest.mark.parametrize("module", ["def f():\n    return 1 / 0\nf()\n", "x = 1\ny = = 2\n", "import missing_thing\n"])
def test_a_module_that_fails_prints_the_same_traceback(tmp_path: Path, record: Forker, module: str) -> None:
    written(tmp_path, {"a/bad.py": module, "train.py": "import torch\nimport a.bad\n"})
    recorded = record(tmp_path / "train.py")
    plain = run_plainly(tmp_path / "train.py", tmp_path / "plain.json")
    assert recorded.status == plain.status == 1
    assert recorded.stderr == plain.stderr


def test_modules_look_as_they_do_plainly(tmp_path: Path, record: Forker) -> None:
    script = """\
import inspect
import sys
import mypkg.net
print(type(mypkg.net.__loader__).__name__, mypkg.net.__spec__.name)
print([getattr(finder, "__name__", type(finder)) for finder in sys.meta_path])
print(inspect.getsource(mypkg.net.Net.forward), sorted(vars(mypkg.net)))
"""
    written(tmp_path, PACKAGE | {"train.py": script})
    plain = run_plainly(tmp_path / "train.py", tmp_path / "plain.json")
    assert record(tmp_path / "train.py").stdout == plain.stdout


# ------------------------------------------------------------ statements and calls

SOURCE = """\
x = f(1); y = 2
for i in range(
    3,
):
    z = f(i)
def g(a):
    return f(a) + f(
        2)
文 = f('中')
"""


class Compiled:
    """A file that was compiled for recording, with what was sent."""

    def __init__(self, source: str = SOURCE) -> None:
        self.reading, self.writing = os.pipe()
        self.recorder = SourceRecorder(EventWriter(self.writing, 1000, 1000, lambda reason: False))
        callbacks: dict[str, Any] = {name: lambda *values: values[-1] if values else None for name in CALLBACKS}
        self.recorder.callbacks = callbacks | {"gate": Gate(lambda site: False)}
        self.code = self.recorder.compile(source, "/project/file.py")

    def sent(self, kind: type[Event]) -> list[Any]:
        tag = kind.__struct_config__.tag
        return [kind(*fields) for tag_sent, *fields in self.recorder._append.__self__ if tag_sent == tag]  # type: ignore[attr-defined]


@pytest.fixture
def compiled() -> Iterator[Compiled]:
    compiled = Compiled()
    yield compiled
    os.close(compiled.reading)
    os.close(compiled.writing)


def test_a_file_is_sent_once_and_again_when_it_has_changed(compiled: Compiled) -> None:
    recorder = compiled.recorder
    assert compiled.sent(Source) == [Source(1, "/project/file.py", SOURCE)]
    recorder.compile(SOURCE, "/project/file.py")
    recorder.names["/project/other.py"] = "other.py"
    recorder.compile("a = 1\n", "/project/other.py", whole="# text\na = 1\n")
    recorder.compile(SOURCE + "b = 2\n", "/project/file.py")
    assert [(source.file, source.path) for source in compiled.sent(Source)] == [
        (1, "/project/file.py"), (2, "other.py"), (3, "/project/file.py")
    ]  # fmt: skip
    assert compiled.sent(Source)[1].text == "# text\na = 1\n"
    assert (recorder.file_of("/project/other.py"), recorder.file_of("/elsewhere.py")) == (2, None)


def test_statements_have_their_lines_and_blocks_those_of_their_header(compiled: Compiled) -> None:
    sites = {site.span[:2]: site.site for site in compiled.sent(Site) if site.op is None}
    lines = {start: compiled.recorder.lines_of(site) for start, site in sites.items()}
    assert lines == {
        (1, 0): (1, 1), (1, 10): (1, 1), (2, 0): (2, 4), (5, 4): (5, 5), (6, 0): (6, 6), (7, 4): (7, 8), (9, 0): (9, 9)
    }  # fmt: skip
    assert compiled.recorder.lines_of(999) == (0, 0)


def test_a_call_has_the_span_and_the_statement_around_it(compiled: Compiled) -> None:
    """Each call of `f` asks, as an operation does, where it was called from."""
    recorder, asked = compiled.recorder, []

    def f(value: Any) -> int:
        frame = sys._getframe(1)
        place = CallSite(frame, is_own=True)
        site = recorder.op_site(frame.f_code, frame.f_lasti, "f", 0, None, False)
        asked.append((place.key, Site(*site.event[1:])))
        return 1

    exec(compiled.code, names := {"f": f})
    names["g"](5)
    statements = {site.site: site.span for site in compiled.sent(Site) if site.op is None}
    shown = [(site.span, site.function, statements[site.statement][:2]) for _, site in asked]
    assert shown == [
        ((1, 4, 1, 8), "<module>", (1, 0)),
        *[((5, 8, 5, 12), "<module>", (5, 4))] * 3,
        ((9, 4, 9, 10), "<module>", (9, 0)),
        ((7, 11, 7, 15), "g", (7, 4)),
        ((7, 18, 8, 10), "g", (7, 4)),
    ]
    keys = [key for key, _ in asked]
    assert len(set(keys)) == 5  # the loop's call is one place


def test_a_part_of_a_composite_lies_where_that_does(compiled: Compiled) -> None:
    code = compiled.code
    outer = compiled.recorder.op_site(code, 0, "linear", 0, None, False)
    inner = compiled.recorder.inner_site(outer, "addmm_")
    site, part = Site(*outer.event[1:]), Site(*inner.event[1:])
    assert (part.span, part.statement, part.op, part.depth, part.parent) == (
        site.span, site.statement, "addmm_", 1, "linear"
    )  # fmt: skip
    assert (inner.inplace, outer.inplace) == (True, False)
    assert inner.serial == outer.serial + 1


def test_a_call_for_torch_comes_from_the_learners_line() -> None:
    frame = sys._getframe()
    line, call = frame.f_lineno, CallSite(frame, is_own=True).call
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(warnings.warn, ("careful",), {})
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)
