#!/usr/bin/env python3
"""How time and memory grow: sequences and sessions over ten million entries, all of them of one key too, and one job over
1, 2, 4 and 8 GB.

    LOGSTITCH=target/release/logstitch benches/scale.py [sequence] [key] [sessions] [slope]

BENCH_DIR (default /tmp/bench) takes about 11 GB of generated logs, which stay for the next time. Prints wall seconds,
the mapper's peak memory and what it sent; fails where rows differ or the reducer's budget was not reached.
"""

import json, os, random, subprocess, sys, time

DIR = os.path.join(os.environ.get("BENCH_DIR", "/tmp/bench"), "scale")
US = os.environ.get("LOGSTITCH", "target/release/logstitch")
ENTRIES, KEYS, NODES = 10_000_000, 1_000_000, 8


def keyed():
    """Ten entries a key, of which three are a sequence for every third key, interleaved over eight files."""
    folder = os.path.join(DIR, "keyed")
    if os.path.exists(os.path.join(folder, "done")):
        return folder
    os.makedirs(folder, exist_ok=True)
    files = [open(os.path.join(folder, f"node-{n}.jsonl"), "w", 1 << 20) for n in range(NODES)]
    words = ["cache filled", "db timeout after 512ms", "queue drained", "retry scheduled", "lease renewed",
             "request succeeded", "partition moved", "token refreshed", "page rendered", "connection closed"]
    plain = [word if index not in (1, 3, 5) else "step completed" for index, word in enumerate(words)]
    chance = random.Random(7)
    rounds = [list(range(1000)) for _ in range(10)]
    count = 0
    for block in range(KEYS // 1000):
        for step in range(10):
            for key in rounds[step]:
                key += block * 1000
                word = (words if key % 3 == 0 else plain)[step]
                second, ms = divmod(count, 1000)
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_768_831_200 + second))
                files[chance.randrange(NODES) if step % 2 else key % NODES].write(
                    f'{{"timestamp":"{stamp}.{ms:03}Z","level":"INFO","request_id":"{key:08x}","message":"{word}","ms":{key % 977}}}\n')
                count += 1
    for file in files:
        file.close()
    open(os.path.join(folder, "done"), "w").close()
    return folder


def run(name, text, *arguments):
    """One run of a job: wall seconds, summary, and the folder of its rows."""
    job, out = os.path.join(DIR, f"{name}.toml"), os.path.join(DIR, f"{name}.out")
    with open(job, "w") as file:
        file.write(f'[job]\nname = "{name}"\n{text}\n[output]\nformats = ["jsonl"]\n')
    subprocess.run(["rm", "-rf", out], check=True)
    began = time.monotonic()
    subprocess.run([US, "run", job, "--out", out, *arguments], check=True, stderr=subprocess.DEVNULL)
    wall = time.monotonic() - began
    with open(os.path.join(out, "summary.json")) as file:
        return wall, json.load(file), out


def log_of(*paths, nodes=("node",)):
    """The tables of nodes and of the one log that they hold."""
    return f"""[hosts.node]
local = {json.dumps(nodes)}
[logs.app]
hosts = ["node"]
paths = {json.dumps(paths)}
format = "json"
"""


def tell(name, wall, summary):
    hosts = summary["hosts"]
    peak = max(host["peak_memory_bytes"] for host in hosts) / 1e6
    sent = sum(host["received_bytes"] for host in hosts)
    read = summary["completeness"]["bytes"]["read"]
    operator = summary["operators"][0]
    print(f"{name:26} {wall:7.2f} s  {read / 1e6 / wall:6.0f} MB/s  mapper {peak:4.0f} MB  sent {100 * sent / read:6.3f} %"
          f"  {operator['rows']} rows, {operator['spilled_bytes'] / 1e6:.0f} MB spilled", flush=True)


def sequence():
    text = log_of(f"{keyed()}/*.jsonl") + """[sequence.a]
by = ["request_id"]
within = "1h"
steps = [
  { name = "timeout", where = "message LIKE 'db timeout%'" },
  { name = "retry", where = "message LIKE 'retry scheduled%'", within = "30m" },
  { name = "success", where = "message LIKE 'request succeeded%'" },
]"""
    wall, summary, _ = run("sequence", text)
    tell("sequence, 10 M entries", wall, summary)
    assert summary["operators"][0]["rows"] == (KEYS + 2) // 3, "not every third key"


def key():
    """Every entry is a candidate, and all are of one key: the worst that a sequence can meet. Once with matches, once
    where the last step never comes, so that all could still begin one. Eight times the entries may take some more than eight
    times as long, never sixty-four."""
    step = '{ name = "%s", where = "%s" }'
    any_entry, timeout = step % ("any", "ms >= 0"), step % ("timeout", "message LIKE 'db timeout%'")
    never = step % ("never", "message = 'never'")
    shapes = {
        "leftmost": f'within = "1h"\nsteps = [{any_entry}, {timeout}]',
        "never": f"steps = [{any_entry}, {timeout}, {never}]",
        "tightest": f'within = "1h"\npick = "tightest"\nsteps = [{any_entry}, {timeout}]',
    }
    for name, shape in shapes.items():
        walls = []
        for files in (1, NODES):
            paths = [f"{keyed()}/node-{node}.jsonl" for node in range(files)]
            text = log_of(*paths) + f"[sequence.a]\n{shape}"
            wall, summary, _ = run("key", text)
            tell(f"one key, {name}, {files}/{NODES}", wall, summary)
            walls.append(wall)
        assert walls[1] < 3 * NODES * walls[0], "not near linear in the candidates of a key"


def sessions():
    nodes = [f"node-{node}" for node in range(NODES)]
    text = log_of(f"{keyed()}/{{host}}.jsonl", nodes=nodes) + """[session.a]
by = ["request_id"]
select = { slowest = "max(ms)" }"""
    rows = {}
    for memory in ("64MiB", "4GiB"):
        wall, summary, out = run(f"sessions-{memory}", text, "--set", f"run.memory={memory}")
        tell(f"sessions, 8 nodes, {memory}", wall, summary)
        rows[memory] = os.path.join(out, "a.jsonl")
        assert summary["operators"][0]["rows"] == KEYS
        assert memory != "64MiB" or summary["operators"][0]["spilled_bytes"] > 0, "it did not have to spill"
    subprocess.run(["cmp", *rows.values()], check=True)


def slope():
    folder = os.path.join(DIR, "slope")
    os.makedirs(folder, exist_ok=True)
    for part in range(8):
        path = os.path.join(folder, f"{part}.jsonl")
        if not os.path.exists(path):
            command = [US, "gen", "json", "--bytes", "1GB", "--seed", str(part), "--out", path + ".part"]
            subprocess.run(command, check=True)
            os.rename(path + ".part", path)
    for count in (1, 2, 4, 8):
        text = log_of(*(f"{folder}/{part}.jsonl" for part in range(count))) + """[aggregate.a]
group = { service = "service", minute = "bucket(time, '1m')" }
select = { n = "count(*)", p95 = "percentile(duration_ms, 95)" }"""
        tell(f"slope, {count} GB", *run(f"slope-{count}", text)[:2])


for name in sys.argv[1:] or ["sequence", "key", "sessions", "slope"]:
    os.makedirs(DIR, exist_ok=True)
    {"sequence": sequence, "key": key, "sessions": sessions, "slope": slope}[name]()
