"""Puts the program that judges into a folder of its own, outside of the work tree and not on the PATH.

Reads VERSION, SHA256, URL, PROGRAM and REPOSITORY from the environment, and writes the output `program`.
"""

import hashlib
import io
import os
import platform
import re
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

NAME = "cargo-trt-perf"
MAX_BYTES = 256 << 20


def main():
    version, checksums = os.environ["VERSION"].strip(), os.environ["SHA256"].split()
    program = os.environ["PROGRAM"].strip()
    if program:
        program = Path(program).resolve()
        if not program.is_file():
            sys.exit(f"::error::input `program`: there is no file {program}")
    elif not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?", version):
        sys.exit(f"::error::input `version` is {version!r}: name the release that judges, such as 0.1.0")
    else:
        folder = Path(os.environ["RUNNER_TEMP"], "trt-perf", version)
        program = download(version, checksums, folder) if checksums else compile_(version, folder)
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()
    if version and said.split()[-1:] != [version]:
        sys.exit(f"::error::{program} says that it is {said!r}, and version {version} was asked for")
    print(f"{said}: {program}")
    with open(os.environ["GITHUB_OUTPUT"], "a") as out:
        out.write(f"program={program}\n")


def download(version, checksums, folder):
    """The program from a release's archive, whose checksum the workflow names."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    url = os.environ["URL"].strip() or (
        f"{server}/{os.environ['REPOSITORY']}/releases/download/v{version}/"
        f"{NAME}-{version}-{machine}-unknown-linux-gnu.tar.gz"
    )
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            archive = answer.read(MAX_BYTES + 1)
    except (OSError, ValueError) as e:
        sys.exit(f"::error::cannot download {url}: {e}; without `sha256` the crate is compiled instead")
    found = hashlib.sha256(archive).hexdigest()
    if found not in [c.lower() for c in checksums]:
        sys.exit(f"::error::{url} has the SHA-256 {found}, which is none of input `sha256`")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        inside = [f for f in files if f.isfile() and Path(f.name).name == NAME]
        if len(inside) != 1:
            sys.exit(f"::error::{url} has {len(inside)} programs called {NAME}, and one is expected")
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / NAME
        program.write_bytes(files.extractfile(inside[0]).read())
    program.chmod(0o755)
    return program


def compile_(version, folder):
    """The program from its crate. From a folder where no .cargo/config.toml of a pull request counts."""
    command = ["cargo", "install", "--locked", "--root", folder, "--version", f"={version}", NAME]
    try:
        subprocess.run(command, cwd=os.environ["RUNNER_TEMP"], check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        sys.exit(f"::error::cannot compile {NAME} {version}: {e}; with input `sha256` its release is downloaded instead")
    return folder / "bin" / NAME


main()
