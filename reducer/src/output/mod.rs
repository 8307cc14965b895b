//! Files of finished rows. They are written into a temporary folder beside their place and renamed into it, so that
//! they appear whole or not at all.

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
pub use jsonl::Jsonl;
pub use metrics::Metrics;
pub use parquet::Parquet;
pub use replace::{replace, replace_private};
pub use report::{Report, ReportLine};
pub use runs::Runs;

use jobspec::value::OwnedValue;
use mapper::operator::OutputColumn;

use crate::Error;
use crate::reduce::RowSink;

/// Several outputs from one pass over the rows.
pub struct Together<'a>(pub Vec<&'a mut dyn RowSink>);

impl RowSink for Together<'_> {
    fn begin(&mut self, operator: &str, columns: &[OutputColumn]) -> Result<(), Error> {
        self.0
            .iter_mut()
            .try_for_each(|sink| sink.begin(operator, columns))
    }

    fn row(&mut self, row: &[OwnedValue]) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(|sink| sink.row(row))
    }

    fn end(&mut self) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(|sink| sink.end())
    }
}

#[cfg(test)]
mod tests {
    use jobspec::plan::Plan;
    use jobspec::value::Value;

    use super::*;
    use crate::testing::Folder;

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
