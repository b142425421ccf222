"""Keeps one comment on the pull request of a finished run up to date.

Which pull request, which commit and how the run ended come from GitHub: its event and its API. The artifact only fills
the table. Somebody who proposes a change also writes the workflow that made the artifact, so it may hold anything: it is
read into memory, bounded; each field that is shown must have its type; and all its text stands as character references
in `<code>`, where GitHub makes no link, mention or reference of it. Anything unexpected ends with an error, before
anything is written.
"""

import io
import json
import math
import os
import re
import sys
import unicodedata
import urllib.error
import urllib.parse
import urllib.request
import zipfile

MAX_ARCHIVE = 16 << 20
MAX_FILE = 64 << 20
MAX_RESULT = 4 << 20
MAX_COMMENT = 65_536
MAX_TEXT = 200
MAX_LINES = 5_000
MAX_ROWS = 100
SCHEMA = "trt-perf/message@1"
# How `layer-changes` begins, as keys are sorted and no other message has this one. It names every layer of both engines, of
# which the comment tells nothing: it is not even parsed.
LAYERS = '{"aligned":'
# Verdicts, the worst first, as `check` words them.
SIGNS = {
    "regressed": "❌",
    "invalid": "❌",
    "not comparable": "⚠️",
    "inconclusive": "⚠️",
    "improved": "🟢",
    "changed within the margin": "✅",
    "unchanged": "✅",
}
COUNTS = [
    ("regressed", "regressed"),
    ("accepted", "regressed but accepted"),
    ("failed", "failed"),
    ("invalid", "invalid"),
    ("removed", "removed"),
    ("redefined", "redefined"),
    ("not_compared", "not compared"),
    ("gaps_accepted", "removed, redefined or not compared but accepted"),
    ("inconclusive", "inconclusive"),
    ("new", "new"),
]


class Refused(Exception):
    """The artifact, or what GitHub says, is not as it must be. The text is our own."""


class Api:
    """GitHub's REST API."""

    def __init__(self):
        self.url = os.environ["GITHUB_API_URL"].rstrip("/")
        self.token = os.environ["TOKEN"]

    def open(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        # Archives lie elsewhere: the token does not follow a redirect.
        request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            return urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as e:
            raise Refused(f"GitHub answers {e.code} to {method} {path.split('?')[0]}") from None
        except OSError as e:
            raise Refused(f"GitHub cannot be reached: {e}") from None

    def json(self, method, path, body=None):
        with self.open(method, path, body) as answer:
            return json.load(answer)

    def bytes(self, path, most):
        with self.open("GET", path) as answer:
            return bounded(answer, most, "the artifact")

    def pages(self, path, key=None):
        for page in range(1, 51):
            found = self.json("GET", f"{path}{'&' if '?' in path else '?'}per_page=100&page={page}")
            found = found[key] if key else found
            yield from found
            if len(found) < 100:
                return


def bounded(stream, most, what):
    data = stream.read(most + 1)
    if len(data) > most:
        raise Refused(f"{what} is larger than {most} bytes")
    return data


def main():
    artifact = os.environ["ARTIFACT"]
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}", artifact):
        raise Refused("input `artifact` has other characters than letters, digits, dots and dashes")
    with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as file:
        event = json.load(file)
    run = event.get("workflow_run")
    if not run:
        raise Refused("this is no event of `on: workflow_run`")
    if run["conclusion"] not in ("success", "failure", "timed_out"):
        return print(f"The run ended as {run['conclusion']}: there is nothing to say.")
    api, repository = Api(), event["repository"]["full_name"]
    number = pull_request(api, repository, run)
    if number is None:
        return print("No open pull request has this commit as its head: there is nothing to say.")
    marker = f"<!-- trt-perf:{artifact} -->"
    messages = result(api, repository, run, artifact)
    body = comment(marker, messages, run, repository)
    publish(api, repository, number, marker, body)


def pull_request(api, repository, run):
    """The number of the open pull request whose head was run. The list in the event is empty for forks."""
    head = run.get("head_repository") or {}
    copy = re.fullmatch(r"pull-request/([1-9][0-9]{0,9})", run["head_branch"] or "")
    if run["event"] == "push" and copy and head.get("full_name") == repository:
        # Only who may write to the repository can make such a branch.
        pulls = [api.json("GET", f"/repos/{repository}/pulls/{copy[1]}")]
        pulls = [p for p in pulls if p["state"] == "open"]
    elif run["event"] == "pull_request" and head.get("id"):
        query = urllib.parse.urlencode({"state": "open", "head": f"{head['owner']['login']}:{run['head_branch']}"})
        pulls = api.pages(f"/repos/{repository}/pulls?{query}")
        pulls = [p for p in pulls if (p["head"]["repo"] or {}).get("id") == head["id"]]
    else:
        return None
    numbers = [p["number"] for p in pulls if p["head"]["sha"] == run["head_sha"]]
    if len(numbers) > 1:
        raise Refused(f"{len(numbers)} open pull requests have this head")
    return numbers[0] if numbers else None


