"""The API over HTTP: one question and one answer, or a stream of what changes.

routes      what can be asked for
asked       what comes in, checked; `answers` is what goes out
stream      server-sent events; `pulse` finds what changes, once for all who follow
openapi     the description of all that, with its `schemas`
"""
