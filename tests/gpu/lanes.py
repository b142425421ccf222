"""Measures copies of a model on one device and on several side by side, and looks whether lanes are what they are
meant to be: no device measures two cases at a time, a killed worker costs its case alone, and neighbours are told of.

    python3 lanes.py PROGRAM MODEL FOLDER [--devices 0,1] [--cases 8] [--runs 2] [--processes 4] [--sessions 6] [--pairs 3]
        [--check-pairs 8] [-- OPTIONS OF run]

MODEL: a .onnx file (needs python3 with onnx), a .toml file of the cuda backend, or a shell script (.sh), which stands for a
model as a program: a rehearsal without GPUs. --runs: how often all is run on one device and on all of them, with --processes
a case; --sessions, --pairs: of the calibration; --check-pairs: of the check; 0 leaves each out. After the runs one worker is killed.
Ends with 1 where something was wrong. With pynvml it also asks the driver which processes are on which GPU.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

CASES = 8
wrong = []


def expect(holds, what):
    if not holds:
        wrong.append(what)
        print(f"WRONG: {what}", flush=True)


def other(model, text):
    """The bytes of a model that does the same and is another, so that its engine is another file."""
    if model.endswith(".onnx"):
        import onnx

        loaded = onnx.load(model)
        loaded.doc_string = text
        return loaded.SerializeToString()
    with open(model, "rb") as file:
        return file.read() + f"\n# {text}\n".encode()


class Watch:
    """Looks at the GPUs' processes every 0.2 s: how many were on one at a time, and how many there were on each."""

    def __init__(self, devices):
        self.most, self.seen, self.stop = dict.fromkeys(devices, 0), {d: set() for d in devices}, threading.Event()
        try:
            import pynvml

            pynvml.nvmlInit()
            self.nvml, self.thread = pynvml, threading.Thread(target=self.look, daemon=True)
        except Exception as error:  # Without NVML there is nothing to look at, whatever the reason.
            print(f"  processes on the GPUs were not looked at: {error}", flush=True)
            self.thread = None

    def __enter__(self):
        if self.thread:
            self.thread.start()
        return self

    def look(self):
        handles = {device: self.nvml.nvmlDeviceGetHandleByIndex(device) for device in self.most}
        while not self.stop.wait(0.2):
            for device, handle in handles.items():
                there = {process.pid for process in self.nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
                self.most[device] = max(self.most[device], len(there))
                self.seen[device] |= there

    def __exit__(self, *_):
        self.stop.set()
        if self.thread:
            self.thread.join()
            for device, most in self.most.items():
                seen = len(self.seen[device])
                print(f"  GPU {device}: {seen} processes, at most {most} at a time (NVML)", flush=True)
                expect(most == 1, f"{most} processes at a time on GPU {device}")


def project(folder, model, text):
    """A project with the copies, each of which has an engine of its own."""
    os.makedirs(folder, exist_ok=True)
    ending = os.path.splitext(model)[1]
    lines = []
    for number in range(CASES):
        name = f"case{number}{ending}"
        with open(os.path.join(folder, name), "wb") as file:
            file.write(other(model, f"{text} {number}"))
        how = f'run = ["sh", "{name}"]\nbackend = "command"' if ending == ".sh" else f'path = "{name}"'
        lines.append(f'[[model]]\nname = "case{number}"\n{how}\n')
    with open(os.path.join(folder, "trt-perf.toml"), "w") as file:
        file.write("".join(lines))


def command(program, verb, words):
    return [program, "trt-perf", verb, *words]


def run(folder, words):
    """Its messages, and how long it took."""
    began = time.monotonic()
    ran = subprocess.run(words + ["--message-format", "json"], cwd=folder, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in ran.stdout.splitlines()]
    return ran.returncode, messages, time.monotonic() - began


def of(messages, reason):
    return [message for message in messages if message["reason"] == reason]


def look(messages, devices, failed):
    """Each device took its next case when the one before was done; all cases were taken, and `failed` of them failed."""
    busy, taken, most = {}, {}, 0
    for message in messages:
        if message["reason"] == "lane":
            device = message["device"]
            expect(device not in busy, f"device {device} took {message['case']} while it measured {busy.get(device)}")
            busy[device] = message["case"]
            taken.setdefault(device, []).append(message["case"])
            most = max(most, len(busy))
        elif message["reason"] in ("case-finished", "case-failed"):
            busy = {device: case for device, case in busy.items() if case != message["case"]}
    for device, cases in sorted(taken.items()):
        print(f"  device {device}: {', '.join(cases)}", flush=True)
    expect(sorted(taken) == sorted(devices), f"devices {sorted(taken)} measured, and not {sorted(devices)}")
    expect(most == len(devices), f"{most} cases at a time on {len(devices)} devices")
    expect(len(of(messages, "case-failed")) == failed, f"not {failed} cases failed")
    expect(len(of(messages, "case-finished")) == CASES - failed, f"not {CASES - failed} cases are whole")
    workers = {m["case"]: m for m in of(messages, "case-finished")}
    return workers


def kill_a_worker(folder, words, devices):
    """Runs all on both devices, and kills one worker once each device measures."""
    words = words + ["--message-format", "json"]
    child = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
    messages, killed, begun = [], None, set()
    for line in child.stdout:
        message = json.loads(line)
        messages.append(message)
        if message["reason"] == "stage" and message["stage"] == "measure" and message["process"] > 0:
            begun.add(message["case"])
        if killed is None and len(begun) >= len(devices):
            killed = next(iter(children(child.pid)), None)
            if killed is not None:
                os.kill(killed, signal.SIGKILL)
    code = child.wait()
    expect(killed is not None, "no worker was found to kill")
    expect(code == 101, f"with a killed worker the exit code is {code}")
    for failed in of(messages, "case-failed"):
        print(f"  killed: {failed['case']}: {failed['message']}", flush=True)
        expect("SIGKILL" in failed["message"], f"{failed['case']} failed otherwise")
    return messages


def children(parent):
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat") as file:
                if int(file.read().rsplit(")", 1)[1].split()[1]) == parent:
                    yield int(entry)
        except (OSError, ValueError, IndexError):
            continue


def main():
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, options = arguments[:at], arguments[at + 1 :]
    program, model, folder = (os.path.abspath(a) for a in arguments[:3])
    named = dict(zip(arguments[3::2], arguments[4::2]))
    global CASES
    CASES = int(named.get("--cases", "8"))
    devices = [int(number) for number in named.get("--devices", "0,1").split(",")]
    all_devices = ",".join(map(str, devices))
    shutil.rmtree(folder, ignore_errors=True)
    project(folder, model, "first")
    print(f"== {os.path.basename(model)} {' '.join(options)}", flush=True)
    code, messages, _ = run(folder, command(program, "build", options))
    expect(code == 0, f"build has exit code {code}: {messages[-1:]}")

    seconds = {}
    one, runs, processes = [devices[0]], int(named.get("--runs", "2")), ["--processes", named.get("--processes", "4")]
    # One, all, all, one: what drifts meets both alike.
    for lanes in [lanes for turn in range(runs) for lanes in ([one, devices] if turn % 2 == 0 else [devices, one])]:
        number = ",".join(map(str, lanes))
        with Watch(lanes):
            code, messages, took = run(folder, command(program, "run", ["--devices", number, *processes, *options]))
        expect(code == 0, f"run --devices {number} has exit code {code}")
        look(messages, lanes, 0)
        seconds.setdefault(number, []).append(took)
    for number, took in seconds.items():
        print(f"TIME {CASES} cases on {number}: {', '.join(f'{s:.1f} s' for s in took)}", flush=True)

    print("== one worker is killed", flush=True)
    words = command(program, "run", ["--devices", all_devices, *processes, *options])
    look(kill_a_worker(folder, words, devices), devices, 1)

    sessions, pairs = named.get("--sessions", "6"), named.get("--check-pairs", "8")
    if sessions != "0":
        amount = ["--sessions", sessions, "--pairs", named.get("--pairs", "3")]
        words = command(program, "calibrate", ["case0", "--devices", all_devices, *amount, *options])
        print(f"== {' '.join(words[1:])}", flush=True)
        code = subprocess.run(words, cwd=folder).returncode
        expect(code == 0, f"calibrate has exit code {code}")

    if pairs != "0":
        print("== A/A: a check of the same work on all devices", flush=True)
        verdicts = check(program, folder, model, all_devices, ["--pairs", pairs, *options])
        print(f"  verdicts: {verdicts}", flush=True)

    print(f"== {os.path.basename(model)}: {len(wrong)} wrong", flush=True)
    raise SystemExit(1 if wrong else 0)


def check(program, folder, model, devices, options):
    """Two commits whose models do the same: how often each verdict was given."""
    from verdicts import Repository

    repository = Repository(os.path.join(folder, "repository"), package=False)

    def commit(text, parent):
        project(repository.folder, model, text)
        files = [name for name in sorted(os.listdir(repository.folder)) if name.startswith(("case", "trt-perf"))]
        return repository.commit_files(files, parent)

    base = commit("first", None)
    commit("second", base)
    words = command(program, "check", ["--base", base, "--devices", devices, *options])
    code, messages, took = run(repository.folder, words)
    rows = of(messages, "checked")
    expect(len(rows) == CASES, f"a check has {len(rows)} rows and exit code {code}")
    print(f"  {took:.0f} s, exit code {code}", flush=True)
    verdicts = {}
    for row in rows:
        verdict = row["comparison"]["verdict"]
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
        for metric in row["comparison"]["metrics"]:
            change = metric["change"] or {}
            if None not in (change.get("lo"), change.get("hi")):
                lo, est, hi = (f"{100 * change[key]:+.2f}" for key in ("lo", "est", "hi"))
                print(f"  {row['comparison']['case']} {metric['metric']} {est}% [{lo}, {hi}] {verdict}", flush=True)
    expect("regressed" not in verdicts and "improved" not in verdicts, f"verdicts of the same work: {verdicts}")
    return verdicts


if __name__ == "__main__":
    main()
