"""What the services of the browser tests are configured with, and what they hold."""

from dataclasses import dataclass
from pathlib import Path

from service_deployment import ServiceDeployment

PROFILE = "band"
CONFIG = f"""
profiles:
  - {{name: {PROFILE}, source_folder: recordings, output: {{format: opus}}}}
  - {{name: lossless, source_folder: recordings, output: {{format: flac}}}}
"""


@dataclass(frozen=True)
class ReadyOutput:
    """An output that can be played.

    Attributes:
        service_url: Address of the service that holds it.
        output_id: Its id.
        recording_id: The recording that it was made of.
        job_id: The job that made it.
    """

    service_url: str
    output_id: str
    recording_id: str
    job_id: str

    @property
    def page_url(self) -> str:
        """Address of the player's page."""
        return f"{self.service_url}/play/{self.output_id}"


def separate(service: ServiceDeployment, song: Path, profile: str = PROFILE) -> ReadyOutput:
    """Upload a song and wait until its stems are there."""
    uploaded = service.upload(song.read_bytes(), song.name, profile)
    job_id = service.process(song.name, profile)
    done = service.wait_state(job_id, "complete")
    return ReadyOutput(service.url, done["output_id"], uploaded["recording_id"], job_id)
