//! Files of finished rows. They are written into a temporary folder beside their place and renamed into it, so that
//! they appear whole or not at all.

mod behind;
mod columns;
mod csv;
mod digest;
mod folder;
mod html;
mod jsonl;
pub mod junit;
mod metrics;
mod parquet;
mod replace;
mod report;
mod runs;
mod shown;
pub mod summary;
mod text;

pub use csv::Csv;
pub use digest::Digest;
pub use folder::{Folder, SPOOL};
pub use jsonl::{Jsonl, Lines};
pub use metrics::Metrics;
pub use parquet::Parquet;
pub use replace::{replace, replace_private};
pub use report::{Report, ReportLine};
pub use runs::Runs;

use jobspec::value::Value;
use mapper::operator::OutputColumn;

use crate::Error;
use crate::reduce::{RowSink, Takes};

/// Several outputs from one pass over the rows.
pub struct Together<'a>(pub Vec<&'a mut dyn RowSink>);

impl RowSink for Together<'_> {
    fn begin(&mut self, operator: &str, columns: &[OutputColumn]) -> Result<(), Error> {
        self.0
            .iter_mut()
            .try_for_each(|sink| sink.begin(operator, columns))
    }

    fn takes(&self) -> Takes {
        let none = Takes {
            values: false,
            lines: false,
        };
        self.0.iter().fold(none, |all, sink| all.and(sink.takes()))
    }

    fn row(&mut self, row: &[Value<'_>]) -> Result<(), Error> {
        let mut sinks = self.0.iter_mut().filter(|sink| sink.takes().values);
        sinks.try_for_each(|sink| sink.row(row))
    }

    fn lines(&mut self, lines: &[u8]) -> Result<(), Error> {
        let mut sinks = self.0.iter_mut().filter(|sink| sink.takes().lines);
        sinks.try_for_each(|sink| sink.lines(lines))
    }

    fn end(&mut self) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(|sink| sink.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;
    use jobspec::plan::Plan;

    /// `/dev/full` takes no byte, as a disk that has become full.
    #[test]
    fn a_full_disk_is_an_error_that_names_the_file() {
        let folder = Folder::new("full");
        let plan = Plan::default();
        let sinks: [(&str, Box<dyn RowSink + '_>); 3] = [
            ("jsonl", Box::new(Jsonl::new(folder.path()))),
            ("csv", Box::new(Csv::new(folder.path()))),
            ("parquet", Box::new(Parquet::new(folder.path(), &plan))),
        ];
        for (extension, mut sink) in sinks {
            let path = folder.path().join(format!("rows.{extension}"));
            std::os::unix::fs::symlink("/dev/full", &path).unwrap();
            let written = sink
                .begin("rows", &[OutputColumn::new("text")])
                .and_then(|()| sink.row(&[Value::owned_text("x")]))
                .and_then(|()| sink.end());
            let error = written.unwrap_err().to_string();
            assert!(
                error.contains(&format!("rows.{extension}: No space left")),
                "{error}"
            );
        }
    }
}
