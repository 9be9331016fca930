"""What has happened and what was logged, kept in memory for whoever looks later.

recorder    takes it all in, by player, with numbers to resume from
entries     a line, an event
handler     what takes the records of the standard logging
shelves     the newest of many numbered things, by key, and no more than so many
"""
