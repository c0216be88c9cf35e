"""The app: its screens, its themes, and an end that leaves no process and no dirty terminal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from textual import events
from textual.app import App
from textual.binding import Binding

from tutor.language import LANGUAGES, use
from tutor.ui import theme
from tutor.ui.messages import LessonChosen

if TYPE_CHECKING:
    from tutor.lesson.find import Target
    from tutor.lesson.model import Header
    from tutor.process import Workers
    from tutor.session import Session
    from tutor.trace.timeline import Timeline

    Factory: TypeAlias = Callable[[Target], Session]

HUNG_UP = 1.0
"""So often it is looked whether the terminal is still there, in seconds."""
GRACE = 3.0
"""Seconds that an orderly end may take after a signal: a terminal that is gone can block it for ever."""


class GradtutorApp(App[int]):
    """gradtutor on the screen."""

    TITLE = "gradtutor"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "styles.tcss"
    BINDINGS = [Binding("ctrl+c", "interrupt", "stop or quit", show=False, priority=True)]

    def __init__(
        self,
        target: Target | None = None,
        *,
        lessons: Path,
        factory: Factory | None = None,
        workers: Workers | None = None,
        timeline: Timeline | None = None,
        language: str = "en",
    ) -> None:
        super().__init__()
        self.target = target
        self.lessons = lessons
        self.timeline = timeline
        self.language = language
        use(language)
        self._factory = factory
        self.parting = ""
        """What to say on standard error once the screen is gone."""
        self._leaving = False
        """Whether a signal has come, or the terminal is gone."""
        self._standby = workers
        self._sessions: list[Session] = []
        for each in theme.themes():
            self.register_theme(each)
        self.theme = theme.preferred()

    # ------------------------------------------------------------ beginning

    def on_mount(self) -> None:
        if self.no_color:
            os.environ["NO_COLOR"] = "1"  # Textual took it away; the learner's program shall see it
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self._signalled, number)
        if sys.stdin.isatty() and not self.is_headless:
            self.set_interval(HUNG_UP, self._look_at_terminal)
        if self.target is not None:
            self.open(self.target, self.timeline)
            return
        from tutor.ui.screens.lessons import LessonsScreen

        self.push_screen(LessonsScreen(self.lessons, self.language))

    def on_ready(self) -> None:
        """The first screen is there."""
        gc.freeze()  # or a key now and then waits 90 ms while all of Textual is looked through
        gc.enable()

    def open(self, target: Target, timeline: Timeline | None = None) -> None:
        """Walk through a run of the target, or through a recording of one."""
        from tutor.ui.screens.lesson import LessonScreen

        session = None
        if timeline is None and self._factory is not None:
            session = self._factory(target)
            self._sessions.append(session)
        self.push_screen(LessonScreen(target, session=session, timeline=timeline, language=self.language))

    def on_lesson_chosen(self, message: LessonChosen) -> None:
        from tutor.lesson.find import Target

        self.open(Target("lesson", Path(message.path), message.lesson))

    def change_language(self) -> None:
        """The next language, at once and everywhere."""
        self.language = LANGUAGES[(LANGUAGES.index(self.language) + 1) % len(LANGUAGES)]
        use(self.language)
        for screen in self.screen_stack:
            speak = getattr(screen, "speak", None)
            if speak is not None:
                speak(self.language)

    def after(self, lesson: str) -> Header | None:
        """The lesson that follows this one; None after the last."""
        from tutor.lesson import catalog
        from tutor.lesson.errors import LessonError

        try:
            lessons = catalog.load(self.lessons).lessons
        except LessonError:
            return None
        return next((following for before, following in pairwise(lessons) if before.id == lesson), None)

    # ------------------------------------------------------------ runs

    def again(self, session: Session, **changes: Any) -> Session:
        """The same run once more, with these changes to its command."""
        new = session.again(**changes)
        self._sessions.append(new)
        return new

    def prepare(self) -> None:
        """Let a process import torch while nobody waits for it, so that the next run starts at once."""
        if self._standby is not None:
            self._standby.prepare()

    # ------------------------------------------------------------ end

    def leave(self) -> None:
        """Back to the list of lessons."""
        from tutor.ui.screens.lessons import LessonsScreen

        below, at = self.screen_stack[-2], self._stands_on()
        if isinstance(below, LessonsScreen):
            below.at = at
            self.pop_screen()
        else:
            self.target = None
            self.switch_screen(LessonsScreen(self.lessons, self.language, at))

    def _stands_on(self) -> str:
        """The lesson that the list stands on after the one that is left: it, or at its end what it said comes next."""
        from tutor.ui.screens.lesson import LessonScreen

        screen = self.screen
        if not isinstance(screen, LessonScreen):
            return ""
        name = screen.target.name
        ended = screen.study.done and screen.cursor == screen.timeline.steps
        following = self.after(name) if ended else None
        return name if following is None else following.id

    def status(self) -> int:
        """The exit status of what was opened: 1 where its program failed; a list of lessons ends well."""
        screen = next((screen for screen in self.screen_stack if hasattr(screen, "status")), None)
        return 0 if self.target is None or screen is None else int(screen.status)

    def on_key(self, event: events.Key) -> None:
        """What no widget wanted."""
        take = getattr(self.screen, "typed_ahead", None)
        if take is not None and take(event):
            event.stop().prevent_default()

    def action_interrupt(self) -> None:
        """Ctrl-C: stop the program that runs, else leave."""
        stop = getattr(self.screen, "stop_program", None)
        if stop is None or not stop():
            self.exit(return_code=130)

    async def action_quit(self) -> None:
        self.exit(return_code=self.status())

    def _look_at_terminal(self) -> None:
        """A terminal may go without a signal: a program that is not of its session gets none."""
        terminal = select.poll()
        terminal.register(sys.stdin, 0)
        if terminal.poll(0) and not self._leaving:
            self._signalled(signal.SIGHUP)

    def _signalled(self, number: int) -> None:
        self._leaving = True
        for session in self._sessions:
            session.kill()
        if self._standby is not None:
            self._standby.kill()
        last = threading.Timer(GRACE, os._exit, (128 + number,))
        last.daemon = True
        last.start()
        self.exit(return_code=128 + number)

    async def close_sessions(self) -> None:
        """Leave no process behind."""
        for session in self._sessions:
            await session.close()
        if self._standby is not None:
            await self._standby.close()
