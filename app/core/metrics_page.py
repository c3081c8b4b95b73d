"""`/metrics`, for Prometheus alone."""

import asyncio

from fastapi import APIRouter, Request, Response

from app.core.client_address import read_address
from app.core.figures import Figures
from app.core.metrics import CONTENT_TYPE, shown
from app.core.problems import NotFound
from app.settings import Settings

PATH = "/metrics"
router = APIRouter()


@router.get(PATH, include_in_schema=False)
async def metrics(request: Request) -> Response:
    """What was counted, for the networks that may know; whoever else asks finds nothing here."""
    settings: Settings = request.state.settings
    if not settings.metrics_enabled or not _is_allowed(request, settings):
        raise NotFound
    figures: Figures = request.state.figures
    # With several workers, files are read and added up.
    content = await asyncio.to_thread(shown, await figures.current())
    return Response(content, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


def _is_allowed(request: Request, settings: Settings) -> bool:
    # A peer on a Unix socket has no address: it is on this machine.
    address = read_address(request.client.host if request.client else "127.0.0.1")
    return address is not None and any(address in network for network in settings.metrics_allowed_networks)
