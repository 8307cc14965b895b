//! `[format.NAME]` and `[logs.NAME]`, and which host holds which log.

use std::collections::HashSet;

use super::Compiler;
use super::hosts::Placed;
use super::view::View;
use crate::diagnostic::Place;
use crate::expr::{Column, Expr, FieldId, Pattern, parse};
use crate::job::HostSpec;
use crate::plan::{FieldType, FormatChoice, FormatName, FormatPlan, LogPlan, Redact};
use crate::table::{Text, Written, shortened};
use crate::units;

/// A format that the job declares; its plan is there unless it has mistakes.
pub(super) struct Declared {
    pub name: String,
    pub plan: Option<FormatPlan>,
}

impl Compiler<'_> {
    pub(super) fn formats(&mut self, view: View<'_>) -> Vec<Declared> {
        let mut formats = Vec::new();
        for (entry, view) in view.named("format") {
            if entry.key == "auto" || FormatName::from_name(&entry.key).is_some() {
                self.mistake_with(
                    &entry.key_place,
                    format!("`{}` is a built-in format", entry.key),
                    "a format of your own needs a name of its own",
                );
            }
            formats.push(Declared {
                name: entry.key.clone(),
                plan: Some(self.format(&entry.key, view)),
            });
        }
        formats
    }

    fn format(&mut self, name: &str, view: View<'_>) -> FormatPlan {
        let base = view
            .written("base")
            .and_then(|base| FormatName::from_name(&base.value));
        let pattern = self.regex(view, "pattern");
        let multiline = self.regex(view, "multiline");
        if view.entry("base").is_none()
            && view.entry("pattern").is_none()
            && view.entry("multiline").is_none()
        {
            self.mistake_with(
                view.place,
                "a format needs a `pattern`, a `base` or a `multiline`",
                "pattern: a regex with named groups; base: a built-in format that it varies",
            );
        }
        if let (Some(_), Some(_)) = (view.entry("base"), view.entry("pattern")) {
            self.mistake(
                view.place_of("pattern"),
                "`pattern` beside `base`: a format has its own pattern or varies a built-in one",
            );
        }
        if let (Some(multiline), Some(base)) = (view.entry("multiline"), base)
            && !matches!(base, FormatName::Plain | FormatName::Raw)
        {
            self.mistake(
                &multiline.key_place,
                format!(
                    "an entry of {} is one line each, so `multiline` has no meaning",
                    base.name()
                ),
            );
        }

        let groups: Option<Vec<String>> = pattern.as_ref().map(|pattern| {
            pattern
                .regex()
                .capture_names()
                .flatten()
                .map(str::to_owned)
                .collect()
        });
        if let (Some(groups), Some(text)) = (&groups, view.written("pattern"))
            && groups.is_empty()
        {
            self.mistake_with(
                &text.place,
                "the pattern has no named group, so no field",
                "as in (?<level>\\w+)",
            );
        }
        for key in ["time_key", "level_key", "message_key"] {
            if view.entry(key).is_some()
                && !matches!(
                    base,
                    Some(FormatName::Json | FormatName::Logfmt | FormatName::Csv)
                )
            {
                self.mistake_with(
                    view.place_of(key),
                    format!("`{key}` needs `base` to be json, logfmt or csv"),
                    "a pattern names its groups time, level and message",
                );
            }
        }
        for key in ["delimiter", "columns"] {
            if view.entry(key).is_some() && base != Some(FormatName::Csv) {
                self.mistake(
                    view.place_of(key),
                    format!("`{key}` needs `base = \"csv\"`"),
                );
            }
        }
        FormatPlan {
            name: name.to_owned(),
            base,
            time: self.strftime(view),
            types: self.types(view, groups.as_deref()),
            delimiter: self.delimiter(view),
            columns: self.columns_of_csv(view),
            time_key: view.written("time_key").map(|text| text.value),
            level_key: view.written("level_key").map(|text| text.value),
            message_key: view.written("message_key").map(|text| text.value),
            pattern,
            multiline,
        }
    }

    pub(super) fn regex(&mut self, view: View<'_>, key: &str) -> Option<Pattern> {
        let text = view.written(key)?;
        match Pattern::new(&text.value, false) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                self.mistake(&text.place, format!("`{key}` is no regex: {message}"));
                None
            }
        }
    }

    fn strftime(&mut self, view: View<'_>) -> Option<String> {
        let time = view.written("time")?;
        let wrong = chrono::format::StrftimeItems::new(&time.value)
            .any(|item| matches!(item, chrono::format::Item::Error));
        if wrong {
            self.mistake_with(
                &time.place,
                "`time` is no strftime format",
                "as in \"%Y-%m-%d %H:%M:%S%.f\"",
            );
        } else if !time.value.contains('%') {
            self.mistake_with(
                &time.place,
                "`time` has no field of a time in it",
                "as in \"%Y-%m-%d %H:%M:%S%.f\"",
            );
        }
        Some(time.value)
    }

    fn types(&mut self, view: View<'_>, groups: Option<&[String]>) -> Vec<(String, FieldType)> {
        let pairs = match view.node("types").map(|node| &node.value) {
            Some(Written::Table(_)) => view.pairs("types").unwrap_or_default(),
            _ => return Vec::new(),
        };
        let mut types = Vec::new();
        for pair in pairs {
            if let Some(groups) = groups
                && !groups.contains(&pair.name)
            {
                self.unknown(
                    &pair.name_place,
                    "group",
                    &pair.name,
                    groups.iter().map(String::as_str),
                );
            }
            let kind = match pair.text.value.as_str() {
                "number" => FieldType::Number,
                "bool" => FieldType::Bool,
                _ => FieldType::Text,
            };
            types.push((pair.name, kind));
        }
        types
    }

    fn delimiter(&mut self, view: View<'_>) -> Option<u8> {
        let text = view.written("delimiter")?;
        match text.value.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Some(*byte),
            _ => {
                self.mistake(
                    &text.place,
                    "`delimiter` is one ASCII character, not a quote or a line end",
                );
                None
            }
        }
    }

    fn columns_of_csv(&mut self, view: View<'_>) -> Option<Vec<String>> {
        let columns = view.texts("columns")?;
        let mut seen = HashSet::new();
        for column in &columns {
            if !seen.insert(column.value.clone()) {
                self.mistake(
                    &column.place,
                    format!("the column `{}` is there twice", shortened(&column.value)),
                );
            }
        }
        Some(columns.into_iter().map(|column| column.value).collect())
    }

    /// The logs, sorted by name, and the hosts that hold any, sorted by name.
    pub(super) fn logs(
        &mut self,
        view: View<'_>,
        placed: &Placed,
        formats: &[Declared],
    ) -> (Vec<LogPlan>, Vec<HostSpec>) {
        let mut named = view.named("logs");
        named.sort_by(|(left, _), (right, _)| left.key.cmp(&right.key));
        for (index, (entry, _)) in named.iter().enumerate() {
            self.logs.insert(entry.key.clone(), index as u16);
        }
        let mut hosts = placed.hosts.clone();
        let mut logs = Vec::new();
        for (index, (entry, view)) in named.into_iter().enumerate() {
            if entry.key == "logs" {
                self.mistake(
                    &entry.key_place,
                    "`logs` cannot be the name of a log: in a query it means all of them",
                );
            }
            self.place_log(index as u16, view, placed, &mut hosts);
            logs.push(self.log(&entry.key, view, formats));
        }
        let mut hosts: Vec<HostSpec> = hosts
            .into_iter()
            .enumerate()
            .filter(|(index, host)| {
                !host.logs.is_empty()
                    && placed.kept.as_ref().is_none_or(|kept| kept.contains(index))
            })
            .map(|(_, host)| host)
            .collect();
        hosts.sort_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
        if let (true, Some(kept)) = (hosts.is_empty(), &placed.kept)
            && !kept.is_empty()
        {
            let text = self
                .texts
                .iter()
                .position(|text| text.name == "--host")
                .unwrap_or(0);
            self.mistake(
                &Place::new(text as u32, 0..usize::MAX),
                "no host that it keeps holds a log of the job",
            );
        }
        (logs, hosts)
    }

    fn place_log(&mut self, log: u16, view: View<'_>, placed: &Placed, hosts: &mut [HostSpec]) {
        let mut add = |indices: &[usize]| {
            for index in indices {
                if hosts[*index].logs.last() != Some(&log) {
                    hosts[*index].logs.push(log);
                }
            }
        };
        match view.texts("hosts") {
            None => add(&(0..placed.hosts.len()).collect::<Vec<_>>()),
            Some(words) => {
                let mut seen = HashSet::new();
                for word in words {
                    if !seen.insert(word.value.clone()) {
                        self.mistake(
                            &word.place,
                            format!("`{}` is there twice", shortened(&word.value)),
                        );
                    }
                    add(&self.hosts_of(&word, placed));
                }
            }
        }
    }

    fn log(&mut self, name: &str, view: View<'_>, formats: &[Declared]) -> LogPlan {
        let paths = view.texts("paths").unwrap_or_default();
        for path in &paths {
            if path.value.contains('\0') || path.value.len() > 4096 {
                self.mistake(&path.place, "no file has such a path");
            }
            self.placeholders(path, &["host"]);
        }
        LogPlan {
            name: name.to_owned(),
            paths: paths.into_iter().map(|path| path.value).collect(),
            format: self.format_choice(view, formats),
            timezone: view
                .written("timezone")
                .and_then(|zone| self.timezone(&zone))
                .map(|zone| zone.name().to_owned()),
            year: view
                .integer("year")
                .and_then(|year| i32::try_from(year).ok()),
            disorder_ns: self.disorder(view),
            rotation: self.rotation(view),
            nested_json: view
                .written("nested")
                .is_some_and(|nested| nested.value == "json"),
            derive: self.derive(view),
            drop: view.written("drop").and_then(|text| self.predicate(&text)),
            tag: self.tag(view),
            redact: self.redact(view),
        }
    }

    fn format_choice(&mut self, view: View<'_>, formats: &[Declared]) -> FormatChoice {
        let Some(format) = view.text("format") else {
            return FormatChoice::Auto;
        };
        if let Some(index) = formats
            .iter()
            .position(|declared| declared.name == format.value)
        {
            return FormatChoice::Custom(index as u16);
        }
        if let Some(name) = FormatName::from_name(&format.value) {
            return FormatChoice::Named(name);
        }
        if format.value != "auto" {
            let known: Vec<&str> = FormatName::ALL
                .into_iter()
                .map(|name| -> &str { name.name() })
                .chain(["auto"])
                .chain(formats.iter().map(|declared| declared.name.as_str()))
                .collect();
            self.unknown(&format.place, "format", &format.value, known.into_iter());
        }
        FormatChoice::Auto
    }

    fn disorder(&mut self, view: View<'_>) -> Option<i64> {
        self.measured(view, "disorder", |text| match text {
            "unlimited" => Ok(None),
            _ => units::duration(text)
                .map(Some)
                .map_err(|message| format!("{message}, or \"unlimited\"")),
        })
        .flatten()
    }

    fn rotation(&mut self, view: View<'_>) -> Option<Pattern> {
        let pattern = self.regex(view, "rotation")?;
        for group in ["base", "n"] {
            if !pattern
                .regex()
                .capture_names()
                .flatten()
                .any(|name| name == group)
            {
                self.mistake_with(
                    view.place_of("rotation"),
                    format!("`rotation` has no group `{group}`"),
                    "as in '(?<base>.+)\\.(?<n>\\d+)$': what the names of a stream share, and what orders them",
                );
            }
        }
        Some(pattern)
    }

    /// A field's id by its name alone, whatever columns there are.
    fn field(&mut self, name: &str, place: &Place) -> Option<FieldId> {
        let is_part = |part: &str| {
            part.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
                && part
                    .chars()
                    .all(|char| char.is_ascii_alphanumeric() || char == '_')
        };
        let mut scope = parse::Scope {
            fields: &mut self.fields,
            timezone: self.zone.name(),
        };
        if name.split('.').all(is_part)
            && let Ok(field) = parse::field(&format!("fields.{name}"), &mut scope)
        {
            return Some(field);
        }
        self.mistake_with(
            place,
            format!("`{}` is no name of a field", shortened(name)),
            "letters, digits and `_`, and dots between the parts",
        );
        None
    }

    fn derive(&mut self, view: View<'_>) -> Vec<(FieldId, Expr)> {
        let mut derive = Vec::new();
        for pair in view.pairs("derive").unwrap_or_default() {
            if Column::from_name(&pair.name).is_some() {
                self.mistake(
                    &pair.name_place,
                    format!(
                        "`{}` is a column of every entry, so it cannot be derived",
                        pair.name
                    ),
                );
                continue;
            }
            let field = self.field(&pair.name, &pair.name_place);
            let expr = self.expression(&pair.text, parse::value);
            if let Some(expr) = &expr {
                self.check_names(expr, &pair.text);
            }
            derive.extend(field.zip(expr));
        }
        derive
    }

    fn tag(&mut self, view: View<'_>) -> Vec<(String, Expr)> {
        let mut tag = Vec::new();
        for pair in view.pairs("tag").unwrap_or_default() {
            if let Some(expr) = self.predicate(&pair.text) {
                tag.push((pair.name, expr));
            }
        }
        tag
    }

    fn redact(&mut self, view: View<'_>) -> Vec<Redact> {
        let mut redact = Vec::new();
        for word in view.texts("redact").unwrap_or_default() {
            redact.extend(match word.value.as_str() {
                "email" => Some(Redact::Email),
                "card" => Some(Redact::Card),
                "ip" => Some(Redact::Ip),
                "token" => Some(Redact::Token),
                _ => None,
            });
        }
        for view in view.tables("redact") {
            if let Some(pattern) = self.regex(view, "pattern") {
                let with = view
                    .node("with")
                    .and_then(|node| node.as_text())
                    .or_else(|| view.text("with"));
                redact.push(Redact::Pattern {
                    pattern,
                    with: with.map(|text: Text| text.value).unwrap_or_default(),
                });
            }
            if let Some(field) = view.written("field") {
                if view.entry("with").is_some() {
                    self.mistake(
                        view.place_of("with"),
                        "`with` beside `field`: a field leaves as a hash",
                    );
                }
                redact.extend(self.expression(&field, parse::field).map(Redact::Field));
            }
        }
        redact
    }
}
