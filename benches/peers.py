#!/usr/bin/env python3
"""How fast logstitch is beside the tools that people would use instead: ratios, on this machine.

    BENCH_DIR=/path benches/peers.py [TASK ...]

BENCH_DIR holds app.jsonl and access.log and packed copies (.gz, .zst); what is missing is generated, 256 MB each. The
tools of a task run in turn, one uncounted round and then ROUNDS, so that whatever else the machine does hits all of them
alike; figures are medians of wall time with each tool's own number of threads. A tool that is not installed is left out:
rg, grep, mawk, and duckdb, polars and chdb as modules of this Python (run it with another one's interpreter to change
that). LOGSTITCH names the executable (default target/release/logstitch).
"""

import importlib.util, os, shutil, statistics, subprocess, sys, time
from pathlib import Path

HERE = Path(__file__).resolve()
FOLDER = Path(os.environ.get("BENCH_DIR", "/tmp/logstitch-bench"))
LOGSTITCH = os.environ.get("LOGSTITCH", str(HERE.parents[1] / "target/release/logstitch"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
APP, ACCESS = FOLDER / "app.jsonl", FOLDER / "access.log"
LITERAL, REGEX = "connection timeout", r"(timeout|refused) after \d{3,}ms"
GRAVE = "level in ('ERROR', 'FATAL') and duration_ms > 1000"

# The questions as jobs: by task the log and the operator.
JOBS = {
    "literal": (APP, f"[aggregate.a]\nwhere = \"raw LIKE '%{LITERAL}%'\"\nselect = {{ n = 'count(*)' }}"),
    "regex": (APP, f"[aggregate.a]\nwhere = '''raw ~ '{REGEX}' '''\nselect = {{ n = 'count(*)' }}"),
    "filter": (APP, "[aggregate.a]\nwhere = 'level IN (ERROR, FATAL) AND duration_ms > 1000'\nselect = { n = 'count(*)' }"),
    "groups": (
        APP,
        "[aggregate.a]\ngroup = { service = 'service', minute = \"bucket(time, '1m')\" }\n"
        "select = { n = 'count(*)', mean = 'avg(duration_ms)', p95 = 'percentile(duration_ms, 95)' }",
    ),
    "access": (
        ACCESS,
        "[aggregate.a]\ngroup = { status = 'status' }\nselect = { n = 'count(*)' }\n"
        "[aggregate.b]\ngroup = { path = 'path' }\nselect = { n = 'count(*)' }\norder = 'n DESC'\nlimit = 10",
    ),
    "context": (APP, f"[context.a]\nwhere = \"raw LIKE '%{LITERAL}%'\"\nbefore = 5\nafter = 5"),
    "sessions": (APP, "[session.a]\nby = ['request_id']\nselect = { errors = 'count_if(level >= ERROR)' }"),
}
JOBS["gzip"] = (Path(f"{APP}.gz"), JOBS["filter"][1])
JOBS["zstd"] = (Path(f"{APP}.zst"), JOBS["filter"][1])


def duck(columns, query, suffix=""):
    source = f"read_json('{APP}{suffix}', format='newline_delimited', columns={columns})"
    return f"import duckdb; print(duckdb.sql(\"\"\"{query.format(source=source)}\"\"\").fetchall()[:2])"


def click(columns, query):
    source = f"file('{APP}', 'JSONEachRow', '{columns}')"
    settings = "settings input_format_skip_unknown_fields = 1, date_time_input_format = 'best_effort'"
    return f"import chdb; print(str(chdb.query(\"\"\"{query.format(source=source)} {settings}\"\"\", 'TSV'))[:200])"


def polars(columns, query, suffix=""):
    schema = ", ".join(f"'{name}': pl.{kind}" for name, kind in columns.items())
    return f"import polars as pl; print(pl.scan_ndjson('{APP}{suffix}', schema={{{schema}}}){query}.collect(engine='streaming').head(2))"


LEVEL_AND_TOOK = "{'level': 'VARCHAR', 'duration_ms': 'DOUBLE'}"
POLARS_FILTER = ".filter(pl.col('level').is_in(['ERROR', 'FATAL']) & (pl.col('duration_ms') > 1000)).select(pl.len())"
POLARS_COLUMNS = {"level": "String", "duration_ms": "Float64"}
ENGINES = {
    "filter": {
        "duckdb": duck(LEVEL_AND_TOOK, f"select count(*) from {{source}} where {GRAVE}"),
        "polars": polars(POLARS_COLUMNS, POLARS_FILTER),
        "chdb": click("level String, duration_ms Float64", f"select count() from {{source}} where {GRAVE}"),
    },
    "groups": {
        "duckdb": duck(
            "{'timestamp': 'TIMESTAMP', 'service': 'VARCHAR', 'duration_ms': 'DOUBLE'}",
            "select service, date_trunc('minute', timestamp) m, count(*), avg(duration_ms),"
            " quantile_cont(duration_ms, 0.95) from {source} group by all order by all",
        ),
        "chdb": click(
            "timestamp DateTime64(3), service LowCardinality(String), duration_ms Float64",
            "select service, toStartOfMinute(timestamp) m, count(), avg(duration_ms),"
            " quantileExactInclusive(0.95)(duration_ms) from {source} group by service, m order by service, m",
        ),
    },
    "access": {
        "duckdb": "import duckdb; print(duckdb.sql(\"\"\"select status, split_part(req, ' ', 2) path, count(*) n,"
        f" grouping(status) g from read_csv('{ACCESS}', delim=' ', quote='\"', escape='\"', header=false,"
        " auto_detect=false, columns={'ip': 'VARCHAR', 'd': 'VARCHAR', 'u': 'VARCHAR', 't1': 'VARCHAR', 't2': 'VARCHAR',"
        " 'req': 'VARCHAR', 'status': 'VARCHAR', 'bytes': 'VARCHAR', 'ref': 'VARCHAR', 'ua': 'VARCHAR'})"
        " group by grouping sets ((status), (path))"
        " qualify g = 0 or row_number() over (partition by g order by n desc) <= 10 order by g, n desc\"\"\").fetchall()[:2])",
        "chdb": "import chdb; print(str(chdb.query(\"\"\"select status, path, count() n, grouping(status) g from"
        " (select splitByChar(' ', line)[9] status, splitByChar(' ', line)[7] path"
        f" from file('{ACCESS}', 'LineAsString', 'line String')) group by grouping sets ((status), (path))"
        " order by g, n desc limit 10 by g\"\"\", 'TSV'))[:200])",
    },
    "sessions": {
        "duckdb": duck(
            "{'timestamp': 'TIMESTAMP', 'level': 'VARCHAR', 'request_id': 'VARCHAR'}",
            "select request_id, count(*), min(timestamp) a, max(timestamp), count(*) filter (level in ('ERROR', 'FATAL'))"
            " from {source} group by request_id order by a",
        ),
    },
    "gzip": {
        "duckdb": duck(LEVEL_AND_TOOK, f"select count(*) from {{source}} where {GRAVE}", ".gz"),
        "polars": polars(POLARS_COLUMNS, POLARS_FILTER, ".gz"),
    },
    "zstd": {
        "duckdb": duck(LEVEL_AND_TOOK, f"select count(*) from {{source}} where {GRAVE}", ".zst"),
        "polars": polars(POLARS_COLUMNS, POLARS_FILTER, ".zst"),
    },
}
COMMANDS = {
    "literal": {"rg": ["rg", "-c", "--no-mmap", LITERAL, APP], "grep": ["grep", "-c", LITERAL, APP]},
    "regex": {
        "rg": ["rg", "-c", "--no-mmap", REGEX, APP],
        "grep": ["grep", "-cE", REGEX.replace(r"\d", "[0-9]"), APP],
    },
    "access": {
        "mawk": ["mawk", "{s[$9]++;p[$7]++} END{for(k in s) print s[k],k; for(k in p) if(p[k]>9) print p[k],k}", ACCESS],
    },
    "context": {"rg": ["rg", "--no-mmap", "-A5", "-B5", LITERAL, APP], "grep": ["grep", "-A5", "-B5", LITERAL, APP]},
}


def prepare():
    """Generates the corpora that are missing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, kind in ((APP, "json"), (ACCESS, "access")):
        if not path.exists():
            subprocess.run([LOGSTITCH, "gen", kind, "--bytes", "256MB", "--out", path], check=True)
    for packer, suffix in ((["gzip", "-k"], ".gz"), (["zstd", "-qk"], ".zst")):
        if not Path(f"{APP}{suffix}").exists() and shutil.which(packer[0]):
            subprocess.run([*packer, APP], check=True)


def tools(task):
    """The commands of a task by name, ours first."""
    log, operator = JOBS[task]
    scratch = FOLDER / "scratch"
    scratch.mkdir(exist_ok=True)
    job = scratch / f"{task}.toml"
    form = "apache" if log == ACCESS else "json"
    job.write_text(
        f"[job]\nname = '{task}'\n[hosts.node]\nlocal = ['node']\n[logs.log]\nhosts = ['node']\n"
        f"paths = ['{log}']\nformat = '{form}'\n{operator}\n"
    )
    found = {"logstitch": [LOGSTITCH, "run", job, "--out", scratch / task]}
    for name, command in COMMANDS.get(task, {}).items():
        if shutil.which(name):
            found[name] = command
    for name, program in ENGINES.get(task, {}).items():
        if importlib.util.find_spec(name):
            found[name] = [sys.executable, "-c", program]
    return log, found


def once(task, command):
    """Wall and processor seconds, and the peak in MB of the largest process."""
    shutil.rmtree(FOLDER / "scratch" / task, ignore_errors=True)
    environment = {**os.environ, "LC_ALL": "C"}
    with open(FOLDER / "scratch" / "answer", "wb") as answer:
        began = time.monotonic()
        child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=answer, stderr=subprocess.DEVNULL, env=environment
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{task}: {command[0]} ended with {child.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    tasks = sys.argv[1:] or list(JOBS)
    unknown = [task for task in tasks if task not in JOBS]
    if unknown:
        sys.exit(f"no such task: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    prepare()
    print(f"{'task':<10} {'tool':<10} {'MB/s':>6} {'wall s':>7} {'cpu s':>7} {'peak MB':>8}  logstitch is")
    for task in tasks:
        log, found = tools(task)
        if not log.exists():
            print(f"{task:<10} no {log}")
            continue
        megabytes = (APP if log.suffix in (".gz", ".zst") else log).stat().st_size / 1e6
        runs = {name: [] for name in found}
        for number in range(ROUNDS + 1):
            for name, command in found.items():
                run = once(task, command)
                if number > 0:
                    runs[name].append(run)
        walls = {name: statistics.median(run[0] for run in of) for name, of in runs.items()}
        for name, of in runs.items():
            cpu, peak = (statistics.median(run[index] for run in of) for index in (1, 2))
            ratio = "" if name == "logstitch" else f"{walls[name] / walls['logstitch']:.2f} x"
            print(
                f"{task:<10} {name:<10} {megabytes / walls[name]:>6.0f} {walls[name]:>7.3f} {cpu:>7.2f} {peak:>8.0f}  {ratio}",
                flush=True,
            )


main()
