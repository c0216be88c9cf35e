"""The Textual app: its screens, themes and sessions, and an exit that leaves no process behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from textual import events
from textual.app import App
from textual.binding import Binding

from tutor.i18n import next_language, use
from tutor.study.settings import Settings
from tutor.ui import terminal, theme
from tutor.ui.panes.base import KeyPicked, LessonChosen, LessonLeft, RunRefused, SettingChanged, TargetChosen
from tutor.ui.pictures import Pictures
from tutor.ui.render.segments import clean
from tutor.ui.terminal import TerminalDriver

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.session.session import Session
    from tutor.session.worker_process import Workers
    from tutor.study.model import Model
    from tutor.trace.timeline import Timeline

    Factory: TypeAlias = Callable[[Target], Session]


CLEAR = "\x1b[2J"
"""The control sequence that clears the screen."""


class GradtutorApp(App[int]):
    """The full-screen interface."""

    TITLE = "gradtutor"
    ENABLE_COMMAND_PALETTE = False  # the screens that have it bind its keys themselves
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
        images: str = "none",
    ) -> None:
        """Make the app.

        Args:
            target: What to open first; None shows the list of lessons.
            lessons: The folder of the lessons.
            factory: Makes the session that runs a target.
            workers: Keeps a worker process on standby, so that a run starts at once.
            timeline: A recording to show instead of a run of `target`.
            language: The language of the interface.
            images: The protocol by which the terminal shows pictures: kitty, sixel or none.
        """
        super().__init__(TerminalDriver)
        self.pictures = Pictures(images)
        self.target = target
        self.lessons = lessons
        self.timeline = timeline
        self.language = language
        use(language)
        self._factory = factory
        self.exit_message = ""
        """A message for standard error, printed once the terminal is restored."""
        self.exit_timer: threading.Timer | None = None
        """A timer that ends the process if the orderly exit hangs."""
        self._standby = workers
        self._models: list[Model] = []
        """All walks, so that no session outlives the app."""
        for textual_theme in theme.themes():
            self.register_theme(textual_theme)
        self.settings = Settings()
        self.theme = theme.preferred_theme(self.settings.get("theme"))

    # ------------------------------------------------------------ start

    def on_mount(self) -> None:
        if isinstance(self._driver, TerminalDriver):
            self.pictures.terminal = self._driver
        if self.no_color:
            os.environ["NO_COLOR"] = "1"  # Textual removed it, but the learner's program must see it
        if not self.is_headless:
            loop = asyncio.get_running_loop()

            def on_signal(number: int) -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended already
                    loop.call_soon_threadsafe(self._exit_on_signal, number)

            terminal.on_signals(on_signal)
            terminal.watch_terminal(on_signal)
        if self.target is not None:
            self.open(self.target, self.timeline)
            return
        from tutor.ui.screens.lesson_list import LessonsScreen

        self.push_screen(LessonsScreen(self.lessons, self.language, problem=self.settings.problem))

    def on_ready(self) -> None:
        """Tune the garbage collector once the first screen is shown."""
        gc.freeze()  # else a collection of all Textual objects delays a key by 90 ms
        gc.enable()

    def open(self, target: Target, timeline: Timeline | None = None) -> None:
        """Open a run of the target, or the recording `timeline` of one."""
        from tutor.study.model import Model
        from tutor.ui.screens.lesson import LessonScreen

        session = self._factory(target) if timeline is None and self._factory is not None else None
        model = Model(target, session=session, timeline=timeline)
        self._models.append(model)
        screen = LessonScreen(model, lessons=self.lessons, language=self.language)
        screen.restore(self.settings.get)
        if self.settings.problem:
            screen.notice = [(clean(self.settings.problem), "error")]
        self.push_screen(screen)

    def on_lesson_chosen(self, message: LessonChosen) -> None:
        """Open the chosen lesson."""
        from tutor.lesson.catalog import lesson_target

        self.open(lesson_target(message.lesson))

    def on_target_chosen(self, message: TargetChosen) -> None:
        """Open the chosen script or recording."""
        self.open(message.target, message.timeline)

    def action_change_language(self) -> None:
        """Switch all screens to the next language."""
        self.language = next_language()
        use(self.language)
        self.settings.set("language", self.language)
        for screen in self.screen_stack:
            speak = getattr(screen, "speak", None)
            if speak is not None:
                speak(self.language)

    def action_help(self) -> None:
        """Show the keys and the marks."""
        from tutor.ui.bindings import keys_of
        from tutor.ui.screens.help import HelpSheet

        self.push_screen(HelpSheet(self.screen.focused, keys_of(self.screen)))

    def action_theme(self, name: str) -> None:
        """Change to the theme `dark` or `light`, and keep it."""
        self.theme = theme.THEMES[name]
        self.settings.set("theme", name)

    def on_setting_changed(self, message: SettingChanged) -> None:
        """Keep what was set."""
        self.settings.set(message.name, message.value)

    def action_command_palette(self) -> None:
        """Open the palette: all that can be done here, and all places to go to."""
        from tutor.ui.palette import Palette

        self.push_screen(Palette())

    def action_redraw(self) -> None:
        """Draw the whole screen again, whatever the terminal shows."""
        if self._driver is not None:
            self._driver.write(CLEAR)
        self.refresh(layout=True)

    def on_key_picked(self, message: KeyPicked) -> None:
        """Press the key that was clicked in the key line."""
        self.simulate_key(message.key)

    # ------------------------------------------------------------ runs

    def on_worker_wanted(self) -> None:
        """Let a standby process import torch now."""
        if self._standby is not None:
            self._standby.prepare()

    def on_run_refused(self, message: RunRefused) -> None:
        """Exit with the reason, if the program was all that is to be shown."""
        if self.target is not None and sum(hasattr(screen, "status") for screen in self.screen_stack) == 1:
            self.exit_message = message.reason
            self.exit(return_code=message.status)

    # ------------------------------------------------------------ exit

    def on_lesson_left(self, message: LessonLeft) -> None:
        """Go back to what this was opened from, or on to another lesson."""
        from tutor.lesson.catalog import lesson_target
        from tutor.ui.screens.lesson_list import LessonsScreen

        below = self.screen_stack[-2]
        if len(self.screen_stack) > 2:  # the lowest is Textual's own
            if isinstance(below, LessonsScreen):
                below.at = message.lesson
            self.pop_screen()
        else:
            self.target = None
            self.switch_screen(LessonsScreen(self.lessons, self.language, message.lesson))
        if message.following is not None:
            self.open(lesson_target(message.following))

    def status(self) -> int:
        """Return the exit status of the command's target: 1 where its program failed, 0 for the list of lessons."""
        screen = next((screen for screen in self.screen_stack if hasattr(screen, "status")), None)
        return 0 if self.target is None or screen is None else int(screen.status)

    def on_key(self, event: events.Key) -> None:
        """Offer a key that no widget handled to the screen."""
        insert_key = getattr(self.screen, "typed_ahead", None)
        if insert_key is not None and insert_key(event):
            event.stop().prevent_default()

    def action_interrupt(self) -> None:
        """Stop the running program (Ctrl-C); if none runs, exit."""
        stop_program = getattr(self.screen, "stop_program", None)
        if stop_program is None or not stop_program():
            self.exit(return_code=130)

    async def action_quit(self) -> None:
        """Exit with the status of the open target."""
        self.exit(return_code=self.status())

    def exit(self, result: int | None = None, return_code: int = 0, message: Any = None) -> None:
        """Exit, by force if need be: a thread that writes to the terminal may hang."""
        self._start_exit_timer(return_code)
        super().exit(result, return_code, message)

    def panic(self, *renderables: Any) -> None:
        """Exit after an internal error; the exit status is never 0."""
        self._start_exit_timer(1)
        self._return_code = self._return_code or 1
        super().panic(*renderables)

    def _handle_exception(self, error: Exception) -> None:
        self._start_exit_timer(1)
        super()._handle_exception(error)

    def _start_exit_timer(self, status: int) -> None:
        """Start the timer that ends the process by force."""
        if self.exit_timer is None and self._driver is not None and not self.is_headless:
            self.exit_timer = terminal.exit_after(terminal.QUIT_GRACE, status)

    def _exit_on_signal(self, number: int) -> None:
        """Exit after a signal, and kill all worker processes."""
        for session in self._all_sessions():
            session.kill()
        if self._standby is not None:
            self._standby.kill()
        self.exit(return_code=128 + number)

    def _all_sessions(self) -> list[Session]:
        return [session for model in self._models for session in model.sessions]

    async def close_sessions(self) -> None:
        """Close all sessions and their processes."""
        for session in self._all_sessions():
            await session.close()
        if self._standby is not None:
            await self._standby.close()
