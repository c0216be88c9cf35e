"""A language that nobody speaks: each text in letters that look alike. All that is said can be had in it, so nothing is
wired to the languages that are there; read back, it is what is said in English."""

from __future__ import annotations

import re
import shutil
import string
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo

from tests.house.test_translations import marked
from tests.sampling import sample
from tests.ui.conftest import lines
from tests.ui.recordings import TRACE, timeline_of, two_paths
from tests.worker.recording import Forker
from tutor import cli, i18n
from tutor.text import show
from tutor.ui.app import GradtutorApp

ROOT = Path(__file__).parents[2]
CODE = "qps"
ENGLISH = string.ascii_letters
PSEUDO = "ȧƀƈḓḗƒɠħīĵķŀḿƞǿƥɋřşŧŭṽẇẋẏẑ" + "ȦɃƇḒḖƑƓĦĪĴĶĿḾȠǾƤɊŘŞŦŬṼẆẊẎẐ"
KEPT = re.compile(r"\{[^{}]*\}|%\(\w+\)\w|%[sr]")


def pseudo(text: str) -> str:
    """A text in those letters, as wide as before; its placeholders are kept."""
    table = str.maketrans(ENGLISH, PSEUDO)
    ends = [0, *(end for match in KEPT.finditer(text) for end in match.span()), len(text)]
    parts = [text[start:end] for start, end in pairwise(ends)]
    return "".join(part if place % 2 else part.translate(table) for place, part in enumerate(parts))


def plain(text: str) -> str:
    """The same in English letters."""
    return text.translate(str.maketrans(PSEUDO, ENGLISH))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of catalogs with that language and no other."""
    texts = marked()
    for message in texts:
        if not isinstance(message.id, str):
            message.string = tuple(map(pseudo, message.id))
        elif message.id:
            message.string = pseudo(message.id)
    folder = tmp_path_factory.mktemp("pseudo") / "locale"
    path = folder / CODE / "LC_MESSAGES" / "gradtutor.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, texts)
    return folder


@pytest.fixture
def only(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has that language alone, and no progress yet."""
    monkeypatch.setattr(i18n, "FOLDER", folder)
    monkeypatch.setattr(i18n, "_catalogs", {"en": i18n._catalogs["en"]})
    monkeypatch.setattr(i18n, "_language", "en")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")


# ---------------------------------------------------------------- commands

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "1", zh: "一"}
#     summary: {en: "1", zh: "一"}
#     needs: [cuda]
# ---
# %%
1 + 1
"""


@pytest.mark.usefixtures("only")
@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("--help", 0),
        *[(f"{command} --help", 0) for command in ("open", "record", "view", "list", "steps", "show", "check", "new")],
        ("lsit x", 2),
        ("steps", 2),
        ("list --lang xx", 2),
        ("list --lessons {folder}", 0),
        ("steps --lessons {folder} no-such-lesson", 2),
        ("list --lessons {folder}/none", 3),
        ("steps {folder}/none.py", 3),
        ("new graph/first --lessons {folder}", 0),
    ],
)
def test_a_command(words: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for language in ("en", CODE):
        folder = tmp_path / language
        (folder / "graph").mkdir(parents=True)
        (folder / "graph" / "01-one.py").write_text(LESSON, encoding="utf-8")
        assert cli.main(["--lang", language, *words.format(folder=folder).split()]) == status
        said.append("".join(capsys.readouterr()).replace(str(folder), "FOLDER"))
    assert plain(said[1]) == said[0]
    assert said[1] != said[0]


@pytest.mark.usefixtures("only")
def test_the_locale_chooses_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LC_ALL", f"{CODE}_XX.UTF-8")
    cli.main(["list", "--help"])
    assert pseudo("show this help") in capsys.readouterr().out


# ---------------------------------------------------------------- steps and what explains them

SCRIPT = """\
import torch

w = torch.tensor([1.0, 2.0], requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
for turn in range(2):
    loss = (w * w).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
OF_TORCH = """float32 cpu dtype device shape grad grad_fn self other result MulBackward0 SumBackward0 AccumulateGrad
dw dloss script mul add_ set_grad None"""


def untranslated(text: str) -> set[str]:
    """The English words of a text that neither the program nor torch has written."""
    return set(re.findall(r"[A-Za-z]\w+", text, re.ASCII)) - set(re.findall(r"\w+", f"{OF_TORCH} {SCRIPT}"))


@pytest.mark.slow
@pytest.mark.usefixtures("only")
def test_what_is_said_of_each_step(record: Forker) -> None:
    timeline = record(SCRIPT).timeline
    left: set[str] = set()
    for step in range(timeline.steps + 1):
        said = []
        for language in ("en", CODE):
            i18n.use(language)
            said.append("\n".join(show.lines(timeline, step)))
        assert plain(said[1]) == said[0]
        assert said[1] != said[0]
        left |= untranslated(said[1])
    assert not left


@pytest.mark.slow
def test_a_program_of_its_own(folder: Path, tmp_path: Path) -> None:
    """A copy of gradtutor has this language alone. So has its worker, which reads the knobs."""
    shutil.copytree(ROOT / "tutor", tmp_path / "tutor", ignore=shutil.ignore_patterns("__pycache__", "locale"))
    shutil.copytree(folder, tmp_path / "tutor" / "locale")
    (tmp_path / "script.py").write_text(SCRIPT + "loss.backward()\n", encoding="utf-8")
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONUTF8": "1"}
    for more, status in sample([([], 1), (["--set", "nope=1"], 2)], 1):
        said = []
        for locale in ("C.UTF-8", f"{CODE}.UTF-8"):
            done = subprocess.run(
                [sys.executable, "-m", "tutor", "steps", "script.py", *more],
                cwd=tmp_path, env={**variables, "LC_ALL": locale}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == status, done.stderr
            said.append(done.stdout + done.stderr)
        assert plain(said[1]) == said[0]
        assert said[1] != said[0]


# ---------------------------------------------------------------- the screen


@pytest.mark.usefixtures("only")
async def test_the_list_of_lessons_on_the_screen() -> None:
    app = GradtutorApp(lessons=ROOT / "lessons")
    async with app.run_test(size=(120, 40)) as pilot:
        in_english = lines(app)
        assert f"L {pseudo('English')}" in in_english[-1]
        await pilot.press("L")
        await pilot.pause()
        assert "L English" in lines(app)[-1]
        assert list(map(plain, lines(app))) == list(map(plain, in_english))
        assert lines(app)[:-1] != in_english[:-1]


@pytest.mark.usefixtures("only")
@pytest.mark.parametrize("keys", ["", "end", "question_mark", "g l", "w", "end enter", "end tab tab c", "right i"])
async def test_the_screen_of_a_lesson(keys: str) -> None:
    shown = []
    for language in ("en", CODE):
        app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=timeline_of(two_paths()), language=language)
        async with app.run_test(size=(160, 50)) as pilot:
            await pilot.press(*keys.split())
            await pilot.pause()
            shown.append(lines(app))
    assert list(map(plain, shown[1])) == shown[0]
    assert shown[1] != shown[0]
