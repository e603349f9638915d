"""What files call the sports: words of GPX, TCX and FIT, and Strava's numbers in GPX."""

from __future__ import annotations

import re

from services.activities.domain.sports import SPORTS, Sport

_WORDS: dict[str, Sport] = {
    "run": "running",
    "jogging": "running",
    "trail running": "running",
    "trail run": "running",
    "treadmill running": "running",
    "virtual run": "running",
    "walk": "walking",
    "hike": "hiking",
    "mountaineering": "hiking",
    "snowshoeing": "hiking",
    "biking": "cycling",
    "bike": "cycling",
    "ride": "cycling",
    "virtual ride": "cycling",
    "e biking": "cycling",
    "mountain biking": "cycling",
    "gravel cycling": "cycling",
    "road biking": "cycling",
    "swim": "swimming",
    "open water swimming": "swimming",
    "lap swimming": "swimming",
    "stand up paddleboarding": "paddling",
    "kayaking": "paddling",
    "canoeing": "paddling",
    "rafting": "paddling",
    "cross country skiing": "skiing",
    "alpine skiing": "skiing",
    "snowboarding": "skiing",
    "nordic ski": "skiing",
    "inline skating": "skating",
    "ice skating": "skating",
    "fitness equipment": "fitness",
    "training": "fitness",
    "workout": "fitness",
    "hiit": "fitness",
    # Strava's words that are none of the above, of its API and its export
    "gravel ride": "cycling",
    "mountain bike ride": "cycling",
    "e bike ride": "cycling",
    "e mountain bike ride": "cycling",
    "handcycle": "cycling",
    "velomobile": "cycling",
    "snowshoe": "hiking",
    "virtual row": "rowing",
    "stand up paddling": "paddling",
    "alpine ski": "skiing",
    "backcountry ski": "skiing",
    "roller ski": "skiing",
    "snowboard": "skiing",
    "ice skate": "skating",
    "inline skate": "skating",
    "weight training": "fitness",
    "high intensity interval training": "fitness",
    "crossfit": "fitness",
    "elliptical": "fitness",
    "stair stepper": "fitness",
    "yoga": "fitness",
    "pilates": "fitness",
    # Strava writes its own numbers into a GPX track's type
    "1": "cycling",
    "4": "hiking",
    "9": "running",
    "10": "walking",
    "16": "swimming",
}

_WORD_BEGINS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # TrailRun, EBikeRide


def sport_named(name: object) -> Sport | None:
    """The sport that a file means by this word, `other` for a word we do not know; None for none or a blank one."""
    apart = _WORD_BEGINS.sub(" ", str(name)) if name is not None else ""
    words = re.sub(r"[\W_]+", " ", apart).strip().lower()
    if not words or words in ("generic", "all", "track"):
        return None
    exact = next((sport for sport in SPORTS if sport == words), None)
    return exact or _WORDS.get(words, "other")
