"""Checks commits whose engines are known to be the same, or slower by a little, and prints a table of the verdicts.

    python3 verdicts.py PROGRAM MODEL FOLDER [--plan aa=10,1x2=1,2x2=1] [--seconds 500] [-- OPTIONS OF check]

A row of the plan is KIND=CHECKS. Kind `aa`: head's model differs from the base's in a text that nobody reads, so the
engine is another file and the same work. Kind `NxS`: head has N further 1x1 convolutions in stage S (models.py). Each
check is of two real commits of a repository of its own in FOLDER. Needs python3 with onnx, and cargo (CARGO names it).
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zlib

MANIFEST = """[package]
name = "live"
version = "0.1.0"
edition = "2024"

[[package.metadata.trt-perf.model]]
name = "net"
path = "net.onnx"
"""


class Repository:
    """A repository with as much git as this needs: it is not installed on every machine with a GPU."""

    def __init__(self, folder, package=True):
        self.folder, self.git = folder, os.path.join(folder, ".git")
        # What was built stays: engines are named by what they are made from.
        shutil.rmtree(self.git, ignore_errors=True)
        for name in ["objects", "refs/heads"]:
            os.makedirs(os.path.join(self.git, name))
        self.write(".git/HEAD", b"ref: refs/heads/main\n")
        self.write(".git/config", b"[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
        if package:
            os.makedirs(os.path.join(folder, "src"), exist_ok=True)
            self.write("Cargo.toml", MANIFEST.encode())
            self.write("src/lib.rs", b"")
            self.write(".gitignore", b"/target\n")

    def write(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    def store(self, kind, data):
        whole = f"{kind} {len(data)}\0".encode() + data
        name = hashlib.sha1(whole).hexdigest()
        folder = os.path.join(self.git, "objects", name[:2])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name[2:]), "wb") as file:
            file.write(zlib.compress(whole, 0))
        return name

    def tree(self, files):
        """`files`: names to ids; a dictionary is a folder."""
        lines = []
        for name in sorted(files, key=lambda n: n + "/" if isinstance(files[n], dict) else n):
            mode, of = ("40000", self.tree(files[name])) if isinstance(files[name], dict) else ("100644", files[name])
            lines.append(f"{mode} {name}\0".encode() + bytes.fromhex(of))
        return self.store("tree", b"".join(lines))

    def commit(self, model, parent):
        """A commit of what is there, with this model."""
        shutil.copyfile(model, os.path.join(self.folder, "net.onnx"))
        return self.commit_files([".gitignore", "Cargo.toml", "net.onnx"], parent, {"lib.rs": "src/lib.rs"})

    def commit_files(self, names, parent, sources=None):
        """A commit of these files; `sources`: those in `src`, by their names there."""

        def blob(name):
            with open(os.path.join(self.folder, name), "rb") as file:
                return self.store("blob", file.read())

        files = {name: blob(name) for name in names}
        if sources:
            files["src"] = {name: blob(path) for name, path in sources.items()}
        tree = self.tree(files)
        who = f"A <a@example.org> {int(time.time())} +0000"
        parents = f"parent {parent}\n" if parent else ""
        text = f"tree {tree}\n{parents}author {who}\ncommitter {who}\n\na model\n"
        name = self.store("commit", text.encode())
        self.write(".git/refs/heads/main", f"{name}\n".encode())
        return name


def check(program, folder, base, options):
    """One check: its verdict, the number that decided, pairs, and seconds of it all."""
    command = [program, "check", "--base", base, "--message-format", "json", *options]
    began = time.monotonic()
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.monotonic() - began
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    rows = [line for line in lines if line["reason"] == "checked"]
    if len(rows) != 1:
        print(ran.stdout[-2000:], ran.stderr[-2000:], sep="\n", flush=True)
        raise SystemExit(f"{' '.join(command)} has exit code {ran.returncode} and {len(rows)} rows")
    return {"row": rows[0], "seconds": seconds, "exit": ran.returncode}


def shown(found):
    comparison = found["row"]["comparison"]
    changes = []
    for metric in comparison["metrics"]:
        change = metric["change"] or {}
        if None not in (change.get("lo"), change.get("hi")):
            lo, est, hi = (f"{100 * change[key]:+.2f}" for key in ("lo", "est", "hi"))
            changes.append(f"{metric['metric']} {est} [{lo} {hi}]")
    again = {None: "", True: ", confirmed", False: ", not confirmed"}[found["row"]["confirmed"]]
    return (
        f"{comparison['verdict']}{again} | {found['row']['pairs']} | {found['row']['discarded']} | "
        f"{found['seconds']:.0f} | {found['exit']} | {'; '.join(changes)}"
    )


def main():
    # Others take the repository from here, and have no ONNX.
    import models

    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, options = arguments[:at], arguments[at + 1 :]
    program, model, folder = (os.path.abspath(a) for a in arguments[:3])
    named = dict(zip(arguments[3::2], arguments[4::2]))
    plan = [row.split("=") for row in named.get("--plan", "aa=10,1x2=1,2x2=1").split(",")]
    end = time.monotonic() + float(named.get("--seconds", "500"))
    print("| head | verdict | pairs | discarded | seconds | exit | changes in % |\n|---|---|---:|---:|---:|---:|---|", flush=True)
    for kind, count in plan:
        for number in range(int(count)):
            if time.monotonic() > end:
                print(f"| {kind} | not run: the time is over | | | | | |", flush=True)
                break
            repository = Repository(os.path.join(folder, "repository"))
            base = repository.commit(model, None)
            head = os.path.join(folder, "head.onnx")
            if kind == "aa":
                models.same(model, head, f"number {number}")
            else:
                extra, stage = kind.split("x")
                models.slower(model, head, int(extra), int(stage))
            repository.commit(head, base)
            print(f"| {kind} | {shown(check(program, repository.folder, base, options))} |", flush=True)


if __name__ == "__main__":
    main()
