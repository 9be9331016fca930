"""What is served, and to whom.

service     the server of a program: its sockets, its application, and its end
connections those that are counted, known, and not waited for without end
door        who is let in, before anybody looks at what they want
application all that is behind the door
pages       the live page, whose files are in `static`
probed      what Kubernetes and Prometheus ask
"""
