//! `[output] metrics`, read by Prometheus' own parser.

use std::path::Path;

use crate::harness::{Folder, logstitch, names};
use crate::python;

const READ: &str = r#"
import sys
from prometheus_client.parser import text_string_to_metric_families
seen = set()
for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    assert family.type == 'gauge' and family.documentation, family
    assert family.samples, family
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in seen, key
        seen.add(key)
        assert sample.labels.pop('logstitch_job') == 'metrics'
        labels = ' '.join(f'{name}={value}' for name, value in sample.labels.items())
        print(sample.name.removeprefix('logstitch_'), labels, float(sample.value))
"#;

#[test]
fn prometheus_reads_what_a_run_was() {
    let folder = Folder::new("metrics");
    folder.write(
        "job.toml",
        r#"
[job]
name = "metrics"
[hosts.node]
local = ["a"]
[hosts.gone]
exec = ["b"]
command = ["false", "{bootstrap}"]
[logs.app]
paths = ["logs/{host}.jsonl"]
[select.all]
[aggregate.total]
select = { n = "count(*)" }
[[check]]
name = 'a "quoted" \ one'
that = "rows(all) = 7"
[[check]]
that = "rows(total) = 1"
[[check]]
that = "rows(total) = 1"
[[alert]]
when = "rows(all) > 1"
send = "file"
[notify.file]
command = ["true"]
[output]
metrics = "prom/{job}.prom"
[run]
retries = 0
require = "50%"
"#,
    );
    folder.write("logs/a.jsonl", "{\"n\":1}\n{\"n\":2}\n");
    let run = || {
        let run = logstitch(["run", "job.toml", "--out", "out"]);
        run.folder(folder.path()).ends_with(3);
        let path = folder.path().join("prom/metrics.prom");
        python::script(&["prometheus_client"], READ, &[Path::new(&path)])
    };
    let text = run();
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "completeness_ratio  0.5",
        "host_complete host=a 1.0",
        "host_complete host=b 0.0",
        "host_state host=a state=ok 1.0",
        "host_state host=a state=failed 0.0",
        "host_state host=b state=failed 1.0",
        "rows operator=all kind=select 2.0",
        "rows operator=total kind=aggregate 1.0",
        "check_state check=a \"quoted\" \\ one state=unknown 1.0",
        "check_state check=a \"quoted\" \\ one state=passed 0.0",
        "check_state check=rows(total) = 1 state=passed 1.0",
        "alert_state alert=rows(all) > 1 send=file state=firing 1.0",
    ] {
        assert!(lines.contains(&line), "no {line} in\n{text}");
    }
    let value = |name: &str| {
        let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(value("run_start_time_seconds") > 1.7e9 && value("run_duration_seconds") > 0.0);
    // Again, in its place; nothing half written beside it.
    run();
    assert_eq!(names(&folder.path().join("prom")), ["metrics.prom"]);
}
