"""Rooms at a real Synapse, seen by ordinary people."""

from __future__ import annotations

from collections.abc import Callable

from liberate_matrix.destination import MatrixDestination
from matrix_kit import Company, Reader, Writer, message

Opening = Callable[[], MatrixDestination]


def test_what_was_said_is_read_by_a_member_with_its_authors_and_times(opening: Opening, company: Company) -> None:
    room = company.room(topic="the topic")
    with opening() as destination:
        writer = Writer(destination, company, room)
        for number, author in enumerate(["U1", "U3", "U2", "B1"]):
            writer.write(message(number, author=author))
        writer.close()
    anna = Reader(company.synapse, company.anna)
    assert anna.said(writer.place) == [
        (company.anna.id, "message 0"),
        (company.ghost("U3"), "message 1"),
        (company.ben.id, "message 2"),
        (company.ghost("B1"), "message 3"),
    ]
