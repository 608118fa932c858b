import json
import shutil
import subprocess
from pathlib import Path

import pytest
from program import Stemset

from stemset import errors
from stemset.catalogue.entries import CATALOGUE
from stemset.cli.exit_codes import BY_BRANCH, ExitCode, exit_code


def leaves(branch: type[errors.StemsetError]) -> list[type[errors.StemsetError]]:
    below = branch.__subclasses__()
    return [leaf for sub in below for leaf in leaves(sub)] if below else [branch]


def test_exit_code_is_given_to_every_error() -> None:
    assert all(isinstance(exit_code(leaf("")), ExitCode) for leaf in leaves(errors.StemsetError))
    assert set(BY_BRANCH) == set(errors.StemsetError.__subclasses__())


def test_verify_of_an_intact_output_says_that_it_adds_up(stemset: Stemset, take: Path) -> None:
    stemset("split", take.name, "--format", "flac")
    (output,) = (take.parent / "stems").iterdir()

    ended = stemset("verify", output, take)

    assert ended.code == 0
    assert "add up to the original exactly" in ended.out


@pytest.mark.parametrize("harm", ["change", "remove", "cut"])
def test_verify_of_a_damaged_output_names_the_file(stemset: Stemset, take: Path, harm: str) -> None:
    stemset("split", take.name, "--format", "flac")
    (output,) = (take.parent / "stems").iterdir()
    vocals = output / "vocals.flac"
    content = bytearray(vocals.read_bytes())
    if harm == "remove":
        vocals.unlink()
    elif harm == "cut":
        vocals.write_bytes(content[:-100])
    else:
        content[-100] ^= 1
        vocals.write_bytes(content)

    ended = stemset("verify", output, "--json")

    assert ended.code == 1
    (problem,) = json.loads(ended.out)["problems"]
    assert problem.startswith("vocals.flac ")


def test_verify_against_another_recording_says_so(stemset: Stemset, take: Path) -> None:
    stemset("split", take.name)
    (output,) = (take.parent / "stems").iterdir()
    other = take.with_name("other.wav")
    other.write_bytes(take.read_bytes() + b"x")

    ended = stemset("verify", output, other)

    assert ended.code == 1
    assert "is not the recording" in ended.out


def test_verify_of_a_folder_without_output_says_so(stemset: Stemset, tmp_path: Path) -> None:
    ended = stemset("verify", tmp_path)

    assert ended.code == 1
    assert "[output_not_found]" in ended.err


def test_strategies_lists_the_default_and_the_configured(stemset: Stemset, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "strategies: {mine: {_: spleeter-2stems, vocals: voice}}\n"
    )

    listed = json.loads(stemset("strategies", "--json").out)["strategies"]

    assert [s["name"] for s in listed if s["default"]] == ["spleeter-2stems"]
    assert [(s["name"], s["stems"]) for s in listed if s["configured"]] == [("mine", ["voice"])]


def test_doctor_on_this_machine_finds_everything_in_order(stemset: Stemset) -> None:
    ended = stemset("doctor", "--json")

    assert ended.code == 0, ended.out
    checks = {check["name"]: check for check in json.loads(ended.out)["checks"]}
    assert "times as fast as the music plays" in checks["separating"]["detail"]
    assert all(check["ok"] for check in checks.values())


def test_doctor_without_the_model_names_the_command(stemset: Stemset, tmp_path: Path) -> None:
    ended = stemset("doctor", env={"STEMSET_MODEL_DIR": str(tmp_path / "none")})

    assert ended.code == 4
    assert "FAIL model spleeter-2stems" in ended.out
    assert "stemset models install spleeter-2stems" in ended.out


def test_models_list_shows_licence_and_state(stemset: Stemset) -> None:
    listed = json.loads(stemset("models", "list", "--json").out)["models"]
    models = {model["name"]: model for model in listed}

    assert list(models) == list(CATALOGUE)
    assert models["spleeter-2stems"]["licence"]["spdx"] == "MIT"
    assert models["spleeter-2stems"]["installed"] is True
    assert models["htdemucs"]["licence"]["spdx"] == "NONE"
    assert "licence: none stated" in stemset("models", "list").out


def test_models_path_is_that_of_the_network(stemset: Stemset) -> None:
    path = Path(stemset("models", "path", "spleeter-2stems").out.strip())

    assert path.name == "model.onnx"
    assert path.is_file()


def test_models_install_of_an_unknown_model_lists_the_known(stemset: Stemset) -> None:
    ended = stemset("models", "install", "spleeter-2stem")

    assert ended.code == 4
    assert "Did you mean spleeter-2stems" in ended.err


def test_models_install_asks_before_weights_come_that_nobody_granted(
    stemset: Stemset, tmp_path: Path
) -> None:
    nowhere = {"STEMSET_MODEL_DIR": str(tmp_path / "models"), "HTTPS_PROXY": "http://127.0.0.1:9"}

    refused = stemset.on_a_terminal("models", "install", "htdemucs", typed="n\n", env=nowhere)

    assert refused.code == 1
    assert "84 MB from https://" in refused.out
    assert "licence none stated" in refused.out
    assert "Install it?" in refused.out
    assert "Nothing was installed." in refused.out
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(("words", "typed"), [((), "y\n"), (("--yes",), "")])
def test_models_install_goes_on_with_consent(
    stemset: Stemset, tmp_path: Path, words: tuple[str, ...], typed: str
) -> None:
    ended = stemset.on_a_terminal(
        "models", "install", "htdemucs", *words, "--from", "no such folder", typed=typed,
        env={"STEMSET_MODEL_DIR": str(tmp_path / "models")},
    )  # fmt: skip

    assert "There is no folder no such folder" in ended.out
    assert ("Install it?" in ended.out) == bool(typed)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_for_the_named_shell(stemset: Stemset, shell: str) -> None:
    ended = stemset("completion", shell)

    assert ended.code == 0
    assert "_STEMSET_COMPLETE" in ended.out


@pytest.mark.parametrize(
    ("words", "offered"), [("stemset sp", "split"), ("stemset models in", "install")]
)
def test_completion_offers_what_could_come_next(stemset: Stemset, words: str, offered: str) -> None:
    env = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "_STEMSET_COMPLETE": "complete_bash",
    }

    assert stemset(env=env).out.split() == [offered]


def test_program_without_arguments_shows_help_alone(stemset: Stemset) -> None:
    ended = stemset()

    assert ended.code == 2
    assert "Usage: stemset" in ended.out + ended.err
    assert "Error" not in ended.err


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_completion_script_is_valid_bash(stemset: Stemset) -> None:
    script = stemset("completion", "bash").out

    subprocess.run(["bash", "-n"], input=script.encode(), check=True)


def test_completion_for_an_unknown_shell_is_a_usage_error(stemset: Stemset) -> None:
    assert stemset("completion", "csh").code == 2


def test_version_is_printed(stemset: Stemset) -> None:
    assert stemset("--version").out.startswith("stemset 0.")
