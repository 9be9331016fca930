"""Flask next to something that is not a request, in one program.

    pip install 'orchestra-players[wsgi]' flask
    python examples/flask_app.py

    curl localhost:8000

Handlers run in threads, and so does the plain function that reads the thermometer.
"""

import logging
import os
import random

from flask import Flask

from orchestra import Conductor, Context, ServerPlayer, run

app = Flask(__name__)
temperature = [20.0]


@app.get("/")
def show() -> dict[str, float]:
    return {"temperature": temperature[0]}


def thermometer(ctx: Context) -> None:
    while not ctx.wait_sync(0.5):
        temperature[0] += random.uniform(-0.2, 0.2)


conductor = Conductor(
    {
        "thermometer": thermometer,
        "web": ServerPlayer(app, port=int(os.environ.get("PORT", "8000"))),
    }
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run(conductor)
