//! Names: columns of every entry, and own fields by their paths.

use sqlparser::ast::{AccessExpr, Expr as Tree, Ident, Subscript, Value as Constant};

use super::Mistake;
use super::scalar::Converter;
use crate::expr::{Column, Expr};
use crate::plan::{FieldPath, PathPart};

const MAX_PATH_PARTS: usize = 32;

impl Converter<'_> {
    /// A column, or an own field by its path.
    pub(super) fn name(&mut self, tree: &Tree) -> Option<Expr> {
        let mut parts = Vec::new();
        let is_quoted = match tree {
            Tree::Identifier(name) => {
                if let Some(Mistake { span, message, .. }) = self.source.reserved(name) {
                    return self.wrong_at(span, message, None);
                }
                parts.push(PathPart::Name(name.value.clone()));
                name.quote_style.is_some()
            }
            Tree::CompoundIdentifier(names) => {
                parts.extend(names.iter().map(|name| PathPart::Name(name.value.clone())));
                names.first().is_some_and(|name| name.quote_style.is_some())
            }
            Tree::CompoundFieldAccess { root, access_chain } => {
                let Tree::Identifier(root) = &**root else {
                    return self.wrong(tree, "only a field has parts");
                };
                parts.push(PathPart::Name(root.value.clone()));
                for access in access_chain {
                    let part = self.access(access)?;
                    parts.push(part);
                }
                root.quote_style.is_some()
            }
            _ => return self.wrong(tree, "expected a name"),
        };
        if let [PathPart::Name(name)] = parts.as_slice() {
            if self.groups.is_some() && !self.in_measure {
                return self.group_name(tree, name);
            }
            if let Some(column) = Column::from_name(name) {
                return Some(Expr::Column(column));
            }
        }
        if parts.len() > 1 && !is_quoted && parts[0] == PathPart::Name("fields".to_owned()) {
            parts.remove(0);
        }
        self.own_field(tree, parts)
    }

    fn access(&mut self, access: &AccessExpr) -> Option<PathPart> {
        let wrong = "a field's part is a name or an index, like `a.b` or `a[0]`";
        match access {
            AccessExpr::Dot(Tree::Identifier(Ident { value, .. })) => {
                Some(PathPart::Name(value.clone()))
            }
            AccessExpr::Dot(tree) => self.wrong(tree, wrong),
            AccessExpr::Subscript(Subscript::Index {
                index: Tree::Value(value),
            }) => match &value.value {
                Constant::Number(number, _) => match number.parse() {
                    Ok(index) => Some(PathPart::Index(index)),
                    Err(_) => self.wrong(value, wrong),
                },
                Constant::SingleQuotedString(name) => Some(PathPart::Name(name.clone())),
                _ => self.wrong(value, wrong),
            },
            AccessExpr::Subscript(subscript) => self.wrong(subscript, wrong),
        }
    }

    fn own_field(&mut self, tree: &Tree, parts: Vec<PathPart>) -> Option<Expr> {
        if parts.len() > MAX_PATH_PARTS {
            return self.wrong(tree, format!("a path has at most {MAX_PATH_PARTS} parts"));
        }
        let mut text = String::new();
        for part in &parts {
            match part {
                PathPart::Name(name) if name.is_empty() => {
                    return self.wrong(tree, "a name cannot be empty");
                }
                PathPart::Name(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
                PathPart::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        let path = FieldPath { text, parts };
        if self.is_trial {
            return self.fields.known(&path).map(Expr::Field);
        }
        if self.groups.is_some() && !self.in_measure {
            return self.ungrouped(tree, &path.text);
        }
        match self.fields.id(path) {
            Some(field) => Some(Expr::Field(field)),
            None => self.wrong(tree, "the job reads more than 65,536 fields"),
        }
    }
}

/// The nearest of some names, if one is near.
pub(super) fn near<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_lowercase();
    names
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&name, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known)
}
