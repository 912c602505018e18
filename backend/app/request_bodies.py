"""Reception of request bodies on the event loop, before a worker thread is used.

A body must arrive in time: the sender has a grace period and then has to keep up a minimum rate
(CWE-400, OWASP ASVS 5.0 V15.2). Small bodies stay in memory, larger ones are spooled to disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any, cast

from granian._granian import RSGIProtocolClosed as ProtocolClosed

from .errors import BadRequest, LengthRequired, RequestTimeout, Unavailable

GRACE_SECONDS = 10.0
MIN_BYTES_PER_SECOND = 8 * 1024
MAX_BYTES_READ_AT_ONCE = 64 * 1024
MAX_BYTES_IN_MEMORY = 512 * 1024  # of one body
MAX_BYTES_SPOOLED = 1024 * 1024 * 1024  # of all bodies in one worker process
LINGER_SECONDS = 30.0


class RequestBodies:
    """Receives the bodies of one worker process. `folder` is for the temporary files."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._spooled = 0  # bytes announced by the bodies that are being received or used

    @contextlib.asynccontextmanager
    async def receive(self, proto: Any, length: int) -> AsyncIterator[IO[bytes]]:
        """Open a body of `length` bytes as a file positioned at its start.

        Raises RequestTimeout if it arrives too slowly, BadRequest if the connection ends before
        the body does, and Unavailable if too much is being received already.
        """
        if length <= MAX_BYTES_READ_AT_ONCE:
            yield await _receive_at_once(proto) if length else io.BytesIO()
            return
        if self._spooled + length > MAX_BYTES_SPOOLED:
            raise Unavailable("Too many uploads are in progress. Please try again later.", 30)
        self._spooled += length
        try:
            with tempfile.SpooledTemporaryFile(max_size=MAX_BYTES_IN_MEMORY, dir=self._folder) as file:
                await _receive_into(file, proto, length)
                yield cast("IO[bytes]", file)
        finally:
            self._spooled -= length


def body_length(headers: Any) -> int:
    """Return the declared length of a request's body in bytes, 0 if it has none.

    Raises LengthRequired for a chunked body (RFC 9110 8.6): the server cannot tell a chunked body
    that was cut off from a complete one.
    """
    if "transfer-encoding" in headers:
        raise LengthRequired("Send the body with a Content-Length header.")
    # The HTTP parser has refused anything but one number.
    return int(headers.get("content-length", "0"))


async def discard(proto: Any) -> None:
    """Read and discard what the client still sends, for a limited time.

    If the connection was closed while the client sends, the client would see a reset connection
    instead of the response (RFC 9112 9.6).
    """
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            async for _ in proto:
                pass
    except (TimeoutError, ProtocolClosed):
        return


async def _receive_at_once(proto: Any) -> IO[bytes]:
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            return io.BytesIO(await proto())
    except TimeoutError:
        raise _too_slow() from None
    except ProtocolClosed:
        raise _incomplete() from None


async def _receive_into(file: Any, proto: Any, length: int) -> None:
    received = 0
    due = asyncio.get_running_loop().time() + GRACE_SECONDS
    try:
        async with asyncio.timeout_at(due) as deadline:
            async for chunk in proto:
                file.write(chunk)
                received += len(chunk)
                deadline.reschedule(due + received / MIN_BYTES_PER_SECOND)
        file.seek(0)
    except TimeoutError:
        raise _too_slow() from None
    except ProtocolClosed:
        raise _incomplete() from None
    except OSError as error:
        raise Unavailable("The upload cannot be stored at the moment.", 30) from error
    if received != length:
        raise _incomplete()


def _too_slow() -> RequestTimeout:
    return RequestTimeout("The body of the request arrived too slowly.")


def _incomplete() -> BadRequest:
    return BadRequest("The connection ended before the body was complete.")