def result(api, repository, run, name):
    """The messages in the run's artifact; None where it has no such artifact."""
    path = f"/repos/{repository}/actions/runs/{run['id']}/artifacts?{urllib.parse.urlencode({'name': name})}"
    found = [a for a in api.pages(path, "artifacts") if a["name"] == name and not a["expired"]]
    if not found:
        return None
    newest = max(found, key=lambda a: a["id"])
    if newest["size_in_bytes"] > MAX_ARCHIVE:
        raise Refused(f"the artifact is larger than {MAX_ARCHIVE} bytes")
    archive = api.bytes(f"/repos/{repository}/actions/artifacts/{newest['id']}/zip", MAX_ARCHIVE)
    try:
        text = entry(archive)
    except Refused:
        raise
    # zipfile raises whatever the parsers below it raise.
    except Exception as e:
        raise Refused(f"the artifact cannot be read ({type(e).__name__})") from None
    return None if text is None else messages_of(text)


def entry(archive):
    """The text of check.jsonl; None where the archive has none."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        entries = [f for f in files.infolist() if f.filename == "check.jsonl"]
        if not entries:
            return None
        if len(entries) > 1 or entries[0].file_size > MAX_FILE:
            raise Refused(f"the artifact has several check.jsonl, or one of more than {MAX_FILE} bytes")
        with files.open(entries[0]) as file:
            return bounded(file, MAX_FILE, "check.jsonl").decode()


def messages_of(text):
    lines = text.split("\n")
    cut = lines.pop()
    told = [(number, line) for number, line in enumerate(lines, 1) if not line.startswith(LAYERS)]
    if cut or not 0 < len(told) <= MAX_LINES or sum(len(line) for _, line in told) > MAX_RESULT:
        raise Refused("check.jsonl is cut off, empty or too long")
    messages = []
    for number, line in told:
        try:
            value = json.loads(line, parse_constant=lambda _: math.nan)
        except (ValueError, RecursionError):
            raise Refused(f"line {number} of check.jsonl is not JSON") from None
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise Refused(f"line {number} of check.jsonl is no {SCHEMA}")
        messages.append(Fields(value, f"line {number} of check.jsonl"))
    if messages[-1].text("reason") != "check-finished":
        raise Refused("check.jsonl does not end with check-finished")
    return messages


class Fields:
    """An object of which each field is taken with its type, or refused."""

    def __init__(self, value, where):
        if not isinstance(value, dict):
            raise Refused(f"{where} is no object")
        self.value, self.where = value, where

    def take(self, key, kinds, or_null=False):
        found = self.value.get(key)
        if found is None and or_null:
            return None
        # In Python, true is a number.
        if not isinstance(found, kinds) or isinstance(found, bool) and kinds is not bool:
            raise Refused(f"{self.where}: `{key}` is not what the schema says")
        return found

    def text(self, key, or_null=False):
        return self.take(key, str, or_null)

    def truth(self, key):
        return self.take(key, bool)

    def count(self, key):
        found = self.take(key, int)
        if not 0 <= found < 1_000_000:
            raise Refused(f"{self.where}: `{key}` is no count")
        return found

    def number(self, key, or_null=False):
        found = self.take(key, (int, float), or_null)
        if found is not None and not abs(found) < 1e18:
            raise Refused(f"{self.where}: `{key}` is no number that can be shown")
        return found

    def object(self, key, or_null=False):
        found = self.take(key, dict, or_null)
        return None if found is None else Fields(found, f"{self.where}: `{key}`")

    def objects(self, key):
        return [Fields(value, f"{self.where}: `{key}`") for value in self.take(key, list)]


def code(text):
    """Text from outside, as nothing but text. In `<code>` GitHub looks for no @name, #1, commit or address."""
    shown = "".join(c if printable(c) else f"\\u{{{ord(c):x}}}" for c in text[: MAX_TEXT + 1])
    shown = shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"
    return "<code>" + "".join(c if c.isalnum() or c in " …" else f"&#{ord(c)};" for c in shown) + "</code>"


def printable(c):
    return unicodedata.category(c)[0] not in "CZ" or c == " "


