from stemset.audio.formats import Depth, OutputFormat
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.catalogue.strategies import find_strategy, parse_strategy

STRATEGY = find_strategy("spleeter-2stems")
ONE_STEM = parse_strategy({"_": "spleeter-2stems", "vocals": "vocals"})


def test_fingerprint_names_everything_that_decides_about_samples() -> None:
    fingerprints = [
        fingerprint(STRATEGY, OutputChoice(OutputFormat.FLAC)),
        fingerprint(STRATEGY, OutputChoice(OutputFormat.FLAC), original_manner=True),
        fingerprint(STRATEGY, OutputChoice(OutputFormat.FLAC, depth=Depth.S16)),
        fingerprint(STRATEGY, OutputChoice(OutputFormat.OPUS)),
        fingerprint(STRATEGY, OutputChoice(OutputFormat.OPUS, 96)),
        fingerprint(ONE_STEM, OutputChoice(OutputFormat.FLAC)),
    ]

    assert len(set(fingerprints)) == len(fingerprints)


def test_fingerprint_of_what_was_made_before_is_still_the_same() -> None:
    assert (
        fingerprint(STRATEGY, OutputChoice(OutputFormat.FLAC))
        == "7bb91a0d1d536bf4d1af3d427cd940635168536a6d3f3af610a6ee7bc855c8d1"
    )
