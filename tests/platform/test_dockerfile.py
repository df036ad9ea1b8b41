"""The Dockerfile, carried out as far as a machine without a container engine can.

Its COPY and RUN steps are replayed in folders of their own, from what git knows and .dockerignore lets
through; only steps that make users are left out.
"""

import fnmatch
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()


@dataclass
class Stage:
    image: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages() -> list[Stage]:
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", TEXT).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            found.append(Stage(image, name))
        elif word and not word.startswith("#"):
            found[-1].steps.append((word, rest.strip()))
    return found


def context() -> list[str]:
    """Files of the build context: known to git (or new), not ignored by .dockerignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    patterns = (ROOT / ".dockerignore").read_text().split()
    return [name for name in listed.splitlines() if (ROOT / name).is_file() and not ignored(name, patterns)]


def ignored(name: str, patterns: list[str]) -> bool:
    parts = name.split("/")
    heads = ["/".join(parts[: size + 1]) for size in range(len(parts))]
    for pattern in patterns:
        if pattern.startswith("**/"):
            if any(fnmatch.fnmatch(part, pattern[3:]) for part in parts):
                return True
        elif any(fnmatch.fnmatch(head, pattern) for head in heads):
            return True
    return False


def copy(step: str, folder: Path, made: dict[str, Path]) -> None:
    *sources, target = [word for word in step.split() if not word.startswith("--")]
    origin = re.match(r"--from=(\S+)", step)
    for source in sources:
        into = folder / target
        if origin:
            work = made[origin[1]]
            inside = work / Path(source).relative_to(workdir(origin[1]))
            shutil.copytree(inside, into, symlinks=True, dirs_exist_ok=True)
            continue
        names = [n for n in context() if source in (".", n) or n.startswith(f"{source}/")]
        assert names, f"COPY {source}: nothing of that name reaches the build"
        for name in names:
            relative = name if source in (".", name) else name.removeprefix(f"{source}/")
            place = into / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place)


def workdir(name: str) -> str:
    stage = next(stage for stage in stages() if stage.name == name)
    return next(rest for word, rest in stage.steps if word == "WORKDIR")


def replay(stage: Stage, folder: Path, made: dict[str, Path]) -> None:
    folder.mkdir()
    # The images bring Node; here it comes from where `make` takes it.
    node = subprocess.run([ROOT / "scripts/node.sh"], capture_output=True, text=True, check=True).stdout
    env = os.environ | {"PATH": f"{node.strip()}:{os.environ['PATH']}"}
    for word, rest in stage.steps:
        if word == "COPY":
            copy(rest, folder, made)
        elif word == "RUN" and "useradd" not in rest:
            done = subprocess.run(
                ["/bin/sh", "-c", rest], cwd=folder, env=env, capture_output=True, text=True
            )
            assert done.returncode == 0, f"RUN {rest}\n{done.stdout}{done.stderr}"
    if stage.name:
        made[stage.name] = folder


@pytest.mark.timeout(600)
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the build context is read from git")
def test_steps_make_a_program_that_runs(tmp_path: Path) -> None:
    made: dict[str, Path] = {}
    for number, stage in enumerate(stages()):
        replay(stage, tmp_path / str(number), made)
    final = tmp_path / str(len(stages()) - 1)
    # In the image both stages lie at the same path, which the path entry names.
    entry = next(final.glob(".venv/lib/python*/site-packages/otklik.pth"))
    entry.write_text(f"{final}\n")
    done = subprocess.run([final / ".venv/bin/otklik", "doctor"], cwd=final, capture_output=True, text=True)
    assert "✓ console: built" in done.stdout, done.stdout + done.stderr
    assert "✓ widget: built" in done.stdout
    assert "✓ embedded PostgreSQL: " in done.stdout
    assert not (final / "tests").exists()


def test_image_starts_as_a_user_and_keeps_data_in_the_volume() -> None:
    steps = stages()[-1].steps
    assert ("USER", "otklik") in steps
    assert ("VOLUME", "/data") in steps
    assert ("CMD", '["otklik", "up"]') in steps
    env = next(rest for word, rest in steps if word == "ENV")
    for setting in ("OTKLIK_DATA_DIR=/data", "OTKLIK_HOST=0.0.0.0", "OTKLIK_PORT=8080"):
        assert setting in env
    assert "8080/healthz" in next(rest for word, rest in steps if word == "HEALTHCHECK")


def test_images_have_the_versions_the_scripts_pin() -> None:
    common = (ROOT / "scripts/common.sh").read_text()
    node = re.search(r"NODE_WHEEL_VERSION=(\d+)", common)
    assert node
    images = [stage.image for stage in stages()]
    assert f"node:{node[1]}-bookworm-slim" in images
    assert "python:3.11-slim-bookworm" in images


def test_no_data_or_secret_reaches_the_build() -> None:
    patterns = (ROOT / ".dockerignore").read_text().split()
    for name in ("data/secret.key", ".env", ".git/config", "console/node_modules/x/y.js", ".venv/bin/python"):
        assert ignored(name, patterns), name
