"""The app: its screens, its themes, and an end that leaves no process and no dirty terminal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from textual import events
from textual.app import App
from textual.binding import Binding

from tutor.i18n import next_language, use
from tutor.ui import terminal, theme
from tutor.ui.panes.base import LessonChosen
from tutor.ui.terminal import TerminalDriver

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.lesson.model import Header
    from tutor.session.session import Session
    from tutor.session.worker_process import Workers
    from tutor.trace.timeline import Timeline

    Factory: TypeAlias = Callable[[Target], Session]


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
        super().__init__(TerminalDriver)
        self.target = target
        self.lessons = lessons
        self.timeline = timeline
        self.language = language
        use(language)
        self._factory = factory
        self.parting = ""
        """What to say on standard error once the screen is gone."""
        self.last: threading.Timer | None = None
        """Ends the process where the orderly end does not come."""
        self._standby = workers
        self._sessions: list[Session] = []
        for each in theme.themes():
            self.register_theme(each)
        self.theme = theme.preferred()

    # ------------------------------------------------------------ beginning

    def on_mount(self) -> None:
        if self.no_color:
            os.environ["NO_COLOR"] = "1"  # Textual took it away; the learner's program shall see it
        if not self.is_headless:
            loop = asyncio.get_running_loop()

            def tell(number: int) -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended, and so do we
                    loop.call_soon_threadsafe(self._signalled, number)

            terminal.on_signals(tell)
            terminal.watch_terminal(tell)
        if self.target is not None:
            self.open(self.target, self.timeline)
            return
        from tutor.ui.screens.lesson_list import LessonsScreen

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
        from tutor.lesson.catalog import Target

        self.open(Target("lesson", Path(message.path), message.lesson))

    def change_language(self) -> None:
        """The next language, at once and everywhere."""
        self.language = next_language()
        use(self.language)
        for screen in self.screen_stack:
            speak = getattr(screen, "speak", None)
            if speak is not None:
                speak(self.language)

    def after(self, lesson: str) -> Header | None:
        """The lesson that follows this one; None after the last."""
        from tutor.lesson import catalog
        from tutor.lesson.model import LessonError

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
        from tutor.ui.screens.lesson_list import LessonsScreen

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

    def exit(self, result: int | None = None, return_code: int = 0, message: Any = None) -> None:
        """Leave the screen, and in the end by force: the end of a thread of the terminal's may not come."""
        self._begin_to_leave(return_code)
        super().exit(result, return_code, message)

    def panic(self, *renderables: Any) -> None:
        """Leave with an error of ours: the status is never 0."""
        self._begin_to_leave(1)
        self._return_code = self._return_code or 1
        super().panic(*renderables)

    def _handle_exception(self, error: Exception) -> None:
        self._begin_to_leave(1)
        super()._handle_exception(error)

    def _begin_to_leave(self, status: int) -> None:
        if self.last is None and self._driver is not None and not self.is_headless:
            self.last = terminal.end_by_force(terminal.PATIENCE, status)

    def _signalled(self, number: int) -> None:
        for session in self._sessions:
            session.kill()
        if self._standby is not None:
            self._standby.kill()
        self.exit(return_code=128 + number)

    async def close_sessions(self) -> None:
        """Leave no process behind."""
        for session in self._sessions:
            await session.close()
        if self._standby is not None:
            await self._standby.close()
