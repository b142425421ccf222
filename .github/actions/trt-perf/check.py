"""Runs `cargo-trt-perf check`, keeps its reports together for the upload, and says in outputs what it came to.

Reads PROGRAM, BASE, ARGS and ARTIFACT from the environment, and writes the outputs `code`, `verdict`, `report` and
`folder`. It succeeds whatever the check says: the last step of the action fails.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

VERDICTS = {0: "ok", 2: "usage", 4: "missing", 100: "regressed", 102: "inconclusive", 103: "invalid", 130: "interrupted"}
# What runs in the check is not believed, so it gets none of the files by which a step speaks to its job.
COMMANDS = ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"]


def main():
    artifact = os.environ["ARTIFACT"]
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}", artifact):
        sys.exit(f"::error::input `artifact` is {artifact!r}: use letters, digits, dots and dashes")
    folder = Path(os.environ["RUNNER_TEMP"], "trt-perf-reports", artifact)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    code = run(folder)
    finished = last_message(folder / "check.jsonl")
    if code == 0 and not finished:
        sys.exit(f"::error::{os.environ['PROGRAM']} ended with 0 and left no result")
    if finished:
        keep_records(finished["records"], folder / "results")
    else:
        summarize(f"## Inference performance: the check ended with exit code {code}\n\nThe log says why.\n")
    verdict = VERDICTS.get(code, "failed")
    if verdict == "ok" and finished and finished["inconclusive"]:
        verdict = "inconclusive"
    report = folder / "report.html"
    with open(os.environ["GITHUB_OUTPUT"], "a") as out:
        out.write(f"code={code}\nverdict={verdict}\nreport={report if report.is_file() else ''}\nfolder={folder}\n")


def run(folder):
    """The exit code of the check."""
    command = [os.environ["PROGRAM"], "check"]
    for option, name in [("json", "check.jsonl"), ("markdown", "report.md"), ("html", "report.html")]:
        command += [f"--{option}", str(folder / name)]
    if os.environ["BASE"]:
        command += ["--base", os.environ["BASE"]]
    try:
        command += shlex.split(os.environ["ARGS"])
    except ValueError as e:
        sys.exit(f"::error::input `args`: {e}")
    env = {name: value for name, value in os.environ.items() if name not in COMMANDS}
    try:
        child = subprocess.Popen(command, env=env)
    except OSError as e:
        sys.exit(f"::error::cannot start {command[0]}: {e}")
    # A job that is cancelled ends the check in order.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: child.send_signal(signal.SIGINT))
    code = child.wait()
    # As a shell says that a signal ended it.
    return code if code >= 0 else 128 - code


def last_message(path):
    """The end of the check; None where it did not come to one."""
    try:
        *_, last = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    return json.loads(last)


def keep_records(paths, folder):
    for path in map(Path, paths):
        folder.mkdir(exist_ok=True)
        shutil.copyfile(path, folder / path.name)


def summarize(text):
    with open(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull), "a") as out:
        out.write(text)


main()
