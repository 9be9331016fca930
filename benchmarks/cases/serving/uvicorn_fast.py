"""uvicorn, httptools, uvloop."""

from harness.serving import main

if __name__ == "__main__":
    main("uvicorn_fast")
