"""Reads what .ci/export wrote, with the parsers that others read it with."""
import csv
import json
import re
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_format


def of_compare():
    """The ratio that `compare` tells of each case, of the number that critcmp compares."""
    for line in open("compare.json"):
        message = json.loads(line)
        if message.get("reason") == "comparison":
            metric = "throughput" if message["case"].endswith("/throughput") else "mean"
            change = next(m for m in message["metrics"] if m["metric"] == metric)["change"]["est"]
            yield message["case"], 1 / (1 + change) if metric == "throughput" else 1 + change


text = open("critcmp.txt").read()
ratios = dict(of_compare())
assert len(ratios) == 2, ratios
for case, ratio in ratios.items():
    row = next(line for line in text.splitlines() if line.startswith(case))
    base, head = (float(n) for n in re.findall(r"(?:^|\s)(\d+\.\d\d)\s", row)[:2])
    print(f"{case}: critcmp {head / base:.3f}, compare {ratio:.3f}")
    # critcmp prints two digits.
    assert abs(head / base - ratio) < 0.011 * ratio, (row, ratio)

metrics = open("base.openmetrics").read()
families = {f.name: f for f in text_string_to_metric_families(metrics)}
latency = families["trt_perf_latency_seconds"]
assert latency.type == "gauge" and latency.unit == "seconds", latency
assert [sample.labels["case"] for sample in latency.samples] == sorted(ratios), latency
assert families["trt_perf_record_info"].type == "gauge" and "trt_perf_throughput_inferences_per_second" in families
# The Pushgateway reads the older format, which knows fewer types.
assert {f.name: f.type for f in older_format(metrics)} == dict.fromkeys(families, "gauge")

rows = list(csv.DictReader(open("base.csv", newline="")))
assert len(rows) == 6 and all(float(row["mean_ns"]) > 0 for row in rows), rows

bencher = json.load(open("base.bencher"))
assert sorted(bencher) == sorted(ratios) and bencher[min(bencher)]["latency"]["value"] > 0
for name in ["smaller", "bigger"]:
    array = json.load(open(f"action/{name}-is-better.json"))
    assert array and all({"name", "unit", "value"} <= entry.keys() for entry in array)
for case in ratios:
    times = json.load(open(f"times/{case.replace('/', '__')}/1.json"))
    assert times and all(row["latencyMs"] > 0 for row in times)
