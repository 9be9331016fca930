"""Orchestra."""
from .backoff import ConstantBackoff, ExponentialBackoff
from .conductor import Conductor
from .context import Context
from .errors import *
from .players.thread import ThreadPlayer
from .performance import Performance
from .player import *
from .player import PlayerFunc, as_player, restarting
