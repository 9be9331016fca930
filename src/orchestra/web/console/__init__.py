"""What there is to see of a running tree, and what can be done with it, as values that JSON has.

program     the process that plays, with its name, and what its players use of the machine
console     all that there is to see of one tree, as it is now and as it was recorded
control     start, stop, restart and scale by path: done, or an error with a code
rows        the tree as a flat list, with a version
places      where each task and thread of a player is right now
settings    what a player was made with
usage       CPU and memory
"""
