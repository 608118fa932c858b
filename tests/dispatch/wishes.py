"""A wish that tests of dispatch have in common."""

from scripted_worker import FINGERPRINT, JOB_ID, SHA256

from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice
from stemset.dispatch.wish import Wish

WISH = Wish(
    job_id=JOB_ID,
    profile="far",
    output_name="take",
    strategy_name="duo",
    strategy={"_": "spleeter-2stems"},
    fingerprint=FINGERPRINT,
    choice=OutputChoice(OutputFormat.OPUS, 96),
    input_key="inputs/far/take.wav",
    input_name="take.wav",
    sha256=SHA256,
    size_bytes=9000,
    duration_s=60.0,
    max_duration_s=7200.0,
)
