"""Django over ASGI, with a timer next to it. A real project has its settings and views elsewhere.

    pip install 'orchestra-players[uvicorn]' django
    python examples/django_asgi.py

    curl localhost:8000

On SIGTERM requests in flight finish, and both have ended when the program does.
"""

import logging
import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from orchestra import Conductor, Context, ServerPlayer, run

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    # Those who want Django's own logging leave this out.
    LOGGING_CONFIG=None,
)
django.setup()
ticks = [0]


async def show(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ticks": ticks[0]})


urlpatterns = [path("", show)]


async def clock(ctx: Context) -> None:
    while await ctx.sleep(0.1):
        ticks[0] += 1


conductor = Conductor(
    {
        "clock": clock,
        "web": ServerPlayer(get_asgi_application(), port=int(os.environ.get("PORT", "8000"))),
    }
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run(conductor)
