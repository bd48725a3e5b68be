"""The service's addresses: POST /predict, GET /health, and GET /, a page to try it.

In: a Student, Limits.  Out: build_app().  Imports: starlette; no torch.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pipeline.service.limits import Limits, RefusedError, read_texts
from pipeline.service.request_queue import Answer, Batches, answer_texts

if TYPE_CHECKING:
    from student_jax.student import Student

# How long a request may wait for its turn and its answer.
ANSWER_SECONDS = 30.0
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def build_app(student: "Student", limits: Limits, confidence: float = 0.0) -> Starlette:
    """The ASGI application that answers with `student`; no class where it has less than `confidence`."""
    batches = Batches(partial(answer_texts, student, confidence=confidence), limits.max_waiting)
    page = files("pipeline.service").joinpath("page.html").read_text(encoding="utf-8")
    origin = student.checkpoint.description.origin
    health = {
        "status": "ok",
        "task": origin.get("task"),
        "teacher": origin.get("teacher"),
        "classes": student.labels,
        "confidence": confidence,
        "limits": vars(limits),
    }

    async def predict(request: Request) -> Response:
        texts = read_texts(await read_body(request, limits), limits)
        faults = [limits.explain_fault(text) for text in texts]
        readable = [text for text, fault in zip(texts, faults, strict=True) if fault is None]
        answers = iter(await answer_unless_gone(request, batches.predict(readable)) if readable else [])
        return JSONResponse({"predictions": [{"error": fault} if fault else next(answers) for fault in faults]})

    async def show_health(_: Request) -> Response:
        return JSONResponse(health)

    async def show_page(_: Request) -> Response:
        return HTMLResponse(page, headers=PAGE_HEADERS)

    @asynccontextmanager
    async def answer_requests(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(batches.run())
        yield
        task.cancel()

    app = Starlette(
        routes=[
            Route("/", show_page),
            Route("/health", show_health),
            Route("/predict", predict, methods=["POST"]),
        ],
        exception_handlers={RefusedError: say_refused, HTTPException: say_http, Exception: say_failed},
        lifespan=answer_requests,
    )
    app.router.redirect_slashes = False
    return app


async def answer_unless_gone(request: Request, answering: Coroutine[Any, Any, list[Answer]]) -> list[Answer]:
    """The result of `answering`, which is given up when the client hangs up.

    Raises:
        RefusedError: there is no answer in time, or nobody who waits for it.
    """

    async def wait_until_gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    answer, gone = asyncio.create_task(answering), asyncio.create_task(wait_until_gone())
    try:
        done, _ = await asyncio.wait({answer, gone}, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        answer.cancel()
        gone.cancel()
    if answer in done:
        return answer.result()
    if gone in done:
        raise RefusedError(400, "nobody waits for an answer")  # to nobody: the client has gone
    raise RefusedError(503, f"no answer within {ANSWER_SECONDS:g} seconds; try again later")


async def read_body(request: Request, limits: Limits) -> bytearray:
    """The body of a request that says it is JSON.

    Raises:
        RefusedError: another content type, too many bytes, or too slow a client.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(415, f"content-type must be application/json, got {kind[:80] or 'none'}")
    body = bytearray()
    try:
        async with asyncio.timeout(limits.max_seconds):
            async for piece in request.stream():
                body += piece
                if len(body) > limits.max_bytes:
                    raise RefusedError(413, f"body must have at most {limits.max_bytes} bytes")
    except TimeoutError:
        raise RefusedError(408, f"body must come within {limits.max_seconds:g} seconds") from None
    except ClientDisconnect:
        raise RefusedError(400, "body must be whole") from None  # to nobody: the client has gone
    return body


async def say_refused(_: Request, error: Exception) -> Response:
    """A broken rule in one line of JSON."""
    assert isinstance(error, RefusedError)
    headers = {"retry-after": "1"} if error.status == 503 else {}
    # What is left of a late body will not be waited for.
    headers |= {"connection": "close"} if error.status == 408 else {}
    return JSONResponse({"error": str(error)}, error.status, headers)


async def say_http(request: Request, error: Exception) -> Response:
    """Starlette's own refusals, such as 404 and 405, in the same form."""
    assert isinstance(error, HTTPException)
    line = (
        f"{request.method} {request.url.path[:80]}: {error.detail.lower()}; there are GET /, GET /health, POST /predict"
    )
    return JSONResponse({"error": line}, error.status_code, error.headers)


async def say_failed(_: Request, error: Exception) -> Response:
    """A fault of ours; its traceback goes to the log."""
    return JSONResponse({"error": f"internal error: {type(error).__name__}"}, 500)