def comment(marker, messages, run, repository):
    url = f"{os.environ['GITHUB_SERVER_URL']}/{repository}/actions/runs/{int(run['id'])}"
    foot = (
        f"\n<sub>Gate: {'passed' if run['conclusion'] == 'success' else 'failed'}. The table is what "
        f"[the run]({url}) of {run['head_sha'][:12]} says of itself.</sub>\n"
    )
    if messages is None:
        return f"{marker}\n### Inference performance: the check did not finish\n\n[Its log]({url}) says why.\n{foot}"
    end = messages[-1]
    of = lambda reason: [m for m in messages if m.text("reason") == reason]
    rows = sorted(map(row, of("checked")))
    counts = [(end.count(key), words) for key, words in COUNTS]
    counts += [(sum(r[3] == "improved" for r in rows), "improved")]
    counts += [(sum("changed" in r[3] for r in rows), "unchanged")]
    counts = [f"{count} {words}" for count, words in counts if count] or ["nothing was checked"]
    stopped = "stopped early, so not everything was measured: " if end.truth("interrupted") else ""
    head = f"{marker}\n### Inference performance: {stopped}{', '.join(counts)}\n\n"
    head += f"base {code(end.text('base'))} · head {code(end.text('head'))} · {code(end.text('device'))}\n\n"
    lines = [f"- ❌ {code(m.text('case'))} {code(m.text('message'))}" for m in of("case-failed")]
    lines += [f"- ⚠️ {code(m.text('case'))} drifted, against {code(m.text('base'))}" for m in of("drift")]
    lines += [f"- ✍️ added to the baselines: {code(m.text('path'))}" for m in of("added-baseline")]
    for s in end.objects("settings_changed"):
        texts = [code(s.text(key)) for key in ("setting", "base", "head")]
        lines.append("- ⚠️ setting changed, the base's judges: {} {} → {}".format(*texts))
    table = ["| | case | metric | base | head | change [95 % interval] | verdict |", "|---|---|---|---:|---:|---:|---|"]
    body, cut = head, max(len(lines), len(rows)) > MAX_ROWS
    lines = lines[:MAX_ROWS] + ([""] if lines and rows else []) + (table if rows else [])
    lines += [r[2] for r in rows[:MAX_ROWS]]
    more = f"\nThere is more in [the run]({url}).\n"
    for line in lines:
        if size(body) + size(line) + size(more) + size(foot) > MAX_COMMENT - 1024:
            cut = True
            break
        body += line + "\n"
    return body + (more if cut else "") + foot


def size(text):
    # GitHub counts characters; some of them may be pairs there.
    return len(text.encode("utf-16-le")) // 2


def row(m):
    """Its place among the others, its case, a line of the table with the metric that changed most, and its verdict."""
    case = m.object("comparison")
    verdict, origin, gap = case.text("verdict"), m.text("origin"), m.text("gap", or_null=True)
    if verdict not in SIGNS:
        raise Refused(f"{m.where}: there is no such verdict")
    gates, gap_fails = m.truth("gates"), m.truth("gap_fails")
    fails = gates and verdict in ("regressed", "invalid") or gap_fails
    said = [origin if origin in ("new", "removed") else verdict]
    said += [gap] if gap and gap != origin else []
    accepted = [m.object(key, or_null=True) for key in ("acceptance", "gap_acceptance")]
    said += ["accepted"] if any(a and a.truth("honoured") for a in accepted) else []
    why = case.text("verdict_reason", or_null=True)
    said = code(", ".join(said) + (f": {why}" if why else ""))
    sign = "❌" if fails else "✅" if origin == "new" else "⚠️" if verdict == "regressed" else SIGNS[verdict]
    cells = max(filter(None, map(metric, case.objects("metrics"))), default=(0, "| | | | "))[1]
    name, place = case.text("case"), (not fails, list(SIGNS).index(verdict))
    return place, name, f"| {sign} | {code(name)} {cells} | {said} |", verdict


def metric(m):
    """How far it changed, and its cells; None where it was not judged."""
    change = m.object("change", or_null=True)
    if not m.truth("judged") or change is None:
        return None
    name, base, head = m.text("metric"), m.number("base", or_null=True), m.number("head", or_null=True)
    show = rate if name.startswith(("throughput", "capacity")) else time
    est = change.number("est")
    lo, hi = ("∞" if end is None else percent(end) for end in (change.number(k, or_null=True) for k in ("lo", "hi")))
    return abs(est), f"| {code(name)} | {show(base)} | {show(head)} | {percent(est)} [{lo} {hi}]"


def percent(share):
    return f"{100 * share:+.2f}%"


def time(ns):
    for unit, size_ns in [("s", 1e9), ("ms", 1e6), ("µs", 1e3)]:
        if ns is not None and ns >= size_ns:
            return f"{ns / size_ns:.5g} {unit}"
    return "–" if ns is None else f"{ns:.5g} ns"


def rate(per_s):
    return "–" if per_s is None else f"{per_s:.5g}/s"


def publish(api, repository, number, marker, body):
    """Edits our comment; writes one where there is none."""
    for found in api.pages(f"/repos/{repository}/issues/{number}/comments"):
        if found["user"] and found["user"]["login"] == os.environ["AUTHOR"] and (found["body"] or "").startswith(marker):
            api.json("PATCH", f"/repos/{repository}/issues/comments/{found['id']}", {"body": body})
            return print(f"The comment on pull request {number} says it now.")
    api.json("POST", f"/repos/{repository}/issues/{number}/comments", {"body": body})
    print(f"Pull request {number} has a comment now.")


try:
    main()
except Refused as e:
    sys.exit(f"::error::{e}")
