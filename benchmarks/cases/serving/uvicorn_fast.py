"""uvicorn, httptools, uvloop."""

from harness.serving import main

main("uvicorn_fast")
