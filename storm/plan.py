"""What a storm will do and when, drawn from one seed before it begins.

The same seed and the same settings give the same plan. What comes of it differs from run to run, because the processes
under storm take their own time; the plan is written to the work folder, so that a storm can be read afterwards.
"""

import dataclasses
import random

# At least so many in a minute; the plan holds a fifth more, because some fall into the shadow of another fault.
DEPLOYS_PER_MINUTE = 3
KILLS_PER_MINUTE = 3
RESTARTS_PER_MINUTE = 0.8
STOPS_PER_MINUTE = 0.8
SPARE = 1.2

# A deck is shuffled and dealt to its end before the next one: each kind comes round, however short the storm.
DEPLOY_DECK = [
    "sql",
    "engine",
    "failing_sql",
    "older_engine",
    "crashing_engine",
    "plain",
    "rollback",
    "sql",
    "engine",
    "failing_contract",
    "by_hand",
    "bad_definition",
    "older_engine",
    "withdrawn",
    "drain",
    "rollback",
]
# The first cards, in this order: a storm of two minutes sees one of each sort of trouble.
FIRST_DEPLOYS = ["sql", "failing_sql", "engine", "crashing_engine", "rollback", "older_engine", "bad_definition"]
KILL_DECK = ["worker", "worker", "worker", "control"]
RESTART_DECK = ["fast", "immediate"]
STOP_DECK = ["worker", "worker", "control"]


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: `kill`, `stop` or `restart`; `which` of the living is hit is `draw` modulo their number."""

    at: float
    what: str
    whom: str
    draw: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Step:
    """One deploy, or what is done to releases beside deploys; `draw` decides its details."""

    at: float
    kind: str
    draw: int


@dataclasses.dataclass(frozen=True)
class Plan:
    faults: list
    steps: list
    source_seed: int


def dealt(rng, deck, count, first=()):
    """`count` cards: the first ones as given, then whole shuffled decks one after the other."""
    cards = list(first)
    while len(cards) < count:
        cards += rng.sample(deck, len(deck))
    return cards[:count]


def moments(rng, count, seconds):
    """`count` moments spread over the time: one in each equal part of it, anywhere in that part."""
    part = seconds / max(1, count)
    return [(index + rng.random()) * part for index in range(count)]


def draw_plan(seed, minutes, has_older_engine):
    rng = random.Random(seed)
    seconds = minutes * 60
    faults = []
    for what, deck, per_minute in (
        ("kill", KILL_DECK, KILLS_PER_MINUTE * SPARE),
        ("restart", RESTART_DECK, RESTARTS_PER_MINUTE),
        ("stop", STOP_DECK, STOPS_PER_MINUTE),
    ):
        count = max(1, round(per_minute * minutes))
        for at, whom in zip(moments(rng, count, seconds), dealt(rng, deck, count)):
            faults.append(Fault(at, what, whom, rng.getrandbits(31), rng.uniform(0.0, 1.0)))
    # Steps that are no deploys come on top, so that the deploys are as many as promised.
    count = round(DEPLOYS_PER_MINUTE * SPARE * minutes * len(DEPLOY_DECK) / (len(DEPLOY_DECK) - 3))
    kinds = dealt(rng, DEPLOY_DECK, count, FIRST_DEPLOYS)
    if not has_older_engine:
        kinds = ["plain" if kind == "older_engine" else kind for kind in kinds]
    steps = [Step(at, kind, rng.getrandbits(31)) for at, kind in zip(moments(rng, count, seconds), kinds)]
    return Plan(sorted(faults, key=lambda fault: fault.at), steps, rng.getrandbits(31))
