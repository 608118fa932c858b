"""A library of any size, laid into a service's ledger and store without the work."""

import psycopg
from service_deployment import ServiceDeployment

from stemset.audio.peaks_header import PeaksHeader
from stemset.postgres.cluster import running

_PIXELS = 300
_PEAKS = "vocals.peaks-256.dat"
_RECORDINGS = """
INSERT INTO recordings (sha256, name, filename, bytes, duration_s, rate_hz, channels, input_key,
                        is_proven, owner, created_at)
SELECT encode(sha256(n::text::bytea), 'hex'), 'Take ' || n, 'take ' || n || '.wav', 50000000,
       60 + n %% 7200, 48000, 2, 'inputs/band/take ' || n || '.wav', true, 'local',
       now() - n * interval '1 minute'
FROM generate_series(1, %(count)s) AS n
"""
_JOBS = """
INSERT INTO jobs (id, sha256, filename, input_key, profile, output_name, strategy_name, strategy,
                  output, fingerprint, queue, owner, state, progress, created_at, started_at,
                  ended_at, stems, attempt)
SELECT md5(n::text), encode(sha256(n::text::bytea), 'hex'), 'take ' || n || '.wav',
       'inputs/band/take ' || n || '.wav', 'band', 'take_' || n, 'spleeter-2stems',
       '{"_": "spleeter-2stems"}', '{"format": "opus"}', md5('f'), 'local', 'local', 'complete', 1,
       now() - n * interval '1 minute', now() - n * interval '1 minute',
       now() - n * interval '1 minute', '["vocals", "accompaniment"]', 'take-1'
FROM generate_series(1, %(count)s) AS n
"""
_OUTPUTS = """
INSERT INTO outputs (profile, output_name, id, sha256, job_id, state, metadata, completed_at)
SELECT profile, output_name, md5('output' || id), sha256, id, 'whole', %(metadata)s, ended_at
FROM jobs
"""
_METADATA = """
{"encoding": {"format": "opus"},
 "stems": {"vocals": {"stem_url": "vocals.opus", "peaks_urls": ["vocals.peaks-256.dat"]},
           "accompaniment": {"stem_url": "accompaniment.opus", "peaks_urls": []}},
 "files": {"vocals.opus": {"bytes": 5000000, "sha256": ""},
           "vocals.peaks-256.dat": {"bytes": 624, "sha256": ""},
           "accompaniment.opus": {"bytes": 5000000, "sha256": ""}}}
"""


def fill(service: ServiceDeployment, count: int) -> None:
    """Lay recordings into an empty service, each with stems of which the waveform is there."""
    conninfo = running(service.data)
    assert conninfo is not None, "no database runs"
    with psycopg.connect(conninfo) as connection:
        connection.execute(_RECORDINGS, {"count": count})
        connection.execute(_JOBS, {"count": count})
        connection.execute(_OUTPUTS, {"metadata": _METADATA})
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("ANALYZE")
    for number in range(1, count + 1):
        service.store.write(f"outputs/band/take_{number}/take-1/{_PEAKS}", _peaks(number))


def _peaks(number: int) -> bytes:
    """A peaks file whose picture is another for each number."""
    heights = [abs((pixel * (number % 97 + 3)) % 200 - 100) for pixel in range(_PIXELS)]
    pixels = b"".join(bytes((256 - height if height else 0, height)) for height in heights)
    return PeaksHeader(48_000, 256, _PIXELS).to_bytes() + pixels
