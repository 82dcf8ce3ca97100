"""A transport that sends what is written within one turn of the event loop in one piece: half the system calls."""

import asyncio
from typing import Any


class GatheringTransport:
    """Gathers writes; everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send soon, together with what else is written until then."""
        if not self._chunks:
            self._loop.call_soon(self._flush)
        self._chunks.append(data)

    def _flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        if chunks and not self._transport.is_closing():
            self._transport.write(b"".join(chunks))

    def close(self) -> None:
        """Send the rest and close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Cut the connection; what was not sent is lost."""
        self._chunks.clear()
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
