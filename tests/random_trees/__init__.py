"""Random trees of players, played in virtual time and judged by a simple model.

    scenario    what happens: a tree, and what is done to it at which moments, as one value
    strategies  how hypothesis draws one
    stage       plays a scenario, and writes down all that happened in one list, the record
    grammar     judges the events of each player, and the snapshots of the status
    accounts    judges the failures: each told of once, none dropped, none made up
    promises    judges the rest: who is asked when, how long it takes, in which order

Nothing in here predicts what a tree will do: that would be the library once more. The players know
what they have done, and the judges hold what the library said about it against that.
"""
