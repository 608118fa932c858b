import subprocess
import sys
import time


def test_process_age_counts_from_the_start_of_the_process():
    program = (
        "import time; time.sleep(0.3)\n"
        "from stemset.serving.process_age import process_age_s\n"
        "print(process_age_s())"
    )
    begun = time.monotonic()
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    ).stdout

    least = 0.28 if sys.platform == "linux" else 0  # the system counts in hundredths
    assert least <= float(out) <= time.monotonic() - begun + 0.02
