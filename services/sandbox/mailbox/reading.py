"""The mailbox as its reader uses it: the folder, off the event loop."""

from __future__ import annotations

import asyncio

from services.chassis.answers import File
from services.chassis.problems import NotFound
from services.sandbox.mailbox.folder import Folder
from services.sandbox.mailbox.letters import Letter, read_attachment, read_html, read_letter


class Mailbox:
    """Letters, newest first."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    async def newest(self, limit: int, to: str | None) -> list[Letter]:
        """The newest letters, of one recipient where `to` is given."""

        def read() -> list[Letter]:
            return [letter for message_id in self._folder.newest(limit, to) if (letter := self._present(message_id))]

        return await asyncio.to_thread(read)

    async def letter(self, message_id: str) -> Letter:
        """One letter. Raises `NotFound`."""
        return await asyncio.to_thread(lambda: read_letter(self._folder.read(message_id)))

    async def html(self, message_id: str) -> str:
        """The HTML body of a letter, whole. Raises `NotFound` where it has none."""
        html = await asyncio.to_thread(lambda: read_html(self._folder.read(message_id)))
        if html is None:
            raise NotFound("This message has no HTML body")
        return html

    async def attachment(self, message_id: str, place: str) -> File:
        """A file that came with a letter. Raises `NotFound`."""
        found = await asyncio.to_thread(self._attachment, message_id, place)
        if found is None:
            raise NotFound("There is no such attachment")
        return found

    async def remove(self, message_id: str) -> None:
        """Throw a letter away."""
        await asyncio.to_thread(self._folder.remove, message_id)

    async def clear(self, to: str | None) -> None:
        """Throw all letters away, of one recipient where `to` is given."""
        await asyncio.to_thread(self._folder.clear, to)

    def _present(self, message_id: str) -> Letter | None:
        """A letter, unless it was thrown away between being listed and being read."""
        try:
            return read_letter(self._folder.read(message_id))
        except NotFound:
            return None

    def _attachment(self, message_id: str, place: str) -> File | None:
        found = read_attachment(self._folder.read(message_id), int(place)) if place.isdecimal() else None
        return File(found[2], found[1], filename=found[0]) if found else None
