"""Names in the columns of the graph."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tutor.text_width import width
from tutor.ui.panes.graph.names import short_names

NAMES = st.lists(
    st.from_regex(r"[a-c梯]{1,8}(\.[ab]{1,9}|\[\d{1,2}\]){0,4}", fullmatch=True), min_size=1, max_size=20, unique=True
)


@given(names=NAMES, cells=st.integers(4, 40))
def test_names_fit_and_are_never_alike(names: list[str], cells: int) -> None:
    short = short_names(names, cells)
    assert len(set(short.values())) == len(names)
    for name, text in short.items():
        assert width(text) <= cells
        assert text == name or (width(name) > cells and "…" in text)


def test_a_name_is_whole_where_there_is_room_and_else_loses_what_all_have_or_its_middle() -> None:
    names = ["model.blocks[0].mlp[0].weight", "model.blocks[0].mlp[0].bias"]
    assert [*short_names(names, 29).values()] == names
    assert [*short_names(names, 12).values()] == ["…weight", "…bias"]
    assert [*short_names(["model.blocks[0].mlp[0].weight", "w"], 12).values()] == ["w", "mode….weight"]
