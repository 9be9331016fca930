"""What `orchestra play` prints, from the top to the bottom.

line       one line, as a value
telling    events and log records as lines
traces     tracebacks of players, without the frames that are ours
style      how a line looks: as text, in colour or without, or as JSON
display    what takes the events and records, and prints
waiting    what is said while the program stops
ending     what is said at the end: the summary, and the reason of a failure
"""
